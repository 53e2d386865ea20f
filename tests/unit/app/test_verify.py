import asyncio
import base64
import gzip
import hashlib
import os
import zlib
from pathlib import Path

import msgspec
import pytest

from siegel.app.config import merge, resolve
from siegel.app.verify import sealed
from siegel.app.verify.box import BoxOutbound
from siegel.app.verify.canaries import Canary
from siegel.app.verify.key_paths import KeyPaths
from siegel.app.verify.notes import find_notes
from siegel.app.verify.paths import WritePaths
from siegel.app.verify.search import OVERLAP_BYTES, WINDOW_BYTES, prove_search, search
from siegel.app.wiring import create_deployment, open_deployment
from siegel.domain.errors import SiegelError
from siegel.domain.outbound import OutboundAnswer
from siegel.service.kms.keybook import KeyBook


@pytest.fixture
def canary():
    made = Canary(os.urandom(15))
    made.body("letter", 40_000)
    return made


def forms_in(tmp_path, canary, content):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(os.urandom(1000) + content + os.urandom(1000))
    return {hit.form for hit in search(tmp_path, canary.needles()).hits}


def test_the_control_finds_every_form(tmp_path, canary):
    assert prove_search(tmp_path, canary.needles()) == []
    assert list(tmp_path.iterdir()) == []


def test_the_control_tells_what_it_misses(tmp_path, canary, monkeypatch):
    monkeypatch.setattr("siegel.app.verify.search._search_deflated", lambda *_: [])
    assert prove_search(tmp_path, canary.needles()) == ["deflated (0 of 3)"]


def test_a_directory_of_random_bytes_holds_nothing(tmp_path, canary):
    (tmp_path / "noise").write_bytes(os.urandom(2_000_000))
    searched = search(tmp_path, canary.needles())
    assert (searched.files, searched.size_bytes, searched.hits) == (1, 2_000_000, [])


@pytest.mark.parametrize(
    ("disguise", "form"),
    [
        (lambda mark: mark.encode(), "raw"),
        (lambda mark: mark.upper().encode(), "raw, in capitals"),
        (lambda mark: mark.encode().hex().encode(), "hex"),
        (lambda mark: mark.encode("utf-16-le"), "UTF-16, little-endian"),
        (lambda mark: base64.b64encode(b"a" + mark.encode() + b"b"), "base64, shifted by 1"),
        (lambda mark: base64.urlsafe_b64encode(b"ab" + mark.encode() + b"b"), "base64, shifted by 2"),
        (lambda mark: zlib.compress(b"so: " + mark.encode() * 3), "deflated: raw"),
        (lambda mark: gzip.compress(mark.encode()), "deflated: raw"),
    ],
)
def test_a_mark_is_found_in_any_disguise(tmp_path, canary, disguise, form):
    assert form in forms_in(tmp_path, canary, disguise(canary.mark))


def test_a_digest_of_a_body_is_found(tmp_path, canary):
    body = canary.body("secret", 5000)
    assert forms_in(tmp_path, canary, hashlib.md5(body).digest()) == {"MD5 of secret"}


def test_a_digest_is_found_as_an_etag_writes_it(tmp_path, canary):
    body = canary.body("secret", 5000)
    assert forms_in(tmp_path, canary, b'"' + hashlib.md5(body).hexdigest().encode() + b'"') == {"MD5 of secret, hex"}


def test_a_bare_deflated_file_is_found(tmp_path, canary):
    (tmp_path / "page").write_bytes(zlib.compress(canary.mark.encode(), wbits=-15))
    assert [hit.form for hit in search(tmp_path, canary.needles()).hits] == ["deflated: raw"]


def test_a_mark_across_two_windows_is_found_once(tmp_path, canary):
    before = WINDOW_BYTES - 10
    (tmp_path / "long").write_bytes(bytes(before) + canary.mark.encode() + bytes(OVERLAP_BYTES))
    hits = search(tmp_path, canary.needles()).hits
    assert [(hit.offset, hit.form) for hit in hits] == [(before, "raw")]


def test_links_are_not_followed(tmp_path, canary):
    outside = tmp_path / "outside"
    outside.write_bytes(canary.mark.encode())
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    assert search(inside, canary.needles()).files == 0


def test_two_runs_never_share_a_mark():
    assert Canary(os.urandom(15)).mark != Canary(os.urandom(15)).mark


@pytest.fixture
def settings(tmp_path):
    made = resolve(merge({}, {}), tmp_path)
    create_deployment(made).close()
    return made


@pytest.fixture
def guests(monkeypatch):
    seen, make = [], sealed.make_guest

    def noted(deployment):
        guest = make(deployment)
        seen.append(guest.account.account_id)
        return guest

    monkeypatch.setattr(sealed, "make_guest", noted)
    return seen


def left_of(settings, account_id):
    """What a guest has: buckets, keys, key stores, and the note of it."""
    deployment = open_deployment(settings)
    try:
        book = KeyBook(deployment.store.reader, account_id)
        buckets = deployment.store.reader.buckets.list_of(account_id, "", "", 100)
        return [*buckets, *book.scan_keys(), *book.stores(), *find_notes(Path(settings.directory))]
    finally:
        deployment.close()


def test_objects_under_keys_are_walked_too_and_the_keys_go_again(settings, guests, monkeypatch):
    asked, fetch = [], BoxOutbound.fetch

    async def noted(self, call):
        asked.append(call.url.rpartition("/")[2])
        return await fetch(self, call)

    monkeypatch.setattr(BoxOutbound, "fetch", noted)
    report = asyncio.run(sealed.verify_sealed(settings))
    assert report.holds
    for kind, paths in (("local", 10), ("external", 10), ("imported", 11)):
        assert sum(path.startswith(f"{kind} key, ") for path in report.paths) == paths
    # Each fresh layer is opened again by the box before anything is acknowledged.
    assert asked.count("encrypt") >= 9
    assert asked.count("decrypt") >= asked.count("encrypt")
    assert left_of(settings, guests[0]) == []


def test_a_path_that_fails_ends_the_verification_and_leaves_no_key_behind(settings, guests, monkeypatch):
    async def refuse(_self, call):
        status = 200 if call.url.endswith(("health", "metadata")) else 500
        return await fetch(_self, call) if status == 200 else OutboundAnswer(status, (), b"")

    fetch = BoxOutbound.fetch
    monkeypatch.setattr(BoxOutbound, "fetch", refuse)
    with pytest.raises(SiegelError, match="was answered with"):
        asyncio.run(sealed.verify_sealed(settings))
    assert left_of(settings, guests[0]) == []


@pytest.fixture
def short(monkeypatch):
    """A verification of a moment: two write paths and one key."""

    async def walk(self):
        await self._client.call("PUT", self._bucket)
        await self.put("large", 100_000, {})
        await self.copy("large", "copied")
        await self.begin("unfinished")
        return ["put"]

    async def walk_keys(self, _box):
        return [await self._make_key("local", {})]

    monkeypatch.setattr(WritePaths, "walk", walk)
    monkeypatch.setattr(KeyPaths, "walk", walk_keys)


def cancelled_at(monkeypatch, place, name):
    """Have the verification cancelled, twice, when it comes to a step; return how often the step was begun."""
    began, step = [], getattr(place, name)

    def cancel(*words):
        began.append(words)
        for _ in range(2):
            loop.call_soon_threadsafe(task.cancel)
        return step(*words)

    monkeypatch.setattr(place, name, cancel)

    async def run(settings):
        nonlocal loop, task
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(sealed.verify_sealed(settings))
        await task

    loop = task = None
    return began, run


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("place", "name"), [(WritePaths, "copy"), (sealed, "prove_search"), (sealed, "search"), (sealed, "clear_away")]
)
def test_whoever_interrupts_it_waits_until_all_is_removed(settings, guests, monkeypatch, place, name):
    began, run = cancelled_at(monkeypatch, place, name)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run(settings))
    assert len(began) == 1
    assert left_of(settings, guests[0]) == []


def test_a_search_that_is_ended_goes_no_further(tmp_path, canary):
    (tmp_path / "long").write_bytes(canary.mark.encode() + bytes(2 * WINDOW_BYTES) + canary.mark.encode())
    answers = [False, False, True]
    assert len(search(tmp_path, canary.needles(), lambda: answers.pop(0)).hits) == 1


@pytest.fixture
def killed(settings, guests, short, monkeypatch):
    """A verification that ended in the middle, and removed nothing."""

    async def nothing(*_words):
        raise SiegelError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(sealed, "clear_away", nothing)
        with pytest.raises(SiegelError, match="killed"):
            asyncio.run(sealed.verify_sealed(settings))
    assert len(left_of(settings, guests[0])) == 3
    return guests[0]


def test_what_a_killed_one_has_left_the_next_one_removes(settings, killed):
    report = asyncio.run(sealed.verify_sealed(settings))
    assert (report.holds, report.left) == (True, [])
    assert left_of(settings, killed) == []


def test_a_guest_whose_verification_goes_on_is_left_alone(settings, guests, short, monkeypatch):
    async def another():
        with monkeypatch.context() as patched:
            patched.setattr(WritePaths, "walk", walked_by_both)
            await sealed.verify_sealed(settings)

    async def walked_by_both(self):
        monkeypatch.setattr(WritePaths, "walk", walk)
        names = await walk(self)
        await sealed.verify_sealed(settings)
        assert left_of(settings, guests[0])
        return names

    walk = WritePaths.walk
    asyncio.run(another())
    assert len(guests) == 2
    assert left_of(settings, guests[0]) == []


@pytest.mark.parametrize("note", [b"", b"{", b"[]"])
def test_what_cannot_be_removed_is_told_and_keeps_nobody(settings, short, note):
    path = Path(settings.directory) / "verify-guest-1"
    path.write_bytes(note)
    report = asyncio.run(sealed.verify_sealed(settings))
    assert (report.holds, report.left) == (True, [f"{path}: {path} is no note of a guest"])


def test_a_guest_whose_secrets_do_not_open_any_more_is_told(settings, killed):
    [path] = find_notes(Path(settings.directory))
    note = msgspec.json.decode(path.read_bytes())
    note["credential"]["sealed_secret"] = note["account"]["sealed_keys"]
    path.write_bytes(msgspec.json.encode(note))
    report = asyncio.run(sealed.verify_sealed(settings))
    assert (report.holds, len(report.left)) == (True, 1)
    assert len(left_of(settings, killed)) == 3
