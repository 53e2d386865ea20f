"""What every MetaStore keeps about multipart uploads and about blobs that nothing owns any more."""

import pytest
from tests.contract.meta_fixtures import (
    BUCKET,
    START_MS,
    a_bucket,
    a_completed_upload,
    a_part,
    a_version,
    an_upload,
    identifier,
    write,
)

from siegel.domain.errors import BucketNotEmptyError, StorageError
from siegel.domain.objects import Storage


def begin(store, *uploads):
    def change(writer):
        for upload in uploads:
            writer.uploads.insert(upload)

    write(store, change)


def put_parts(store, *parts):
    def change(writer):
        for part in parts:
            writer.uploads.put_part(part)

    write(store, change)


def ids(uploads):
    return [upload.upload_id for upload in uploads]


def released(store, before_ms=2**62, limit=100):
    return store.reader.housekeeping.released_blobs(before_ms, limit)


class UploadsContract:
    """One promise of the `Uploads` and `Housekeeping` ports per test."""

    def test_an_upload_comes_back_as_it_was_given(self, store):
        given = an_upload("u1", "folder/é\x00")
        begin(store, given)
        assert store.reader.uploads.find("u1") == given
        assert store.reader.uploads.find("u2") is None

    def test_an_upload_id_is_used_once(self, store):
        begin(store, an_upload("u1"))
        with pytest.raises(StorageError):
            begin(store, an_upload("u1", "b"))

    def test_uploads_come_by_key_and_then_by_id(self, store):
        begin(store, *(an_upload(upload_id, key) for upload_id, key in (("u3", "b"), ("u1", "b"), ("u2", "a"), ("u4", "\uffff"))))
        begin(store, an_upload("u9", "a", bucket_id=BUCKET + 1))
        scan = store.reader.uploads.scan
        assert ids(scan(BUCKET, "", None, None, 10)) == ["u2", "u1", "u3", "u4"]
        assert ids(scan(BUCKET, "", None, None, 2)) == ["u2", "u1"]
        assert ids(scan(BUCKET, "b", None, None, 10)) == ["u1", "u3", "u4"]
        assert ids(scan(BUCKET, "b", "u1", None, 10)) == ["u3", "u4"]
        assert ids(scan(BUCKET, "b", "u2", None, 10)) == ["u3", "u4"]
        assert ids(scan(BUCKET, "b", "u3", "c", 10)) == []
        assert ids(scan(BUCKET, "a", None, "b", 10)) == ["u2"]

    def test_parts_come_by_number(self, store):
        begin(store, an_upload("u1"), an_upload("u10"))
        given = [a_part("u1", number, number) for number in (10_000, 3, 1)]
        put_parts(store, *given, a_part("u10", 2, 4))
        parts = store.reader.uploads.parts
        assert parts("u1", 0, 10) == given[::-1]
        assert parts("u1", 1, 10) == [given[1], given[0]]
        assert parts("u1", 0, 1) == [given[2]]
        assert parts("u1", 10_000, 10) == []
        assert parts("u2", 0, 10) == []

    def test_a_part_adopts_its_blob_and_a_second_one_of_its_number_releases_it(self, store):
        begin(store, an_upload())
        put_parts(store, a_part(blob=1))
        assert store.reader.housekeeping.is_adopted(identifier(1))
        assert released(store) == []
        put_parts(store, a_part(blob=2))
        assert store.reader.uploads.parts("u1", 0, 10) == [a_part(blob=2)]
        assert released(store) == [identifier(1)]
        assert store.reader.housekeeping.is_adopted(identifier(1))
        assert store.reader.housekeeping.is_adopted(identifier(2))

    def test_completing_keeps_the_chosen_parts_and_releases_the_others(self, store):
        begin(store, an_upload("u1"), an_upload("u2"))
        put_parts(store, *(a_part("u1", number, number) for number in (1, 2, 3)), a_part("u2", 1, 9))
        done = a_completed_upload("u1", "folder/é")
        write(store, lambda writer: writer.uploads.complete(done, [1, 3]))
        assert store.reader.uploads.find("u1") is None
        assert store.reader.uploads.parts("u1", 0, 10) == []
        assert store.reader.uploads.find_completed("u1") == done
        assert store.reader.uploads.find_completed("u2") is None
        assert released(store) == [identifier(2)]
        assert all(store.reader.housekeeping.is_adopted(identifier(blob)) for blob in (1, 2, 3))
        assert store.reader.uploads.parts("u2", 0, 10) == [a_part("u2", 1, 9)]

    def test_an_object_of_parts_releases_them_when_it_goes(self, store):
        begin(store, an_upload())
        put_parts(store, a_part("u1", 1, 1), a_part("u1", 2, 2))

        def complete(writer):
            writer.uploads.complete(a_completed_upload(), [1, 2])
            return writer.objects.insert(a_version(storage=Storage.PARTS, part_count=2), b"layout")

        kept = write(store, complete)
        assert released(store) == []
        write(store, lambda writer: writer.objects.remove(kept, [identifier(1), identifier(2)]))
        assert sorted(released(store)) == [identifier(1), identifier(2)]

    def test_aborting_releases_all_parts(self, store):
        begin(store, an_upload())
        put_parts(store, a_part("u1", 1, 1), a_part("u1", 2, 2))
        write(store, lambda writer: writer.uploads.abort("u1"))
        assert store.reader.uploads.find("u1") is None
        assert store.reader.uploads.find_completed("u1") is None
        assert sorted(released(store)) == [identifier(1), identifier(2)]

    def test_aborting_what_is_not_there_changes_nothing(self, store):
        write(store, lambda writer: writer.uploads.abort("u1"))
        assert released(store) == []

    def test_finished_uploads_are_forgotten_by_age(self, store):
        for age, upload_id in enumerate(("u1", "u2", "u3")):
            done = a_completed_upload(upload_id, at_ms=START_MS + age)
            write(store, lambda writer, done=done: writer.uploads.complete(done, []))
        assert write(store, lambda writer: writer.housekeeping.forget_completed(START_MS + 2)) == 2
        assert [upload_id for upload_id in ("u1", "u2", "u3") if store.reader.uploads.find_completed(upload_id)] == ["u3"]

    def test_stale_uploads_come_oldest_first(self, store):
        begin(store, *(an_upload(f"u{age}", initiated_at_ms=START_MS + age) for age in (3, 1, 2)))
        stale = store.reader.housekeeping.stale_uploads
        assert ids(stale(START_MS + 3, 10)) == ["u1", "u2"]
        assert ids(stale(START_MS + 9, 2)) == ["u1", "u2"]
        assert stale(START_MS + 1, 10) == []

    # Blobs.

    def test_a_removed_version_releases_its_blob_at_that_time(self, store, clock):
        kept = [write(store, lambda w, n=n: w.objects.insert(a_version("a", n, storage=Storage.BLOB), None)) for n in (1, 2)]
        for version in kept:
            clock.ms += 100
            write(store, lambda writer, version=version: writer.objects.remove(version, [version.data_id]))
        assert released(store) == [kept[0].data_id, kept[1].data_id]
        assert released(store, limit=1) == [kept[0].data_id]
        assert released(store, before_ms=START_MS + 200) == [kept[0].data_id]
        assert released(store, before_ms=START_MS + 100) == []

    def test_a_blob_is_in_the_books_until_it_is_forgotten(self, store):
        housekeeping = store.reader.housekeeping
        kept = write(store, lambda w: w.objects.insert(a_version(storage=Storage.BLOB), None))
        assert housekeeping.is_adopted(kept.data_id)
        assert not housekeeping.is_adopted(identifier(99))
        write(store, lambda writer: writer.objects.remove(kept, [kept.data_id]))
        assert housekeeping.is_adopted(kept.data_id)
        write(store, lambda writer: writer.housekeeping.forget_blobs([kept.data_id, identifier(99)]))
        assert not housekeeping.is_adopted(kept.data_id)
        assert released(store) == []

    def test_an_owned_blob_cannot_be_forgotten(self, store):
        kept = write(store, lambda w: w.objects.insert(a_version(storage=Storage.BLOB), None))
        write(store, lambda writer: writer.housekeeping.forget_blobs([kept.data_id]))
        assert store.reader.housekeeping.is_adopted(kept.data_id)

    def test_releasing_an_unknown_blob_adopts_nothing(self, store):
        kept = write(store, lambda w: w.objects.insert(a_version(), b""))
        write(store, lambda writer: writer.objects.remove(kept, [identifier(99)]))
        assert released(store) == []
        assert not store.reader.housekeeping.is_adopted(identifier(99))

    # A bucket with uploads.

    def test_a_bucket_with_a_version_marker_or_upload_is_not_empty(self, store):
        bucket_id = write(store, lambda writer: writer.buckets.insert(a_bucket())).bucket_id
        is_empty = store.reader.buckets.is_empty
        assert is_empty(bucket_id)
        begin(store, an_upload(bucket_id=bucket_id))
        assert not is_empty(bucket_id)
        with pytest.raises(BucketNotEmptyError):
            write(store, lambda writer: writer.buckets.remove(bucket_id))
        write(store, lambda writer: writer.uploads.abort("u1"))
        for hidden in (False, True):
            kept = write(store, lambda w, hidden=hidden: w.objects.insert(a_version(bucket_id=bucket_id, is_marker=hidden), None))
            assert not is_empty(bucket_id)
            write(store, lambda writer, kept=kept: writer.objects.remove(kept, []))
        assert is_empty(bucket_id)

    def test_uploads_are_not_written_outside_a_transaction(self, store):
        for ask in (
            lambda: store.reader.uploads.insert(an_upload()),
            lambda: store.reader.uploads.put_part(a_part()),
            lambda: store.reader.uploads.complete(a_completed_upload(), []),
            lambda: store.reader.uploads.abort("u1"),
            lambda: store.reader.housekeeping.forget_blobs([identifier(1)]),
            lambda: store.reader.housekeeping.forget_completed(START_MS),
        ):
            with pytest.raises(StorageError):
                ask()
