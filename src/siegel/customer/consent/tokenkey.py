"""A consent key in a PKCS#11 token: an Ed25519 pair that the token made, and whose private half never leaves it.

The label of both halves is the name under which it signs. Source: OASIS PKCS #11 v3.0, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA.
"""

from typing import Any, Final

from siegel.customer.keybox.tokensession import TokenSession
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.keys import Algorithm, VerifierKey
from siegel.ledger.notes import NoteSignature, check_name

_KEY_BYTES: Final = 32
# The object identifier 1.3.101.112, DER (RFC 8410).
_CURVE: Final = b"\x06\x03\x2b\x65\x70"
# An OCTET STRING of 32 bytes; some tokens give the bytes without this.
_DER_FRONT: Final = b"\x04\x20"


class TokenKey:
    """A key in an open token. Raises ConfigurationError where the token, or the key in it, is not as it should be."""

    def __init__(self, session: TokenSession, name: str) -> None:
        """Use the key called `name` in a token."""
        try:
            check_name(name)
        except LedgerFormError as error:
            raise ConfigurationError(f"no key can be named like that: {error}") from None
        self.name = name
        self._session = session
        self._pkcs11 = session.pkcs11

    def __repr__(self) -> str:
        return f"TokenKey({self.name})"

    def create(self) -> VerifierKey:
        """Make the pair in the token; one of that name must not be there."""
        self._session.use(self._create)
        return self.verifier

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        point = self._session.use(
            lambda session: bytes(self._session.one(session, "PUBLIC_KEY", self.name)[self._pkcs11.Attribute.EC_POINT])
        )
        key = VerifierKey(self.name, Algorithm.ED25519, point.removeprefix(_DER_FRONT) if len(point) > _KEY_BYTES else point)
        if len(key.public_key) != _KEY_BYTES or key.is_weak:
            raise ConfigurationError(f"the key {self.name} in the token {self._session.label} is no Ed25519 key")
        return key

    def sign_text(self, text: str) -> NoteSignature:
        """Return the signature line below the text of a note; the token signs."""
        mechanism = self._pkcs11.Mechanism.EDDSA
        signature = self._session.use(
            lambda session: bytes(self._session.one(session, "PRIVATE_KEY", self.name).sign(text.encode(), mechanism=mechanism))
        )
        return NoteSignature(self.name, self.verifier.key_id, signature)

    def _create(self, session: Any) -> None:
        if any(self._session.found(session, kind, self.name) for kind in ("PRIVATE_KEY", "PUBLIC_KEY")):
            raise ConfigurationError(f"the token {self._session.label} has a key called {self.name} already")
        kinds, attribute = self._pkcs11.KeyType, self._pkcs11.Attribute
        curve = {attribute.EC_PARAMS: _CURVE}
        session.create_domain_parameters(kinds.EC_EDWARDS, curve, local=True).generate_keypair(
            mechanism=self._pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            label=self.name,
            private_template={attribute.PRIVATE: True, attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
        )
