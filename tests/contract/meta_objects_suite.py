"""What every MetaStore keeps about object versions."""

import msgspec
import pytest
from tests.contract.meta_fixtures import BUCKET, START_MS, a_marker, a_version, identifier, newest_of, write

from siegel.domain.errors import InvalidArgumentError, StorageError
from siegel.domain.objects import Lock, SealingMode, Storage

# Byte order differs from that of words, of languages and of UTF-16 here.
KEYS_IN_BYTE_ORDER = [
    "\x00",
    "\x01\x02",
    " ",
    "%",
    "A",
    "Z",
    "_",
    "a",
    "a\x00",
    "a\x00b",
    "a//",
    "a/b",
    "aa",
    "b",
    "e\u0301",
    "z",
    "\x7f",
    "\u00e9",
    "\u07ff",
    "\u0800",
    "\uffff",
    "\U00010000",
    "\U0010ffff",
    "\U0010ffff\U0010ffff",
]


def put(store, version, body=b"body"):
    return write(store, lambda writer: writer.objects.insert(version, body))


def take(store, version, blob_ids=()):
    write(store, lambda writer: writer.objects.remove(version, blob_ids))


def keys(versions):
    return [version.object_key for version in versions]


def numbers(versions):
    return [int.from_bytes(version.version_id, "big") for version in versions]


class ObjectsContract:
    """One promise of the `Objects` port per test; `store` and `clock` are the driver's fixtures."""

    def test_a_version_comes_back_as_it_was_given(self, store):
        given = a_version(
            "folder/é\x00",
            is_null=True,
            size_bytes=2**50,
            mode=SealingMode.SSE_C,
            storage=Storage.PARTS,
            part_count=10_000,
            etag="0123456789abcdef-1",
            sealed_tags=b"\x00\xff",
        )
        kept = put(store, given, b"layout")
        assert kept == msgspec.structs.replace(given, sequence=kept.sequence, body_id=kept.body_id)
        found = store.reader.objects.find_current(BUCKET, "folder/é\x00")
        assert found == kept
        assert found.is_null is True
        assert found.is_marker is False
        assert found.mode is SealingMode.SSE_C
        assert found.storage is Storage.PARTS

    def test_a_body_comes_only_when_asked_for(self, store):
        kept = put(store, a_version(), b"\x00sealed\xff")
        objects = store.reader.objects
        assert objects.find_current(BUCKET, "a").body is None
        assert objects.find_current(BUCKET, "a", with_body=True).body == b"\x00sealed\xff"
        assert objects.find_version(BUCKET, "a", identifier(1), with_body=True).body == b"\x00sealed\xff"
        assert store.reader.inline_body(kept.body_id) == b"\x00sealed\xff"

    def test_an_empty_body_is_a_body(self, store):
        put(store, a_version(), b"")
        assert store.reader.objects.find_current(BUCKET, "a", with_body=True).body == b""

    def test_a_blob_has_no_body_here(self, store):
        kept = put(store, a_version(storage=Storage.BLOB), None)
        assert kept.body_id == 0
        assert store.reader.objects.find_current(BUCKET, "a", with_body=True).body is None
        assert store.reader.inline_body(0) is None

    def test_what_is_not_there_is_none(self, store):
        put(store, a_version("a"))
        objects = store.reader.objects
        for bucket_id, object_key in ((BUCKET, "b"), (BUCKET, "A"), (BUCKET, ""), (BUCKET + 1, "a")):
            assert objects.find_current(bucket_id, object_key) is None
            assert newest_of(objects, bucket_id, object_key) is None
            assert objects.find_version(bucket_id, object_key, identifier(1)) is None
            assert objects.find_version(bucket_id, object_key, None) is None
        assert objects.find_version(BUCKET, "a", identifier(2)) is None
        assert objects.find_version(BUCKET, "a", None) is None

    def test_a_body_id_is_never_used_twice(self, store):
        first = put(store, a_version())
        take(store, first)
        second = put(store, a_version(number=2))
        assert second.body_id > first.body_id
        assert store.reader.inline_body(first.body_id) is None

    # Versions of one key.

    def test_the_newest_version_is_current_and_the_older_ones_stay(self, store):
        for number in (1, 2, 3):
            put(store, a_version(number=number), b"body %d" % number)
        objects = store.reader.objects
        assert numbers([objects.find_current(BUCKET, "a"), newest_of(objects, BUCKET, "a")]) == [3, 3]
        for number in (1, 2, 3):
            assert objects.find_version(BUCKET, "a", identifier(number), with_body=True).body == b"body %d" % number

    def test_sequences_rise_even_when_the_clock_stands_still_or_turns_back(self, store, clock):
        first = put(store, a_version(number=1))
        second = put(store, a_version(number=2))
        clock.ms -= 1_000_000
        third = put(store, a_marker(number=3))
        fourth = put(store, a_version(number=4))
        assert first.sequence < second.sequence < third.sequence < fourth.sequence
        assert first.sequence == START_MS * 1000

    def test_a_marker_hides_the_object(self, store):
        put(store, a_version(number=1))
        put(store, a_marker(number=2), None)
        objects = store.reader.objects
        assert objects.find_current(BUCKET, "a") is None
        assert newest_of(objects, BUCKET, "a").is_marker
        assert objects.find_version(BUCKET, "a", identifier(2)).is_marker
        assert objects.find_version(BUCKET, "a", identifier(1)).is_marker is False
        assert objects.scan_current(BUCKET, "", None, 10) == []
        assert objects.next_key(BUCKET, "", None) is None

    def test_a_marker_may_be_the_only_version(self, store):
        marker = put(store, a_marker(), None)
        assert newest_of(store.reader.objects, BUCKET, "a") == marker
        take(store, marker)
        assert newest_of(store.reader.objects, BUCKET, "a") is None

    def test_an_object_over_a_marker_is_current(self, store):
        put(store, a_marker(number=1), None)
        put(store, a_version(number=2))
        assert numbers([store.reader.objects.find_current(BUCKET, "a")]) == [2]
        assert numbers(store.reader.objects.scan_versions(BUCKET, "", None, None, 10)) == [2, 1]

    def test_removing_the_newest_makes_the_next_older_one_current(self, store):
        kept = [put(store, a_version(number=number), b"body %d" % number) for number in (1, 2, 3)]
        for newest, body in ((2, b"body 2"), (1, b"body 1")):
            take(store, kept[newest])
            assert store.reader.objects.find_current(BUCKET, "a", with_body=True).body == body
            assert newest_of(store.reader.objects, BUCKET, "a") == kept[newest - 1]
        take(store, kept[0])
        assert newest_of(store.reader.objects, BUCKET, "a") is None

    def test_removing_the_marker_brings_the_object_back(self, store):
        put(store, a_version(number=1), b"hidden")
        marker = put(store, a_marker(number=2), None)
        take(store, marker)
        assert store.reader.objects.find_current(BUCKET, "a", with_body=True).body == b"hidden"
        assert keys(store.reader.objects.scan_current(BUCKET, "", None, 10)) == ["a"]

    def test_removing_an_object_between_markers_leaves_the_key_hidden(self, store):
        put(store, a_marker(number=1), None)
        hidden = put(store, a_version(number=2))
        newest = put(store, a_marker(number=3), None)
        take(store, hidden)
        assert store.reader.objects.find_current(BUCKET, "a") is None
        take(store, newest)
        assert newest_of(store.reader.objects, BUCKET, "a").is_marker
        assert store.reader.objects.find_current(BUCKET, "a") is None

    def test_removing_an_older_version_or_marker_leaves_the_current_one(self, store):
        old = put(store, a_version(number=1))
        marker = put(store, a_marker(number=2), None)
        put(store, a_version(number=3))
        take(store, old)
        take(store, marker)
        assert numbers(store.reader.objects.scan_versions(BUCKET, "", None, None, 10)) == [3]
        assert numbers([store.reader.objects.find_current(BUCKET, "a")]) == [3]

    def test_removing_takes_the_body_along(self, store):
        old = put(store, a_version(number=1))
        current = put(store, a_version(number=2))
        take(store, old)
        assert store.reader.inline_body(old.body_id) is None
        assert store.reader.inline_body(current.body_id) == b"body"

    def test_removing_twice_releases_nothing_twice(self, store, clock):
        kept = put(store, a_version(number=1, storage=Storage.BLOB), None)
        take(store, kept, [kept.data_id])
        clock.ms += 10
        take(store, kept, [kept.data_id])
        assert store.reader.housekeeping.released_blobs(clock.ms - 5, 10) == [kept.data_id]

    def test_released_blobs_are_renewed_and_others_stay_as_they_are(self, store, clock):
        begun_ms = clock.ms
        gone, owned = (put(store, a_version(key, number, storage=Storage.BLOB), None) for number, key in enumerate("ab", 1))
        housekeeping = store.reader.housekeeping
        assert not housekeeping.is_released(gone.data_id)
        take(store, gone, [gone.data_id])
        assert [housekeeping.is_released(each.data_id) for each in (gone, owned)] == [True, False]
        for at_ms in (begun_ms + 100, begun_ms + 50):
            write(store, lambda tx, at_ms=at_ms: tx.housekeeping.renew_released([gone.data_id, owned.data_id, b"?" * 16], at_ms))
            assert housekeeping.released_blobs(begun_ms + 100, 10) == []
            assert housekeeping.released_blobs(begun_ms + 101, 10) == [gone.data_id]
        assert not housekeeping.is_released(b"?" * 16)

    def test_the_null_version_is_found_wherever_it_is(self, store):
        objects = store.reader.objects
        null = put(store, a_version(number=1, is_null=True))
        assert objects.find_version(BUCKET, "a", None) == null
        put(store, a_version(number=2))
        assert objects.find_version(BUCKET, "a", None) == null
        assert objects.find_version(BUCKET, "a", identifier(1)) == null
        take(store, null)
        assert objects.find_version(BUCKET, "a", None) is None
        marker = put(store, a_marker(number=3, is_null=True), None)
        assert objects.find_version(BUCKET, "a", None) == marker

    def test_the_same_key_in_two_buckets_is_two_objects(self, store):
        put(store, a_version(number=1))
        put(store, a_version(number=2, bucket_id=BUCKET + 1))
        take(store, store.reader.objects.find_current(BUCKET, "a"))
        assert store.reader.objects.find_current(BUCKET, "a") is None
        assert numbers([store.reader.objects.find_current(BUCKET + 1, "a")]) == [2]

    # Lists.

    def put_keys(self, store, object_keys):
        def change(writer):
            for number, key in enumerate(object_keys):
                writer.objects.insert(a_version(key, number), b"")

        write(store, change)

    def test_keys_come_in_the_order_of_their_bytes(self, store):
        assert sorted(KEYS_IN_BYTE_ORDER, key=str.encode) == KEYS_IN_BYTE_ORDER
        self.put_keys(store, KEYS_IN_BYTE_ORDER[::-1])
        assert keys(store.reader.objects.scan_current(BUCKET, "", None, 100)) == KEYS_IN_BYTE_ORDER
        assert keys(store.reader.objects.scan_versions(BUCKET, "", None, None, 100)) == KEYS_IN_BYTE_ORDER

    def test_a_list_begins_at_its_start_and_ends_before_its_stop(self, store):
        self.put_keys(store, KEYS_IN_BYTE_ORDER)
        objects = store.reader.objects
        for first, start in enumerate(KEYS_IN_BYTE_ORDER):
            for last, stop in enumerate(KEYS_IN_BYTE_ORDER):
                expected = KEYS_IN_BYTE_ORDER[first:last]
                assert keys(objects.scan_current(BUCKET, start, stop, 100)) == expected
                assert keys(objects.scan_versions(BUCKET, start, None, stop, 100)) == expected
                assert objects.next_key(BUCKET, start, stop) == (expected[0] if expected else None)
            assert keys(objects.scan_current(BUCKET, start, None, 100)) == KEYS_IN_BYTE_ORDER[first:]

    def test_a_list_returns_no_more_than_its_limit(self, store):
        self.put_keys(store, "abcdef")
        objects = store.reader.objects
        assert keys(objects.scan_current(BUCKET, "b", None, 3)) == ["b", "c", "d"]
        assert keys(objects.scan_versions(BUCKET, "b", None, None, 3)) == ["b", "c", "d"]
        assert objects.scan_current(BUCKET, "b", None, 0) == []
        assert objects.scan_versions(BUCKET, "b", None, None, 0) == []

    def test_a_list_of_current_objects_is_whole_and_without_bodies(self, store):
        kept = [put(store, a_version(key, number)) for number, key in enumerate("abc")]
        assert store.reader.objects.scan_current(BUCKET, "", None, 10) == kept

    def test_a_list_leaves_other_buckets_and_hidden_keys_out(self, store):
        self.put_keys(store, "bdf")
        put(store, a_version("c", 11, bucket_id=BUCKET + 1))
        put(store, a_version("c", 12, bucket_id=BUCKET - 1))
        put(store, a_marker("d", 13), None)
        assert keys(store.reader.objects.scan_current(BUCKET, "", None, 10)) == ["b", "f"]
        assert store.reader.objects.next_key(BUCKET, "c", None) == "f"

    def fill_with_versions(self, store):
        """Give keys a, b and c three versions each, newest first 3 2 1, 6 5 4, 9 8 7; the newest of b is a marker."""
        for number, key in enumerate("aaabbbccc", start=1):
            made = a_marker(key, number) if number == 6 else a_version(key, number)
            put(store, made, None if made.is_marker else b"")

    def test_versions_come_newest_first_within_their_key(self, store):
        self.fill_with_versions(store)
        versions = store.reader.objects.scan_versions(BUCKET, "", None, None, 100)
        assert keys(versions) == list("aaabbbccc")
        assert numbers(versions) == [3, 2, 1, 6, 5, 4, 9, 8, 7]
        assert [version.is_marker for version in versions] == [False] * 3 + [True] + [False] * 5
        for version in versions:
            assert store.reader.objects.find_version(BUCKET, version.object_key, version.version_id) == version

    def test_versions_continue_behind_any_one_of_them(self, store):
        self.fill_with_versions(store)
        objects = store.reader.objects
        everything = objects.scan_versions(BUCKET, "", None, None, 100)
        for position, last in enumerate(everything):
            rest = everything[position + 1 :]
            assert objects.scan_versions(BUCKET, last.object_key, last.sequence, None, 100) == rest
            assert objects.scan_versions(BUCKET, last.object_key, last.sequence, None, 2) == rest[:2]
            up_to_c = [version for version in rest if version.object_key < "c"]
            assert objects.scan_versions(BUCKET, last.object_key, last.sequence, "c", 100) == up_to_c

    def test_versions_continue_behind_one_that_was_removed_meanwhile(self, store):
        self.fill_with_versions(store)
        objects = store.reader.objects
        last = objects.find_version(BUCKET, "b", identifier(6))
        take(store, last)
        assert numbers(objects.scan_versions(BUCKET, "b", last.sequence, None, 3)) == [5, 4, 9]

    def test_a_range_that_ends_before_it_begins_is_empty(self, store):
        self.fill_with_versions(store)
        assert store.reader.objects.scan_versions(BUCKET, "b", 2**62, "b", 10) == []
        assert store.reader.objects.scan_versions(BUCKET, "c", 2**62, "b", 10) == []

    # What must not be done.

    def test_t53_a_key_without_utf8_form_is_refused(self, store):
        for ask in (
            lambda: store.reader.objects.find_current(BUCKET, "\ud800"),
            lambda: store.reader.objects.scan_current(BUCKET, "a", "\udfff", 1),
            lambda: put(store, a_version("a\ud800")),
        ):
            with pytest.raises(InvalidArgumentError):
                ask()

    def test_t55_marks_of_sql_in_keys_are_letters(self, store):
        strange = ["'; DROP TABLE object; --", "%", "_", "\\", '"', "?1", "a%b_c"]
        self.put_keys(store, strange)
        assert keys(store.reader.objects.scan_current(BUCKET, "", None, 100)) == sorted(strange)
        for key in strange:
            assert store.reader.objects.find_current(BUCKET, key).object_key == key

    def test_nothing_is_written_outside_a_transaction(self, store):
        kept = put(store, a_version())
        with pytest.raises(StorageError):
            store.reader.objects.insert(a_version("b", 2), None)
        with pytest.raises(StorageError):
            store.reader.objects.remove(kept, [])
        assert keys(store.reader.objects.scan_versions(BUCKET, "", None, None, 10)) == ["a"]

    def test_a_blob_is_adopted_once(self, store):
        kept = put(store, a_version(number=1, storage=Storage.BLOB), None)
        with pytest.raises(StorageError):
            put(store, a_version("b", 2, storage=Storage.BLOB, data_id=kept.data_id), None)
        assert store.reader.objects.find_current(BUCKET, "b") is None

    @pytest.mark.parametrize("age", [0, 1])
    def test_seals_and_lock_of_a_version_change_and_nothing_else(self, store, age):
        kept = [put(store, a_version("a", number), b"body %d" % number) for number in (1, 2)]
        version = kept[1 - age]
        changed = msgspec.structs.replace(
            version,
            mode=SealingMode.SSE_KMS,
            etag="etag",
            wrapped_key=b"new key",
            sealed_head=b"new head",
            sealed_tags=b"new tags",
            lock=Lock.COMPLIANCE | Lock.HOLD,
            retain_until_ms=START_MS + 5,
        )
        other = msgspec.structs.replace(changed, size_bytes=99, modified_at_ms=1, part_count=7, data_id=b"d" * 16)
        write(store, lambda writer: writer.objects.amend(other))
        assert store.reader.objects.find_version(BUCKET, "a", version.version_id) == changed
        assert store.reader.objects.find_version(BUCKET, "a", kept[age].version_id) == kept[age]
        body = store.reader.objects.find_version(BUCKET, "a", version.version_id, with_body=True).body
        assert body == b"body %d" % (2 - age)

    @pytest.mark.parametrize("age", [0, 1])
    def test_the_body_of_a_version_changes_where_one_is_given(self, store, age):
        kept = [put(store, a_version("a", number), b"body %d" % number) for number in (1, 2)]
        version, other = kept[1 - age], kept[age]
        write(store, lambda writer: writer.objects.amend(version, b"new body"))
        for found, body in ((version, b"new body"), (other, b"body %d" % (1 + age))):
            assert store.reader.objects.find_version(BUCKET, "a", found.version_id, with_body=True).body == body

    def test_a_version_that_is_not_there_is_not_amended(self, store):
        kept = put(store, a_version("a", 1))
        write(store, lambda writer: writer.objects.amend(a_version("a", 2, sealed_tags=b"tags")))
        assert store.reader.objects.scan_versions(BUCKET, "a", None, None, 10) == [kept]

    def test_a_lock_stays_with_its_version_when_another_becomes_current(self, store):
        locked = put(store, a_version("a", 1, lock=Lock.GOVERNANCE, retain_until_ms=START_MS + 1))
        newer = put(store, a_version("a", 2))
        assert store.reader.objects.find_version(BUCKET, "a", locked.version_id) == locked
        write(store, lambda writer: writer.objects.remove(newer, []))
        assert store.reader.objects.find_current(BUCKET, "a") == locked

    # What may be remembered.

    @staticmethod
    def read_now(store, object_key="a"):
        """Read a key as somebody who will remember it; return what tells whether that stands."""
        changes = store.object_changes
        as_of = changes.now()
        store.reader.objects.find_current(BUCKET, object_key)
        place = changes.place(BUCKET, object_key)
        return lambda: changes.last(place) <= as_of

    def test_what_was_read_stands_until_its_key_changes(self, store):
        put(store, a_version("a", 1))
        stands = self.read_now(store)
        assert stands()
        put(store, a_version("b", 2))
        assert stands()
        put(store, a_version("a", 3))
        assert not stands()
        assert self.read_now(store)()

    def test_every_change_of_a_key_ends_what_was_read_of_it(self, store):
        old, new = put(store, a_version(number=1)), put(store, a_version(number=2))
        changes = [
            lambda writer: writer.objects.amend(msgspec.structs.replace(new, sealed_head=b"again")),
            lambda writer: writer.objects.amend(msgspec.structs.replace(old, sealed_head=b"again"), b"body"),
            lambda writer: writer.objects.insert(a_marker(number=3), None),
            lambda writer: writer.objects.remove(a_marker(number=3), []),
            lambda writer: writer.objects.remove(new, []),
            lambda writer: writer.objects.remove(old, []),
        ]
        for change in changes:
            stands = self.read_now(store)
            write(store, change)
            assert not stands()
            assert self.read_now(store)()

    def test_a_change_ends_what_was_read_before_it_is_visible(self, store):
        put(store, a_version("a", 1))
        stands = self.read_now(store)
        seen = []

        def change(writer):
            writer.objects.insert(a_version("a", 2), b"")
            seen.append(stands())

        write(store, change)
        assert seen == [False]

    def test_what_was_read_while_a_change_was_open_does_not_stand_after_it(self, store):
        reads = []

        def change(writer):
            writer.objects.insert(a_version("a", 1), b"")
            reads.append(self.read_now(store))

        write(store, change)
        assert not reads[0]()

    def test_after_a_change_that_was_undone_a_key_can_be_remembered_again(self, store):
        put(store, a_version("a", 1))

        def change(writer):
            writer.objects.insert(a_version("a", 2), b"")
            raise StorageError("no")

        with pytest.raises(StorageError):
            write(store, change)
        assert self.read_now(store)()

    def test_the_same_key_in_another_bucket_is_another_key(self, store):
        places = {store.object_changes.place(bucket_id, "a") for bucket_id in range(1, 6)}
        assert len(places) == 5

    def test_a_change_outside_a_transaction_notes_nothing(self, store):
        stands = self.read_now(store)
        with pytest.raises(StorageError):
            store.reader.objects.insert(a_version(), b"")
        assert stands()
