"""Encryption as a client sees it, and as the disk must not see it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import zlib

import pytest
from awscrt import checksums

from .raw import CutError
from .shelf import MIB, Shelf, blob_files, everything_on_disk, quoted_md5, refused, seeded


@pytest.mark.parametrize("size", [10, 100_000])
def test_trap_18_objects_are_encrypted_and_their_etag_is_still_the_md5(bucket: Shelf, size):
    body = seeded(size)
    for headers in ([], [("x-amz-server-side-encryption", "AES256")]):
        put = bucket.call("PUT", "k", headers=headers, body=body)
        assert put.header("etag") == quoted_md5(body)
        for answer in (put, bucket.call("GET", "k"), bucket.call("HEAD", "k")):
            assert answer.header("x-amz-server-side-encryption") == "AES256"


def test_trap_18_multipart_and_copies_say_so_too(bucket: Shelf):
    started = bucket.call("POST", "k", query="uploads")
    assert started.header("x-amz-server-side-encryption") == "AES256"
    upload_id = started.xml.findtext("UploadId") or ""
    part = bucket.call("PUT", "k", query=f"partNumber=1&uploadId={upload_id}", body=b"1")
    assert part.header("x-amz-server-side-encryption") == "AES256"
    row = f"<Part><PartNumber>1</PartNumber><ETag>{part.header('etag')}</ETag></Part>"
    xml = f"<CompleteMultipartUpload>{row}</CompleteMultipartUpload>"
    done = bucket.call("POST", "k", query=f"uploadId={upload_id}", body=xml.encode())
    assert done.header("x-amz-server-side-encryption") == "AES256"
    copied = bucket.call("PUT", "copy", headers=[("x-amz-copy-source", f"{bucket.name}/k")])
    assert copied.header("x-amz-server-side-encryption") == "AES256"


@pytest.mark.parametrize("value", ["aes256", "AES-256", "DES", "", "aws:nothing"])
def test_trap_21_encryption_that_is_not_there_is_refused(bucket: Shelf, value):
    with bucket.unchanged():
        answer = bucket.call("PUT", "k", headers=[("x-amz-server-side-encryption", value)], body=b"1")
        refused(answer, 400, "InvalidArgument", "InvalidEncryptionAlgorithmError", "InvalidRequest")


def test_trap_21_a_key_id_without_its_mode_is_refused(bucket: Shelf):
    with bucket.unchanged():
        for name in ("x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-context"):
            answer = bucket.call("PUT", "k", headers=[(name, "abc"), ("x-amz-server-side-encryption", "AES256")], body=b"1")
            refused(answer, (400, 501), "InvalidArgument", "InvalidRequest", "NotImplemented")


def plant(bucket: Shelf) -> list[bytes]:
    """Send secrets through every way in; return all of them."""
    marks = {
        name: f"CANARY{secrets.token_hex(12)}{name}".encode()
        for name in ("small", "large", "part", "name", "meta", "tag", "type", "up")
    }
    large = (marks["large"] + bytes(100)) * 3000
    name = marks["name"].decode()
    bucket.call(
        "PUT",
        name,
        headers=[("x-amz-meta-secret", marks["meta"].decode()), ("x-amz-tagging", f"t={marks['tag'].decode()}")],
        body=marks["small"],
    )
    bucket.call("PUT", "large", headers=[("Content-Type", f"text/{marks['type'].decode()}")], body=large)
    upload_id = bucket.start(marks["up"].decode())
    part = bucket.part(marks["up"].decode(), upload_id, 1, (marks["part"] + bytes(100)) * 1000)
    bucket.complete(marks["up"].decode(), upload_id, [part])
    bucket.call("PUT", "copy", headers=[("x-amz-copy-source", f"{bucket.name}/large")])
    bucket.keys()
    return list(marks.values())


def test_trap_20_nothing_of_what_was_stored_can_be_found_on_disk(bucket: Shelf):
    marks = plant(bucket)
    disk = everything_on_disk(bucket)
    assert len(disk) > 600_000  # the search had something to search
    for mark in marks:
        for form in (mark, mark.hex().encode(), mark.decode().encode("utf-16-le"), base64.b64encode(mark)[:24]):
            assert form not in disk, mark


def test_trap_19_no_fingerprint_of_the_plaintext_rests_on_disk(bucket: Shelf):

    bodies = [secrets.token_bytes(5000), secrets.token_bytes(200_000)]
    for number, body in enumerate(bodies):
        bucket.put(f"k{number}", body, ChecksumAlgorithm="SHA256")
        bucket.put(f"c{number}", body)
    disk = everything_on_disk(bucket)
    for body in bodies:
        for digest in (hashlib.md5(body).digest(), hashlib.sha256(body).digest(), checksums.crc64nvme(body).to_bytes(8)):
            assert digest not in disk
            assert digest.hex().encode() not in disk
            assert base64.b64encode(digest) not in disk


def test_trap_20_equal_bodies_look_unlike_on_disk(bucket: Shelf):

    before = blob_files(bucket, 300_000)
    body = bytes(300_000)
    bucket.put("a", body)
    bucket.put("b", body)
    one, other = (path.read_bytes() for path in sorted(blob_files(bucket, 300_000) - before)[:2])
    assert one != other
    assert len(zlib.compress(one)) > 290_000  # zeros would shrink
    same = sum(left == right for left, right in zip(one[200:], other[200:], strict=False))
    assert same < len(one) / 100


@pytest.mark.parametrize("place", [0, 40, 100, 5000, 16_600, -1])
def test_trap_21_a_damaged_blob_is_an_error_and_never_wrong_bytes(bucket: Shelf, place):

    before = blob_files(bucket, 200_000)
    body = seeded(200_000)
    bucket.put("k", body)
    (path,) = blob_files(bucket, 200_000) - before
    sealed = bytearray(path.read_bytes())
    sealed[place] ^= 1
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(sealed)
    path.chmod(mode)
    ask = bucket.raw.sign(bucket.raw.ask("GET", bucket.name, "k"))
    with bucket.raw.connect() as wire:
        wire.send(ask.wire())
        try:
            answer = wire.read()
        except CutError:
            return  # a download that was under way ends early: no client takes it for whole
    assert answer.status == 500
    assert body[:16] not in answer.body


def test_trap_20_listing_and_heads_speak_of_plaintext_sizes(bucket: Shelf):
    for size in (0, 1, 70_000):
        bucket.put("k", seeded(size))
        assert bucket.head("k")["ContentLength"] == size
        assert bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"][0]["Size"] == size


def test_deleted_bodies_leave_no_readable_trace(bucket: Shelf):
    mark = secrets.token_hex(20).encode()
    bucket.put("k", mark * 2000)
    bucket.s3.delete_object(Bucket=bucket.name, Key="k")
    assert mark not in everything_on_disk(bucket)


def test_the_secrets_of_callers_are_not_on_disk_or_in_the_log(bucket: Shelf):
    bucket.put("k", b"1")
    bucket.service.raw().call("GET", bucket.name, "k", query="versionId=nonsense")
    time.sleep(0.05)
    disk, log = everything_on_disk(bucket), bucket.service.log.read_bytes()
    for keys in (bucket.service.owner, bucket.service.stranger, bucket.service.operator):
        assert keys.secret_access_key.encode() not in disk
        assert keys.secret_access_key.encode() not in log


def test_client_side_encrypted_objects_pass_through_untouched(bucket: Shelf):
    """What the official encryption client writes: its headers and its instruction file come back byte for byte."""
    meta = {
        "x-amz-key-v2": "b64==",
        "x-amz-iv": "aXY=",
        "x-amz-matdesc": '{"aws:x-amz-cek-alg":"AES/GCM/NoPadding"}',
        "x-amz-wrap-alg": "kms+context",
        "x-amz-tag-len": "128",
    }
    sealed = seeded(MIB)
    bucket.put("k", sealed, Metadata=meta)
    assert bucket.head("k")["Metadata"] == meta
    assert bucket.get("k") == sealed
    bucket.put("k.instruction", b'{"x-amz-iv":"aXY="}', Metadata={"x-amz-crypto-instr-file": ""})
    assert bucket.head("k.instruction")["Metadata"] == {"x-amz-crypto-instr-file": ""}
