"""Key material: made here or imported, sealed by the custodian for its account, key and number, opened for a generation's length.

The credentials of external key stores are sealed by the custodian too, each for its account, key store and access key id.
"""

import hmac

from siegel.domain.errors import SealBrokenError
from siegel.domain.key_stores import KeyStore, Proxy
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.domain.records import Document, decode_document, encode_document
from siegel.domain.wrapping_keys import Material
from siegel.envelope.derive import KEY_BYTES


class ImportTicket(Document, frozen=True, array_like=True):
    """What an import token carries: until when it is good, how the material is wrapped, and the key that unwraps it (PKCS #8)."""

    valid_to_ms: int = 0
    wrapping: str = ""
    private_der: bytes = b""

    def __repr__(self) -> str:
        return f"ImportTicket({self.wrapping})"


class Materials:
    """Makes and opens material."""

    def __init__(self, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._custodian = custodian
        self.randomness = randomness

    def make(self, account_id: str, key_id: str, number: int, *, at_ms: int, rotation: str = "") -> Material:
        """Return fresh material, sealed. Raises SealBrokenError if it does not open to the same again."""
        return self.keep(account_id, key_id, number, self.randomness.bytes(KEY_BYTES), at_ms=at_ms, rotation=rotation)

    def keep(self, account_id: str, key_id: str, number: int, clear: bytes, *, at_ms: int, rotation: str = "") -> Material:
        """Return the 32 bytes of a material, sealed. Raises SealBrokenError as `make` does."""
        return Material(number, self._seal(clear, material_context(account_id, key_id, number)), at_ms, rotation)

    def open(self, account_id: str, key_id: str, material: Material) -> bytes:
        """Return the 32 bytes of a material. Raises SealBrokenError."""
        return self._custodian.unwrap(material.sealed, material_context(account_id, key_id, material.number))

    def seal_credential(self, account_id: str, store_id: str, proxy: Proxy) -> bytes:
        """Return the secret that calls to a key store's proxy are signed with, sealed. Raises SealBrokenError as `make` does."""
        return self._seal(proxy.secret.encode(), credential_context(account_id, store_id, proxy.access_key_id))

    def seal_ticket(self, account_id: str, key_id: str, ticket: ImportTicket) -> bytes:
        """Return an import token. Raises SealBrokenError as `make` does."""
        return self._seal(encode_document(ticket), ticket_context(account_id, key_id))

    def open_ticket(self, account_id: str, key_id: str, token: bytes) -> ImportTicket:
        """Return what an import token carries. Raises SealBrokenError for one that was not given out for this key."""
        return decode_document(self._custodian.unwrap(token, ticket_context(account_id, key_id)), ImportTicket)

    def proxy(self, account_id: str, store: KeyStore) -> Proxy:
        """Return a key store's proxy, as it is asked. Raises SealBrokenError if its credential does not open."""
        secret = self._custodian.unwrap(store.sealed_secret, credential_context(account_id, store.store_id, store.access_key_id))
        return Proxy(store.endpoint + store.uri_path, store.access_key_id, secret.decode(), store.trust_pem)

    def _seal(self, clear: bytes, context: bytes) -> bytes:
        sealed = self._custodian.wrap(clear, context)
        if not hmac.compare_digest(self._custodian.unwrap(sealed, context), clear):
            raise SealBrokenError("the custodian did not return what it wrapped")
        return sealed


def credential_context(account_id: str, store_id: str, access_key_id: str) -> bytes:
    """Name the place that a key store's credential is sealed for."""
    return f"siegel key store credential v1\0{account_id}/{store_id}/{access_key_id}".encode()


def ticket_context(account_id: str, key_id: str) -> bytes:
    """Name the key that an import token is sealed for."""
    return f"siegel import token v1\0{account_id}/{key_id}".encode()


def material_context(account_id: str, key_id: str, number: int) -> bytes:
    """Name the place that a key's material is sealed for."""
    return f"siegel key material v1\0{account_id}/{key_id}/{number}".encode()
