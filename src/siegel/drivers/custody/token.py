"""A root key in a PKCS#11 token (OASIS PKCS #11 v2.40 and later): an AES key of 256 bits that never leaves it.

The token seals by AES-GCM itself. What it seals is the key chest, opened once per process. Each use logs in, works and logs out
again: nothing is lost with a session, and a token that was away is asked again, once.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.drivers.custody.rootfile import RandomBytes, read_private
from siegel.drivers.custody.roots import TokenPlace
from siegel.envelope.record import NONCE_BYTES, RECORD_OVERHEAD_BYTES

T = TypeVar("T")

PIN_VARIABLE: Final = "SIEGEL_PKCS11_PIN"
_PIN_BYTES_MAX: Final = 256
_KEY_BITS: Final = 256
_TAG_BITS: Final = 128
_KEY_ID_BYTES: Final = 8
# The form of what the token seals: that of a record (`envelope/record.py`), whose cipher works in the token.
_VERSION: Final = b"\x01"
_BODY_AT: Final = 1 + NONCE_BYTES
_ATTEMPTS: Final = 2
_LOOKS: Final = 10
_LOOK_AGAIN_S: Final = 0.05


class _UnsettledError(ConfigurationError):
    """A token is not to be had, and may be a moment later: while another process logs in, SoftHSM writes its file anew."""


class TokenRoot:
    """A root key in a token. Raises ConfigurationError from every method where token, PIN or key are not as they should be."""

    def __init__(self, place: TokenPlace, random_bytes: RandomBytes = os.urandom, *, is_made: bool = False) -> None:
        """Find the key in its token. `is_made`: make it there unless it exists, never readable, not by its own user either."""
        self.place = place
        self._random_bytes = random_bytes
        self._pkcs11 = _library()
        if is_made:
            self._with_session(self._ensure_key, rw=True)
        self.root_id = self._with_key(lambda key: _root_id(self._pkcs11, key))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal `plaintext` bound to `context`, in the token."""
        nonce = self._random_bytes(NONCE_BYTES)
        return _VERSION + nonce + self._with_key(lambda key: bytes(key.encrypt(plaintext, **self._gcm(nonce, context))))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Open what `seal` made for the same context, in the token. Raises SealBrokenError as well."""
        if sealed[:1] != _VERSION or len(sealed) < RECORD_OVERHEAD_BYTES:
            raise SealBrokenError("not a sealed record, or of an unknown version")
        nonce, body = sealed[1:_BODY_AT], sealed[_BODY_AT:]
        return self._with_key(lambda key: self._decrypt(key, nonce, body, context))

    def _decrypt(self, key: Any, nonce: bytes, body: bytes, context: bytes) -> bytes:
        try:
            return bytes(key.decrypt(body, **self._gcm(nonce, context)))
        # A tag that does not fit has one name in the standard, another in SoftHSM.
        except (self._pkcs11.EncryptedDataInvalid, self._pkcs11.GeneralError):
            raise SealBrokenError(f"what {self.place} has sealed does not open: damage, or another key") from None

    def _gcm(self, nonce: bytes, context: bytes) -> dict[str, Any]:
        return {
            "mechanism": self._pkcs11.Mechanism.AES_GCM,
            "mechanism_param": self._pkcs11.GCMParams(nonce, context, _TAG_BITS),
        }

    def _with_key(self, use: Callable[[Any], T]) -> T:
        return self._with_session(lambda session: use(self._find_key(session)))

    def _find_key(self, session: Any) -> Any:
        found = list(session.get_objects(self._template()))
        if not found:
            raise ConfigurationError(f"the token {self.place.token} has no AES key called {self.place.key}")
        if len(found) > 1:
            raise ConfigurationError(f"the token {self.place.token} has {len(found)} keys called {self.place.key}: which is it?")
        return found[0]

    def _template(self) -> dict[Any, Any]:
        attribute = self._pkcs11.Attribute
        return {
            attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
            attribute.KEY_TYPE: self._pkcs11.KeyType.AES,
            attribute.LABEL: self.place.key,
        }

    def _ensure_key(self, session: Any) -> None:
        attribute, flag = self._pkcs11.Attribute, self._pkcs11.MechanismFlag
        if list(session.get_objects(self._template())):
            return
        session.generate_key(
            self._pkcs11.KeyType.AES,
            _KEY_BITS,
            id=self._random_bytes(_KEY_ID_BYTES),
            label=self.place.key,
            store=True,
            capabilities=flag.ENCRYPT | flag.DECRYPT,
            template={attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
        )

    def _with_session(self, use: Callable[[Any], T], *, rw: bool = False, attempts_left: int = _ATTEMPTS) -> T:
        """Run `use` in a session of its own; one that was lost is opened again, once."""
        pkcs11 = self._pkcs11
        lost = (pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.DeviceRemoved, pkcs11.UserNotLoggedIn)
        try:
            with self._log_in(rw=rw) as session:
                return use(session)
        except lost as error:
            if attempts_left > 1:
                return self._with_session(use, rw=rw, attempts_left=attempts_left - 1)
            raise ConfigurationError(f"the session with the token {self.place.token} is lost: {_name(error)}") from None
        except pkcs11.PKCS11Error as error:
            raise ConfigurationError(f"the token {self.place.token} refuses: {_name(error)}") from None

    def _log_in(self, *, rw: bool) -> Any:
        """Return an open session. What may be there a moment later is looked for again; a wrong PIN is never tried again."""
        for _ in range(_LOOKS - 1):
            try:
                return self._open(self._find_token(), rw=rw)
            except _UnsettledError:
                time.sleep(_LOOK_AGAIN_S)
                # Which tokens there are, a module may look for where it begins alone; that this fails, the next look tells.
                with suppress(self._pkcs11.PKCS11Error):
                    self._pkcs11.lib(self.place.module).reinitialize()
        return self._open(self._find_token(), rw=rw)

    def _open(self, token: Any, *, rw: bool) -> Any:
        pkcs11, label = self._pkcs11, self.place.token
        if token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
            raise ConfigurationError(f"the PIN of the token {label} is locked: its security officer can unlock it")
        if token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
            raise ConfigurationError(f"one more wrong PIN would lock the token {label}: log in with another program first")
        pin = _pin(self.place)
        try:
            return token.open(rw=rw, user_pin=pin)
        except pkcs11.PinLocked:
            raise ConfigurationError(f"the PIN of the token {label} is locked: its security officer can unlock it") from None
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            raise ConfigurationError(f"the PIN is not that of the token {label}") from None
        except (pkcs11.GeneralError, pkcs11.UserPinNotInitialized) as error:
            raise _UnsettledError(f"the token {label} refuses: {_name(error)}") from None

    def _find_token(self) -> Any:
        pkcs11, place = self._pkcs11, self.place
        if not Path(place.module).is_file():
            raise ConfigurationError(f"the PKCS#11 module {place.module} is missing")
        try:
            return pkcs11.lib(place.module).get_token(token_label=place.token)
        except pkcs11.NoSuchToken:
            raise _UnsettledError(f"the module {place.module} knows no token called {place.token}") from None
        except pkcs11.MultipleTokensReturned:
            raise ConfigurationError(f"the module {place.module} knows several tokens called {place.token}") from None
        except pkcs11.PKCS11Error as error:
            raise _UnsettledError(f"the PKCS#11 module {place.module} cannot be used: {_name(error)}") from None


def _library() -> ModuleType:
    try:
        import pkcs11  # noqa: PLC0415  a deployment whose root key is a file need not have it
    except ImportError:
        raise ConfigurationError(
            "a root key in a token needs the package python-pkcs11\ntry: pip install 'siegel[pkcs11]'"
        ) from None
    return pkcs11


def _root_id(pkcs11: ModuleType, key: Any) -> str:
    """Name a key by its CKA_ID; one that was made elsewhere without, by its label."""
    identifier = bytes(key[pkcs11.Attribute.ID])
    return identifier.hex() or f"label {key.label}"


def _pin(place: TokenPlace) -> str:
    if place.pin_file is None:
        pin = os.environ.get(PIN_VARIABLE, "")
        if not pin:
            raise ConfigurationError(
                f"the token {place.token} wants a PIN: name its file by pkcs11_pin_file, or set {PIN_VARIABLE}"
            )
        return pin
    try:
        return read_private(Path(place.pin_file), "PIN", _PIN_BYTES_MAX).decode().rstrip("\n")
    except FileNotFoundError:
        raise ConfigurationError(f"the PIN file {place.pin_file} is missing") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the PIN file {place.pin_file} holds no text") from None


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
