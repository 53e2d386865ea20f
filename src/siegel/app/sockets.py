"""Ports of the service: one process reserves them, several listen on them.

Every worker listens with a socket of its own on the shared port (SO_REUSEPORT). Measured with two workers: of 32 connections the
busier worker then had 16 to 22, of 4 it had 2 or 3; with one inherited socket, the first worker to wake often took all of them.
"""

import socket
from typing import Final

from siegel.app.settings import Address

# Connections that wait in the kernel to be accepted, per process.
BACKLOG_CONNECTIONS: Final = 4096


def listen(address: Address) -> socket.socket:
    """Return a listening socket that shares its port with those of this user's other processes."""
    listener = _bound(address, share=True)
    listener.listen(BACKLOG_CONNECTIONS)
    listener.setblocking(False)
    return listener


def reserve(address: Address) -> socket.socket:
    """Return a socket that keeps a port for this deployment, so that its processes, and only they, can listen on it.

    Raises OSError if somebody listens there.
    """
    reserved = _bound(address, share=False)
    # Only after the bind: before it, the port of another deployment of this user would be shared silently.
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return reserved


def _bound(address: Address, *, share: bool) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        # Connections of a former run that linger in TIME_WAIT do not keep the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(place)
    except OSError:
        bound.close()
        raise
    return bound
