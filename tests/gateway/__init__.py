"""Black-box tests of the running service: a real process, real sockets, the official SDK and a raw client."""
