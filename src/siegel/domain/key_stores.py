"""External key stores: where the keys of customers are that this deployment does not have, and what may come of asking there.

Fields of stored classes are only ever added at the end, with a default. Format page: `docs/design/formats/records.md`.
"""

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from siegel.domain.errors import SiegelError
from siegel.domain.records import Document, Kind


class ConnectionState(StrEnum):
    """The states of a key store, in the words of KMS; nothing here is ever on its way from one to the next."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    FAILED = "FAILED"


class KeyStore(Document, frozen=True, array_like=True):
    """An external key store of an account: the proxy by which its keys are used, and how to prove who asks there.

    The proxy's API is below `endpoint` and `uri_path`. `sealed_secret` goes with `access_key_id`. `trust_pem`: the only
    authorities whose certificates count, empty for those of the system. `failure` says why it is FAILED, in a code of KMS.
    `renewed_at_ms` grows with every connect, and with every change of its proxy: what was opened before is not used any more.
    """

    kind: ClassVar[Kind] = Kind.KEY_STORE

    store_id: str = ""
    name: str = ""
    created_at_ms: int = 0
    endpoint: str = ""
    uri_path: str = ""
    access_key_id: str = ""
    sealed_secret: bytes = b""
    trust_pem: str = ""
    state: ConnectionState = ConnectionState.DISCONNECTED
    failure: str = ""
    renewed_at_ms: int = 0

    @property
    def is_connected(self) -> bool:
        """Whether its keys may be used."""
        return self.state is ConnectionState.CONNECTED


class Proxy(Struct, frozen=True):
    """A proxy as it is asked: below `url`, with a credential. The text form shows no secret."""

    url: str
    access_key_id: str
    secret: str
    trust_pem: str

    def __repr__(self) -> str:
        return f"Proxy({self.url}, {self.access_key_id})"


class OuterLayer(Struct, frozen=True):
    """What a proxy made of a plaintext, and wants back to open it: as much ciphertext, and what goes with it."""

    ciphertext: bytes
    iv: bytes
    tag: bytes
    metadata: bytes


class Lapse(StrEnum):
    """What may go wrong with a question to a proxy. The values of refusals are the names that the XKS proxy API gives them."""

    UNREACHABLE = "unreachable"
    TLS = "TLS"
    TIMEOUT = "timeout"
    BUSY = "busy"
    NONSENSE = "nonsense"
    VALIDATION = "ValidationException"
    STATE = "InvalidStateException"
    CIPHERTEXT = "InvalidCiphertextException"
    USAGE = "InvalidKeyUsageException"
    AUTHENTICATION = "AuthenticationFailedException"
    ACCESS = "AccessDeniedException"
    KEY = "KeyNotFoundException"
    PATH = "InvalidUriPathException"
    THROTTLED = "ThrottlingException"
    INTERNAL = "InternalException"
    UNSUPPORTED = "UnsupportedOperationException"
    DEPENDENCY = "DependencyTimeoutException"


MISSED = frozenset({Lapse.UNREACHABLE, Lapse.TLS, Lapse.TIMEOUT})
"""The proxy was not reached: it is worth a pause before it is asked again."""


class KeyServerError(SiegelError):
    """A question to an external key store got no answer that counts. The message may be shown to whoever asked."""

    def __init__(self, lapse: Lapse, message: str) -> None:
        super().__init__(message)
        self.lapse = lapse
        self.text = message
