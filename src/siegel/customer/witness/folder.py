"""The directory of a witness.

witness.key      its name and keys
logs             whose checkpoints it signs: lines `log VKEY`, as in a policy file; written by hand
state/           for each log, the checkpoint that it signed last, by the SHA-256 of the log's origin
signed           the SHA-256 of each log's origin that it has signed for: where one has no file in state, that was lost
forks/           checkpoints that logs have signed beside others of the same size: proofs of what must never be
serve.lock

What is in `state` never goes back. A directory that was restored from a backup could sign a second history: such a witness is
finished, and a new one with a new name begins.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from siegel.customer.keybox.durable import replace_whole, sync_folder, write_new
from siegel.customer.witness.keyfile import make_key_file, read_key_file
from siegel.customer.witness.steps import Logs
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.keys import NAME_BYTES_MAX, SignerKey, VerifierKey
from siegel.ledger.notes import NOTE_BYTES_MAX
from siegel.ledger.policies import POLICY_BYTES_MAX, read_policy
from siegel.ledger.signed_checkpoints import open_checkpoint

KEY_NAME: Final = "witness.key"
LOGS_NAME: Final = "logs"
STATE_NAME: Final = "state"
SIGNED_NAME: Final = "signed"
FORKS_NAME: Final = "forks"
# Each is a proof by itself: whoever has so many needs no more.
FORKS_MAX: Final = 1000

_LOGS: Final = b"""\
# Whose checkpoints this witness signs: one line for each key of a log. A change counts from the next request on.
#
# log VKEY
"""


def initialise(folder: Path, name: str) -> "WitnessFolder":
    """Make a witness in an empty or missing directory. Raises ConfigurationError, StorageError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty: a witness begins in a directory of its own")
        make_key_file(folder / KEY_NAME, name)
        for below in (STATE_NAME, FORKS_NAME):
            (folder / below).mkdir(mode=0o700)
        write_new(folder / LOGS_NAME, _LOGS)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}") from None
    return WitnessFolder(folder)


class WitnessFolder:
    """The directory of one witness. Not for two threads at once."""

    def __init__(self, folder: Path) -> None:
        """Read the keys. Raises ConfigurationError where there are none, or what was signed is not kept here."""
        self.path = folder
        try:
            is_witness, has_state = (folder / KEY_NAME).exists(), (folder / STATE_NAME).is_dir()
        except OSError as error:
            raise ConfigurationError(f"{folder} cannot be read: {error.strerror}") from None
        if not is_witness:
            raise ConfigurationError(f"{folder} holds no witness\ntry: siegel witness init {folder} --name NAME")
        self.signers: tuple[SignerKey, ...] = read_key_file(folder / KEY_NAME)
        if not has_state:
            raise ConfigurationError(
                f"{folder / STATE_NAME} is gone: what this witness has signed is unknown, so it signs no more"
            )
        self._signed = self._read_signed()
        self._seen: tuple[int, int, int] | None = None
        self._logs: dict[str, list[VerifierKey]] = {}

    @property
    def verifiers(self) -> list[VerifierKey]:
        """The witness's own public keys."""
        return [signer.verifier for signer in self.signers]

    def logs(self) -> Logs:
        """Return the trusted keys of each origin, as the file says now. Raises ConfigurationError."""
        path = self.path / LOGS_NAME
        try:
            found = path.stat()
            mark = found.st_ino, found.st_mtime_ns, found.st_size
            if mark == self._seen:
                return self._logs
            with path.open("rb") as stream:
                data = stream.read(POLICY_BYTES_MAX)
            lines = read_policy(data + b"\nquorum none\n").logs
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
        except LedgerFormError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        logs: dict[str, list[VerifierKey]] = {}
        for line in lines:
            if len(line.verifier.name.encode()) > NAME_BYTES_MAX:
                raise ConfigurationError(
                    f"{path}: a witness signs no origin of more than {NAME_BYTES_MAX} bytes, as {line.verifier.name[:40]}... has"
                )
            logs.setdefault(line.verifier.name, []).append(line.verifier)
        self._logs, self._seen = logs, mark
        return logs

    def last_note(self, origin_hash: str) -> bytes | None:
        """Return the note that was signed last, by the SHA-256 of the origin in hex, None if none was. Raises StorageError."""
        try:
            with (self.path / STATE_NAME / origin_hash).open("rb") as stream:
                return stream.read(NOTE_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"what was signed last cannot be read: {error.strerror}") from None

    def last(self, origin: str) -> Checkpoint | None:
        """Return the checkpoint that was signed last for a log, None if none was.

        Raises StorageError where the file is not what this witness has written: it signs nothing then.
        """
        name = hash_origin(origin)
        data = self.last_note(name)
        if data is None:
            if name in self._signed:
                raise StorageError(f"what was signed last for {origin} is gone: this witness signs no more for that log")
            return None
        try:
            opened = open_checkpoint(data, self.verifiers)
        except LedgerError as error:
            raise StorageError(f"what was signed last for {origin} is damaged: {error}") from None
        if len(opened.signed) < len(self.signers) or opened.checkpoint.origin != origin:
            raise StorageError(f"what was signed last for {origin} is not what this witness has signed")
        return opened.checkpoint

    def store(self, origin: str, note: bytes) -> None:
        """Put a signed note in the place of the last one, durably. Raises StorageError."""
        name = hash_origin(origin)
        replace_whole(self.path / STATE_NAME / name, note)
        if name not in self._signed:
            # Behind the note: a kill between the two leaves a note, and the next one is noted here.
            signed = self._signed | {name}
            replace_whole(self.path / SIGNED_NAME, "".join(f"{one}\n" for one in sorted(signed)).encode())
            self._signed = signed

    def _read_signed(self) -> frozenset[str]:
        try:
            return frozenset((self.path / SIGNED_NAME).read_text(encoding="ascii").split())
        except FileNotFoundError:
            return frozenset()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path / SIGNED_NAME} cannot be read: {error}") from None

    def keep_fork(self, note: bytes, text: str) -> None:
        """Keep a note that contradicts one that was signed, once for each `text`, up to FORKS_MAX. Raises StorageError."""
        folder = self.path / FORKS_NAME
        path = folder / hashlib.sha256(text.encode()).hexdigest()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            kept = {entry.name: entry.stat().st_size for entry in os.scandir(folder) if not entry.name.startswith(".")}
            if path.name in kept and not kept[path.name]:
                # An empty file is no proof, wherever it came from.
                path.unlink()
            elif path.name in kept or len(kept) >= FORKS_MAX:
                return
            write_new(path, note)
            sync_folder(self.path)
        except OSError as error:
            raise StorageError(f"a fork cannot be kept in {folder}: {error.strerror}") from None


def hash_origin(origin: str) -> str:
    """Return the name that a log has in paths: SHA-256 of its origin, in hex."""
    return hashlib.sha256(origin.encode()).hexdigest()
