"""Objects that are read often are kept for as long as the database would say the same, and within bounds."""

import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_marker, a_version, write

from siegel.domain.objects import Storage
from siegel.drivers.meta.memory import MemoryStore
from siegel.service.recent import RECENT_BYTES_MAX, RecentObjects


class CountedReads:
    """The objects of a store, and how often they were asked for."""

    def __init__(self, objects):
        self._objects = objects
        self.count = 0
        self.meanwhile = None

    def find_current(self, *args, **named):
        self.count += 1
        found = self._objects.find_current(*args, **named)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found


class Scene:
    def __init__(self, bytes_max=RECENT_BYTES_MAX):
        self.store = MemoryStore(ManualClock())
        self.reads = CountedReads(self.store.reader.objects)
        self.recent = RecentObjects(self.reads, self.store.object_changes, bytes_max)

    def put(self, version, body=b"body"):
        return write(self.store, lambda writer: writer.objects.insert(version, body))

    def find(self, object_key="a", *, with_body=True):
        return self.recent.find(BUCKET, object_key, with_body=with_body)


@pytest.fixture
def scene():
    return Scene()


def test_what_was_asked_for_twice_is_not_read_again(scene):
    scene.put(a_version())
    assert scene.find().body == b"body"
    assert scene.recent.size_bytes == 0
    second = scene.find()
    assert second.body == b"body"
    assert scene.find() is second
    assert scene.reads.count == 2


def test_who_reads_everything_pushes_out_nothing_that_is_read_often():
    scene = Scene(bytes_max=20_000)
    for number in range(200):
        scene.put(a_version(f"k{number}", number), bytes(4096))
    scene.find("k0")
    often = scene.find("k0")
    size_bytes = scene.recent.size_bytes
    for number in range(1, 200):
        scene.find(f"k{number}")
    assert scene.recent.size_bytes == size_bytes
    assert scene.find("k0") is often


def test_it_is_forgotten_what_was_asked_for_long_ago(scene, monkeypatch):
    monkeypatch.setattr("siegel.service.recent.SEEN_MAX", 1)
    for name in ("a", "b"):
        scene.put(a_version(name))
    for name in ("a", "b") * 3:
        scene.find(name)
    assert scene.recent.size_bytes == 0


def test_what_is_kept_and_has_changed_is_kept_anew(scene):
    scene.put(a_version(number=1), b"old")
    scene.find()
    scene.find()
    scene.put(a_version(number=2), b"new")
    new = scene.find()
    assert new.body == b"new"
    assert scene.find() is new


def test_a_body_is_read_when_it_is_asked_for(scene):
    scene.put(a_version(storage=Storage.INLINE))
    scene.find(with_body=False)
    head = scene.find(with_body=False)
    assert head.body is None
    assert scene.find(with_body=False) is head
    assert scene.reads.count == 2
    whole = scene.find()
    assert whole.body == b"body"
    assert scene.find(with_body=False) is whole
    assert scene.reads.count == 3


def test_what_has_no_body_beside_its_row_is_whole_without_one(scene):
    scene.put(a_version(storage=Storage.BLOB, size_bytes=10**9), None)
    scene.find(with_body=False)
    assert scene.find(with_body=False) is scene.find()
    assert scene.reads.count == 2


def test_what_is_not_there_is_asked_for_each_time(scene):
    assert scene.find() is None
    scene.put(a_version())
    assert scene.find() is not None
    write(scene.store, lambda writer: writer.objects.insert(a_marker(number=2), None))
    assert scene.find() is None
    assert scene.find() is None
    assert scene.reads.count == 4
    assert scene.recent.size_bytes == 0


def test_what_is_committed_during_a_read_is_seen_by_the_next(scene):
    scene.put(a_version(number=1), b"old")
    scene.reads.meanwhile = lambda: scene.put(a_version(number=2), b"new")
    assert scene.find().body == b"old"
    assert scene.find().body == b"new"


def test_keys_of_two_buckets_are_two(scene):
    scene.put(a_version())
    assert scene.find() is not None
    assert scene.recent.find(BUCKET + 1, "a", with_body=True) is None


def test_an_older_version_that_comes_back_is_seen(scene):
    old = scene.put(a_version(number=1), b"old")
    new = scene.put(a_version(number=2), b"new")
    assert scene.find().body == b"new"
    write(scene.store, lambda writer: writer.objects.remove(new, []))
    assert scene.find().version_id == old.version_id


def test_all_that_is_kept_stays_within_the_bound():
    scene = Scene(bytes_max=100_000)
    for number in range(40):
        scene.put(a_version(f"k{number}", number), bytes(4096))
    for number in range(40):
        assert scene.find(f"k{number}") is not None
        assert scene.find(f"k{number}") is not None
        assert scene.recent.size_bytes <= 100_000
    kept = 100_000 // (4096 + 2048 + 20)
    assert scene.recent.size_bytes > (kept - 1) * 4096
    scene.reads.count = 0
    for number in range(40 - kept, 40):
        scene.find(f"k{number}")
    assert scene.reads.count == 0


def test_what_is_used_stays_longest():
    scene = Scene(bytes_max=100_000)
    for number in range(40):
        scene.put(a_version(f"k{number}", number), bytes(4096))
    for number in range(40):
        scene.find(f"k{number}")
        scene.find(f"k{number}")
        scene.find("k0")
    scene.reads.count = 0
    scene.find("k0")
    assert scene.reads.count == 0
    scene.find("k1")
    assert scene.reads.count == 1


def test_a_large_object_is_kept_without_its_content(scene):
    scene.put(a_version(storage=Storage.BLOB, size_bytes=10**9), None)
    for _ in range(3):
        scene.find()
    assert scene.reads.count == 2
    assert 0 < scene.recent.size_bytes < 10_000


def test_a_layout_of_very_many_parts_is_not_kept(scene):
    scene.put(a_version(storage=Storage.PARTS), bytes(300_000))
    assert len(scene.find().body) == 300_000
    scene.find()
    scene.find()
    assert scene.reads.count == 3
    assert scene.recent.size_bytes == 0
