"""The keys of one object: made when it is written, opened when it is read, whoever has a part in that."""

from collections.abc import Awaitable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.entry import NotedUse
from siegel.domain.errors import InvalidRequestError, SealBrokenError
from siegel.domain.objects import Bucket, ObjectVersion, SealingMode, Upload
from siegel.envelope.context import Place
from siegel.envelope.objectkeys import Wrapped, bind, open_secrets, parse_wrapped, split_secrets
from siegel.envelope.record import RecordKey
from siegel.service.asker import Asker
from siegel.service.keys import BucketKeys, Draft, KeyRing, derive_head_key
from siegel.service.kms.custody import KeyUse, Layer, Lease, Protection, Rekeying
from siegel.service.kms.datakeys import DataKeys


class Unwrapped(Struct, frozen=True, gc=False):
    """The keys of a version or upload, open; `protection` and `lease` are there where a key of the key service sealed them.

    `head_secret` seals the head; it is empty where the bucket's `metadata` key does.
    """

    data_key: bytes
    metadata: RecordKey
    head_secret: bytes = b""
    protection: Protection | None = None
    lease: Lease | None = None

    async def look(self) -> None:
        """Look whether the keys may still be used. Raises what `Lease.check` raises, once they may not."""
        if self.lease is not None and (renewal := self.lease.check()) is not None:
            await renewal

    @property
    def head_key(self) -> RecordKey:
        """The key that seals the head and what goes with it."""
        return RecordKey(self.head_secret) if self.head_secret else self.metadata

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return f"Unwrapped({self.protection})"


class ObjectKeys:
    """Makes and opens the keys of objects."""

    def __init__(self, keyring: KeyRing, data_keys: DataKeys) -> None:
        self._keyring = keyring
        self._data_keys = data_keys
        # Whether what a lasting lease has opened may be used at once, by whoever asks now.
        self.use_again: Final = data_keys.use_again

    async def draft(
        self, keys: BucketKeys, bucket: Bucket, object_key: str, asker: Asker, protection: Protection | None
    ) -> Draft:
        """Decide on a fresh version, under a key of the key service if it is to be protected by one.

        Raises what `DataKeys.seal` raises.
        """
        if protection is None:
            return self._keyring.draft(keys, bucket, object_key, asker.customer_key)
        draft, bound = self._keyring.draft_under(keys, bucket, object_key, protection.encoded)
        inner, nonce = draft.wrapped_key, draft.layer_nonce
        wrapped = self._data_keys.seal_again(asker, protection, bucket, inner, bound=bound, nonce=nonce)
        if wrapped is None:
            wrapped = await self._data_keys.seal(asker, protection, bucket, draft.place, inner, bound=bound, nonce=nonce)
        return replace(draft, wrapped_key=wrapped)

    async def rewrap(
        self,
        keys: BucketKeys,
        bucket: Bucket,
        place: Place,
        unwrapped: Unwrapped,
        *,
        asker: Asker,
        protection: Protection,
        rekeying: Rekeying,
    ) -> tuple[bytes, bytes]:
        """Seal keys that are open under another key of the key service; return what is stored of them, and the head key.

        Raises what `DataKeys.seal` raises.
        """
        bound = bind(place, protection.encoded)
        inner, head_secret = self._keyring.rewrap(keys, unwrapped.data_key, unwrapped.head_secret, bound)
        nonce = self._keyring.nonce()
        seal = self._data_keys.seal
        wrapped = await seal(asker, protection, bucket, place, inner, bound=bound, nonce=nonce, rekeying=rekeying)
        return wrapped, head_secret

    async def unwrap(
        self,
        keys: BucketKeys,
        bucket: Bucket,
        place: Place,
        sealed: ObjectVersion | Upload,
        asker: Asker,
        *,
        rekeying: Rekeying | None = None,
    ) -> Unwrapped:
        """Open the keys of a version or upload; `rekeying` takes further rights.

        Raises what `KeyRing.data_key` raises of the customer's key, what `DataKeys.open` raises, SealBrokenError for damage.
        """
        if sealed.mode is not SealingMode.SSE_KMS:
            data_key = self._keyring.data_key(keys, place, sealed.mode, sealed.wrapped_key, asker.customer_key)
            head_secret = derive_head_key(data_key) if sealed.mode is SealingMode.SSE_C else b""
            return Unwrapped(data_key, keys.metadata, head_secret)
        wrapped = parse_wrapped(sealed.wrapped_key, place)
        use, lease = await self.lease(bucket, place, wrapped, asker, rekeying=rekeying)
        data_key, head_secret = split_lease(keys, wrapped, lease)
        return Unwrapped(data_key, keys.metadata, head_secret, use.protection, lease)

    def find_kept(self, bucket: Bucket, place: Place, wrapped: Wrapped, asker: Asker) -> tuple[Layer, NotedUse] | None:
        """Return a layer that a custody keeps for a while, and what to note of its use; see `DataKeys.find_kept`."""
        return None if asker.customer_key is not None else self._data_keys.find_kept(asker, bucket, place, wrapped)

    def lease(
        self, bucket: Bucket, place: Place, wrapped: Wrapped, asker: Asker, *, rekeying: Rekeying | None = None
    ) -> Awaitable[tuple[KeyUse, Lease]]:
        """Open the outer layer of a version's keys, once all is decided that decides on its key; `rekeying` takes further rights.

        Raises InvalidRequestError (the request brings a key of its own), and what `DataKeys.open` raises.
        """
        if asker.customer_key is not None:
            raise InvalidRequestError("The encryption parameters are not applicable to this object.")
        return self._data_keys.open(asker, bucket, place, wrapped, rekeying=rekeying)


def split_lease(keys: BucketKeys, wrapped: Wrapped, lease: Lease) -> tuple[bytes, bytes]:
    """Return the data key and the head key in an opened layer. Raises what `Lease.distrust` raises, SealBrokenError."""
    try:
        return split_secrets(open_secrets(keys.wrapping, lease.layer.inner, wrapped.bound))
    except SealBrokenError as error:
        lease.distrust(error)
        raise
