"""The database and the plain tables in memory answer every question alike, after any sequence of changes."""

import asyncio
import tempfile
from itertools import count
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from siegel.domain.errors import SiegelError
from siegel.domain.objects import Storage
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.meta.sqlite import create_store
from tests.contract.meta_fixtures import (
    ManualClock,
    a_completed_upload,
    a_marker,
    a_part,
    a_version,
    an_upload,
    identifier,
    newest_of,
)

KEYS = ["a", "a\x00", "a/b", "b", "é", "\U0010ffff"]
BUCKETS = [1, 2]
UPLOADS = ["u1", "u2"]

places = st.tuples(st.sampled_from(BUCKETS), st.sampled_from(KEYS))
steps = st.one_of(
    st.tuples(st.just("put"), places, st.booleans(), st.sampled_from([Storage.INLINE, Storage.BLOB])),
    st.tuples(st.just("mark"), places, st.booleans()),
    st.tuples(st.just("remove"), places, st.integers(0, 3)),
    st.tuples(st.just("begin"), places, st.sampled_from(UPLOADS)),
    st.tuples(st.just("part"), st.sampled_from(UPLOADS), st.integers(1, 3)),
    st.tuples(st.just("complete"), st.sampled_from(UPLOADS), st.lists(st.integers(1, 3), unique=True)),
    st.tuples(st.just("abort"), st.sampled_from(UPLOADS)),
    st.tuples(st.just("forget"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(-2, 2)),
    st.tuples(st.just("fail")),
)


class FailedOnPurposeError(Exception):
    pass


def take(writer, step, number):
    """Take one step; `number` is fresh, and the same for both stores."""
    match step:
        case "put", (bucket_id, key), is_null, storage:
            body = b"%d" % number if storage is Storage.INLINE else None
            writer.objects.insert(a_version(key, number, bucket_id=bucket_id, is_null=is_null, storage=storage), body)
        case "mark", (bucket_id, key), is_null:
            writer.objects.insert(a_marker(key, number, bucket_id=bucket_id, is_null=is_null), None)
        case "remove", (bucket_id, key), age:
            versions = writer.objects.scan_versions(bucket_id, key, None, f"{key}\x00", 10)
            for version in versions[age : age + 1]:
                writer.objects.remove(version, [version.data_id] if version.storage is Storage.BLOB else [])
        case "begin", (bucket_id, key), upload_id:
            writer.uploads.insert(an_upload(upload_id, key, bucket_id=bucket_id, initiated_at_ms=number))
        case "part", upload_id, part_number:
            writer.uploads.put_part(a_part(upload_id, part_number, number))
        case "complete", upload_id, keep:
            if not writer.uploads.find_completed(upload_id):
                writer.uploads.complete(a_completed_upload(upload_id), keep)
        case "abort", upload_id:
            writer.uploads.abort(upload_id)
        case "forget", amount:
            writer.housekeeping.forget_blobs(writer.housekeeping.released_blobs(2**62, amount))
        case ("fail",):
            raise FailedOnPurposeError


async def tell(store, clock, story):
    """Run each list of steps as one change; return how each ended."""
    numbers = count(1)
    endings = []
    for transaction in story:

        def change(writer, transaction=transaction):
            for step in transaction:
                number = next(numbers)
                if step[0] == "wait":
                    clock.ms += step[1]
                else:
                    take(writer, step, number)

        try:
            await store.write(change, None)
            endings.append("kept")
        except (FailedOnPurposeError, SiegelError) as error:
            endings.append(type(error).__name__)
    return endings


def everything(store):
    """The answers to all questions, without body ids, which no two stores need share."""
    objects, uploads, housekeeping = store.reader.objects, store.reader.uploads, store.reader.housekeeping

    def plain(versions):
        return [version and (version.object_key, version.version_id, version.sequence, version.is_marker) for version in versions]

    answers = [sorted(housekeeping.released_blobs(2**62, 1000)), housekeeping.stale_uploads(2**62, 10)]
    for upload_id in UPLOADS:
        answers += [uploads.find(upload_id), uploads.find_completed(upload_id), uploads.parts(upload_id, 0, 10)]
    for bucket_id in BUCKETS:
        versions = objects.scan_versions(bucket_id, "", None, None, 1000)
        answers += [
            plain(versions),
            plain(objects.scan_current(bucket_id, "", None, 1000)),
            store.reader.buckets.is_empty(bucket_id),
        ]
        answers.append(uploads.scan(bucket_id, "", None, None, 10))
        for version in versions:
            answers.append(plain(objects.scan_versions(bucket_id, version.object_key, version.sequence, None, 2)))
            answers.append(
                objects.find_version(bucket_id, version.object_key, version.version_id, with_body=True).body,
            )
        for key in KEYS:
            found = objects.find_current(bucket_id, key, with_body=True)
            answers += [
                plain([found, newest_of(objects, bucket_id, key)]),
                found and found.body,
                objects.next_key(bucket_id, key, "b"),
            ]
    answers.append([housekeeping.is_adopted(identifier(number + extra)) for number in range(60) for extra in (0, 1_000_000)])
    return answers


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(steps, max_size=6), max_size=8))
def test_memory_and_database_agree(story):
    with tempfile.TemporaryDirectory() as directory:
        clocks = [ManualClock(), ManualClock()]
        stores = [MemoryStore(clocks[0]), create_store(Path(directory), bytes(32), clocks[1])]
        try:
            endings = [asyncio.run(tell(store, clock, story)) for store, clock in zip(stores, clocks, strict=True)]
            assert endings[0] == endings[1]
            assert everything(stores[0]) == everything(stores[1])
        finally:
            for store in stores:
                store.close()
