"""Keys of named objects for an engineer, by the commands, against the running service: what is opened with them, and what not."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from .test_client_sealing import Desk, desk

if TYPE_CHECKING:
    from .shelf import Shelf

__all__ = ["desk"]


def test_the_engineer_opens_exactly_the_named_objects(desk: Desk, bucket: Shelf):
    desk.run("keys", "new", "engineer.key")
    for name in ("one", "two", "three"):
        desk.seal(str(desk.file(name, name.encode() * 1000)), f"s3://{bucket.name}/{name}", "--key", "my.key")
    uris = {name: f"s3://{bucket.name}/{name}" for name in ("one", "two", "three")}
    line = ("consent", "rewrap", uris["one"], uris["two"], "--to", "engineer.key.pub", "--key", "my.key", "-o", "keys.wrapped")
    where = ("--endpoint-url", desk.url, "--json")
    told = json.loads(desk.run(*line, "--consent", "7F3A", *where).stdout)
    assert told == {"file": "keys.wrapped", "consent_id": "7F3A", "objects": [uris["one"], uris["two"]]}
    assert stat.S_IMODE((desk.folder / "keys.wrapped").stat().st_mode) == 0o600
    assert "is not overwritten" in desk.run(*line, *where, code=1).stderr.decode()

    engineer = ("--key", "engineer.key", "--from", "my.key.pub", "--wrapped", "keys.wrapped")
    for name in ("one", "two"):
        desk.open(uris[name], *engineer, "-o", f"seen-{name}")
        assert (desk.folder / f"seen-{name}").read_bytes() == name.encode() * 1000
    assert "has none for this object" in desk.open(uris["three"], *engineer, "-o", "out", code=3)
    assert "for others than this key" in desk.open(uris["one"], "--key", "engineer.key", "-o", "out", code=3)
    assert "whom you do not trust" in desk.open(
        uris["one"], "--key", "engineer.key", "--wrapped", "keys.wrapped", "-o", "out", code=3
    )
    assert "for others than this key" in desk.open(
        uris["one"], "--key", "my.key", "--wrapped", "keys.wrapped", "-o", "out", code=3
    )

    # Sealed anew, it is closed to the engineer again.
    desk.seal("one", uris["one"], "--key", "my.key")
    assert "as it is now" in desk.open(uris["one"], *engineer, "-o", "out", code=3)
    assert not (desk.folder / "out").exists()


def test_what_cannot_be_wrapped_or_opened_is_said(desk: Desk, bucket: Shelf):
    desk.run("keys", "new", "engineer.key")
    bucket.put("plain", b"not sealed")
    to = ("--to", "engineer.key.pub", "--key", "my.key", "-o", "keys.wrapped", "--endpoint-url", desk.url)
    assert "say which objects" in desk.run("consent", "rewrap", *to, code=1).stderr.decode()
    assert "names a bucket" in desk.run("consent", "rewrap", f"s3://{bucket.name}", *to, code=1).stderr.decode()
    assert "sealed object" in desk.run("consent", "rewrap", f"s3://{bucket.name}/plain", *to, code=3).stderr.decode()
    assert not (desk.folder / "keys.wrapped").exists()
    uri = f"s3://{bucket.name}/plain"
    assert "cannot be read" in desk.open(uri, "--key", "engineer.key", "--wrapped", "none", "-o", "out", code=253)
    desk.file("junk", b"junk").chmod(0o600)
    told = desk.open(uri, "--key", "engineer.key", "--wrapped", "junk", "-o", "out", code=3)
    assert "the file of wrapped keys junk does not open: not a sealed object" in told
    assert "junk: not a key file" in desk.open(uri, "--key", "junk", "-o", "out", code=1)
    assert "junk: not a recipient's line" in desk.open(uri, "--key", "engineer.key", "--from", "junk", "-o", "out", code=1)
