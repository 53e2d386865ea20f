"""Floor 1: the sealed format, pure. Bytes, keys and random values come as arguments."""
