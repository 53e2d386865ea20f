"""The keys of one object: made when it is written, opened when it is read, whoever has a part in that."""

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import InvalidRequestError
from siegel.domain.objects import Bucket, ObjectVersion, SealingMode, Upload
from siegel.envelope.context import Place
from siegel.envelope.record import RecordKey
from siegel.service.asker import Asker
from siegel.service.heads import head_key
from siegel.service.keys import BucketKeys, Draft, KeyRing
from siegel.service.kms.custody import Lease, Protection
from siegel.service.kms.datakeys import DataKeys, Opening


class Unwrapped(Struct, frozen=True):
    """The keys of a version or upload, open; `protection` and `lease` are there where a key of the key service sealed them."""

    data_key: bytes
    head_key: RecordKey
    head_secret: bytes = b""
    protection: Protection | None = None
    lease: Lease | None = None

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return f"Unwrapped({self.protection})"


class ObjectKeys:
    """Makes and opens the keys of objects."""

    def __init__(self, keyring: KeyRing, data_keys: DataKeys) -> None:
        self._keyring = keyring
        self._data_keys = data_keys

    async def draft(
        self, keys: BucketKeys, bucket: Bucket, object_key: str, asker: Asker, protection: Protection | None
    ) -> Draft:
        """Decide on a fresh version, under a key of the key service if it is to be protected by one.

        Raises what `DataKeys.seal` raises.
        """
        if protection is None:
            return self._keyring.draft(keys, bucket, object_key, asker.customer_key)
        draft = self._keyring.draft_under(keys, bucket, object_key, protection.encoded)
        wrapped = await self._data_keys.seal(asker, protection, bucket, draft.place, draft.wrapped_key)
        return replace(draft, wrapped_key=wrapped)

    async def unwrap(
        self, keys: BucketKeys, bucket: Bucket, place: Place, sealed: ObjectVersion | Upload, asker: Asker
    ) -> Unwrapped:
        """Open the keys of a version or upload.

        Raises what `KeyRing.data_key` raises of the customer's key, what `DataKeys.open` raises, SealBrokenError for damage.
        """
        if sealed.mode is not SealingMode.SSE_KMS:
            data_key = self._keyring.data_key(keys, place, sealed.mode, sealed.wrapped_key, asker.customer_key)
            return Unwrapped(data_key, head_key(keys, sealed.mode, data_key))
        if asker.customer_key is not None:
            raise InvalidRequestError("The encryption parameters are not applicable to this object.")
        opened = await self._data_keys.open(asker, Opening(bucket, place, sealed.wrapped_key))
        data_key, head_secret = self._keyring.secrets_of(keys, opened.lease.inner, opened.bound)
        return Unwrapped(data_key, RecordKey(head_secret), head_secret, opened.protection, opened.lease)
