"""A PKCS#11 token, open: where it is, how one logs in, what its refusals become. Needs the extra `siegel[pkcs11]`.

Source: OASIS PKCS #11 v2.40.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from msgspec import Struct

from siegel.customer.keybox.durable import read_secret
from siegel.domain.errors import ConfigurationError

T = TypeVar("T")

_ATTEMPTS: Final = 2


class TokenPlace(Struct, frozen=True):
    """A token: the library that leads to it, its label, and the file with its PIN."""

    module: Path
    label: str
    pin_file: Path


class TokenSession:
    """A token that was logged in to. For one thread; raises ConfigurationError where token or PIN are not as they should be."""

    def __init__(self, place: TokenPlace) -> None:
        """Log in."""
        self._place = place
        self.pkcs11 = _library()
        self._session: Any = None
        self.serial: str = self.use(lambda session: _text(session.token.serial))

    def __repr__(self) -> str:
        return f"TokenSession({self._place.label})"

    @property
    def label(self) -> str:
        """The token's label."""
        return self._place.label

    def one(self, session: Any, kind: str, label: str) -> Any:
        """Return the object of this class and label. Raises ConfigurationError if there is none, or more than one."""
        found = self.found(session, kind, label)
        if len(found) != 1:
            raise ConfigurationError(f"the token {self.label} has {len(found)} keys called {label}, where one is expected")
        return found[0]

    def found(self, session: Any, kind: str, label: str) -> list[Any]:
        """Return the objects of this class and label."""
        attribute = self.pkcs11.Attribute
        return list(session.get_objects({attribute.CLASS: self.pkcs11.ObjectClass[kind], attribute.LABEL: label}))

    def use(self, act: Callable[[Any], T], attempts_left: int = _ATTEMPTS) -> T:
        """Run `act` in the session; one that was lost is opened again, once."""
        try:
            if self._session is None:
                self._session = self._log_in()
            return act(self._session)
        except self.pkcs11.PKCS11Error as error:
            self._session = None
            if attempts_left > 1 and isinstance(error, self._lost()):
                return self.use(act, attempts_left - 1)
            raise ConfigurationError(f"the token {self._place.label} refuses: {_name(error)}") from None

    def _lost(self) -> tuple[type[Exception], ...]:
        pkcs11 = self.pkcs11
        return pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.DeviceRemoved, pkcs11.UserNotLoggedIn

    def _log_in(self) -> Any:
        pkcs11, place = self.pkcs11, self._place
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
