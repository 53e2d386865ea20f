"""Notes of the guests in a deployment: a file for each, from before it stores anything until all of that is gone.

A note is locked as long as the process lives that has the guest. So one that nobody holds is of a verification that was killed,
and the next one knows whom to clear away. The secrets in it are sealed as those of accounts are.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

import msgspec

from siegel.app.verify.guest import Guest
from siegel.customer.keybox.durable import sync_folder
from siegel.domain.errors import StorageError

NOTE_PREFIX: Final = "verify-guest-"


class GuestNote:
    """A note that this process holds."""

    def __init__(self, path: Path, descriptor: int, guest: Guest) -> None:
        """Take the note at `path` of `guest`, whose lock is that of `descriptor`."""
        self.guest = guest
        self._path = path
        self._descriptor = descriptor

    def forget(self) -> None:
        """Remove the note: nothing of the guest is left."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the note. If it is still there, the next verification clears its guest away."""
        os.close(self._descriptor)


def note_guest(directory: Path, guest: Guest) -> GuestNote:
    """Note a guest, durably. Raises StorageError."""
    path = directory / f"{NOTE_PREFIX}{guest.account.account_id}"
    # Under its name it is locked from the first moment.
    fresh = path.with_name(f".{path.name}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(guest))
        if os.geteuid() == 0:
            # What root leaves is for the service's user to clear away.
            os.fchown(descriptor, directory.stat().st_uid, directory.stat().st_gid)
        os.fsync(descriptor)
        fresh.rename(path)
        sync_folder(directory)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    return GuestNote(path, descriptor, guest)


def find_notes(directory: Path) -> list[Path]:
    """Return the notes of all guests, also of those whose verification goes on."""
    return sorted(directory.glob(f"{NOTE_PREFIX}*"))


def take_note(path: Path) -> GuestNote | None:
    """Hold a note that nobody holds; None if somebody does, or it is gone. Raises StorageError if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return GuestNote(path, descriptor, msgspec.json.decode(path.read_bytes(), type=Guest))
        except BaseException:
            os.close(descriptor)
            raise
    except (BlockingIOError, FileNotFoundError):
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} is no note of a guest") from error
