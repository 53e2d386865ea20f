"""The nouns of storage: account, credential, bucket, object version, upload, part.

All are frozen values. Times are integer milliseconds since the Unix epoch, UTC, and end in `_at_ms`.
"""

from enum import IntEnum, IntFlag, StrEnum

from msgspec import Struct


class Account(Struct, frozen=True):
    """A customer. `account_id` has 12 digits; `sealed_keys` are its wrapping and metadata keys, wrapped by the custodian."""

    account_id: str
    name: str
    created_at_ms: int
    sealed_keys: bytes


class CredentialKind(StrEnum):
    """Whom a credential stands for."""

    ROOT = "root"
    USER = "user"
    OPERATOR = "operator"


class Credential(Struct, frozen=True):
    """An access key. `sealed_secret` opens only with the deployment's root key; operators have no account.

    `user_name` is whom a key of kind USER belongs to. A key that is not active opens nothing.
    """

    access_key_id: str
    kind: CredentialKind
    account_id: str
    created_at_ms: int
    sealed_secret: bytes
    user_name: str = ""
    is_active: bool = True


class Versioning(StrEnum):
    """A bucket's versioning state; the values are those of the S3 API, `UNVERSIONED` is its empty answer."""

    UNVERSIONED = ""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class Bucket(Struct, frozen=True):
    """A bucket. `bucket_id` is never used twice, so that bytes sealed for one bucket cannot open in its successor."""

    bucket_id: int
    name: str
    account_id: str
    region: str
    created_at_ms: int
    versioning: Versioning = Versioning.UNVERSIONED
    # None: the deployment's default decides whether SSE-C is accepted.
    sse_c_allowed: bool | None = None


class Storage(IntEnum):
    """Where the sealed body of an object version or part rests. The numbers are stored: never change them."""

    EMPTY = 0  # no body: delete markers
    INLINE = 1  # in the metadata database, `body_id`
    BLOB = 2  # one blob, named by `data_id`
    PARTS = 3  # a layout of parts: `body_id` names the layout record


class SealingMode(IntEnum):
    """Whose key opens the data key. The numbers are stored: never change them."""

    SSE_S3 = 1  # the account's wrapping key
    SSE_C = 2  # the account's wrapping key, then the key of the request
    SSE_KMS = 3  # the account's wrapping key, then a key of the key service


class Lock(IntFlag):
    """What keeps a version from being deleted. The numbers are stored: never change them. NONE is no flag at all."""

    NONE = 0
    GOVERNANCE = 1  # until `retain_until_ms`, unless the caller may bypass it
    COMPLIANCE = 2  # until `retain_until_ms`, for everybody
    HOLD = 4  # a legal hold: until it is taken off


class ObjectVersion(Struct, frozen=True):
    """One version of an object, or a delete marker.

    `version_id` is the 16 random bytes that sealing binds to; clients see `null` instead where `is_null` is set.
    `sequence` orders the versions of a key: the highest is the newest. It is given by the transaction that inserts.
    `data_id` names the sealed segment (16 random bytes), also the blob's name where the body is a blob.
    `etag` is in clear only where it is random (SSE-C), otherwise empty and inside `sealed_head`.
    `lock` and `retain_until_ms` (0 where nothing is retained) say what keeps it from being deleted.
    `body` is filled by reads that ask for it, for INLINE and PARTS (the layout) only.
    """

    bucket_id: int
    object_key: str
    version_id: bytes
    sequence: int
    is_null: bool
    is_marker: bool
    size_bytes: int
    modified_at_ms: int
    mode: SealingMode
    storage: Storage
    part_count: int
    data_id: bytes
    body_id: int
    etag: str
    wrapped_key: bytes
    sealed_head: bytes
    sealed_tags: bytes
    lock: Lock = Lock.NONE
    retain_until_ms: int = 0
    body: bytes | None = None


class Upload(Struct, frozen=True):
    """A multipart upload in progress. Identity, key and metadata of the later version are fixed at its creation."""

    upload_id: str
    bucket_id: int
    object_key: str
    version_id: bytes
    initiated_at_ms: int
    mode: SealingMode
    wrapped_key: bytes
    sealed_head: bytes
    sealed_tags: bytes
    checksum_algorithm: str
    checksum_type: str
    lock: Lock = Lock.NONE
    retain_until_ms: int = 0


class Part(Struct, frozen=True):
    """An uploaded part: one blob named by `data_id`. `sealed_head` holds its ETag and checksum."""

    upload_id: str
    part_number: int
    size_bytes: int
    modified_at_ms: int
    data_id: bytes
    sealed_head: bytes


class CompletedUpload(Struct, frozen=True):
    """What a finished upload became: a repeated Complete answers from it. Forgotten by the steward after a day."""

    upload_id: str
    bucket_id: int
    object_key: str
    version_id: bytes
    completed_at_ms: int
    request_digest: bytes
