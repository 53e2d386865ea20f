"""Applying lifecycles: the steward walks through buckets that have one and ends what is due, one transaction each.

The walk only finds out what may be due. Each transaction looks again at everything that made it so, the rule included: between
the two, requests go on. The time is the lock clock's, so a clock that was set wrong expires nothing; what is locked stays.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, TypeVar

from msgspec import Struct

from siegel.domain.entry import Entry
from siegel.domain.errors import NoSuchBucketError, SiegelError, StorageError
from siegel.domain.lifecycle import Lifecycle, Rule
from siegel.domain.objects import Bucket, ObjectVersion, Upload
from siegel.domain.ports import Clock, MetaStore, Randomness, Writer
from siegel.domain.records import Kind
from siegel.s3wire.conditions import NO_DELETE_CONDITIONS
from siegel.service.configurations import document_of
from siegel.service.delete import make_marker
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar, Deed, Due, Standing, abort_of, judge, prefix_of_all
from siegel.service.heads import open_tags, place_of
from siegel.service.lockclock import LockTime
from siegel.service.locks import Guard
from siegel.service.opened import version_text
from siegel.service.rolling import behind, successor
from siegel.service.versions import Target, bucket_now, delete_current, remove_version

ROWS_PER_SLICE: Final = 500
DEEDS_AT_ONCE: Final = 32
PRINCIPAL: Final = "steward"

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _NotDueError(SiegelError):
    """What was due is no longer: the transaction is undone, and nobody hears of it."""


class Applied(Struct):
    """What one round did."""

    expired: int = 0
    removed: int = 0
    cleared: int = 0
    aborted: int = 0


_COUNTED: Final = {Deed.EXPIRE: "expired", Deed.REMOVE: "removed", Deed.CLEAR: "cleared", Deed.ABORT: "aborted"}


class Work(Struct, frozen=True):
    """One bucket in one round."""

    target: Target
    lifecycle: Lifecycle
    now_ms: int

    @property
    def bucket(self) -> Bucket:
        """The bucket."""
        return self.target.bucket


class LifecycleSteward:
    """Applies the lifecycles of all buckets."""

    def __init__(  # noqa: PLR0917 - the parts that it needs, one by one
        self,
        store: MetaStore,
        directory: Directory,
        clock: Clock,
        randomness: Randomness,
        lock_time: LockTime,
        calendar: Calendar,
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._randomness = randomness
        self._lock_time = lock_time
        self._calendar = calendar

    async def run_once(self) -> Applied:
        """End what is due in every bucket. Raises StorageError; then the next round goes on.

        A bucket whose keys or rules do not open is passed over, and the log says so.
        """
        applied = Applied()
        for bucket in self._buckets():
            try:
                await self._apply(bucket.name, applied)
            except StorageError:
                raise
            except NoSuchBucketError:
                continue
            except SiegelError as error:
                # No names in the log: whoever reads it need not be the customer.
                place = f"bucket {bucket.bucket_id} of account {bucket.account_id}"
                _log.error("the lifecycle of %s was not applied: %s: %s", place, type(error).__name__, error)
            await asyncio.sleep(0)
        return applied

    def _buckets(self) -> Iterator[Bucket]:
        reader = self._store.reader
        for account in reader.identities.list_accounts():
            after = ""
            while page := reader.buckets.list_of(account.account_id, "", after, ROWS_PER_SLICE):
                yield from page
                after = page[-1].name

    async def _apply(self, name: str, applied: Applied) -> None:
        # The generation comes first: if it changes while the rest is read, every transaction asks anew.
        generation = self._directory.generation()
        bucket = self._directory.bucket(name)
        lifecycle = self._directory.document(bucket, Kind.LIFECYCLE, Lifecycle)
        if lifecycle is None:
            return
        guard = Guard(*self._lock_time.moment())
        target = Target(bucket, generation, self._directory.keys_of(bucket), guard)
        work = Work(target, lifecycle, guard.lock_ms)
        await self._do_all(work, self._due_versions(work), self._end_version, applied)
        await self._do_all(work, self._due_uploads(work), self._abort, applied)

    async def _do_all(
        self, work: Work, found: AsyncIterator[T], act: Callable[[Work, T], Awaitable[Deed | None]], applied: Applied
    ) -> None:
        batch: list[T] = []
        async for item in found:
            batch.append(item)
            if len(batch) == DEEDS_AT_ONCE:
                await self._do_batch(work, batch, act, applied)
                batch = []
        await self._do_batch(work, batch, act, applied)

    @staticmethod
    async def _do_batch(work: Work, batch: list[T], act: Callable[[Work, T], Awaitable[Deed | None]], applied: Applied) -> None:
        for deed in await asyncio.gather(*(act(work, item) for item in batch)):
            if deed is not None:
                setattr(applied, _COUNTED[deed], getattr(applied, _COUNTED[deed]) + 1)

    # What is due.

    async def _due_versions(self, work: Work) -> AsyncIterator[Due]:
        newer: ObjectVersion | None = None
        newest: ObjectVersion | None = None
        index = 0
        async for version, following in self._versions(work):
            if newer is None or newer.object_key != version.object_key:
                newer, newest, index = None, None, 0
            is_alone = newer is None and (following is None or following.object_key != version.object_key)
            due = self._judge(work, version, Standing(index, newer, newest, is_alone))
            if due is not None:
                yield due
            newer, newest, index = version, newest or version, index + 1

    async def _versions(self, work: Work) -> AsyncIterator[tuple[ObjectVersion, ObjectVersion | None]]:
        """Yield every version that a rule may be about, with the one behind it in the list."""
        objects, bucket_id = self._store.reader.objects, work.bucket.bucket_id
        start = prefix_of_all(work.lifecycle)
        stop, after = successor(start), None
        held: ObjectVersion | None = None
        while rows := objects.scan_versions(bucket_id, start, after, stop, ROWS_PER_SLICE):
            for row in rows:
                if held is not None:
                    yield held, row
                held = row
            start, after = rows[-1].object_key, rows[-1].sequence
            await asyncio.sleep(0)
        if held is not None:
            yield held, None

    def _judge(self, work: Work, version: ObjectVersion, standing: Standing) -> Due | None:
        def tags() -> dict[str, str]:
            place = place_of(work.bucket.account_id, version)
            return dict(open_tags(work.target.keys.metadata, place, version.sealed_tags))

        due = judge(work.lifecycle, version, standing, tags, now_ms=work.now_ms, calendar=self._calendar)
        if due is not None and due.deed is not Deed.EXPIRE and work.target.guard.forbids(version):
            return None
        return due

    async def _due_uploads(self, work: Work) -> AsyncIterator[tuple[Upload, Rule]]:
        if not any(rule.abort_days for rule in work.lifecycle.rules):
            return
        uploads, start = self._store.reader.uploads, prefix_of_all(work.lifecycle)
        stop, after = successor(start), None
        while rows := uploads.scan(work.bucket.bucket_id, start, after, stop, ROWS_PER_SLICE):
            for upload in rows:
                expiry = abort_of(work.lifecycle, upload.object_key, upload.initiated_at_ms, self._calendar)
                if expiry is not None and expiry.at_ms <= work.now_ms:
                    yield upload, expiry.rule
            start, after = rows[-1].object_key, rows[-1].upload_id
            await asyncio.sleep(0)

    # What is done about it.

    async def _end_version(self, work: Work, due: Due) -> Deed | None:
        acts = {Deed.EXPIRE: self._expire, Deed.REMOVE: self._remove, Deed.CLEAR: self._clear}
        version = due.version

        def change(tx: Writer) -> None:
            bucket_now(tx, work.target)
            _require_rule(tx, work, due.rule)
            acts[due.deed](tx, work.target, due)

        entry = self._entry(work, due.deed, due.rule, version.object_key, version_text(version))
        return await self._write(due.deed, change, entry)

    def _expire(self, tx: Writer, target: Target, due: Due) -> None:
        version = due.version
        _require_same(version, tx.objects.find_current(version.bucket_id, version.object_key))
        marker = make_marker(target, version.object_key, self._randomness, self._clock.now_ms())
        delete_current(tx, target, marker, NO_DELETE_CONDITIONS)

    @staticmethod
    def _remove(tx: Writer, target: Target, due: Due) -> None:
        version, newest = due.version, due.standing.newest
        place = version.bucket_id, version.object_key
        now = _require_same(version, tx.objects.find_version(*place, version.version_id))
        # As long as the newest one of the walk is there, what was under it has never been current in between.
        if newest is None or tx.objects.find_version(*place, newest.version_id) is None:
            raise _NotDueError
        kept = tx.objects.scan_versions(*place, None, behind(version.object_key), due.rule.noncurrent_kept + 1)
        if any(row.version_id == version.version_id for row in kept):
            raise _NotDueError
        remove_version(tx, target, now)

    @staticmethod
    def _clear(tx: Writer, target: Target, due: Due) -> None:
        version = due.version
        rows = tx.objects.scan_versions(version.bucket_id, version.object_key, None, behind(version.object_key), 2)
        if len(rows) != 1:
            raise _NotDueError
        remove_version(tx, target, _require_same(version, rows[0]))

    async def _abort(self, work: Work, found: tuple[Upload, Rule]) -> Deed | None:
        upload, rule = found

        def change(tx: Writer) -> None:
            bucket_now(tx, work.target)
            _require_rule(tx, work, rule)
            if tx.uploads.find(upload.upload_id) is None:
                raise _NotDueError
            tx.uploads.abort(upload.upload_id)

        return await self._write(Deed.ABORT, change, self._entry(work, Deed.ABORT, rule, upload.object_key, ""))

    async def _write(self, deed: Deed, change: Callable[[Writer], None], entry: Entry) -> Deed | None:
        try:
            await self._store.write(change, entry)
        except StorageError:
            raise
        except SiegelError:
            # It is locked, or no longer what the rule meant, or its bucket is gone: then it is not ours to end.
            return None
        return deed

    def _entry(self, work: Work, deed: Deed, rule: Rule, object_key: str, version_id: str) -> Entry:
        return Entry(
            at_ms=self._clock.now_ms(),
            request_id="",
            kind=deed,
            account_id=work.bucket.account_id,
            principal=PRINCIPAL,
            bucket=work.bucket.name,
            object_key=object_key,
            version_id=version_id,
            status=204,
            reason=f"lifecycle rule {rule.rule_id}",
        )


def _require_rule(tx: Writer, work: Work, rule: Rule) -> None:
    """Raise unless the rule is still there as it was."""
    if tx.generation() == work.target.generation:
        return
    lifecycle = document_of(tx, work.bucket.bucket_id, Kind.LIFECYCLE, Lifecycle)
    if lifecycle is None or rule not in lifecycle.rules:
        raise _NotDueError


def _require_same(version: ObjectVersion, now: ObjectVersion | None) -> ObjectVersion:
    """Return the version as it is now. Raises unless it is the one that was judged, with the tags it was judged by."""
    if now is None or (now.version_id, now.sealed_tags) != (version.version_id, version.sealed_tags):
        raise _NotDueError
    return now
