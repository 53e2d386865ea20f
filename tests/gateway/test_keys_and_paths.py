"""Object keys that look like paths, and that must not become any."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace

import pytest

from . import signer
from .raw import CutError, RawClient
from .shelf import Shelf, blob_files, refused

PATHS = [
    "..",
    "../",
    "../x",
    "../../../../etc/passwd",
    "a/../../x",
    "%2e%2e/x",
    "%2e%2e%2fx",
    "%252e%252e%252fx",
    "..\\..\\x",
    "a\\..\\x",
    "./x",
    ".",
    "/etc/passwd",
    "//etc/passwd",
    "C:\\x",
    "file:///etc/passwd",
    "~/x",
    "a/./b",
    ".hidden",
    "blobs/00/aa",
    "siegel.toml",
    "meta.sqlite-wal",
    "a\u2025/x",
    "\uff0e\uff0e/x",
]


@pytest.mark.parametrize("key", PATHS)
def test_t50_seaweedfs_cve_2026_54917_a_path_is_a_key_like_any_other(bucket: Shelf, second_bucket: Shelf, key):
    second_bucket.put("x", b"theirs")
    with second_bucket.unchanged():
        assert bucket.call("PUT", key, body=b"mine").status == 200
        assert bucket.keys() == [key]
        assert bucket.call("GET", key).body == b"mine"
        assert bucket.call("DELETE", key).status == 204
    assert bucket.keys() == []


@pytest.mark.parametrize(
    "way", ["/../{other}/x", "/%2e%2e/{other}/x", "/..%2f{other}/x", "/./x", "//x", "/..", "/x/../../{other}/x"]
)
def test_t50_rustfs_cve_2025_68705_a_path_never_leaves_its_bucket(bucket: Shelf, second_bucket: Shelf, way):
    second_bucket.put("x", b"theirs")
    raw = bucket.raw
    with second_bucket.unchanged():
        path = f"/{bucket.name}" + way.format(other=second_bucket.name)
        for method in ("GET", "PUT", "DELETE"):
            ask = raw.sign(replace(raw.ask(method, bucket.name, body=b"evil" if method == "PUT" else b""), path=path))
            answer = raw.send(ask)
            assert answer.status < 500
            assert b"theirs" not in answer.body


@pytest.mark.parametrize(
    "path", ["/..", "/../", "/../../etc/passwd", "/.", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd"]
)
def test_t50_a_path_does_not_start_above_the_buckets(raw: RawClient, path):
    for method in ("GET", "PUT", "DELETE"):
        answer = raw.send(raw.sign(replace(raw.ask(method), path=path)))
        assert answer.status in {400, 404, 501}, (method, answer)
        assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "source", ["../{other}/x", "/{bucket}/../{other}/x", "{bucket}/..%2f{other}/x", "/{bucket}/%2e%2e/{other}/x"]
)
def test_t51_rustfs_ghsa_f4vq_paths_in_copy_sources(bucket: Shelf, second_bucket: Shelf, source):
    second_bucket.put("x", b"theirs")
    headers = [("x-amz-copy-source", source.format(bucket=bucket.name, other=second_bucket.name))]
    with bucket.unchanged(), second_bucket.unchanged():
        refused(
            bucket.call("PUT", "copy", headers=headers),
            (400, 404),
            "NoSuchKey",
            "NoSuchBucket",
            "InvalidArgument",
            "InvalidBucketName",
        )


NFC, NFD = unicodedata.normalize("NFC", "Äpfel"), unicodedata.normalize("NFD", "Äpfel")
PAIRS = [
    (NFC, NFD),
    ("case", "CASE"),
    ("a", "a/b"),
    ("a/b", "a/b/"),
    ("a", "/a"),
    ("a ", "a"),
    ("a.", "a"),
    ("ﬁ", "fi"),
    ("K", "\u212a"),
    ("\u0131", "i"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_t53_keys_that_look_alike_are_two(bucket: Shelf, one, other):
    """Class: normal forms, case, prefixes of each other."""
    bucket.call("PUT", one, body=b"one")
    bucket.call("PUT", other, body=b"other")
    assert bucket.call("GET", one).body == b"one"
    assert bucket.call("GET", other).body == b"other"
    assert len(bucket.keys()) == 2
    bucket.call("DELETE", one)
    assert bucket.call("GET", other).body == b"other"


@pytest.mark.parametrize(
    "key", ["s" * 255, "s" * 256, "/".join(["d"] * 512), "a/" * 511 + "b", "\u0001", "\x7f", "null", "None", "true"]
)
def test_t53_long_deep_and_odd_keys_round_trip(bucket: Shelf, key):
    assert bucket.call("PUT", key, body=b"1").status == 200
    assert bucket.call("GET", key).body == b"1"
    assert bucket.keys() == [key]


@pytest.mark.parametrize("raw_key", ["%FF", "%C3", "%C3%28", "%ED%A0%80", "%F4%90%80%80", "a%00b", "%00", "%zz", "%4", "%", "a%"])
def test_t53_bytes_that_are_no_text_are_refused_or_kept(bucket: Shelf, raw_key):
    """Invalid UTF-8, surrogates, NUL, broken escapes."""
    raw = bucket.raw
    ask = replace(raw.ask("PUT", bucket.name, body=b"1"), path=f"/{bucket.name}/{raw_key}")
    answer = raw.send(raw.sign(ask))
    if answer.status == 200:
        get = replace(raw.ask("GET", bucket.name), path=f"/{bucket.name}/{raw_key}")
        assert raw.send(raw.sign(get)).body == b"1"
        assert len(bucket.keys()) == 1
    else:
        refused(answer, (400, 403), "InvalidURI", "InvalidArgument", "SignatureDoesNotMatch")
        assert bucket.keys() == []


@pytest.mark.parametrize("length", [1024, 1025, 5000, 15_000])
def test_t53_the_limit_of_a_key_counts_bytes(bucket: Shelf, length):
    answer = bucket.call("PUT", "k" * length, body=b"1")
    if length <= 1024:
        assert answer.status == 200
    else:
        refused(answer, (400, 414), "KeyTooLongError", "URITooLong")
        assert bucket.keys() == []


def test_t55_marks_of_query_languages_in_keys_and_uploads(bucket: Shelf):
    for key in ("%", "_", "'", '"', "a%b", "x' OR '1'='1", "\\", "*", ";--", "a\tb"):
        assert bucket.call("PUT", key, body=key.encode()).status == 200
        assert bucket.call("GET", key).body == key.encode()
        upload = bucket.start(key)
        assert upload in bucket.call("GET", query="uploads&" + signer.encode_query([("prefix", key)])).body.decode()
        assert bucket.call("DELETE", key, query=f"uploadId={upload}").status == 204


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "folder"])
def test_t56_links_planted_in_the_data_directory_are_never_followed(bucket: Shelf, tmp_path, kind):
    """Class: whoever can write to the disk cannot make the service read or answer another file."""

    before = blob_files(bucket, 300_000)
    bucket.put("k", b"x" * 300_000)
    bucket.put("other", b"y" * 300_000)
    (first, second) = sorted(blob_files(bucket, 300_000) - before, key=lambda path: path.stat().st_mtime_ns)[-2:]
    kept = tmp_path / "kept"
    first.rename(kept)
    if kind == "symlink":
        first.symlink_to(kept)
    elif kind == "hard link":
        os.link(second, first)
    elif kind == "fifo":
        os.mkfifo(first)
    else:
        first.mkdir()
    try:
        answer_or_cut(bucket)
    finally:
        first.rmdir() if kind == "folder" else first.unlink()
        kept.rename(first)
    assert bucket.get("k") == b"x" * 300_000
    assert bucket.get("other") == b"y" * 300_000


def answer_or_cut(bucket: Shelf) -> None:

    try:
        status = bucket.call("GET", "k").status
    except CutError:
        return
    assert status in {500, 503}
