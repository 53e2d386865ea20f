"""Forms of others than the bucket's owner, forms at other doors, and forms that are none."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from .form import BOUNDARY, Part, PostForm, policy_of, sign_form, signed_form
from .raw import Answer, Wire
from .service import Service
from .shelf import MIB, Shelf, refused, sdk
from .signer import Ask, Keys

DATA = b"content of the file"
PUBLIC = {"BlockPublicPolicy": False, "RestrictPublicBuckets": False, "BlockPublicAcls": True, "IgnorePublicAcls": True}


# Whose form it is.


def test_trap_07_a_form_of_somebody_else(bucket: Shelf, service: Service, owner: Keys):
    refused(signed_form(service.stranger, bucket.name).post(bucket.raw, bucket.name), 403, "AccessDenied")
    unknown = Keys("SIEGELNOSUCHKEY00000", owner.secret_access_key)
    refused(signed_form(unknown, bucket.name).post(bucket.raw, bucket.name), 403, "InvalidAccessKeyId")
    guessed = Keys(owner.access_key_id, "x" * 40)
    for name in (bucket.name, "no-such-bucket-there"):
        answer = signed_form(guessed, name).post(bucket.raw, name)
        refused(answer, 403, "SignatureDoesNotMatch")
        # The account of the key knows of it.
        assert answer.has("x-siegel-entry")
    form = signed_form(owner, bucket.name).having(x_amz_signature="ä" * 64)
    refused(form.post(bucket.raw, bucket.name), 403, "SignatureDoesNotMatch")
    other = sign_form(
        PostForm((("key", "key"),)), owner, policy_of([{"bucket": bucket.name}, {"key": "key"}]), region="us-west-2"
    )
    answer = other.post(bucket.raw, bucket.name)
    refused(answer, 400, "AuthorizationQueryParametersError")
    assert answer.xml.findtext("Region") == "eu-central-1"
    refused(signed_form(owner, "no-such-bucket-there").post(bucket.raw, "no-such-bucket-there"), 404, "NoSuchBucket")
    refused(PostForm((("key", "key"),)).post(bucket.raw, "no-such-bucket-there"), 403, "AccessDenied")
    assert bucket.keys() == []


@pytest.mark.parametrize("name", ["policy", "x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date"])
def test_a_form_is_signed_whole_or_not_at_all(bucket: Shelf, owner: Keys, name: str):
    refused(signed_form(owner, bucket.name).without(name).post(bucket.raw, bucket.name), 400, "InvalidArgument")
    changed = replace(
        signed_form(owner, bucket.name).without(name), fields=(*signed_form(owner, bucket.name).without(name).fields, (name, ""))
    )
    refused(changed.post(bucket.raw, bucket.name), 400, "InvalidArgument")


def test_a_form_of_signature_version_2_is_told_what_to_do(bucket: Shelf):
    form = PostForm((("key", "key"), ("AWSAccessKeyId", "x"), ("policy", "e30="), ("signature", "x")))
    answer = form.post(bucket.raw, bucket.name)
    refused(answer, 400, "InvalidRequest")
    assert "s3v4" in (answer.xml.findtext("Message") or "")


def test_temporary_credentials_that_are_none(bucket: Shelf, owner: Keys):
    refused(signed_form(owner, bucket.name, x_amz_security_token="x").post(bucket.raw, bucket.name), 400, "InvalidToken")


def test_temporary_credentials_sign_forms(bucket: Shelf, service: Service):
    sts = sdk(service, name="sts")
    found = sts.get_session_token(DurationSeconds=900)["Credentials"]
    keys = Keys(found["AccessKeyId"], found["SecretAccessKey"])
    form = signed_form(keys, bucket.name, x_amz_security_token=found["SessionToken"])
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.get("key") == DATA
    refused(signed_form(keys, bucket.name).post(bucket.raw, bucket.name), 403, "InvalidAccessKeyId")
    uncovered = signed_form(keys, bucket.name).having(x_amz_security_token=found["SessionToken"])
    refused(uncovered.post(bucket.raw, bucket.name), 403, "AccessDenied")


def test_an_anonymous_form_is_a_matter_of_the_buckets_policy(bucket: Shelf):
    form = PostForm((("key", "public/key"),))
    refused(form.post(bucket.raw, bucket.name), 403, "AccessDenied")
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=PUBLIC)
    arn = f"arn:aws:s3:::{bucket.name}/public/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": arn}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.get("public/key") == DATA
    refused(PostForm((("key", "private/key"),)).post(bucket.raw, bucket.name), 403, "AccessDenied")
    tagged = form.having(tagging="<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
    refused(tagged.post(bucket.raw, bucket.name), 403, "AccessDenied")
    assert bucket.keys() == ["public/key"]


def test_a_policy_of_the_bucket_sees_a_form_as_one(bucket: Shelf, owner: Keys):
    arn = f"arn:aws:s3:::{bucket.name}/*"
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": arn}
    statement["Condition"] = {"StringEquals": {"s3:authType": "POST"}}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    refused(signed_form(owner, bucket.name).post(bucket.raw, bucket.name), 403, "AccessDenied")
    bucket.s3.put_object(Bucket=bucket.name, Key="by-put", Body=b"x")


def test_t05_seaweedfs_9121_headers_beside_a_form_have_no_say(bucket: Shelf, owner: Keys):
    for header in ("x-amz-meta-a", "x-amz-acl", "x-amz-tagging", "x-amz-copy-source", "x-amz-security-token"):
        answer = signed_form(owner, bucket.name).post(bucket.raw, bucket.name, [(header, "x")])
        refused(answer, 403, "AccessDenied")
        assert header in (answer.xml.findtext("HeadersNotSigned") or "")
    given = [
        ("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=x")
    ]
    refused(signed_form(owner, bucket.name).post(bucket.raw, bucket.name, given), 400, "InvalidArgument")
    assert bucket.keys() == []


FAKE = "AWS4-HMAC-SHA256 Credential=FAKE/20261127/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=" + "0" * 64


@pytest.mark.parametrize(
    "headers", [[], [("Authorization", FAKE), ("x-amz-date", "20261127T000000Z"), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]]
)
@pytest.mark.parametrize(
    "path", ["/", "/{}", "/{}/key", "/{}/key?uploads", "/{}/key?uploadId=x", "/{}?delete", "/{}?policy", "/{}?cors", "/{}/?x"]
)
def test_t04_seaweedfs_7912_a_form_opens_no_other_door(bucket: Shelf, path: str, headers: list[tuple[str, str]]):
    bucket.s3.put_object(Bucket=bucket.name, Key="key", Body=b"before")
    where, _, query = path.format(bucket.name).partition("?")
    ask = replace(PostForm((("key", "other"), ("Action", "CreateUser"))).ask(bucket.raw, where, headers), query=query)
    answer = bucket.raw.send(ask)
    assert answer.status in {400, 403, 405}, (path, answer.status, answer.body)
    for method in ("PUT", "DELETE"):
        assert bucket.raw.send(replace(ask, method=method)).status in {400, 403, 405}
    assert bucket.get("key") == b"before"
    assert bucket.keys() == ["key"]


def test_another_content_type_is_no_form(bucket: Shelf, owner: Keys):
    for kind in ("application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "text/plain"):
        answer = bucket.raw.call("POST", bucket.name, headers=[("Content-Type", kind)], body=b"x")
        refused(answer, 405, "MethodNotAllowed")


# Forms that are none.


def body_post(bucket: Shelf, body: bytes, boundary: str = BOUNDARY, kind: str = "") -> Answer:
    content_type = kind or f"multipart/form-data; boundary={boundary}"
    headers = (("Host", bucket.raw.host), ("Content-Type", content_type), ("Content-Length", str(len(body))))
    return bucket.raw.send(Ask("POST", f"/{bucket.name}", "", headers, body))


def test_a_form_without_key_or_file(bucket: Shelf, owner: Keys):
    refused(signed_form(owner, bucket.name).without("key").post(bucket.raw, bucket.name), 400, "InvalidArgument")
    refused(signed_form(owner, bucket.name, "").post(bucket.raw, bucket.name), 400, "InvalidArgument")
    refused(signed_form(owner, bucket.name, "x" * 1025).post(bucket.raw, bucket.name), 400, "KeyTooLongError")
    refused(signed_form(owner, bucket.name, "a\0b").post(bucket.raw, bucket.name), 400, "InvalidArgument")
    empty = Part("key", b"x").wire(BOUNDARY) + f"--{BOUNDARY}--\r\n".encode()
    refused(body_post(bucket, empty), 400, "InvalidArgument")
    refused(body_post(bucket, f"--{BOUNDARY}--".encode()), 400, "InvalidArgument")
    refused(body_post(bucket, b""), 400, "MalformedPOSTRequest")


@pytest.mark.parametrize(
    "kind", ["", "; boundary=", "; boundary=" + "x" * 71, "; boundary=a; boundary=b", "; boundary=a\u00e4", "; x"]
)
def test_a_boundary_that_is_none(bucket: Shelf, kind: str):
    refused(body_post(bucket, b"--a\r\n", kind=f"multipart/form-data{kind}"), 400, "MalformedPOSTRequest")


def test_a_form_comes_with_its_length(bucket: Shelf, owner: Keys):
    ask = signed_form(owner, bucket.name).ask(bucket.raw, f"/{bucket.name}")
    body = ask.body
    chunked = replace(
        ask.without_header("Content-Length").with_header("Transfer-Encoding", "chunked"),
        body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    )
    refused(bucket.raw.send(chunked), 411, "MissingContentLength")


def test_a_form_that_is_cut_stores_nothing(bucket: Shelf, owner: Keys):
    for size in (0, 200_000):
        form = replace(signed_form(owner, bucket.name), file=bytes(size))
        body = form.body()
        ask = replace(form.ask(bucket.raw, f"/{bucket.name}"), body=body[: len(body) - 10])
        with bucket.raw.connect() as wire:
            wire.send(ask.wire())
            wire.half_close()
        refused(body_post(bucket, body[:-6]), 400, "MalformedPOSTRequest")
        refused(body_post(bucket, body[: len(body) // 2]), 400, "MalformedPOSTRequest")
        refused(body_post(bucket, body + b"more"), 400, "MalformedPOSTRequest")
    assert bucket.keys() == []


def begin(bucket: Shelf, announced: int, body: bytes) -> Wire:
    wire = bucket.raw.connect()
    head = (
        ("Host", bucket.raw.host),
        ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),
        ("Content-Length", str(announced)),
    )
    wire.send(Ask("POST", f"/{bucket.name}", "", head).head() + body)
    return wire


def test_t61_starlette_cve_2025_54121_a_long_preamble_ends_at_once(bucket: Shelf):
    with begin(bucket, 1 << 30, b"x" * 1000) as wire:
        refused(wire.read(), 400, "MalformedPOSTRequest")


def test_t61_python_multipart_cve_2024_53981_a_million_fields(bucket: Shelf):
    fields = b"".join(Part(f"x-ignore-{number}", b"").wire(BOUNDARY) for number in range(200))
    with begin(bucket, 1 << 30, fields) as wire:
        refused(wire.read(), 400, "MaxPostPreDataLengthExceededError")
    with begin(bucket, 1 << 30, Part("a", b"x" * 21_000).wire(BOUNDARY)) as wire:
        refused(wire.read(), 400, "MaxPostPreDataLengthExceededError")
    with begin(bucket, 1 << 30, Part("a", b"", head=b"X: " + b"y" * 5000).wire(BOUNDARY)) as wire:
        refused(wire.read(), 400, "MaxPostPreDataLengthExceededError")


def peak_memory(service: Service) -> int:
    """Return the most memory that each process of the service ever held, in bytes and all together."""
    status = [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in service.processes()]
    return sum(int(line.split()[1]) for text in status for line in text.splitlines() if line.startswith("VmHWM")) * 1024


def test_t61_class_a_file_without_an_end_is_no_object_and_memory_stays_flat(bucket: Shelf, service: Service, owner: Keys):
    """Class: a boundary that never comes; the file goes through, none of it is kept, and nothing of it is visible."""
    form = replace(signed_form(owner, bucket.name), file=b"")
    body = form.body().removesuffix(f"\r\n--{BOUNDARY}--\r\n".encode())
    size = 128 * MIB
    before = peak_memory(service)
    with begin(bucket, len(body) + size, body) as wire:
        block = os.urandom(MIB)
        for _ in range(size // MIB):
            wire.send(block)
        refused(wire.read(), 400, "MalformedPOSTRequest")
    assert peak_memory(service) - before < 32 * MIB
    assert bucket.keys() == []


def test_t61_class_too_much_behind_the_file(bucket: Shelf, owner: Keys):
    """Class: what follows the file is bounded too."""
    form = replace(signed_form(owner, bucket.name), after=(("a", "x" * 21_000),))
    refused(form.post(bucket.raw, bucket.name), 400, "MalformedPOSTRequest")
    assert bucket.keys() == []


def test_trap_41_refusals_of_forms_are_like_all_others(bucket: Shelf):
    answer = body_post(bucket, b"nothing")
    refused(answer, 400, "MalformedPOSTRequest")
    assert answer.header("content-type") == "application/xml"
    assert re.fullmatch(r"[0-9A-F]{16}", answer.header("x-amz-request-id"))
    assert answer.xml.findtext("RequestId") == answer.header("x-amz-request-id")
