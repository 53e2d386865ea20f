"""The check itself is checked: every planted violation is reported by its name, and no honest history is."""

from typing import ClassVar

import pytest

from tests.fault.model import Content, Model, Observation, OpenUpload, PlainKey, Version, VersionedKey, compare, settle
from tests.fault.syncs import BLOB, FOLDER, WAL, Reading

OLD, NEW, OTHER = Content.of(b"old"), Content.of(b"new"), Content.of(b"other bytes")


def model_of(plain: PlainKey | None = None, versioned: VersionedKey | None = None, upload: OpenUpload | None = None) -> Model:
    model = Model()
    if plain:
        model.plain[plain.name] = plain
    if versioned:
        model.versioned[versioned.name] = versioned
    if upload:
        model.uploads[upload.upload_id] = upload
    return model


def seen_plain(content: Content | None) -> Observation:
    if content is None:
        return Observation()
    return Observation(plain={"k": content}, listed=[("k", content.size)])


def seen_versions(*versions: Version) -> Observation:
    return Observation(versions=[("k", version, number == 0) for number, version in enumerate(versions)])


def kinds(model: Model, seen: Observation) -> list[str]:
    return [violation.kind for violation in compare(model, seen)]


def overwritten() -> PlainKey:
    key = PlainKey("k")
    for content in (OLD, NEW):
        key.begin(content)
        key.acknowledge(content)
    return key


def stacked() -> VersionedKey:
    key = VersionedKey("k")
    for version_id, content in (("1", OLD), ("2", NEW)):
        key.begin_push(content)
        key.acknowledge_push(version_id, content)
    return key


class TestPlainKeys:
    def test_what_was_acknowledged_last_is_right(self) -> None:
        assert kinds(model_of(overwritten()), seen_plain(NEW)) == []

    def test_an_unanswered_write_may_be_there_or_not(self) -> None:
        key = overwritten()
        key.begin(OTHER)
        assert kinds(model_of(key), seen_plain(NEW)) == []
        assert kinds(model_of(key), seen_plain(OTHER)) == []

    def test_an_unanswered_delete_may_have_happened(self) -> None:
        key = overwritten()
        key.begin(None)
        assert kinds(model_of(key), seen_plain(None)) == []

    def test_a_lost_acknowledgement_is_reported(self) -> None:
        assert kinds(model_of(overwritten()), seen_plain(None)) == ["lost"]

    def test_a_wrong_byte_is_reported(self) -> None:
        assert kinds(model_of(overwritten()), seen_plain(Content.of(b"nem"))) == ["wrong-bytes"]

    def test_half_a_write_is_reported(self) -> None:
        key = overwritten()
        key.begin(OTHER)
        assert kinds(model_of(key), seen_plain(Content.of(b"other"))) == ["half-write"]

    def test_the_return_of_replaced_bytes_is_reported(self) -> None:
        assert kinds(model_of(overwritten()), seen_plain(OLD)) == ["resurrected"]

    def test_the_return_of_a_deleted_object_is_reported(self) -> None:
        key = overwritten()
        key.begin(None)
        key.acknowledge(None)
        assert kinds(model_of(key), seen_plain(NEW)) == ["resurrected"]

    def test_the_return_of_a_write_that_was_found_absent_is_reported(self) -> None:
        key = overwritten()
        key.begin(OTHER)
        model = model_of(key)
        settle(model, seen_plain(NEW))
        assert kinds(model, seen_plain(OTHER)) == ["resurrected"]

    def test_the_effect_of_a_refused_write_is_reported(self) -> None:
        key = overwritten()
        key.begin(OTHER)
        key.refuse(OTHER)
        assert kinds(model_of(key), seen_plain(OTHER)) == ["wrong-bytes"]

    def test_an_object_that_cannot_be_read_is_reported(self) -> None:
        seen = Observation(plain={"k": Content.unreadable("500")}, listed=[("k", 3)])
        assert kinds(model_of(overwritten()), seen) == ["unreadable"]

    def test_a_key_that_nobody_wrote_is_reported(self) -> None:
        seen = Observation(plain={"x": OLD}, listed=[("x", OLD.size)])
        assert kinds(model_of(), seen) == ["half-write"]


class TestLists:
    def test_an_object_missing_from_the_list_is_reported(self) -> None:
        assert kinds(model_of(overwritten()), Observation(plain={"k": NEW})) == ["listing"]

    def test_a_listed_object_that_is_not_there_is_reported(self) -> None:
        key = overwritten()
        key.begin(None)
        key.acknowledge(None)
        assert kinds(model_of(key), Observation(listed=[("k", 3)])) == ["listing"]

    def test_a_wrong_size_in_the_list_is_reported(self) -> None:
        assert kinds(model_of(overwritten()), Observation(plain={"k": NEW}, listed=[("k", 4)])) == ["listing"]

    @pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
    def test_disorder_in_the_list_is_reported(self, names: list[str]) -> None:
        model = Model(plain={name: PlainKey(name, OLD) for name in names})
        seen = Observation(plain=dict.fromkeys(names, OLD), listed=[(name, OLD.size) for name in names])
        assert kinds(model, seen) == ["listing"]

    def test_disorder_in_the_list_of_versions_is_reported(self) -> None:
        keys = {name: VersionedKey(name, [[Version("1", OLD)]]) for name in "ab"}
        seen = Observation(versions=[(name, Version("1", OLD), True) for name in "ba"])
        assert kinds(Model(versioned=keys), seen) == ["listing"]

    def test_versions_of_a_key_that_nobody_wrote_are_reported(self) -> None:
        assert kinds(model_of(), seen_versions(Version("1", OLD))) == ["half-write"]


class TestVersions:
    def test_the_acknowledged_history_is_right(self) -> None:
        assert kinds(model_of(versioned=stacked()), seen_versions(Version("2", NEW), Version("1", OLD))) == []

    def test_an_unanswered_version_may_be_on_top(self) -> None:
        key = stacked()
        key.begin_push(OTHER)
        seen = seen_versions(Version("3", OTHER), Version("2", NEW), Version("1", OLD))
        assert kinds(model_of(versioned=key), seen) == []

    def test_an_unanswered_version_may_lie_below_a_later_one(self) -> None:
        key = stacked()
        key.begin_push(OTHER)
        key.begin_push(OLD)
        key.acknowledge_push("4", OLD)
        below = [Version("2", NEW), Version("1", OLD)]
        assert kinds(model_of(versioned=key), seen_versions(Version("4", OLD), *below)) == []
        assert kinds(model_of(versioned=key), seen_versions(Version("4", OLD), Version("3", OTHER), *below)) == []

    def test_an_unanswered_removal_may_have_happened(self) -> None:
        key = stacked()
        key.begin_removal("2")
        assert kinds(model_of(versioned=key), seen_versions(Version("1", OLD))) == []
        assert kinds(model_of(versioned=key), seen_versions(Version("2", NEW), Version("1", OLD))) == []

    def test_a_lost_version_is_reported(self) -> None:
        assert kinds(model_of(versioned=stacked()), seen_versions(Version("2", NEW))) == ["lost"]

    def test_a_lost_marker_is_reported(self) -> None:
        key = stacked()
        key.begin_push(None)
        key.acknowledge_push("3", None)
        assert kinds(model_of(versioned=key), seen_versions(Version("2", NEW), Version("1", OLD))) == ["lost"]

    def test_a_wrong_byte_in_an_old_version_is_reported(self) -> None:
        assert kinds(model_of(versioned=stacked()), seen_versions(Version("2", NEW), Version("1", OTHER))) == ["wrong-bytes"]

    def test_an_unreadable_version_is_reported(self) -> None:
        seen = seen_versions(Version("2", NEW), Version("1", Content.unreadable("500")))
        assert kinds(model_of(versioned=stacked()), seen) == ["unreadable"]

    def test_half_a_version_on_top_is_reported(self) -> None:
        key = stacked()
        key.begin_push(OTHER)
        seen = seen_versions(Version("3", Content.of(b"other")), Version("2", NEW), Version("1", OLD))
        assert kinds(model_of(versioned=key), seen) == ["half-write"]

    def test_a_removed_version_that_returns_is_reported(self) -> None:
        key = stacked()
        key.begin_removal("1")
        key.acknowledge_removal("1")
        assert kinds(model_of(versioned=key), seen_versions(Version("2", NEW), Version("1", OLD))) == ["resurrected"]

    def test_a_version_that_was_found_gone_and_returns_is_reported(self) -> None:
        key = stacked()
        key.begin_removal("2")
        model = model_of(versioned=key)
        settle(model, seen_versions(Version("1", OLD)))
        assert kinds(model, seen_versions(Version("2", NEW), Version("1", OLD))) == ["resurrected"]

    def test_the_effect_of_a_refused_change_is_reported(self) -> None:
        key = stacked()
        key.begin_push(OTHER)
        key.refuse()
        seen = seen_versions(Version("3", OTHER), Version("2", NEW), Version("1", OLD))
        assert kinds(model_of(versioned=key), seen) == ["half-write"]

    def test_a_wrong_order_is_reported(self) -> None:
        assert kinds(model_of(versioned=stacked()), seen_versions(Version("1", OLD), Version("2", NEW))) == ["order"]

    def test_two_latest_versions_are_reported(self) -> None:
        seen = Observation(versions=[("k", Version("2", NEW), True), ("k", Version("1", OLD), True)])
        assert kinds(model_of(versioned=stacked()), seen) == ["order"]


class TestUploads:
    def upload(self) -> OpenUpload:
        return OpenUpload("u", "k", {1: NEW})

    def check(self, upload: OpenUpload, sizes: dict[int, int] | None) -> list[str]:
        return kinds(model_of(upload=upload), Observation(parts={"u": sizes}))

    def test_acknowledged_parts_are_right(self) -> None:
        assert self.check(self.upload(), {1: NEW.size}) == []

    def test_an_unanswered_part_may_be_there(self) -> None:
        upload = self.upload()
        upload.possible[2] = OTHER
        assert self.check(upload, {1: NEW.size}) == []
        assert self.check(upload, {1: NEW.size, 2: OTHER.size}) == []

    def test_a_lost_upload_is_reported(self) -> None:
        assert self.check(self.upload(), None) == ["lost"]

    def test_a_lost_part_is_reported(self) -> None:
        assert self.check(self.upload(), {}) == ["lost"]

    def test_a_part_of_a_wrong_size_is_reported(self) -> None:
        assert self.check(self.upload(), {1: NEW.size - 1}) == ["wrong-bytes"]

    def test_a_part_that_nobody_sent_is_reported(self) -> None:
        assert self.check(self.upload(), {1: NEW.size, 7: 1}) == ["half-write"]


class TestSyncOrder:
    """Records of system calls, as strace writes them."""

    PROCESSES: ClassVar[dict[str, str]] = {"7": "worker", "8": "worker", "4": "steward", "9": "worker"}

    def read(self, *lines: str) -> list[str]:
        reading = Reading("/d", self.PROCESSES.get)
        for line in lines:
            reading.line(line)
        return [violation.kind for violation in reading.faults("PUT", [WAL])]

    WRITE = '7 pwrite64(5</d/siegel.db-wal>, ""..., 4096, 32) = 4096'
    SYNC = "8 fdatasync(5</d/siegel.db-wal>) = 0"
    ANSWER = '9 writev(6<socket:[1]>, [{iov_base="HTTP/1.1 200 OK"..., iov_len=9}], 1) = 9'

    def test_a_sync_between_write_and_answer_is_right(self) -> None:
        assert self.read(self.WRITE, self.SYNC, self.ANSWER) == []

    def test_an_answer_without_a_sync_is_reported(self) -> None:
        assert self.read(self.WRITE, self.ANSWER) == ["unsynced", "unsynced"]

    def test_an_answer_before_the_sync_is_reported(self) -> None:
        assert self.read(self.WRITE, self.ANSWER, self.SYNC) == ["unsynced", "unsynced"]

    def test_an_answer_before_the_sync_returned_is_reported(self) -> None:
        begun = "8 fdatasync(5</d/siegel.db-wal> <unfinished ...>"
        resumed = "8 <... fdatasync resumed>) = 0"
        assert self.read(self.WRITE, begun, self.ANSWER, resumed) == ["unsynced", "unsynced"]
        assert self.read(self.WRITE, begun, resumed, self.ANSWER) == []

    def test_a_failed_sync_does_not_count(self) -> None:
        failed = "8 fdatasync(5</d/siegel.db-wal>) = -1 EIO (Input/output error)"
        assert self.read(self.WRITE, failed, self.ANSWER) == ["unsynced", "unsynced"]

    def test_a_write_after_the_sync_is_reported(self) -> None:
        assert self.read(self.WRITE, self.SYNC, self.WRITE, self.ANSWER) == ["unsynced"]

    def test_what_the_steward_has_under_way_is_not_the_answers(self) -> None:
        heads = '4 pwrite64(5</d/heads>, ""..., 48, 32) = 48'
        assert self.read(self.WRITE, self.SYNC, heads, self.ANSWER) == []
        assert self.read(self.WRITE, self.SYNC, heads.replace("4 ", "7 ", 1), self.ANSWER) == ["unsynced"]

    def test_a_write_of_both_is_still_the_answers(self) -> None:
        assert self.read(self.WRITE, self.SYNC, self.WRITE, self.WRITE.replace("7 ", "4 ", 1), self.ANSWER) == ["unsynced"]

    def test_what_a_thread_wrote_that_is_gone_is_reported(self) -> None:
        assert self.read(self.WRITE, self.SYNC, self.WRITE.replace("7 ", "12 ", 1), self.ANSWER) == ["unsynced"]

    def test_a_request_without_an_answer_proves_nothing(self) -> None:
        assert self.read(self.WRITE, self.SYNC) == ["no-fault"]

    def test_a_folder_that_got_a_name_must_be_synced(self) -> None:
        reading = Reading("/d", self.PROCESSES.get)
        name = "ab" + "0" * 30
        for line in (f'7 linkat(4</d/blobs/ab>, "{name}.unfinished", 4</d/blobs/ab>, "{name}", 0) = 0', self.ANSWER):
            reading.line(line)
        assert [violation.kind for violation in reading.faults("PUT", [FOLDER, BLOB])] == ["unsynced"] * 3
