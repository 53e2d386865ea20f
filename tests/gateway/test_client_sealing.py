"""Sealed before sending, against the running service: by the commands, by the Python API, by fsspec; and a server that cheats."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from siegel.customer.sealing import ObjectPlace, new_key_file, open_sealed, parse_recipient, read_key_file, seal_stream
from siegel.customer.sealing.names import seal_name
from siegel.customer.sealing.refusals import (
    BodyChangedError,
    ChangedWhileReadingError,
    NoSuchObjectError,
    NotSealedError,
    SealingError,
    StoreError,
    WrongLengthError,
)
from siegel.customer.sealing.store import PART_BYTES_MIN, S3Source, connect, enough_for, upload
from tests.command_line import siegel_bytes

from .service import Service
from .shelf import MIB, Shelf, sdk, seeded
from .signer import REGION


@dataclass(frozen=True)
class Desk:
    """A customer's machine: a folder of its own, the commands, the credentials."""

    folder: Path
    env: dict[str, str]
    url: str

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = siegel_bytes(*words, cwd=self.folder, env=self.env)
        assert done.returncode == code, (done.stdout[-500:], done.stderr)
        return done

    def seal(self, *words: str, code: int = 0) -> Any:
        done = self.run("seal", *words, "--endpoint-url", self.url, "--json", code=code)
        return json.loads(done.stdout)["objects"] if code == 0 else done.stderr.decode()

    def open(self, *words: str, code: int = 0) -> Any:
        done = self.run("open", *words, "--endpoint-url", self.url, "--json", code=code)
        return json.loads(done.stdout) if code == 0 else done.stderr.decode()

    def file(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name


@pytest.fixture
def desk(tmp_path: Path, service: Service) -> Desk:
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": service.owner.access_key_id,
        "AWS_SECRET_ACCESS_KEY": service.owner.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "SIEGEL_ACCOUNT_ID": "111122223333",
    }
    made = Desk(tmp_path, env, service.url)
    made.run("keys", "new", "my.key")
    return made


def place_of(bucket: Shelf, key: str) -> ObjectPlace:
    return ObjectPlace(bucket.name, key)


def test_seal_and_open_by_the_commands(desk: Desk, bucket: Shelf):
    data = seeded(300_000)
    desk.file("clip.mp4", data)
    assert stat.S_IMODE((desk.folder / "my.key").stat().st_mode) == 0o600
    (sealed,) = desk.seal("clip.mp4", f"s3://{bucket.name}/2026/", "--key", "my.key")
    assert (sealed["uri"], sealed["size_bytes"], sealed["signed"]) == (f"s3://{bucket.name}/2026/clip.mp4", 300_000, True)
    stored = bucket.get("2026/clip.mp4")
    assert len(stored) == sealed["sealed_size_bytes"]
    assert data[:64] not in stored
    assert b"clip" not in stored
    assert "is there already" in desk.open(sealed["uri"], "--key", "my.key", code=1)
    (desk.folder / "clip.mp4").unlink()
    opened = desk.open(sealed["uri"], "--key", "my.key")
    assert (opened["file"], opened["written_bytes"]) == ("clip.mp4", 300_000)
    assert (desk.folder / "clip.mp4").read_bytes() == data
    for span, expected in (("100-199", data[100:200]), ("299990-", data[-10:]), ("-7", data[-7:])):
        line = ("open", sealed["uri"], "--key", "my.key", "--endpoint-url", desk.url, "--range", span, "-o", "-")
        assert desk.run(*line).stdout == expected
    assert "lies outside" in desk.open(sealed["uri"], "--key", "my.key", "--range", "300000-", "-o", "x", code=1)
    assert sorted(path.name for path in desk.folder.iterdir()) == ["clip.mp4", "my.key", "my.key.pub", "state"]


def test_several_files_and_several_recipients(desk: Desk, bucket: Shelf):
    desk.run("keys", "new", "friend.key")
    for name in ("a", "b"):
        desk.file(name, name.encode() * 1000)
    assert len(desk.seal("a", "b", f"s3://{bucket.name}", "--key", "my.key", "--to", "friend.key.pub")) == 2
    uri = f"s3://{bucket.name}/a"
    assert "whom you do not trust" in desk.open(uri, "--key", "friend.key", "-o", "out", code=3)
    assert not (desk.folder / "out").exists()
    desk.open(uri, "--key", "friend.key", "--from", "my.key.pub", "-o", "out")
    assert (desk.folder / "out").read_bytes() == b"a" * 1000
    line = desk.run("keys", "public", "friend.key").stdout.decode().strip()
    assert parse_recipient(line).line == line
    desk.seal("a", f"s3://{bucket.name}/unsigned", "--to", line)
    unsigned = f"s3://{bucket.name}/unsigned"
    assert "nobody signed" in desk.open(unsigned, "--key", "friend.key", "-o", "two", code=3)
    desk.open(unsigned, "--key", "friend.key", "--allow-unsigned", "-o", "two")
    assert "for others than this key" in desk.open(unsigned, "--key", "my.key", "-o", "three", code=3)


def test_sealed_names_tell_nothing_and_are_found(desk: Desk, bucket: Shelf):
    desk.file("witness-miller.mp4", b"clip")
    folder = f"s3://{bucket.name}/case-7/"
    (sealed,) = desk.seal("witness-miller.mp4", folder, "--key", "my.key", "--seal-names")
    bucket.put("case-7/plain", b"")
    assert "miller" not in sealed["uri"]
    listed = json.loads(desk.run("names", folder, "--key", "my.key", "--endpoint-url", desk.url, "--json").stdout)
    assert listed["objects"] == [{"name": "witness-miller.mp4", "uri": sealed["uri"]}]
    desk.open(f"{folder}witness-miller.mp4", "--sealed-name", "--key", "my.key", "-o", "out")
    assert (desk.folder / "out").read_bytes() == b"clip"
    assert desk.run("names", folder, "--key", "my.key", "--endpoint-url", desk.url).stdout == b"witness-miller.mp4\n"


def test_a_server_that_cheats_is_told_by_the_exit_status(desk: Desk, bucket: Shelf):
    desk.file("a", b"old" * 10_000)
    uri = f"s3://{bucket.name}/a"
    desk.seal("a", uri, "--key", "my.key")
    old = bucket.get("a")
    desk.file("a", b"new" * 10_000)
    desk.seal("a", uri, "--key", "my.key")
    new = bucket.get("a")
    assert len(desk.open(uri, "--key", "my.key", "-o", "first")["previous"]) == 64
    tries = {
        "older object": old,
        "shorter or longer": new[:-1],
        "body was changed": new[:-1] + bytes([new[-1] ^ 1]),
        "header was changed": new[:60] + bytes([new[60] ^ 1]) + new[61:],
        "not a sealed object": b"hello",
        "is empty": b"",
    }
    for words, served in tries.items():
        bucket.put("a", served)
        assert words in desk.open(uri, "--key", "my.key", "-o", "out", code=3)
    assert not (desk.folder / "out").exists()
    bucket.put("b", new)
    assert "was sealed as" in desk.open(f"s3://{bucket.name}/b", "--key", "my.key", "-o", "out", code=3)
    bucket.put("a", old)
    desk.open(uri, "--key", "my.key", "-o", "out", "--forget")
    assert (desk.folder / "out").read_bytes() == b"old" * 10_000
    assert "does not exist" in desk.open(f"s3://{bucket.name}/none", "--key", "my.key", "-o", "x", code=1)


def test_large_files_go_up_in_parts_of_constant_size(bucket: Shelf):
    key, data, place = new_key_file(), seeded(12 * MIB + 5), place_of(bucket, "large")
    sealed = seal_stream(io.BytesIO(data), len(data), place, sealer=key, recipients=[])
    moved: list[int] = []
    upload(bucket.s3, sealed, part_bytes=PART_BYTES_MIN, progress=moved.append)
    assert moved[:2] == [PART_BYTES_MIN, PART_BYTES_MIN]
    assert sum(moved) == sealed.sealed_size_bytes == bucket.head("large")["ContentLength"]
    assert bucket.head("large")["ETag"].endswith('-3"')
    file = open_sealed(S3Source(bucket.s3, place), place, key=key, trusted=[key.sealer], seen=None)
    assert file.read() == data
    chance = random.Random(7)
    for _ in range(10):
        at, count = chance.randrange(len(data)), chance.choice([1, 100, 70_000])
        file.seek(at)
        assert file.read(count) == data[at : at + count]


def test_the_largest_objects_fit_into_the_parts_there_are():
    assert enough_for(5, PART_BYTES_MIN) == PART_BYTES_MIN
    assert enough_for(50_000 * PART_BYTES_MIN, PART_BYTES_MIN) == 5 * PART_BYTES_MIN
    assert enough_for(10_000 * PART_BYTES_MIN + 1, PART_BYTES_MIN) == PART_BYTES_MIN + 1


def forms(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:-4], base64.urlsafe_b64encode(secret)[:-4]]


def test_the_store_is_never_told_a_key_a_name_or_a_byte(bucket: Shelf, tmp_path: Path):
    """Every byte that leaves for the store is searched for the data key, the key file's secrets, content and name."""
    sent: list[bytes] = []

    def watch(request: Any, **_: Any) -> None:
        body = request.body.read() if hasattr(request.body, "read") else bytes(request.body or b"")
        if hasattr(request.body, "seek"):
            request.body.seek(0)
        sent.append(request.method.encode() + request.url.encode() + str(dict(request.headers)).encode() + body)

    client = sdk(bucket.service)
    client.meta.events.register("before-send.s3", watch)
    drawn: list[bytes] = []

    def draw(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    key, data = new_key_file(), seeded(6 * MIB)
    folder = ObjectPlace(bucket.name, "case/")
    place = seal_name(key.names_secret, folder, "witness-miller.mp4")
    name = "witness-miller.mp4"
    sealed = seal_stream(io.BytesIO(data), len(data), place, sealer=key, recipients=[], name=name, random=draw)
    upload(client, sealed, part_bytes=PART_BYTES_MIN)
    assert open_sealed(S3Source(client, place), place, key=key, trusted=[key.sealer], seen=None).read() == data
    client.close()
    data_key, object_id = drawn[:2]
    everything = b"".join(sent)
    assert object_id in everything
    secrets = base64.urlsafe_b64decode(key.line.partition(":")[2])
    parts = [secrets[at : at + 32] for at in range(0, 160, 32)]
    for secret in [data_key, *parts, name.encode(), data[:32], data[-32:], data[3 * MIB : 3 * MIB + 32]]:
        assert not any(form in everything for form in forms(secret))


def test_an_upload_that_fails_leaves_nothing(bucket: Shelf):
    place = place_of(bucket, "failing")
    short = seal_stream(io.BytesIO(bytes(6 * MIB)), 7 * MIB, place, sealer=new_key_file(), recipients=[])
    with pytest.raises(SealingError, match="ended before"):
        upload(bucket.s3, short, part_bytes=PART_BYTES_MIN)
    assert bucket.uploads() == []
    with pytest.raises(NoSuchObjectError):
        S3Source(bucket.s3, place)


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(bucket: Shelf):
    key, place = new_key_file(), place_of(bucket, "busy")
    for number in (1, 2):
        body = bytes([number]) * 300_000
        upload(bucket.s3, seal_stream(io.BytesIO(body), len(body), place, sealer=key, recipients=[]))
        if number == 1:
            file = open_sealed(S3Source(bucket.s3, place), place, key=key, trusted=[key.sealer], seen=None)
    with pytest.raises(ChangedWhileReadingError):
        file.read()


def test_a_version_is_read_to_its_end_after_it_was_replaced(versioned: Shelf):
    key, place = new_key_file(), place_of(versioned, "kept")
    body = seeded(300_000)
    upload(versioned.s3, seal_stream(io.BytesIO(body), len(body), place, sealer=key, recipients=[]))
    file = open_sealed(S3Source(versioned.s3, place), place, key=key, trusted=[key.sealer], seen=None)
    versioned.put("kept", b"something else")
    assert file.read() == body


class Evil:
    """Passes requests on to the store, and answers what it likes."""

    def __init__(self, s3: Any, cheat: Any) -> None:
        self.s3, self.cheat = s3, cheat

    def get_object(self, **asked: Any) -> Any:
        return self.cheat(self.s3, asked)


def test_a_server_that_answers_other_ranges_is_refused(bucket: Shelf):
    key, place, data = new_key_file(), place_of(bucket, "ranges"), seeded(400_000)
    upload(bucket.s3, seal_stream(io.BytesIO(data), len(data), place, sealer=key, recipients=[]))

    def other(s3: Any, asked: Any) -> Any:
        return s3.get_object(**asked | {"Range": "bytes=0-399999"})

    def little(s3: Any, asked: Any) -> Any:
        return s3.get_object(**asked | ({"Range": "bytes=100000-100009"} if "IfMatch" in asked else {}))

    for cheat, error in ((other, BodyChangedError), (little, WrongLengthError)):
        file = open_sealed(S3Source(Evil(bucket.s3, cheat), place), place, key=key, trusted=[key.sealer], seen=None)
        file.seek(200_000)
        with pytest.raises(error, match=r"changed|gave less"):
            file.read(1000)
        assert file.tell() == 200_000


def test_stores_that_do_not_answer_are_said(bucket: Shelf, monkeypatch: pytest.MonkeyPatch):
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("DEFAULT_REGION", REGION)):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="Could not connect"):
        S3Source(connect("http://127.0.0.1:9"), place_of(bucket, "k"))
    with pytest.raises(StoreError, match=r"InvalidAccessKeyId|403|Forbidden"):
        S3Source(connect(bucket.service.url), place_of(bucket, "k"))
    with pytest.raises(StoreError, match="Invalid endpoint"):
        connect("no address")


def test_without_the_extra_a_clear_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(StoreError, match=r"siegel\[client\]"):
        connect()


def test_the_file_system_seeks_in_a_sealed_video(bucket: Shelf, tmp_path: Path):
    video = seeded(8 * MIB)
    (tmp_path / "clip.mp4").write_bytes(video)
    asked: list[str] = []
    client = sdk(bucket.service)
    client.meta.events.register("before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"]["Range"]))
    options = {"key": new_key_file(), "client": client, "seen": tmp_path / "seen.db", "skip_instance_cache": True}
    files = fsspec.filesystem("siegel+s3", **options)
    path = f"{bucket.name}/cam/clip.mp4"
    files.put_file(str(tmp_path / "clip.mp4"), path)
    files.pipe_file(f"siegel+s3://{bucket.name}/cam/b/note", b"note")
    bucket.put("cam/plain", b"not sealed")
    with files.open(path) as stream:
        asked.clear()
        for at in (7 * MIB, 100, 5 * MIB + 3):
            stream.seek(at)
            assert stream.read(2000) == video[at : at + 2000]
    assert len(asked) == 3
    spans = [[int(edge) for edge in text.removeprefix("bytes=").split("-")] for text in asked]
    assert all(last - first < 320 * 1024 for first, last in spans)
    assert files.cat_file(path, 10, -10) == video[10:-10]
    assert files.cat_file(f"{bucket.name}/cam/b/note") == b"note"
    assert files.info(path)["size"] == len(video)
    assert files.info(f"{bucket.name}/cam")["type"] == "directory"
    assert files.ls(f"{bucket.name}/cam", detail=False) == [f"{bucket.name}/cam/{name}" for name in ("b", "clip.mp4", "plain")]
    told = {row["name"].rpartition("/")[2]: row["size"] for row in files.ls(f"{bucket.name}/cam")}
    assert told == {"b": 0, "clip.mp4": len(video), "plain": None}
    assert files.ls(path, detail=False) == [path]
    assert files.ls(path)[0]["size"] == len(video)
    with pytest.raises(FileNotFoundError):
        files.info(f"{bucket.name}/none")
    with pytest.raises(SealingError, match="pipe_file"):
        files.open(path, "wb")
    with pytest.raises(SealingError, match="written whole"):
        files.pipe_file(path, b"", mode="create")
    with pytest.raises(NotSealedError):
        files.cat_file(f"{bucket.name}/cam/plain")


def test_the_file_system_takes_paths_of_key_files(bucket: Shelf, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, desk.env[name])
    key = desk.folder / "my.key"
    files = fsspec.filesystem("siegel+s3", key=str(key), endpoint_url=desk.url)
    files.pipe_file(f"{bucket.name}/k", b"data")
    assert files.cat_file(f"{bucket.name}/k") == b"data"
    place, owner = place_of(bucket, "k"), read_key_file(key)
    assert open_sealed(S3Source(bucket.s3, place), place, key=owner, trusted=[owner.sealer], seen=None).read() == b"data"
