"""Putting objects: bodies, ETags, headers, metadata, tags, sizes."""

from __future__ import annotations

from email.header import decode_header, make_header

import pytest

from . import signer
from .raw import RawClient
from .shelf import MIB, Shelf, fails, md5_hex, quoted_md5, refused, seeded

EMPTY_MD5 = '"d41d8cd98f00b204e9800998ecf8427e"'
# Around every size at which something changes inside: a sealing unit, the inline limit, a read buffer.
SIZES = [0, 1, 15, 16, 16383, 16384, 16385, 32768, 65535, 65536, 65537, 81920, 262_143, 262_145, MIB, 3 * MIB + 17]


@pytest.mark.parametrize("size", SIZES)
def test_any_size_comes_back_whole(bucket: Shelf, size):
    body = seeded(size, size)
    done = bucket.put("k", body)
    assert done["ETag"] == quoted_md5(body)
    assert bucket.get("k") == body
    head = bucket.head("k")
    assert (head["ContentLength"], head["ETag"]) == (size, quoted_md5(body))
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"][0]["Size"] == size


def test_an_overwrite_replaces_everything(bucket: Shelf):
    bucket.put("k", b"one", ContentType="text/plain", Metadata={"a": "1"})
    bucket.put("k", seeded(100_000))
    head = bucket.head("k")
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("binary/octet-stream", {}, 100_000)
    bucket.put("k", b"three")
    assert bucket.get("k") == b"three"


def test_trap_16_an_empty_body_in_every_payload_form(bucket: Shelf):
    for payload_hash in ("", signer.UNSIGNED):
        answer = bucket.call("PUT", "k", payload_hash=payload_hash)
        assert (answer.status, answer.header("etag")) == (200, EMPTY_MD5)
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k")).without_header("Content-Length")
    assert bucket.raw.send(ask).status in {200, 411}
    assert bucket.get("k") == b""


@pytest.mark.parametrize("size", [1, 65_537, 200_000])
def test_trap_17_the_etag_of_a_put_is_32_hexadecimal_digits_in_quotes(bucket: Shelf, size):
    body = seeded(size)
    etag = bucket.call("PUT", "k", body=body).header("etag")
    assert etag == f'"{md5_hex(body)}"'
    for answer in (bucket.call("HEAD", "k"), bucket.call("GET", "k")):
        assert answer.header("etag") == etag
    assert bucket.call("GET").xml.findtext("Contents/ETag") == etag


def test_trap_38_names_of_metadata_are_lowered_and_values_kept_byte_for_byte(bucket: Shelf):
    headers = [("X-Amz-Meta-Colour", "BLUE Green"), ("x-amz-meta-x-amz-key-v2", "wrapped=="), ("x-amz-meta-empty", "")]
    headers.append(("x-amz-meta-marks", "a,b;c=\"d\" <e> & 'f' %41 +"))
    assert bucket.call("PUT", "k", headers=headers, body=b"1").status == 200
    meta = bucket.call("GET", "k").meta
    assert meta == {name[11:].lower(): value for name, value in headers}


def test_trap_38_standard_headers_come_back_as_they_were(bucket: Shelf):
    sent = {
        "cache-control": "max-age=60, private",
        "content-disposition": "attachment; filename=\"a b.txt\"; filename*=UTF-8''%C3%BC",
        "content-encoding": "br, zstd",
        "content-language": "de, en",
        "content-type": "text/plain; charset=utf-8; x=1",
        "expires": "whenever it suits",
    }
    assert bucket.call("PUT", "k", headers=list(sent.items()), body=b"1").status == 200
    for method in ("GET", "HEAD"):
        answer = bucket.call(method, "k")
        assert {name: answer.header(name) for name in sent} == sent


def test_trap_38_the_default_content_type(bucket: Shelf):
    bucket.call("PUT", "k", body=b"1")
    assert bucket.call("GET", "k").header("content-type") == "binary/octet-stream"


def test_trap_38_metadata_is_limited_to_2_kib(bucket: Shelf):
    fitting = [("x-amz-meta-a", "v" * (2048 - 1))]
    assert bucket.call("PUT", "fits", headers=fitting, body=b"1").status == 200
    assert bucket.call("HEAD", "fits").meta["a"] == "v" * 2047
    with bucket.unchanged():
        refused(bucket.call("PUT", "k", headers=[("x-amz-meta-a", "v" * 2048)], body=b"1"), 400, "MetadataTooLarge")
        many = [(f"x-amz-meta-{number}", "v" * 40) for number in range(60)]
        refused(bucket.call("PUT", "k", headers=many, body=b"1"), 400, "MetadataTooLarge")


def test_trap_38_the_sdks_non_ascii_metadata_in_rfc_2047_survives(bucket: Shelf):
    value = "=?UTF-8?B?w7xiZXI=?="
    bucket.put("k", b"1", Metadata={"city": value})

    assert str(make_header(decode_header(bucket.head("k")["Metadata"]["city"]))) == "über"


def test_t73_raw_utf8_in_metadata_is_refused_or_comes_back_readable(bucket: Shelf):
    """Class: bytes beyond ASCII in a value."""

    value = "für 日本".encode().decode("latin-1")
    answer = bucket.call("PUT", "k", headers=[("x-amz-meta-city", value)], body=b"1")
    if answer.status == 200:
        back = bucket.call("HEAD", "k").meta["city"]
        assert (str(make_header(decode_header(back))) if back.isascii() else back.encode("latin-1").decode()) == "für 日本"
    else:
        refused(answer, 400, "InvalidArgument", "InvalidRequest", "BadRequest")


@pytest.mark.parametrize("value", ["a\x00b", "a\x01b", "a\x7fb", "a\rb", "a\nb", "a\r\nX-Injected: 1"])
def test_t73_control_characters_in_metadata_are_refused(bucket: Shelf, raw: RawClient, value):
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", headers=[("x-amz-meta-a", value)], body=b"1"))
    with bucket.unchanged():
        assert 400 <= raw.send(ask).status < 500


def test_t73_doubled_metadata_names_are_joined_or_refused(bucket: Shelf):
    headers = [("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")]
    answer = bucket.call("PUT", "k", headers=headers, body=b"1")
    if answer.status == 200:
        assert bucket.call("HEAD", "k").meta["a"].replace(" ", "") == "1,2"
    else:
        assert answer.status in {400, 403}


@pytest.mark.parametrize("name", ["x-amz-meta-under_score", "x-amz-meta-a.b", "x-amz-meta-a!b"])
def test_t73_odd_names_of_metadata_round_trip(bucket: Shelf, name):
    assert bucket.call("PUT", "k", headers=[(name, "v")], body=b"1").status == 200
    assert bucket.call("HEAD", "k").meta == {name[11:]: "v"}


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-meta-siegel-wrapped-key",
        "x-amz-meta-x-siegel-mode",
        "x-siegel-wrapped-key",
        "x-siegel-internal",
        "x-amz-meta-x-amz-iv",
        "x-amz-meta-x-amz-unencrypted-content-length",
        "x-minio-internal-server-side-encryption-sealed-key",
    ],
)
def test_t74_minio_cve_2026_34204_internal_looking_headers_change_nothing(bucket: Shelf, name):
    body = seeded(70_000)
    answer = bucket.call("PUT", "k", headers=[(name, "AAAA")], body=body)
    assert answer.status == 200
    assert bucket.get("k") == body
    assert bucket.head("k")["ServerSideEncryption"] == "AES256"


def test_trap_39_tags_in_the_header_are_counted(bucket: Shelf):
    """Only the header: the tagging operations come later."""
    tags = "&".join(f"k{number}=v%3D{number}" for number in range(10))
    assert bucket.call("PUT", "k", headers=[("x-amz-tagging", tags)], body=b"1").status == 200
    assert bucket.call("GET", "k").header("x-amz-tagging-count") == "10"
    assert bucket.call("PUT", "k", body=b"1").status == 200
    assert not bucket.call("GET", "k").has("x-amz-tagging-count")


@pytest.mark.parametrize(
    "tags",
    [
        "&".join(f"k{number}=v" for number in range(11)),
        "k" * 129 + "=v",
        "k=" + "v" * 257,
        "=v",
        "k=1&k=2",
    ],
    ids=["eleven", "long key", "long value", "no key", "doubled"],
)
def test_trap_39_tags_beyond_their_limits_are_refused(bucket: Shelf, tags):
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", headers=[("x-amz-tagging", tags)], body=b"1")
        refused(answer, 400, "InvalidTag", "InvalidArgument", "BadRequest")


def test_trap_39_a_key_named_twice_is_told_of_the_header(bucket: Shelf):
    answer = refused(bucket.call("PUT", "k", headers=[("x-amz-tagging", "k=1&k=2")], body=b"1"), 400, "InvalidArgument")
    assert (answer.xml.findtext("ArgumentName"), answer.xml.findtext("ArgumentValue")) == ("x-amz-tagging", "k=1&k=2")


def test_trap_44_a_key_may_have_1024_bytes_and_no_more(bucket: Shelf):
    for key in ("k" * 1024, "ü" * 512):
        bucket.put(key, b"1")
        assert bucket.get(key) == b"1"
    with bucket.unchanged():
        for key in ("k" * 1025, "ü" * 513):
            refused(bucket.call("PUT", key, body=b"1"), 400, "KeyTooLongError")
            refused(bucket.call("GET", key), 400, "KeyTooLongError")


def test_too_large_a_put_is_refused_before_its_body_comes(bucket: Shelf):
    ask = bucket.raw.sign(bucket.raw.ask("PUT", bucket.name, "k"), signer.UNSIGNED)
    ask = ask.set_header("Content-Length", str(5 * 1024 * MIB + 1))
    with bucket.unchanged(), bucket.raw.connect() as wire:
        wire.send(ask.head())
        refused(wire.read(), 400, "EntityTooLarge")


@pytest.mark.parametrize("value", ["GLACIER", "DEEP_ARCHIVE", "standard", "FAST", "REDUCED_REDUNDANCY", "OUTPOSTS"])
def test_storage_classes_that_do_not_exist_here_are_refused(bucket: Shelf, value):
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", headers=[("x-amz-storage-class", value)], body=b"1")
        refused(answer, 400, "InvalidStorageClass")


def test_the_standard_storage_class_is_fine(bucket: Shelf):
    assert bucket.call("PUT", "k", headers=[("x-amz-storage-class", "STANDARD")], body=b"1").status == 200


@pytest.mark.parametrize(("value", "status"), [("private", 200), ("bucket-owner-full-control", 200), ("public-read", 400)])
def test_canned_acls_that_would_open_something_are_refused(bucket: Shelf, value, status):
    answer = bucket.call("PUT", "k", headers=[("x-amz-acl", value)], body=b"1")
    assert answer.status == status
    if status == 400:
        assert answer.code == "AccessControlListNotSupported"
        assert bucket.keys() == []


@pytest.mark.parametrize(
    "name", ["x-amz-object-lock-mode", "x-amz-object-lock-legal-hold", "x-amz-object-lock-retain-until-date"]
)
def test_lock_headers_are_never_passed_over_in_silence(bucket: Shelf, name):
    with bucket.unchanged():
        value = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-legal-hold": "ON"}.get(name, "2100-01-01T00:00:00Z")
        answer = bucket.call("PUT", "k", headers=[(name, value)], body=b"1")
        assert answer.status in {400, 501}
        assert answer.code in {"InvalidRequest", "NotImplemented", "InvalidArgument"}


def test_appending_is_not_there_and_says_so(bucket: Shelf):
    bucket.put("k", b"1")
    with bucket.unchanged(), fails(501, "NotImplemented"):
        bucket.s3.put_object(Bucket=bucket.name, Key="k", Body=b"2", WriteOffsetBytes=1)


def test_large_objects_stream_through_the_sdks_transfer(bucket: Shelf, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(seeded(MIB) * 20)
    bucket.s3.upload_file(str(path), bucket.name, "large")
    back = tmp_path / "back"
    bucket.s3.download_file(bucket.name, "large", str(back))
    assert back.read_bytes() == path.read_bytes()
    assert bucket.head("large")["ETag"].endswith('-3"')
