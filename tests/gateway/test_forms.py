"""Uploads by browsers' forms: what they store, and how they are answered."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .certificates import DOMAIN
from .form import BOUNDARY, PostForm, policy_of, sign_form, signed_form
from .service import Service
from .shelf import MIB, Shelf, md5_b64, new_name, refused
from .signer import Keys

DATA = b"content of the file"


def test_a_form_stores_its_file(bucket: Shelf, owner: Keys):
    answer = signed_form(owner, bucket.name, "a folder/käse ☃.txt").post(bucket.raw, bucket.name)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("etag") == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert answer.header("location").endswith(f"/{bucket.name}/a%20folder/k%C3%A4se%20%E2%98%83.txt")
    assert answer.header("x-amz-server-side-encryption") == "AES256"
    found = bucket.s3.get_object(Bucket=bucket.name, Key="a folder/käse ☃.txt")
    assert found["Body"].read() == DATA
    assert found["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3 * MIB + 17])
def test_files_of_every_size(bucket: Shelf, owner: Keys, size: int):
    content = os.urandom(size)
    form = replace(signed_form(owner, bucket.name), file=content)
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.get("key") == content


def test_a_file_full_of_beginnings_of_boundaries(bucket: Shelf, owner: Keys):
    begun = [f"\r\n--{BOUNDARY}"[:size].encode() for size in range(1, len(BOUNDARY) + 4)]
    content = b"".join(begun) * 40 + b"\r\n" + b"\r" * 70_000 + b"\r\n--"
    assert replace(signed_form(owner, bucket.name), file=content).post(bucket.raw, bucket.name).status == 204
    assert bucket.get("key") == content


def test_fields_become_what_headers_are_to_a_put(bucket: Shelf, owner: Keys):
    tags = "<Tagging><TagSet><Tag><Key>team</Key><Value>a b+c=d</Value></Tag></TagSet></Tagging>"
    form = signed_form(
        owner,
        bucket.name,
        Content_Type="text/plain; charset=utf-8",
        Cache_Control="max-age=5",
        Content_Disposition='attachment; filename="x"',
        Content_Encoding="gzip",
        Expires="Thu, 01 Dec 2033 16:00:00 GMT",
        acl="bucket-owner-full-control",
        tagging=tags,
        x_amz_meta_colour="röd",
        x_amz_storage_class="STANDARD",
        x_amz_server_side_encryption="AES256",
        x_amz_website_redirect_location="/elsewhere",
    )
    assert form.post(bucket.raw, bucket.name).status == 204
    found = bucket.s3.head_object(Bucket=bucket.name, Key="key")
    assert found["ContentType"] == "text/plain; charset=utf-8"
    assert found["CacheControl"] == "max-age=5"
    assert found["ContentDisposition"] == 'attachment; filename="x"'
    assert found["ContentEncoding"] == "gzip"
    assert found["WebsiteRedirectLocation"] == "/elsewhere"
    assert "röd" in str(found["Metadata"]["colour"]) or "=?UTF-8?B?" in found["Metadata"]["colour"]
    assert found["TagCount"] == 1


def test_boto3_makes_forms_that_work(bucket: Shelf):
    url = bucket.s3.generate_presigned_post(
        bucket.name,
        "uploads/${filename}",
        Fields={"Content-Type": "image/png", "x-amz-meta-a": "b"},
        Conditions=[{"Content-Type": "image/png"}, {"x-amz-meta-a": "b"}, ["content-length-range", 1, 100]],
        ExpiresIn=60,
    )
    form = PostForm(tuple(url["fields"].items()), file_name="C:\\fakepath\\my cat.png")
    assert urlsplit(url["url"]).path == f"/{bucket.name}"
    assert form.post(bucket.raw, bucket.name).status == 204
    found = bucket.s3.get_object(Bucket=bucket.name, Key="uploads/my cat.png")
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (DATA, "image/png", {"a": "b"})


@pytest.mark.parametrize(
    ("file_name", "key"),
    [("a/b/c.txt", "u/c.txt"), ("c:\\d\\e.txt", "u/e.txt"), ('a\\"b.txt', 'u/a"b.txt'), ("", "u/"), ("..", "u/.."), (None, "u/")],
)
def test_the_name_of_the_file_goes_into_the_key(bucket: Shelf, owner: Keys, file_name: str | None, key: str):
    form = PostForm((("key", "u/${filename}"),), file_name=file_name)
    form = sign_form(form, owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$key", "u/"]]))
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.keys() == [key]


def test_a_form_on_a_virtual_host(bucket: Shelf, owner: Keys):
    host = f"{bucket.name}.{DOMAIN}:{bucket.raw.address[1]}"
    form = signed_form(owner, bucket.name, success_action_status="201")
    answer = bucket.raw.send(form.ask(replace(bucket.raw, host=host), "/"))
    assert answer.status == 201
    assert answer.xml.findtext("Location") == f"http://{host}/key"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)])
def test_the_status_that_a_form_asks_for(bucket: Shelf, owner: Keys, asked: str, status: int):
    answer = signed_form(owner, bucket.name, "a&b", success_action_status=asked).post(bucket.raw, bucket.name)
    assert answer.status == status
    if status == 201:
        etag = f'"{hashlib.md5(DATA).hexdigest()}"'
        texts = {child.tag: child.text for child in answer.xml}
        location = f"http://{bucket.raw.host}/{bucket.name}/a%26b"
        assert texts == {"Location": location, "Bucket": bucket.name, "Key": "a&b", "ETag": etag}
        assert answer.header("content-type") == "application/xml"
    else:
        assert answer.body == b""


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize("url", ["https://example.org/done", "http://example.org:81/done?a=b#part"])
def test_the_page_that_a_form_goes_on_to(bucket: Shelf, owner: Keys, field: str, url: str):
    answer = signed_form(owner, bucket.name, "a&b c", **{field: url}).post(bucket.raw, bucket.name)
    assert answer.status == 303
    gone, wanted = urlsplit(answer.header("location")), urlsplit(url)
    assert (gone.scheme, gone.netloc, gone.path, gone.fragment) == (wanted.scheme, wanted.netloc, wanted.path, wanted.fragment)
    query = {name: values[0] for name, values in parse_qs(gone.query).items()}
    assert query.pop("a", "b") == "b"
    assert query == {"bucket": bucket.name, "key": "a&b c", "etag": f'"{hashlib.md5(DATA).hexdigest()}"'}


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "//example.org/", "ftp://example.org/", "https://", "http://a b/", "http://[x/", "http://ä.org/"],
)
def test_t43_a_form_goes_on_to_web_pages_alone(bucket: Shelf, owner: Keys, url: str):
    """Class: open redirects and scripts in redirect locations."""
    refused(signed_form(owner, bucket.name, success_action_redirect=url).post(bucket.raw, bucket.name), 400, "InvalidArgument")
    assert bucket.keys() == []


@pytest.mark.parametrize("name", ["success_action_redirect", "x_amz_meta_a", "Content_Type", "x_amz_website_redirect_location"])
def test_t58_ceph_cve_2021_3524_no_field_ends_a_header(bucket: Shelf, owner: Keys, name: str):
    form = signed_form(owner, bucket.name, **{name: "http://a/\r\nx-injected: 1"})
    answer = form.post(bucket.raw, bucket.name)
    refused(answer, 400, "InvalidArgument")
    assert not answer.has("x-injected")
    assert bucket.keys() == []


def test_checksums_of_a_form(bucket: Shelf, owner: Keys):
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    answer = signed_form(owner, bucket.name, x_amz_checksum_crc32=crc).post(bucket.raw, bucket.name)
    assert (answer.status, answer.header("x-amz-checksum-crc32")) == (204, crc)
    named = signed_form(owner, bucket.name, x_amz_checksum_algorithm="SHA256").post(bucket.raw, bucket.name)
    assert named.header("x-amz-checksum-sha256") == base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert signed_form(owner, bucket.name, Content_MD5=md5_b64(DATA)).post(bucket.raw, bucket.name).status == 204
    for wrong in ({"x_amz_checksum_crc32": "AAAAAA=="}, {"Content_MD5": md5_b64(b"else")}):
        refused(signed_form(owner, bucket.name, "wrong", **wrong).post(bucket.raw, bucket.name), 400, "BadDigest")
    assert bucket.keys() == ["key"]


def test_a_form_brings_a_customer_key(bucket: Shelf, owner: Keys):
    key = os.urandom(32)
    text = base64.b64encode(key).decode()
    form = signed_form(
        owner,
        bucket.name,
        x_amz_server_side_encryption_customer_algorithm="AES256",
        x_amz_server_side_encryption_customer_key=text,
        x_amz_server_side_encryption_customer_key_MD5=md5_b64(key),
    )
    answer = form.post(bucket.raw, bucket.name)
    assert answer.status == 204
    assert answer.header("x-amz-server-side-encryption-customer-algorithm") == "AES256"
    found = bucket.s3.get_object(Bucket=bucket.name, Key="key", SSECustomerAlgorithm="AES256", SSECustomerKey=key)
    assert found["Body"].read() == DATA


def test_a_form_keeps_versions_and_conditions(versioned: Shelf, owner: Keys):
    first = signed_form(owner, versioned.name).post(versioned.raw, versioned.name)
    second = signed_form(owner, versioned.name).post(versioned.raw, versioned.name)
    assert first.header("x-amz-version-id") != second.header("x-amz-version-id") != ""
    taken = signed_form(owner, versioned.name, If_None_Match="*").post(versioned.raw, versioned.name)
    refused(taken, 412, "PreconditionFailed")


def test_what_follows_the_file_means_nothing(bucket: Shelf, owner: Keys):
    form = replace(signed_form(owner, bucket.name), after=(("submit", "Upload"), ("x-amz-meta-late", "1")))
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.s3.head_object(Bucket=bucket.name, Key="key")["Metadata"] == {}
    late = replace(signed_form(owner, bucket.name).without("key"), after=(("key", "late"),))
    refused(late.post(bucket.raw, bucket.name), 400, "InvalidArgument")


def test_fields_that_a_policy_may_leave_out(bucket: Shelf, owner: Keys):
    form = signed_form(owner, bucket.name).having(x_ignore_this="anything")
    assert form.post(bucket.raw, bucket.name).status == 204


def test_names_of_fields_and_conditions_count_in_any_case(bucket: Shelf, owner: Keys):
    form = PostForm((("kEy", "foo.txt"), ("aCl", "private"), ("Content-Type", "text/plain")))
    conditions = [{"bUcKeT": bucket.name}, ["StArTs-WiTh", "$KeY", "foo"], {"AcL": "private"}]
    form = sign_form(form, owner, policy_of([*conditions, ["StArTs-WiTh", "$CoNtEnT-TyPe", "text/plain"]]))
    assert form.post(bucket.raw, bucket.name).status == 204
    assert bucket.keys() == ["foo.txt"]


def test_a_dollar_sign_is_written_with_a_backslash(bucket: Shelf, owner: Keys):
    form = PostForm((("key", "$foo.txt"),))
    form = sign_form(form, owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$key", "\\$foo"]]))
    assert form.post(bucket.raw, bucket.name).status == 204


def test_every_type_in_a_list_is_checked(bucket: Shelf, owner: Keys):
    conditions = [{"bucket": bucket.name}, {"key": "key"}, ["starts-with", "$Content-Type", "image/"]]
    form = PostForm((("key", "key"), ("Content-Type", "image/png, image/gif")))
    assert sign_form(form, owner, policy_of(conditions)).post(bucket.raw, bucket.name).status == 204
    form = form.having(Content_Type="image/png,text/html")
    refused(sign_form(form, owner, policy_of(conditions)).post(bucket.raw, bucket.name), 403, "AccessDenied")


def test_a_form_locks_its_object(service: Service, s3: Any, owner: Keys):
    name = new_name()
    s3.create_bucket(
        Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    lock = {"x_amz_object_lock_mode": "GOVERNANCE", "x_amz_object_lock_retain_until_date": until}
    refused(signed_form(owner, name, **lock).post(service.raw(), name), 400, "InvalidRequest")
    answer = signed_form(owner, name, **lock, Content_MD5=md5_b64(DATA)).post(service.raw(), name)
    assert answer.status == 204
    found = s3.head_object(Bucket=name, Key="key")
    assert (found["ObjectLockMode"], found["ObjectLockRetainUntilDate"].strftime("%Y-%m-%dT%H:%M:%S.000Z")) == (
        "GOVERNANCE",
        until,
    )
