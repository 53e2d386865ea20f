"""Commands that seal and open, where something is in the way: a pipe, a name that is no text, a rollback, a file that fails."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING

from .test_client_sealing import Desk, desk

if TYPE_CHECKING:
    from .shelf import Shelf

__all__ = ["desk"]


def test_keys_of_an_object_that_was_rolled_back_are_not_wrapped(desk: Desk, bucket: Shelf):
    desk.run("keys", "new", "engineer.key")
    uri = f"s3://{bucket.name}/pay"
    desk.seal(str(desk.file("pay", b"salary 1")), uri, "--key", "my.key")
    old = bucket.get("pay")
    desk.seal(str(desk.file("pay", b"salary 2")), uri, "--key", "my.key")
    line = ("consent", "rewrap", uri, "--to", "engineer.key.pub", "--key", "my.key", "--endpoint-url", desk.url, "-o")
    new = bucket.get("pay")
    bucket.put("pay", old)
    assert "older object" in desk.run(*line, "old.wrapped", code=3).stderr.decode()
    assert not (desk.folder / "old.wrapped").exists()
    # What it sees is remembered too.
    desk.run(*line, "old.wrapped", "--state", "other.db")
    bucket.put("pay", new)
    desk.run(*line, "new.wrapped", "--state", "other.db")
    bucket.put("pay", old)
    assert "older object" in desk.open(uri, "--key", "my.key", "-o", "out", "--state", "other.db", code=3)


def test_where_one_of_several_files_fails_those_that_are_stored_are_told(desk: Desk, bucket: Shelf):
    uris = [f"s3://{bucket.name}/{name}" for name in "ac"]
    desk.file("a", b"a")
    desk.file("c", b"c")
    (desk.folder / "b\n").write_bytes(b"its name cannot be shown")
    line = ("seal", "a", "b\n", "c", f"s3://{bucket.name}/", "--key", "my.key", "--endpoint-url", desk.url, "--requests", "1")
    ended = desk.run(*line, code=1)
    assert ended.stdout.decode().startswith(f"a  ->  {uris[0]}  (")
    assert (ended.stdout.count(b"\n"), bucket.keys()) == (1, ["a"])
    told = json.loads(desk.run(*line, "--json", code=1).stdout)
    assert [one["uri"] for one in told["objects"]] == uris[:1]
    assert desk.run("seal", "b\n", *line[4:], code=1).stdout == b""


def test_a_name_that_is_no_text_can_be_sealed(desk: Desk, bucket: Shelf):
    name = os.fsdecode(b"caf\xe9.txt")
    (desk.folder / name).write_bytes(b"old")
    folder = f"s3://{bucket.name}/case/"
    assert "UTF-8" in desk.seal(name, folder, "--key", "my.key", code=1)
    (sealed,) = desk.seal(name, folder, "--key", "my.key", "--seal-names")
    assert sealed["file"] == "caf?.txt"
    listed = json.loads(desk.run("names", folder, "--key", "my.key", "--endpoint-url", desk.url, "--json").stdout)
    assert listed["objects"] == [{"name": "caf?.txt", "uri": sealed["uri"]}]
    for words in ((sealed["uri"],), (folder + name, "--sealed-name")):
        desk.open(*words, "--key", "my.key", "-o", "out", "--force")
        assert (desk.folder / "out").read_bytes() == b"old"


def test_pipes_are_refused_where_a_file_is_read_and_written_into_where_that_was_asked_for(desk: Desk, bucket: Shelf):
    uri = f"s3://{bucket.name}/k"
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    desk.seal(str(desk.file("k", b"data" * 1000)), uri, "--key", "my.key")
    assert "pipe is not a regular file" in desk.seal("k", uri, "--key", "my.key", "--to", "pipe", code=1)
    assert "pipe is not a regular file" in desk.open(uri, "--key", "my.key", "--from", "pipe", "-o", "out", code=1)
    assert "pipe is not a regular file" in desk.open(uri, "--key", "my.key", "--wrapped", "pipe", "-o", "out", code=253)
    assert "is there already" in desk.open(uri, "--key", "my.key", "-o", "pipe", code=1)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    desk.open(uri, "--key", "my.key", "-o", "pipe", "--force")
    reader.join(30)
    assert (read, pipe.is_fifo()) == ([b"data" * 1000], True)
    assert "cannot be written: Is a directory" in desk.open(uri, "--key", "my.key", "-o", ".", "--force", code=1)
    assert "cannot be written: File name too long" in desk.open(uri, "--key", "my.key", "-o", "n" * 256, code=1)
    desk.open(uri, "--key", "my.key", "-o", "漢" * 84)


def test_on_standard_output_everything_before_the_damage_is_authentic(desk: Desk, bucket: Shelf):
    data = os.urandom(2_000_000)
    uri = f"s3://{bucket.name}/k"
    desk.seal(str(desk.file("k", data)), uri, "--key", "my.key")
    stored = bucket.get("k")
    bucket.put("k", stored[:-1] + bytes([stored[-1] ^ 1]))
    written = desk.run("open", uri, "--key", "my.key", "-o", "-", "--endpoint-url", desk.url, code=3).stdout
    assert 0 < len(written) < len(data)
    assert data.startswith(written)
    bucket.put("k", stored[:-1])
    assert desk.run("open", uri, "--key", "my.key", "-o", "-", "--endpoint-url", desk.url, code=3).stdout == b""
