import base64
import gzip
import hashlib
import os
import zlib

import pytest

from siegel.app.verify.canaries import Canary
from siegel.app.verify.search import OVERLAP_BYTES, WINDOW_BYTES, prove_search, search


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
