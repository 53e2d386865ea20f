"""Keys: from the account's sealed keys to the data key of one object version.

The hierarchy is that of `docs/design/formats/keys.md`: the root key (with the custodian) opens an account's wrapping and metadata
keys, each bucket has record keys derived from them, and each object version has a data key of its own, wrapped for its place.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import AccessDeniedError, InvalidRequestError, WrongCustomerKeyError
from siegel.domain.objects import Account, Bucket, Credential, SealingMode
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.envelope.context import Place
from siegel.envelope.derive import KEY_BYTES, Label, derive_bucket_key, derive_key
from siegel.envelope.objectkeys import bind, seal_secrets
from siegel.envelope.ranges import SALT_BYTES
from siegel.envelope.record import NONCE_BYTES, RecordKey
from siegel.envelope.wrap import CUSTOMER_SALT_BYTES, unwrap_data_key, unwrap_for_customer, wrap_data_key, wrap_for_customer

ID_BYTES: Final = 16
BUCKETS_CACHED_MAX: Final = 4096

# Random bytes of one fresh version: version id, data id, data key, salt, the nonces of wrap, head and tags, what an ETag is made
# of that tells nothing, and the nonce of an outer layer. Drawn in one call: each lets other threads in, and has to wait for them.
_FRESH_BYTES: Final = 3 * ID_BYTES + KEY_BYTES + SALT_BYTES + 4 * NONCE_BYTES


class BucketKeys(Struct, frozen=True):
    """The record keys of one bucket: `wrapping` seals data keys, `metadata` seals heads, tags and layouts."""

    wrapping: RecordKey
    metadata: RecordKey


class Draft(Struct, frozen=True):
    """What is decided about a version before its first byte is sealed.

    `head_secret` seals the version's head; it is empty where the bucket's metadata key does. `random_etag` is the ETag of what
    must not tell its MD5; `layer_nonce` is for the outer layer of what is sealed under a key of the key service.
    """

    place: Place
    data_id: bytes
    data_key: bytes
    salt: bytes
    mode: SealingMode
    wrapped_key: bytes
    head_nonce: bytes
    tags_nonce: bytes
    etag_id: bytes
    layer_nonce: bytes
    head_secret: bytes = b""

    def head_key(self, keys: BucketKeys) -> RecordKey:
        """Return the key that seals the version's head."""
        return RecordKey(self.head_secret) if self.head_secret else keys.metadata

    @property
    def random_etag(self) -> str:
        """The ETag, of a form that SDKs do not take for an MD5."""
        return f"{self.etag_id.hex()}-1"


class KeyRing:
    """Opens accounts' keys through the custodian and keeps the derived ones for the life of the process."""

    def __init__(self, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._custodian = custodian
        self._randomness = randomness
        self._buckets: dict[int, BucketKeys] = {}

    def create_account_keys(self, account_id: str) -> bytes:
        """Make an account's wrapping and metadata keys; return them sealed for `account_id`."""
        return self._custodian.wrap(self._randomness.bytes(2 * KEY_BYTES), account_context(account_id))

    def check_account_keys(self, account: Account) -> None:
        """See that an account's keys open. Raises SealBrokenError."""
        self._open_account_keys(account)

    def _open_account_keys(self, account: Account) -> bytes:
        return self._custodian.unwrap(account.sealed_keys, account_context(account.account_id))

    def with_secret(self, credential: Credential, secret: str) -> Credential:
        """Return a credential with its secret, sealed."""
        return replace(credential, sealed_secret=self._custodian.wrap(secret.encode(), secret_context(credential)))

    def open_secret(self, credential: Credential) -> str:
        """Open what `with_secret` sealed. Raises SealBrokenError."""
        return self._custodian.unwrap(credential.sealed_secret, secret_context(credential)).decode()

    def forget(self) -> None:
        """Drop every remembered key."""
        self._buckets.clear()

    def of_bucket(self, account: Account, bucket: Bucket) -> BucketKeys:
        """Return the bucket's record keys. Raises SealBrokenError if the account's keys do not open."""
        known = self._buckets.get(bucket.bucket_id)
        if known is not None:
            return known
        if len(self._buckets) >= BUCKETS_CACHED_MAX:
            self._buckets.clear()
        keys = self._open_account_keys(account)
        known = BucketKeys(
            wrapping=RecordKey(derive_bucket_key(keys[:KEY_BYTES], Label.BUCKET_WRAPPING, bucket.bucket_id)),
            metadata=RecordKey(derive_bucket_key(keys[KEY_BYTES:], Label.BUCKET_METADATA, bucket.bucket_id)),
        )
        self._buckets[bucket.bucket_id] = known
        return known

    def draft(self, keys: BucketKeys, bucket: Bucket, object_key: str, customer_key: bytes | None) -> Draft:
        """Decide on a fresh version: its id, data id and data key, wrapped for its place (and for `customer_key`, if given)."""
        fresh = self._randomness.bytes(_FRESH_BYTES)
        place, data_key, nonce = _place(bucket, object_key, fresh), fresh[32:64], fresh[88:100]
        if customer_key is None:
            return _drafted(place, SealingMode.SSE_S3, wrap_data_key(keys.wrapping, data_key, place, nonce), fresh)
        salt = self._randomness.bytes(CUSTOMER_SALT_BYTES)
        wrapped = wrap_for_customer(keys.wrapping, customer_key, data_key, place, salt=salt, nonce=nonce)
        return _drafted(place, SealingMode.SSE_C, wrapped, fresh, derive_head_key(data_key))

    def draft_under(self, keys: BucketKeys, bucket: Bucket, object_key: str, settings: bytes) -> tuple[Draft, bytes]:
        """Decide on a fresh version under a key of the key service; return what the layers of its keys are bound to, too.

        Its wrapped key is the inner layer alone.
        """
        fresh = self._randomness.bytes(_FRESH_BYTES + KEY_BYTES)
        place, data_key, head_secret = _place(bucket, object_key, fresh), fresh[32:64], fresh[_FRESH_BYTES:]
        bound = bind(place, settings)
        inner = seal_secrets(keys.wrapping, data_key + head_secret, bound, fresh[88:100])
        return _drafted(place, SealingMode.SSE_KMS, inner, fresh, head_secret), bound

    def rewrap(self, keys: BucketKeys, data_key: bytes, head_secret: bytes, bound: bytes) -> tuple[bytes, bytes]:
        """Return the inner layer for a data key that is there, and the head key beside it: fresh, unless one is there too."""
        head_secret = head_secret or self._randomness.bytes(KEY_BYTES)
        return seal_secrets(keys.wrapping, data_key + head_secret, bound, self.nonce()), head_secret

    def data_key(
        self, keys: BucketKeys, place: Place, mode: SealingMode, wrapped_key: bytes, customer_key: bytes | None
    ) -> bytes:
        """Unwrap the data key of a version or upload that no key service has a part in.

        `customer_key` is the one that came with the request, if any.

        Raises InvalidRequestError (a customer's key is missing, or came for an object without), AccessDeniedError (it does not
        fit), SealBrokenError (damage).
        """
        if mode is SealingMode.SSE_S3:
            if customer_key is not None:
                raise InvalidRequestError("The encryption parameters are not applicable to this object.")
            return unwrap_data_key(keys.wrapping, wrapped_key, place)
        if customer_key is None:
            raise InvalidRequestError(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
                "to retrieve the object."
            )
        try:
            return unwrap_for_customer(keys.wrapping, customer_key, wrapped_key, place)
        except WrongCustomerKeyError as error:
            raise AccessDeniedError("The customer key is not the one that this object was stored with.") from error

    def nonce(self) -> bytes:
        """Return a fresh nonce for one record."""
        return self._randomness.bytes(NONCE_BYTES)

    def fresh_segment(self) -> tuple[bytes, bytes]:
        """Return the data id and salt of one more segment (a part) under an existing data key."""
        fresh = self._randomness.bytes(ID_BYTES + SALT_BYTES)
        return fresh[:ID_BYTES], fresh[ID_BYTES:]


def derive_head_key(data_key: bytes) -> bytes:
    """Return the 32 bytes that seal the head of an object under its customer's key (SSE-C)."""
    return derive_key(data_key, Label.OBJECT_METADATA)


def _place(bucket: Bucket, object_key: str, fresh: bytes) -> Place:
    return Place(bucket.account_id, bucket.bucket_id, object_key, fresh[:16])


def _drafted(place: Place, mode: SealingMode, wrapped_key: bytes, fresh: bytes, head_secret: bytes = b"") -> Draft:
    return Draft(
        place=place,
        data_id=fresh[16:32],
        data_key=fresh[32:64],
        salt=fresh[64:88],
        mode=mode,
        wrapped_key=wrapped_key,
        head_nonce=fresh[100:112],
        tags_nonce=fresh[112:124],
        etag_id=fresh[124:140],
        layer_nonce=fresh[140:152],
        head_secret=head_secret,
    )


def account_context(account_id: str) -> bytes:
    """Name the place that an account's keys are sealed for."""
    return b"siegel account keys v1\0" + account_id.encode()


def secret_context(credential: Credential) -> bytes:
    """Name the place that an access key's secret is sealed for: whoever gives the key another account has no secret for it."""
    return f"siegel access key secret v2\0{credential.kind}/{credential.account_id}/{credential.access_key_id}".encode()
