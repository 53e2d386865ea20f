"""Keys of a box in a PKCS#11 token: generic secrets of 256 bits, of which the token computes HMAC-SHA-256 and nothing else.

What it computes is the key of one call (`ciphers.py`); the key itself never leaves the token, for its owner neither. A key's
label is its id. Needs the extra `siegel[pkcs11]`. Source: OASIS PKCS #11 v2.40, CKM_SHA256_HMAC.
"""

from typing import Any, Final

from siegel.customer.keybox.content import KEY_BYTES, Key
from siegel.customer.keybox.tokensession import TokenPlace, TokenSession
from siegel.domain.errors import ConfigurationError

_CLASS: Final = "SECRET_KEY"


class Token:
    """An open token. For one thread; every method raises ConfigurationError where token, PIN or key are not as they should be."""

    def __init__(self, place: TokenPlace) -> None:
        """Log in to the token."""
        self._session = TokenSession(place)
        self._pkcs11 = self._session.pkcs11
        self.serial: str = self._session.serial

    def __repr__(self) -> str:
        return f"Token({self._session.label})"

    def create(self, key_id: str) -> None:
        """Make a key that nobody can read and that computes HMAC alone."""
        attribute = self._pkcs11.Attribute
        self._session.use(
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
        self._session.use(lambda session: self._destroy(session, key.key_id))

    def check_holds(self, key: Key) -> None:
        """Raise unless this is the token that the key was made in."""
        if key.token != self.serial:
            raise ConfigurationError(f"the key {key.key_id} is in another token than {self._session.label}: in {key.token}")

    def hmac(self, key: Key, data: bytes) -> bytes:
        """Return HMAC-SHA-256 of `data` by a key that stays in the token."""
        self.check_holds(key)
        return self._session.use(lambda session: self._sign(session, key.key_id, data))

    def _destroy(self, session: Any, key_id: str) -> None:
        for held in self._session.found(session, _CLASS, key_id):
            held.destroy()

    def _sign(self, session: Any, key_id: str, data: bytes) -> bytes:
        key = self._session.one(session, _CLASS, key_id)
        return bytes(key.sign(data, mechanism=self._pkcs11.Mechanism.SHA256_HMAC))
