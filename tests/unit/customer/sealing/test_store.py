"""Several requests at once: never more than were allowed, the order kept, nothing left where one fails."""

import io
import threading

import pytest
from tests.unit.customer.sealing.objects import CHUNK, KEY, PLACE, content, plain, seal, stream

from siegel.customer.sealing.opening import open_sealed
from siegel.customer.sealing.refusals import SealingError, WrongLengthError
from siegel.customer.sealing.sealedfile import AHEAD_BYTES
from siegel.customer.sealing.store import PART_BYTES_MIN, REQUESTS_MAX, upload

MIB = 1024 * 1024
WAIT_S = 30


class Counter:
    """Counts who is inside at once. Whoever waits stays until as many are inside as may be."""

    def __init__(self, allowed: int) -> None:
        self.inside = self.most = 0
        self.allowed = allowed
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()

    def __exit__(self, *_) -> None:
        with self._changed:
            self.inside -= 1

    def wait(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.most == self.allowed, WAIT_S)


class FakeStore:
    """Keeps parts; the first ones wait until as many are there as may be."""

    def __init__(self, requests: int, failing: int = 0) -> None:
        self.counter, self.failing = Counter(requests), failing
        self.parts: dict[int, bytes] = {}
        self.completed = None
        self.aborted_while = None

    def create_multipart_upload(self, **_):
        return {"UploadId": "u"}

    def upload_part(self, **asked):
        number = asked["PartNumber"]
        with self.counter:
            if number <= self.counter.allowed:
                self.counter.wait()
            if number == self.failing:
                raise OSError("the line broke")
            self.parts[number] = bytes(asked["Body"])
            return {"ETag": str(number)}

    def complete_multipart_upload(self, **asked):
        self.completed = asked["MultipartUpload"]["Parts"]

    def abort_multipart_upload(self, **_):
        self.aborted_while = self.counter.inside


@pytest.mark.parametrize("requests", [1, 3])
def test_parts_go_up_at_once_and_in_order(requests):
    data, store, moved = plain(33 * MIB), FakeStore(requests), []
    sealed = stream(data)
    upload(store, sealed, part_bytes=PART_BYTES_MIN, requests=requests, progress=moved.append)
    assert store.completed == [{"PartNumber": number, "ETag": str(number)} for number in range(1, 8)]
    whole = b"".join(store.parts[number] for number in range(1, 8))
    assert moved == [PART_BYTES_MIN] * 6 + [len(whole) - 6 * PART_BYTES_MIN]
    assert len(whole) == sealed.sealed_size_bytes
    assert store.counter.most == requests
    file = open_sealed(Ahead(whole, 1), PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    assert file.read() == data


@pytest.mark.parametrize("failing", [1, 2, 7])
def test_after_a_part_that_fails_nothing_is_under_way_when_the_upload_is_given_up(failing):
    store = FakeStore(3, failing)
    with pytest.raises(OSError, match="line broke"):
        upload(store, stream(plain(33 * MIB)), part_bytes=PART_BYTES_MIN, requests=3)
    assert store.completed is None
    assert store.aborted_while == 0


@pytest.mark.parametrize("answers", [True, False])
def test_what_ctrl_c_ends_is_given_up_without_waiting_for_a_store_that_says_nothing(answers):
    released, asked, waited = threading.Event(), threading.Event(), threading.Event()

    class Store(FakeStore):
        def upload_part(self, **words):
            if words["PartNumber"] > 1:
                released.wait(WAIT_S)
                waited.set()
            return {"ETag": "e"}

        def abort_multipart_upload(self, **_):
            asked.set()
            assert answers or released.wait(WAIT_S)

    def interrupt(_count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(Store(3), stream(plain(33 * MIB)), part_bytes=PART_BYTES_MIN, requests=3, progress=interrupt)
    assert (asked.is_set(), waited.is_set()) == (True, False)
    released.set()


@pytest.mark.parametrize("requests", [0, -1, REQUESTS_MAX + 1])
def test_so_many_requests_are_not_made(requests):
    with pytest.raises(SealingError, match="at once"):
        upload(FakeStore(1), stream(b""), requests=requests)


class Ahead:
    """A source that several threads may read; the first ones wait for each other."""

    def __init__(self, data: bytes, reads_at_once: int) -> None:
        self.data, self.size_bytes, self.reads_at_once = data, len(data), reads_at_once
        self.counter = Counter(reads_at_once)

    def read_into(self, offset: int, room: memoryview) -> int:
        with self.counter:
            if offset < self.reads_at_once * AHEAD_BYTES < self.reads_at_once * len(room):
                self.counter.wait()
            return io.BytesIO(self.data[offset : offset + len(room)]).readinto(room)


@pytest.mark.parametrize("reads_at_once", [1, 4])
def test_a_long_range_is_read_ahead_and_in_order(reads_at_once):
    data = plain(7 * AHEAD_BYTES + 12345)
    source = Ahead(seal(data), reads_at_once)
    file = open_sealed(source, PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    assert content(file) == data
    assert source.counter.most == reads_at_once
    for start, stop in ((5, len(data)), (100_000, 3 * AHEAD_BYTES), (AHEAD_BYTES - 1, 2 * AHEAD_BYTES + 1), (9, 9)):
        assert content(file, start, stop) == data[start:stop]


def test_a_reader_that_stops_leaves_no_read_behind():
    source = Ahead(seal(plain(7 * AHEAD_BYTES)), 4)
    file = open_sealed(source, PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    pieces = file.reader.stream(0, file.size_bytes)
    next(pieces)
    pieces.close()
    assert source.counter.inside == 0


def test_a_reader_that_the_end_of_the_process_stops_waits_for_no_read():
    released, waited = threading.Event(), threading.Event()

    class Silent(Ahead):
        def read_into(self, offset, room):
            if offset > AHEAD_BYTES:
                released.wait(WAIT_S)
                waited.set()
            return super().read_into(offset, room)

    source = Silent(seal(plain(7 * AHEAD_BYTES)), 2)
    source.counter.most = 2
    file = open_sealed(source, PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    pieces = file.reader.stream(0, file.size_bytes)
    next(pieces)
    with pytest.raises(KeyboardInterrupt):
        pieces.throw(KeyboardInterrupt())
    assert not waited.is_set()
    released.set()


def test_what_is_missing_is_told_in_its_turn():
    sealed = seal(plain(7 * AHEAD_BYTES))
    source = Ahead(sealed, 4)
    file = open_sealed(source, PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    source.data = sealed[: 3 * AHEAD_BYTES]
    pieces = file.reader.stream(0, file.size_bytes)
    assert sum(len(next(pieces)) for _ in range(2 * AHEAD_BYTES // (16 * CHUNK))) == 2 * AHEAD_BYTES
    with pytest.raises(WrongLengthError):
        next(pieces)
