"""Where small documents are kept: scopes, kinds, and the form of a document.

A document is the msgpack array of one frozen Struct whose first field, `form`, is the number of its form: what is stored says how
it is to be read. Format page: `docs/design/formats/records.md`.
"""

from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from siegel.domain.errors import StorageError

T = TypeVar("T", bound="Document")


class Kind(StrEnum):
    """What a document is. The values are stored: never change them."""

    # Of a bucket, one each, without a name.
    POLICY = "policy"
    PUBLIC_ACCESS_BLOCK = "public-access-block"
    OWNERSHIP_CONTROLS = "ownership-controls"
    TAGGING = "tagging"
    CORS = "cors"
    LIFECYCLE = "lifecycle"
    OBJECT_LOCK = "object-lock"
    ENCRYPTION = "encryption"
    # Of an account, by their names.
    USER = "user"
    GROUP = "group"
    ROLE = "role"
    MANAGED_POLICY = "managed-policy"
    OIDC_PROVIDER = "oidc-provider"
    KEY_USE = "key-use"
    WRAPPING_KEY = "wrapping-key"
    KEY_ALIAS = "key-alias"
    KEY_GRANT = "key-grant"
    RETIRABLE_GRANT = "retirable-grant"
    KEY_STORE = "key-store"
    # Of the deployment.
    UNIQUE_ID = "unique-id"
    LOCK_CLOCK = "lock-clock"
    LEDGER_POLICY = "ledger-policy"
    CONSENT = "consent"
    CONSENT_KEYS = "consent-keys"
    OPEN_CONSENT = "open-consent"
    CONSENT_PLACE = "consent-place"
    LEDGER_WAITING = "ledger-waiting"
    LEDGER_KEY_CHANGE = "ledger-key-change"
    LEDGER_HAND_OVER = "ledger-hand-over"
    LEDGER_WARNING = "ledger-warning"
    LEDGER_SHOWN = "ledger-shown"
    SIZES = "sizes"


DEPLOYMENT_SCOPE: Final = "deployment"
"""The scope of what belongs to no customer."""


def bucket_scope(bucket_id: int) -> str:
    """Return the scope of a bucket's documents."""
    return f"bucket/{bucket_id}"


def account_scope(account_id: str) -> str:
    """Return the scope of an account's documents."""
    return f"account/{account_id}"


class Document(Struct, frozen=True, array_like=True):
    """The base of every stored document. `form` is 1 until a later release changes a document's fields."""

    form: int = 1


def encode_document(document: Document) -> bytes:
    """Return what is stored of a document."""
    return msgspec.msgpack.encode(document)


def decode_document(stored: bytes, document_type: type[T]) -> T:
    """Read a stored document. Raises StorageError if it is damaged or of a later form: it is never taken for absent."""
    try:
        document = msgspec.msgpack.decode(stored, type=document_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"a stored {document_type.__name__} cannot be read") from error
    if document.form != document_type().form:
        raise StorageError(f"a stored {document_type.__name__} has form {document.form}, which this release does not know")
    return document
