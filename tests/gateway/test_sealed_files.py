"""The file system of sealed objects, where an object is missing, old, tampered with or out of reach: it says which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import pytest

from siegel.customer.sealing import Seen, new_key_file, open_sealed, parse_uri
from siegel.customer.sealing.refusals import NoSuchObjectError, RolledBackError, SealedObjectError, SealingError, StoreError
from siegel.customer.sealing.store import S3Source

from .shelf import MIB, Shelf, sdk, seeded

KEY = new_key_file()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where the user's memory is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "siegel" / "seen.db"


@pytest.fixture
def files(bucket: Shelf) -> Iterator[Any]:
    with closing(sdk(bucket.service)) as client:
        yield fsspec.filesystem("siegel+s3", key=KEY, client=client)


def tamper(bucket: Shelf, key: str, at: int) -> None:
    stored = bytearray(bucket.get(key))
    stored[at] ^= 1
    bucket.put(key, bytes(stored))


def test_a_rollback_shows_unless_somebody_wants_it_otherwise(files: Any, bucket: Shelf, state: Path, tmp_path: Path):
    path, key = f"{bucket.name}/pay", "pay"
    files.pipe_file(path, b"salary 1")
    old = bucket.get(key)
    files.pipe_file(path, b"salary 2")
    assert (files.cat_file(path), state.exists()) == (b"salary 2", True)
    bucket.put(key, old)
    with pytest.raises(RolledBackError):
        files.open(path)
    place = parse_uri(f"s3://{path}")
    with pytest.raises(RolledBackError):
        open_sealed(S3Source(bucket.s3, place), place, key=KEY, trusted=[KEY.sealer])
    for seen in (None, Seen(tmp_path / "mine.db"), tmp_path / "mine.db"):
        believing = fsspec.filesystem("siegel+s3", key=KEY, client=bucket.s3, seen=seen)
        assert believing.cat_file(path) == b"salary 1"


def test_what_is_missing_is_a_file_that_is_not_found(files: Any, bucket: Shelf):
    for path in (f"{bucket.name}/none", "no-such-bucket-at-all/none"):
        for ask in (files.open, files.cat_file, files.info):
            with pytest.raises(FileNotFoundError) as caught:
                ask(path)
            assert isinstance(caught.value, NoSuchObjectError)
            assert "does not exist" in str(caught.value)
        assert (files.exists(path), files.isfile(path), files.isdir(path)) == (False, False, False)
    files.pipe_file(f"{bucket.name}/dir/here", b"x")
    mapper = files.get_mapper(f"{bucket.name}/dir")
    assert ("here" in mapper, "gone" in mapper, mapper.get("gone"), mapper["here"]) == (True, False, None, b"x")
    with pytest.raises(KeyError):
        mapper["gone"]
    assert files.cat([f"{bucket.name}/gone", f"{bucket.name}/dir/here"], on_error="omit") == {f"{bucket.name}/dir/here": b"x"}
    assert (files.isdir(f"{bucket.name}/dir"), files.isfile(f"{bucket.name}/dir")) == (True, False)


def test_what_was_tampered_with_or_is_out_of_reach_is_not_missing(files: Any, bucket: Shelf, monkeypatch: pytest.MonkeyPatch):
    path = f"{bucket.name}/dir/x"
    files.pipe_file(path, b"precious")
    tamper(bucket, "dir/x", 60)
    for ask in (files.exists, files.isfile, files.isdir, files.get_mapper(f"{bucket.name}/dir").__contains__):
        with pytest.raises(SealedObjectError):
            ask("x" if "contains" in ask.__name__ else path)
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("DEFAULT_REGION", "r"), ("MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    away = fsspec.filesystem("siegel+s3", key=KEY, endpoint_url="http://127.0.0.1:9")
    for ask in (away.exists, away.isfile, away.isdir, away.open):
        with pytest.raises(StoreError, match="Could not connect"):
            ask(path)


def test_nothing_that_is_there_is_overwritten_where_that_was_not_asked_for(files: Any, bucket: Shelf, tmp_path: Path):
    path = f"{bucket.name}/x"
    (tmp_path / "new").write_bytes(b"new")
    files.pipe_file(path, b"precious")
    for write in (
        lambda: files.put_file(str(tmp_path / "new"), path, mode="create"),
        lambda: files.pipe_file(path, b"", mode="create"),
    ):
        with pytest.raises(SealingError, match="written whole"):
            write()
    assert files.cat_file(path) == b"precious"


def test_blocks_and_folders(files: Any, bucket: Shelf, tmp_path: Path):
    data = seeded(100_000)
    (tmp_path / "from" / "below").mkdir(parents=True)
    (tmp_path / "from" / "below" / "clip").write_bytes(data)
    (tmp_path / "from" / "note").write_bytes(b"note")
    files.put(str(tmp_path / "from") + "/", f"{bucket.name}/up/", recursive=True)
    path = f"{bucket.name}/up/below/clip"
    assert files.read_block(path, 16380, 10) == data[16380:16390]
    assert files.read_block(path, 99_990, 100) == data[-10:]
    with files.open(path) as stream:
        assert stream.size == len(data)
    files.get(f"{bucket.name}/up/", str(tmp_path / "down") + "/", recursive=True)
    assert (tmp_path / "down" / "below" / "clip").read_bytes() == data
    assert (tmp_path / "down" / "note").read_bytes() == b"note"


def test_a_local_copy_outlives_a_body_that_was_tampered_with(files: Any, bucket: Shelf, tmp_path: Path):
    path, local = f"{bucket.name}/clip", tmp_path / "clip"
    files.pipe_file(path, seeded(MIB))
    local.write_bytes(b"the good old copy")
    stored = bucket.get("clip")
    tamper(bucket, "clip", -1)
    with pytest.raises(SealedObjectError):
        files.get_file(path, str(local))
    assert local.read_bytes() == b"the good old copy"
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["clip"]
    bucket.put("clip", stored)
    files.get_file(path, str(local))
    assert local.read_bytes() == seeded(MIB)
    with (tmp_path / "open").open("wb") as stream:
        files.get_file(path, stream)
    assert (tmp_path / "open").read_bytes() == seeded(MIB)
