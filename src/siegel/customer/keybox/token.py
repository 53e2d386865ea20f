"""Keys of a box in a PKCS#11 token: generic secrets of 256 bits, of which the token computes HMAC-SHA-256 and nothing else.

What it computes is the key of one call (`ciphers.py`); the key itself never leaves the token, for its owner neither. A key's
label is its id. Needs the extra `siegel[pkcs11]`. Source: OASIS PKCS #11 v2.40, CKM_SHA256_HMAC.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from msgspec import Struct

from siegel.customer.keybox.content import KEY_BYTES, Key
from siegel.customer.keybox.durable import read_secret
from siegel.domain.errors import ConfigurationError

T = TypeVar("T")

_ATTEMPTS: Final = 2


class TokenPlace(Struct, frozen=True):
    """A token: the library that leads to it, its label, and the file with its PIN."""

    module: Path
    label: str
    pin_file: Path


class Token:
    """An open token. For one thread; every method raises ConfigurationError where token, PIN or key are not as they should be."""

    def __init__(self, place: TokenPlace) -> None:
        """Log in to the token."""
        self._place = place
        self._pkcs11 = _library()
        self._session: Any = None
        self.serial: str = self._with_session(lambda session: _text(session.token.serial))

    def __repr__(self) -> str:
        return f"Token({self._place.label})"

    def create(self, key_id: str) -> None:
        """Make a key that nobody can read and that computes HMAC alone."""
        attribute = self._pkcs11.Attribute
        self._with_session(
            lambda session: session.generate_key(
                self._pkcs11.KeyType.GENERIC_SECRET,
                KEY_BYTES * 8,
                label=key_id,
                store=True,
                mechanism=self._pkcs11.Mechanism.GENERIC_SECRET_KEY_GEN,
                capabilities=self._pkcs11.MechanismFlag.SIGN,
                template={attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
            )
        )

    def destroy(self, key: Key) -> None:
        """Destroy a key; one that is gone from its token already is destroyed."""
        self.check_holds(key)
        self._with_session(lambda session: self._destroy(session, key.key_id))

    def check_holds(self, key: Key) -> None:
        """Raise unless this is the token that the key was made in."""
        if key.token != self.serial:
            raise ConfigurationError(f"the key {key.key_id} is in another token than {self._place.label}: in {key.token}")

    def hmac(self, key: Key, data: bytes) -> bytes:
        """Return HMAC-SHA-256 of `data` by a key that stays in the token."""
        self.check_holds(key)
        return self._with_session(lambda session: self._sign(session, key.key_id, data))

    def _destroy(self, session: Any, key_id: str) -> None:
        for held in self._found(session, key_id):
            held.destroy()

    def _sign(self, session: Any, key_id: str, data: bytes) -> bytes:
        found = self._found(session, key_id)
        if len(found) != 1:
            raise ConfigurationError(
                f"the token {self._place.label} has {len(found)} keys called {key_id}, where one is expected"
            )
        return bytes(found[0].sign(data, mechanism=self._pkcs11.Mechanism.SHA256_HMAC))

    def _found(self, session: Any, key_id: str) -> list[Any]:
        attribute = self._pkcs11.Attribute
        return list(session.get_objects({attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY, attribute.LABEL: key_id}))

    def _with_session(self, use: Callable[[Any], T], attempts_left: int = _ATTEMPTS) -> T:
        """Run `use` in the session; one that was lost is opened again, once."""
        try:
            if self._session is None:
                self._session = self._log_in()
            return use(self._session)
        except self._pkcs11.PKCS11Error as error:
            self._session = None
            if attempts_left > 1 and isinstance(error, self._lost()):
                return self._with_session(use, attempts_left - 1)
            raise ConfigurationError(f"the token {self._place.label} refuses: {_name(error)}") from None

    def _lost(self) -> tuple[type[Exception], ...]:
        pkcs11 = self._pkcs11
        return pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.DeviceRemoved, pkcs11.UserNotLoggedIn

    def _log_in(self) -> Any:
        pkcs11, place = self._pkcs11, self._place
        if not place.module.is_file():
            raise ConfigurationError(f"the PKCS#11 module {place.module} is missing")
        pin = read_secret(place.pin_file, "PIN file").decode(errors="replace").rstrip("\r\n")
        try:
            token = pkcs11.lib(str(place.module)).get_token(token_label=place.label)
        except pkcs11.NoSuchToken:
            raise ConfigurationError(f"the module {place.module} knows no token called {place.label}") from None
        # A wrong PIN that is tried again and again locks the token.
        if token.flags & (pkcs11.TokenFlag.USER_PIN_LOCKED | pkcs11.TokenFlag.USER_PIN_FINAL_TRY):
            raise ConfigurationError(f"the PIN of {place.label} is locked, or one more wrong PIN would lock it: look at it first")
        try:
            return token.open(rw=True, user_pin=pin)
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            raise ConfigurationError(f"the PIN is not that of the token {place.label}") from None


def _library() -> ModuleType:
    try:
        import pkcs11  # noqa: PLC0415  a box whose keys are in its file need not have it
    except ImportError:
        raise ConfigurationError("keys in a token need the package python-pkcs11\ntry: pip install 'siegel[pkcs11]'") from None
    return pkcs11


def _text(serial: bytes | str) -> str:
    return (serial.decode(errors="replace") if isinstance(serial, bytes) else serial).strip()


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
