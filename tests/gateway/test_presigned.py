"""Presigned URLs: what they open, for how long, and that nothing can be added to them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from . import signer
from .raw import Answer, Ask, RawClient, with_length
from .shelf import MIB, Shelf, b64, md5_hex, refused, sdk


def follow(raw: RawClient, method: str, url: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Use a URL as a browser would."""
    parts = urlsplit(url)
    return raw.send(with_length(Ask(method, parts.path, parts.query, (("Host", parts.netloc), *headers), body)))


def url_of(bucket: Shelf, operation: str, **params: object) -> str:
    return str(bucket.s3.generate_presigned_url(operation, Params={"Bucket": bucket.name, **params}, ExpiresIn=300))


def test_presigned_get_put_head_and_delete(bucket: Shelf, raw: RawClient):
    assert follow(raw, "PUT", url_of(bucket, "put_object", Key="a b/ü"), b"hello").status == 200
    answer = follow(raw, "GET", url_of(bucket, "get_object", Key="a b/ü"))
    assert (answer.status, answer.body) == (200, b"hello")
    assert follow(raw, "HEAD", url_of(bucket, "head_object", Key="a b/ü")).header("content-length") == "5"
    assert follow(raw, "DELETE", url_of(bucket, "delete_object", Key="a b/ü")).status == 204
    assert bucket.keys() == []


def test_presigned_upload_of_parts(bucket: Shelf, raw: RawClient):
    upload_id = bucket.start("big")
    parts = []
    for number, body in enumerate([b"1" * 5 * MIB, b"2"], 1):
        url = url_of(bucket, "upload_part", Key="big", UploadId=upload_id, PartNumber=number)
        answer = follow(raw, "PUT", url, body)
        assert answer.status == 200, answer.body
        parts.append({"PartNumber": number, "ETag": answer.header("etag")})
    bucket.complete("big", upload_id, parts)
    assert bucket.head("big")["ContentLength"] == 5 * MIB + 1


def test_presigned_urls_of_the_sdks_virtual_host_style(bucket: Shelf, raw: RawClient):
    port = raw.address[1]
    client = sdk(bucket.service, url=f"http://s3.localhost:{port}", addressing_style="virtual")
    bucket.put("k", b"hello")
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket.name, "Key": "k"})
    assert url.startswith(f"http://{bucket.name}.s3.localhost")
    assert follow(raw, "GET", url).body == b"hello"
    client.close()


def test_presigned_with_response_overrides(bucket: Shelf, raw: RawClient):
    bucket.put("k", b"hello")
    url = url_of(
        bucket, "get_object", Key="k", ResponseContentType="text/csv", ResponseContentDisposition='attachment; filename="ü.csv"'
    )
    answer = follow(raw, "GET", url)
    assert answer.status == 200
    assert answer.header("content-type") == "text/csv"
    assert "attachment" in answer.header("content-disposition")
    refused(follow(raw, "GET", url.replace("text%2Fcsv", "text%2Fhtml")), 403, "SignatureDoesNotMatch")


def test_trap_07_the_body_of_a_presigned_put_is_free(bucket: Shelf, raw: RawClient):
    ask = raw.presign(raw.ask("PUT", bucket.name, "k"))
    for body in (b"", b"one", b"another"):
        assert raw.send(with_length(replace(ask, body=body))).status == 200
        assert bucket.get("k") == body


@pytest.mark.parametrize("expires", ["1", "60", "604800"])
def test_trap_07_an_expiry_within_a_week_is_fine(bucket: Shelf, raw: RawClient, expires):
    assert raw.send(raw.presign(raw.ask("GET", bucket.name), expires=expires)).status == 200


def test_trap_07_an_expired_url_is_refused_and_never_taken_for_anonymous(bucket: Shelf, raw: RawClient):
    bucket.put("k", b"1")
    at = datetime.now(UTC) - timedelta(seconds=120)
    ask = signer.sign_query(raw.ask("GET", bucket.name, "k"), raw.keys, expires="60", at=at)
    answer = refused(raw.send(ask), 403, "AccessDenied")
    assert "expired" in (answer.xml.findtext("Message") or "")


@pytest.mark.parametrize("right", [True, False])
def test_trap_07_a_checksum_in_the_query_is_verified(bucket: Shelf, raw: RawClient, right):
    value = b64(hashlib.sha256(b"body" if right else b"else").digest())
    query = signer.encode_query([("x-amz-checksum-sha256", value), ("x-amz-sdk-checksum-algorithm", "SHA256")])
    ask = with_length(raw.presign(raw.ask("PUT", bucket.name, "k", query=query, body=b"body")))
    if right:
        answer = raw.send(ask)
        assert answer.status == 200, answer.body
        assert bucket.head("k", ChecksumMode="ENABLED")["ChecksumSHA256"] == value
    else:
        with bucket.unchanged():
            refused(raw.send(ask), 400, "BadDigest")


@pytest.mark.parametrize("right", [True, False])
def test_trap_07_a_payload_hash_in_the_query_is_verified(bucket: Shelf, raw: RawClient, right):
    digest = hashlib.sha256(b"body" if right else b"else").hexdigest()
    ask = raw.ask("PUT", bucket.name, "k", query=f"X-Amz-Content-Sha256={digest}", body=b"body")
    ask = with_length(signer.sign_query(ask, raw.keys, payload_hash=digest))
    if right:
        answer = raw.send(ask)
        assert answer.status == 200, answer.body
    else:
        with bucket.unchanged():
            refused(raw.send(ask), 400, "XAmzContentSHA256Mismatch")


def test_trap_07_metadata_may_be_hoisted_into_the_query_by_the_sdk(bucket: Shelf, raw: RawClient):
    url = url_of(bucket, "put_object", Key="k", Metadata={"colour": "blue"}, ContentType="text/plain")
    headers = (("x-amz-meta-colour", "blue"), ("Content-Type", "text/plain"))
    assert follow(raw, "PUT", url, b"1", headers).status == 200
    assert bucket.head("k")["Metadata"] == {"colour": "blue"}


def test_t08_localstack_2493_a_presigned_url_ends_with_its_time(bucket: Shelf, raw: RawClient):
    bucket.put("k", b"1")
    at = datetime.now(UTC) - timedelta(days=2)
    old = signer.sign_query(raw.ask("DELETE", bucket.name, "k"), raw.keys, expires=str(86400), at=at)
    live = signer.sign_query(raw.ask("GET", bucket.name, "k"), raw.keys, expires=str(3 * 86400), at=at)
    with bucket.unchanged():
        refused(raw.send(old), 403, "AccessDenied")
        assert raw.send(live).status == 200


def test_t08_rustfs_3520_a_presigned_url_from_the_future_is_refused(bucket: Shelf, raw: RawClient):
    at = datetime.now(UTC) + timedelta(minutes=30)
    ask = signer.sign_query(raw.ask("PUT", bucket.name, "k", body=b"1"), raw.keys, at=at)
    with bucket.unchanged():
        refused(raw.send(with_length(ask)), 403, "AccessDenied", "RequestTimeTooSkewed")


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "text", "", "1e3", "0x10", " 60", "60.5", "99999999999999999999"])
def test_t09_rustfs_5368_an_odd_expiry_is_refused(bucket: Shelf, raw: RawClient, expires):
    ask = raw.presign(raw.ask("PUT", bucket.name, "k", body=b"1"), expires=expires)
    with bucket.unchanged():
        refused(raw.send(with_length(ask)), (400, 403), "AuthorizationQueryParametersError", "AccessDenied")


@pytest.mark.parametrize(
    "name", ["X-Amz-Expires", "X-Amz-Date", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Algorithm"]
)
def test_t09_rustfs_5368_doubled_or_missing_parameters_are_refused(bucket: Shelf, raw: RawClient, name):
    ask = raw.presign(raw.ask("PUT", bucket.name, "k", body=b"1"))
    pieces = ask.query.split("&")
    doubled = replace(ask, query="&".join([*pieces, *(piece for piece in pieces if piece.startswith(name + "="))]))
    missing = replace(ask, query="&".join(piece for piece in pieces if not piece.startswith(name + "=")))
    codes = "AuthorizationQueryParametersError", "AccessDenied", "InvalidArgument", "SignatureDoesNotMatch", "InvalidRequest"
    with bucket.unchanged():
        refused(raw.send(with_length(doubled)), (400, 403), *codes)
        refused(raw.send(with_length(missing)), (400, 403), *codes)


def test_t13_presigned_urls_do_not_survive_a_changed_character(bucket: Shelf, raw: RawClient):
    bucket.put("k", b"hello")
    ask = raw.presign(raw.ask("GET", bucket.name, "k", query="response-content-type=text%2Fplain"))
    assert raw.send(ask).status == 200
    with raw.connect() as wire:
        for place in range(0, len(ask.query), 2):
            letter = "z" if ask.query[place] != "z" else "y"
            mutant = replace(ask, query=ask.query[:place] + letter + ask.query[place + 1 :])
            wire.send(mutant.wire())
            answer = wire.read()
            assert answer.status in {400, 403, 501}, (mutant.query, answer)


def test_the_etag_of_a_presigned_put_is_the_md5(bucket: Shelf, raw: RawClient):
    answer = raw.send(with_length(raw.presign(raw.ask("PUT", bucket.name, "k", body=b"hello"))))
    assert answer.header("etag") == f'"{md5_hex(b"hello")}"'


def test_a_checksum_of_no_bytes_hoisted_by_the_javascript_sdk_says_nothing_of_the_body(bucket: Shelf, raw: RawClient):
    """That SDK presigns before it knows the body and puts the CRC of an empty one into the URL: set aside, never kept."""
    query = signer.encode_query([("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-sdk-checksum-algorithm", "CRC32")])
    ask = with_length(raw.presign(raw.ask("PUT", bucket.name, "k", query=query, body=b"body")))
    assert raw.send(ask).status == 200
    assert bucket.get("k", ChecksumMode="ENABLED") == b"body"
    assert bucket.head("k", ChecksumMode="ENABLED").get("ChecksumCRC32") != "AAAAAA=="
