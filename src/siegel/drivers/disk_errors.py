"""The system's errors under the domain's names, so that no caller has to know error numbers."""

import errno
import os
from typing import Final

from siegel.domain.errors import StorageError, StorageFullError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def disk_error(doing: str, error: OSError) -> StorageError:
    """Return what to raise where `error` ended `doing`: StorageFullError where there is no space."""
    kind = StorageFullError if error.errno in _FULL else StorageError
    return kind(f"{doing}: {os.strerror(error.errno or 0)}")
