"""Changing what is said about a version that is there: its tags, its retention, its legal hold. Its bytes never change."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.objects import ObjectVersion
from siegel.domain.ports import MetaStore, Writer
from siegel.domain.retention import LockWish
from siegel.service.get import find_object
from siegel.service.heads import open_tags, place_of, seal_tags
from siegel.service.keys import KeyRing
from siegel.service.locks import held, missing_lock, retained
from siegel.service.versions import Target, bucket_now, object_lock_now

MakeEntry = Callable[[ObjectVersion], Entry]


class Amender:
    """The use cases of tags and locks of single versions. Each change reads and writes in one transaction."""

    def __init__(self, store: MetaStore, keyring: KeyRing) -> None:
        self._store = store
        self._keyring = keyring

    @staticmethod
    def tags(target: Target, version: ObjectVersion) -> dict[str, str]:
        """Return a version's tags. Raises SealBrokenError."""
        place = place_of(target.bucket.account_id, version)
        return dict(open_tags(target.keys.metadata, place, version.sealed_tags))

    async def set_tags(
        self, target: Target, object_key: str, version_id: str | None, tags: Sequence[tuple[str, str]], entry: MakeEntry
    ) -> ObjectVersion:
        """Replace a version's tags; none take them all away. Raises what finding the version raises, StorageError."""
        nonce = self._keyring.nonce()

        def change(_tx: Writer, version: ObjectVersion) -> ObjectVersion:
            place = place_of(target.bucket.account_id, version)
            return replace(version, sealed_tags=seal_tags(target.keys.metadata, place, tags, nonce))

        return await self._amend(target, object_key, version_id, change, entry)

    async def set_retention(
        self, target: Target, object_key: str, version_id: str | None, wish: LockWish, entry: MakeEntry
    ) -> ObjectVersion:
        """Set or take off a version's retention; who may bypass GOVERNANCE is the target's to say.

        Raises AccessDeniedError, InvalidArgumentError, InvalidRequestError (the bucket locks nothing), and what finding raises.
        """

        def change(tx: Writer, version: ObjectVersion) -> ObjectVersion:
            require_object_lock(tx, target)
            return retained(version, wish, target.guard)

        return await self._amend(target, object_key, version_id, change, entry)

    async def set_hold(
        self, target: Target, object_key: str, version_id: str | None, entry: MakeEntry, *, is_set: bool
    ) -> ObjectVersion:
        """Set or take off a version's legal hold. Raises InvalidRequestError (the bucket locks nothing), what finding raises."""

        def change(tx: Writer, version: ObjectVersion) -> ObjectVersion:
            require_object_lock(tx, target)
            return held(version, is_set=is_set)

        return await self._amend(target, object_key, version_id, change, entry)

    async def _amend(
        self,
        target: Target,
        object_key: str,
        version_id: str | None,
        change: Callable[[Writer, ObjectVersion], ObjectVersion],
        entry: MakeEntry,
    ) -> ObjectVersion:
        def amend(tx: Writer) -> ObjectVersion:
            bucket = bucket_now(tx, target)
            version = change(tx, find_object(tx.objects, bucket, object_key, version_id))
            tx.objects.amend(version)
            return version

        return await self._store.write(amend, entry)


def require_object_lock(tx: Writer, target: Target) -> None:
    """Raise InvalidRequestError where the bucket locks nothing."""
    if object_lock_now(tx, target) is None:
        raise missing_lock()
