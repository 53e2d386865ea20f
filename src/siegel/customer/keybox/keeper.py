"""What the box's owner does with it: make it, make keys, disable, enable and destroy them, change credentials.

Every change is in the log twice: that it begins, and, once it is durable, that it is done. So no crash hides one.
"""

import os
from base64 import b32encode, b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import UNSET, Struct

from siegel.customer.keybox.boxfile import SEALING_KEY_BYTES, Effort, Unlocking
from siegel.customer.keybox.certificates import certify
from siegel.customer.keybox.content import KEY_BYTES, Content, Credential, DestroyedKey, Face, Key
from siegel.customer.keybox.durable import replace_whole, sync_folder
from siegel.customer.keybox.folder import CERTIFICATES_NAME, KEY_NAME, LOG_NAME, POLICY_NAME, OpenBox, check_unlocking, create_box
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.token import Token
from siegel.customer.keybox.tokensession import TokenPlace
from siegel.customer.keybox.unlocking import Secret, make_key_file, read_key_file, read_passphrase
from siegel.customer.keybox.uses import DONE, INIT, Use, system_ms
from siegel.customer.keybox.xks import PATH
from siegel.domain.errors import ConfigurationError, SiegelError, StorageError
from siegel.domain.moments import encode_time_ms

BEGUN: Final = "begun"
URI_PATH_CHARS_MAX: Final = 128

_PREFIX_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_")
_POLICY: Final = b"""\
# Who may use the keys of this box. What is left out allows everything; a change counts from the next call on.
# Check it with: siegel keybox policy DIR
#
# principals = ["arn:aws:iam::123456789012:*"]
# operations = ["xks.metadata", "xks.encrypt", "xks.decrypt", "kms.GenerateDataKey", "kms.Decrypt"]
# accounts = ["123456789012"]
# buckets = ["evidence-*"]
# objects = ["2026/*"]
# require_reason = ["xks.decrypt"]
# consents = "required"
# rate_per_minute = 60000
# hours = { from = "07:00", to = "19:00", days = ["mon", "tue", "wed", "thu", "fri"], zone = "Europe/Berlin" }
#
# [keys.NAME]
# principals = ["arn:aws:iam::123456789012:user/recorder"]
"""

RandomBytes = Callable[[int], bytes]


class Unlocked(Struct, frozen=True):
    """Where a box is, the files that open it (at most one of the two is given), and the token with keys of it, if any."""

    folder: Path
    key_file: Path | None = None
    passphrase_file: Path | None = None
    token_place: TokenPlace | None = None

    def token(self) -> Token:
        """Log in to the token. Raises ConfigurationError."""
        if self.token_place is None:
            raise ConfigurationError("no token is named\ntry: --pkcs11-module, --pkcs11-token, --pkcs11-pin-file")
        return Token(self.token_place)

    def secret(self) -> Secret:
        """Read what opens the box: the key file in its folder unless another is given. Raises ConfigurationError."""
        if self.key_file is not None and self.passphrase_file is not None:
            raise ConfigurationError("a box has a key file or a passphrase, not both")
        if self.passphrase_file is not None:
            return read_passphrase(self.passphrase_file)
        return read_key_file(self.key_file or self.folder / KEY_NAME)

    def open(self, random_bytes: RandomBytes = os.urandom) -> OpenBox:
        """Open the box. Raises ConfigurationError: there is none, it is unlocked by something else, damage."""
        if self.key_file is None and self.passphrase_file is None:
            check_unlocking(self.folder, Unlocking.KEY_FILE)
        return OpenBox(self.folder, self.secret(), random_bytes)


def initialise(
    unlocked: Unlocked,
    uri_prefix: str = "",
    *,
    effort: Effort | None = None,
    random_bytes: RandomBytes = os.urandom,
    now_ms: Callable[[], int] = system_ms,
) -> Content:
    """Make a box with a credential for each face, in an empty or missing directory; return its content.

    The key file is made unless it is there. Raises ConfigurationError, StorageError.
    """
    folder = unlocked.folder
    check_uri_prefix(uri_prefix)
    secret = _prepare(unlocked, random_bytes)
    content = Content(
        box_id=str(UUID(bytes=random_bytes(16), version=4)),
        created_at_ms=now_ms(),
        uri_prefix=uri_prefix,
        signing_seed=random_bytes(32),
        probe=random_bytes(KEY_BYTES),
        credentials=tuple(make_credential(face, random_bytes, now_ms()) for face in Face),
    )
    replace_whole(folder / POLICY_NAME, _POLICY)
    create_box(folder, content, secret, effort=effort, random_bytes=random_bytes)
    _write_down(folder, Use(encode_time_ms(now_ms()), INIT, DONE))
    return content


def check_uri_prefix(prefix: str) -> None:
    """Check what comes in front of `/kms/xks/v1`. Raises ConfigurationError."""
    well_formed = not prefix or (prefix[0] == "/" and prefix[-1] != "/" and "//" not in prefix)
    if not well_formed or not _PREFIX_CHARS.issuperset(prefix) or len(prefix + PATH) > URI_PATH_CHARS_MAX:
        raise ConfigurationError(
            f"{prefix!r} is no prefix: a slash, then letters, digits, slashes, dashes, underscores; with {PATH} at most "
            f"{URI_PATH_CHARS_MAX} characters"
        )


def make_credential(face: Face, random_bytes: RandomBytes, now_ms: int) -> Credential:
    """Return a fresh credential of the form that the specification demands: 24 letters and digits, 44 of base64."""
    return Credential(face, b32encode(random_bytes(15)).decode(), b64encode(random_bytes(32)).decode(), now_ms)


class Keeper:
    """The owner's hand on an open box; works beside the server that runs on it."""

    def __init__(self, unlocked: Unlocked, random_bytes: RandomBytes = os.urandom, now_ms: Callable[[], int] = system_ms) -> None:
        """Open the box. Raises ConfigurationError."""
        self._folder = unlocked.folder
        self._unlocked = unlocked
        self._random_bytes = random_bytes
        self._now_ms = now_ms
        self._box = unlocked.open(random_bytes)

    @property
    def content(self) -> Content:
        """The content as it was last read or written."""
        return self._box.content

    def create_key(self, name: str | None, *, in_token: bool = False) -> Key:
        """Make a key, in the token if it is to be there; without a name it is called by its id.

        Raises ConfigurationError, StorageError.
        """
        key_id = str(UUID(bytes=self._random_bytes(16), version=4))
        token = self._unlocked.token() if in_token else None
        material = None if token else self._random_bytes(KEY_BYTES)
        key = Key(key_id, name or key_id, self._now_ms(), material, token=token.serial if token else UNSET)
        with self._box.changing() as content, self._noted("box.create-key", key_id):
            changed = content.with_key(key)
            if token:
                token.create(key_id)
            self._box.write(changed)
        return key

    def set_enabled(self, name: str, *, is_enabled: bool) -> Key:
        """Enable or disable the key of this id or name, from the next call on. Raises ConfigurationError, StorageError."""
        with self._box.changing() as content:
            key = content.find(name)
            with self._noted("box.enable" if is_enabled else "box.disable", key.key_id):
                self._box.write(content.with_state(key, is_enabled=is_enabled))
        return key

    def destroy(self, name: str) -> Path:
        """Destroy the key of this id or name, for ever; return the file of its certificate.

        One in a token goes there first: no certificate says more than is true. Raises ConfigurationError, StorageError.
        """
        with self._box.changing() as content:
            key = content.find(name)
            with self._noted("box.destroy", key.key_id):
                if key.material is None:
                    self._unlocked.token().destroy(key)
                self._box.write(content.without_key(key, self._now_ms()))
                return self._write_certificate(self.content.destroyed_by_id[key.key_id])

    def certificate(self, key_id: str) -> bytes:
        """Return the certificate of a destroyed key, by its id or name. Raises ConfigurationError if none was destroyed."""
        found = [gone for gone in self.content.destroyed if key_id in {gone.key_id, gone.name}]
        if not found:
            raise ConfigurationError(f"no key {key_id!r} was destroyed in this box")
        return certify(self.content, found[-1])

    def rotate(self, face: Face) -> Credential:
        """Add a credential beside the one that is valid. Raises ConfigurationError while there are two, StorageError."""
        fresh = make_credential(face, self._random_bytes, self._now_ms())
        with self._box.changing() as content, self._noted("box.rotate", fresh.access_key_id):
            self._box.write(content.with_credential(fresh))
        return fresh

    def retire(self, access_key_id: str) -> None:
        """Take a credential away, from the next call on. Raises ConfigurationError, StorageError."""
        with self._box.changing() as content, self._noted("box.retire", access_key_id):
            self._box.write(content.without_credential(access_key_id))

    def _write_certificate(self, gone: DestroyedKey) -> Path:
        shelf = self._folder / CERTIFICATES_NAME
        try:
            shelf.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"{shelf} cannot be made: {error.strerror}") from None
        path = shelf / f"{gone.key_id}.json"
        replace_whole(path, certify(self.content, gone))
        return path

    def _noted(self, operation: str, key_id: str) -> AbstractContextManager[None]:
        return noted(self._folder, operation, key_id, self._now_ms)


@contextmanager
def noted(folder: Path, operation: str, key_id: str, now_ms: Callable[[], int]) -> Iterator[None]:
    """Write into the log of the box that a change begins, and what came of it. Raises StorageError, and what is raised within."""

    def note(result: str, detail: str = "") -> None:
        _write_down(folder, Use(encode_time_ms(now_ms()), operation, result, key_id, detail=detail))

    note(BEGUN)
    try:
        yield
    except SiegelError as error:
        note("refused", str(error).partition("\n")[0])
        raise
    note(DONE)


def _prepare(unlocked: Unlocked, random_bytes: RandomBytes) -> Secret:
    folder = unlocked.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty: a box is made in an empty or missing directory")
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}") from None
    key_file = unlocked.key_file or folder / KEY_NAME
    if unlocked.passphrase_file is None and not key_file.exists():
        make_key_file(key_file, random_bytes(SEALING_KEY_BYTES))
    return unlocked.secret()


def _write_down(folder: Path, use: Use) -> None:
    log = LogFile(folder / LOG_NAME)
    try:
        log.append([use.entry()])
    finally:
        log.close()
