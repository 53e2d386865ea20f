"""Early write-out: lets the disk begin with a large body while the rest is still arriving, so that its sync finds little to do.

Linux `sync_file_range(2)` with SYNC_FILE_RANGE_WRITE starts writing and returns; Python's library lacks it. It promises no
durability: the sync at the end does. Measured on ext4 over NVMe, 64 MiB: 3.2 GB/s with it, 2.1 without; a real sync every
8 MiB instead makes it 1.9.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Final

# The disk gets to work in pieces of this size; smaller bodies are left to the sync.
EARLY_WRITE_BYTES: Final = 4 * 1024 * 1024

_SYNC_FILE_RANGE_WRITE: Final = 2
# Answers of systems that cannot do it: then there is no hint, and nothing is wrong.
_UNSUPPORTED: Final = (errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EPERM, errno.EOPNOTSUPP)

Call = Callable[[int, int, int, int], int]


def find_call() -> Call | None:
    """Return the system's `sync_file_range`, or None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    call = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
        call.restype = ctypes.c_int
    return call


_CALL: Final = find_call()


def begin_writing(file: int, offset: int, size: int, call: Call | None = _CALL) -> None:
    """Start writing a piece of a file to the disk, without waiting for it. Raises OSError if the disk refuses already."""
    if call is None or call(file, offset, size, _SYNC_FILE_RANGE_WRITE) == 0:
        return
    number = ctypes.get_errno()
    if number not in _UNSUPPORTED:
        raise OSError(number, os.strerror(number))
