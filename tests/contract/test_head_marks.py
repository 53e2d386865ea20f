"""What the `HeadMarks` port keeps, in a file."""

import os

import pytest

from siegel.domain.errors import StorageError
from siegel.drivers.meta.head_marks import FileHeadMarks

ROOT = bytes(range(32))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "heads"


def test_a_mark_is_there_for_whoever_opens_the_file_later(path):
    marks = FileHeadMarks(path)
    assert marks.last(1) is None
    marks.put(3, 7, ROOT)
    marks.put(1, 5, ROOT[::-1])
    marks.put(3, 9, ROOT)
    again = FileHeadMarks(path)
    assert (again.last(3), again.last(1)) == ((9, ROOT), (5, ROOT[::-1]))
    assert again.last(2) is None
    assert again.last(4) is None
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 47])
def test_a_torn_mark_is_none(path, cut):
    FileHeadMarks(path).put(1, 7, ROOT)
    os.truncate(path, path.stat().st_size - cut)
    assert FileHeadMarks(path).last(1) is None
    FileHeadMarks(path).put(1, 8, ROOT)
    with path.open("r+b") as file:
        file.seek(-48, os.SEEK_END)
        file.write(b"\xff")
    assert FileHeadMarks(path).last(1) is None


def test_another_file_is_not_believed(path):
    path.write_bytes(bytes(200))
    with pytest.raises(StorageError, match="no file of signed heads"):
        FileHeadMarks(path).last(1)


def test_what_cannot_be_read_or_written_is_an_error(tmp_path):
    for work in (lambda marks: marks.last(1), lambda marks: marks.put(1, 1, ROOT)):
        with pytest.raises(StorageError, match="cannot be"):
            work(FileHeadMarks(tmp_path))
