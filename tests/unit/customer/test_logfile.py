import asyncio
import errno
import os

import pytest

from siegel.customer.keybox import logbook as logbooks
from siegel.customer.keybox import logfile as logfiles
from siegel.customer.keybox.chain import EMPTY, LINE_BYTES_MAX, check
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.refusals import RefusedError
from siegel.domain.errors import StorageError, StorageFullError

ENTRY = b'{"operation":"x"}'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.jsonl"


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def test_two_writers_share_one_chain(path):
    one, two = LogFile(path), LogFile(path)
    assert one.append([ENTRY]).seq == 1
    assert two.append([ENTRY, ENTRY]).seq == 3
    assert one.append([ENTRY]).seq == 4
    assert check(lines(path)).head.seq == 4
    assert check(lines(path)).holds
    one.close()
    two.close()
    with pytest.raises(StorageError, match="closed"):
        one.append([ENTRY])


def test_an_unfinished_line_goes(path):
    LogFile(path).append([ENTRY])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"v":1,')
    assert LogFile(path).append([ENTRY]).seq == 2
    assert path.read_bytes().startswith(whole)
    assert check(lines(path)).holds


def test_an_unfinished_first_line_goes(path):
    path.write_bytes(b'{"v":1,')
    assert LogFile(path).append([ENTRY]).seq == 1
    assert check(lines(path)).holds


@pytest.mark.parametrize("there", [b"no line\n", b'{"v":1}\n', b"\n", b'{"v":1,"seq":1,"prev":"' + b"0" * 64 + b'",]\n'])
def test_a_file_that_is_no_log_is_left_alone(path, there):
    path.write_bytes(there)
    log = LogFile(path)
    for _ in range(2):
        with pytest.raises(StorageError, match="none of a log"):
            log.append([ENTRY])
    assert path.read_bytes() == there


def test_a_line_longer_than_any(path):
    path.write_bytes(b"x" * (LINE_BYTES_MAX + 1))
    with pytest.raises(StorageError, match="none of a log"):
        LogFile(path).append([ENTRY])


def test_a_log_that_was_cut_or_replaced_is_not_gone_on_with(path):
    log = LogFile(path)
    log.append([ENTRY, ENTRY])
    path.write_bytes(lines(path)[0])
    with pytest.raises(StorageError, match="replaced or cut"):
        log.append([ENTRY])
    log = LogFile(path)
    log.append([ENTRY])
    path.unlink()
    with pytest.raises(StorageError, match="it is gone"):
        log.append([ENTRY])
    path.touch()
    with pytest.raises(StorageError, match="it is gone"):
        log.append([ENTRY])


def test_a_log_that_cannot_be_opened(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        LogFile(tmp_path / "nowhere" / "log.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(StorageError, match="cannot be opened"):
        LogFile(tmp_path / "link")


def test_a_full_disk_refuses_and_goes_on_when_there_is_space(path, monkeypatch):
    log = LogFile(path)
    log.append([ENTRY])
    before = path.read_bytes()
    write = os.write
    pieces = iter([lambda fd, data: write(fd, data[:5]), None])

    def full(fd, data):
        step = next(pieces)
        if step is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return step(fd, data)

    with monkeypatch.context() as patched:
        patched.setattr(logfiles.os, "write", full)
        with pytest.raises(StorageFullError, match="No space left"):
            log.append([ENTRY])
    assert path.read_bytes() == before
    assert log.append([ENTRY]).seq == 2
    assert check(lines(path)).holds


def test_a_failed_sync_is_never_tried_again(path, monkeypatch):
    log = LogFile(path)

    def fail(_fd):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(logfiles.os, "fdatasync", fail)
        with pytest.raises(StorageError, match="could not be synced"):
            log.append([ENTRY])
    with pytest.raises(StorageError, match="could not be synced"):
        log.append([ENTRY])


def test_the_book_writes_in_batches_and_answers_in_order(path):
    batches = []

    class Counting(LogFile):
        def append(self, entries):
            batches.append(len(entries))
            return super().append(entries)

    async def story():
        book = Logbook(Counting(path))
        waiting = [book.append(b'{"n":%d}' % number) for number in range(20)]
        waiting[3].cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in done].count(asyncio.CancelledError) == 1
        book.close()

    asyncio.run(story())
    assert batches == [1, 19]
    assert check(lines(path)).head.seq == 20
    assert check(lines(path)).head != EMPTY


def test_the_book_tells_every_waiter_of_a_failure(path):
    class Failing(LogFile):
        def append(self, _entries):
            raise StorageError("the disk is gone")

    async def story():
        book = Logbook(Failing(path))
        done = await asyncio.gather(*(book.append(ENTRY) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in done] == ["the disk is gone"] * 3
        assert len({id(one) for one in done}) == 3
        book.close()

    asyncio.run(story())


def test_the_book_refuses_when_too_many_wait(path, monkeypatch):
    monkeypatch.setattr(logbooks, "WAITING_MAX", 2)

    async def story():
        book = Logbook(LogFile(path))
        waiting = [book.append(ENTRY) for _ in range(3)]
        with pytest.raises(RefusedError, match="ThrottlingException"):
            book.append(ENTRY)
        await asyncio.gather(*waiting)
        book.close()

    asyncio.run(story())
