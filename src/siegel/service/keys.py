"""Keys: from the account's sealed keys to the data key of one object version.

The hierarchy is that of `docs/design/formats/keys.md`: the root key (with the custodian) opens an account's wrapping and metadata
keys, each bucket has record keys derived from them, and each object version has a data key of its own, wrapped for its place.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.errors import AccessDeniedError, InvalidRequestError, WrongCustomerKeyError
from siegel.domain.objects import Account, Bucket, SealingMode
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.envelope.context import Place
from siegel.envelope.derive import KEY_BYTES, Label, derive_bucket_key
from siegel.envelope.ranges import SALT_BYTES
from siegel.envelope.record import NONCE_BYTES, RecordKey
from siegel.envelope.wrap import CUSTOMER_SALT_BYTES, unwrap_data_key, unwrap_for_customer, wrap_data_key, wrap_for_customer

ID_BYTES: Final = 16
BUCKETS_CACHED_MAX: Final = 4096

# Random bytes of one fresh version, drawn in one call: version id, data id, data key, salt and the nonces of wrap, head and tags.
_FRESH_BYTES: Final = 2 * ID_BYTES + KEY_BYTES + SALT_BYTES + 3 * NONCE_BYTES


class BucketKeys(Struct, frozen=True):
    """The record keys of one bucket: `wrapping` seals data keys, `metadata` seals heads, tags and layouts."""

    wrapping: RecordKey
    metadata: RecordKey


class Draft(Struct, frozen=True):
    """What is decided about a version before its first byte is sealed."""

    place: Place
    data_id: bytes
    data_key: bytes
    salt: bytes
    mode: SealingMode
    wrapped_key: bytes
    head_nonce: bytes
    tags_nonce: bytes


class KeyRing:
    """Opens accounts' keys through the custodian and keeps the derived ones for the life of the process."""

    def __init__(self, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._custodian = custodian
        self._randomness = randomness
        self._buckets: dict[int, BucketKeys] = {}

    def create_account_keys(self, account_id: str) -> bytes:
        """Make an account's wrapping and metadata keys; return them sealed for `account_id`."""
        return self._custodian.wrap(self._randomness.bytes(2 * KEY_BYTES), account_context(account_id))

    def seal_secret(self, access_key_id: str, secret: str) -> bytes:
        """Seal the secret of an access key."""
        return self._custodian.wrap(secret.encode(), secret_context(access_key_id))

    def open_secret(self, access_key_id: str, sealed_secret: bytes) -> str:
        """Open what `seal_secret` made. Raises SealBrokenError."""
        return self._custodian.unwrap(sealed_secret, secret_context(access_key_id)).decode()

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
        keys = self._custodian.unwrap(account.sealed_keys, account_context(account.account_id))
        known = BucketKeys(
            wrapping=RecordKey(derive_bucket_key(keys[:KEY_BYTES], Label.BUCKET_WRAPPING, bucket.bucket_id)),
            metadata=RecordKey(derive_bucket_key(keys[KEY_BYTES:], Label.BUCKET_METADATA, bucket.bucket_id)),
        )
        self._buckets[bucket.bucket_id] = known
        return known

    def draft(
        self, keys: BucketKeys, bucket: Bucket, object_key: str, customer_key: bytes | None, version_id: bytes | None = None
    ) -> Draft:
        """Decide on a fresh version: its id, data id and data key, wrapped for its place (and for `customer_key`, if given)."""
        fresh = self._randomness.bytes(_FRESH_BYTES)
        place = Place(bucket.account_id, bucket.bucket_id, object_key, version_id or fresh[:16])
        data_key, nonce = fresh[32:64], fresh[88:100]
        if customer_key is None:
            mode, wrapped = SealingMode.SSE_S3, wrap_data_key(keys.wrapping, data_key, place, nonce)
        else:
            mode = SealingMode.SSE_C
            salt = self._randomness.bytes(CUSTOMER_SALT_BYTES)
            wrapped = wrap_for_customer(keys.wrapping, customer_key, data_key, place, salt=salt, nonce=nonce)
        return Draft(
            place=place,
            data_id=fresh[16:32],
            data_key=data_key,
            salt=fresh[64:88],
            mode=mode,
            wrapped_key=wrapped,
            head_nonce=fresh[100:112],
            tags_nonce=fresh[112:124],
        )

    def data_key(
        self, keys: BucketKeys, place: Place, mode: SealingMode, wrapped_key: bytes, customer_key: bytes | None
    ) -> bytes:
        """Unwrap the data key of a version or upload; `customer_key` is the one that came with the request, if any.

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

    def random_id(self) -> bytes:
        """Return 16 random bytes."""
        return self._randomness.bytes(ID_BYTES)

    def fresh_segment(self) -> tuple[bytes, bytes]:
        """Return the data id and salt of one more segment (a part) under an existing data key."""
        fresh = self._randomness.bytes(ID_BYTES + SALT_BYTES)
        return fresh[:ID_BYTES], fresh[ID_BYTES:]


def account_context(account_id: str) -> bytes:
    """Name the place that an account's keys are sealed for."""
    return b"siegel account keys v1\0" + account_id.encode()


def secret_context(access_key_id: str) -> bytes:
    """Name the place that an access key's secret is sealed for."""
    return b"siegel access key secret v1\0" + access_key_id.encode()
