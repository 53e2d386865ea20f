"""The Merkle tree's hashes: RFC 6962, section 2.1, with SHA-256."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256().digest()

_PAIR_BYTES: Final = 2 * HASH_BYTES


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 over a zero byte and the entry."""
    return sha256(b"\0" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    """Return the hashes of leaves, one behind the other."""
    # In one go: to call `leaf_hash` for each takes a seventh more.
    return b"".join([sha256(b"\0" + entry).digest() for entry in entries])


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two others: SHA-256 over the byte 1 and both."""
    return sha256(b"\x01" + left + right).digest()


def subtree_root(hashes: bytes) -> bytes:
    """Return the root above consecutive hashes of trees of one height; the last of them may be of a lower tree.

    `hashes` are at least one, each of 32 bytes, one behind the other. A node without a neighbour rises as it is, which is what
    the RFC's split at the largest power of two comes to.
    """
    while len(hashes) > HASH_BYTES:
        whole = len(hashes) // _PAIR_BYTES * _PAIR_BYTES
        above = [sha256(b"\x01" + hashes[at : at + _PAIR_BYTES]).digest() for at in range(0, whole, _PAIR_BYTES)]
        hashes = b"".join(above) + hashes[whole:]
    return hashes
