"""Forms and their policies: what a policy does not allow, and policies that are none."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from .form import PostForm, policy_of, sign_form, signed_form
from .raw import Answer
from .shelf import Shelf, refused
from .signer import Keys


def denied(answer: Answer, message: str) -> None:
    refused(answer, 403, "AccessDenied")
    text = answer.xml.findtext("Message") or ""
    assert text.startswith("Invalid according to Policy: "), text
    assert message in text, text


def test_t43_ceph_cve_2023_43040_the_bucket_of_the_policy_is_that_of_the_url(bucket: Shelf, second_bucket: Shelf, owner: Keys):
    form = signed_form(owner, bucket.name)
    denied(form.post(bucket.raw, second_bucket.name), f'Policy Condition failed: ["eq", "$bucket", "{bucket.name}"]')
    named = PostForm((("key", "key"), ("bucket", bucket.name)))
    named = sign_form(named, owner, policy_of([{"bucket": bucket.name}, {"key": "key"}]))
    denied(named.post(bucket.raw, second_bucket.name), "bucket")
    assert named.post(bucket.raw, bucket.name).status == 204
    none = sign_form(PostForm((("key", "key"),)), owner, policy_of([{"key": "key"}]))
    denied(none.post(bucket.raw, second_bucket.name), "Extra input fields: bucket")
    assert second_bucket.keys() == []


def test_t43_rustfs_cve_2026_27607_every_condition_is_checked(bucket: Shelf, owner: Keys):
    outside = PostForm((("key", "private/x"),))
    outside = sign_form(outside, owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$key", "public/"]]))
    denied(outside.post(bucket.raw, bucket.name), 'Policy Condition failed: ["starts-with", "$key", "public/"]')
    changed = signed_form(owner, bucket.name, Content_Type="image/png").having(Content_Type="text/html")
    denied(changed.post(bucket.raw, bucket.name), "Policy Condition failed")
    missing = signed_form(owner, bucket.name, Content_Type="image/png").without("Content-Type")
    denied(missing.post(bucket.raw, bucket.name), "Policy Condition failed")
    empty = sign_form(PostForm((("key", "a"),)), owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$name", ""]]))
    denied(empty.post(bucket.raw, bucket.name), "Policy Condition failed")
    assert bucket.keys() == []


@pytest.mark.parametrize("name", ["x_amz_meta_a", "acl", "tagging", "x_amz_storage_class", "success_action_redirect", "name"])
def test_t43_minio_cve_2021_21362_a_field_that_no_condition_names(bucket: Shelf, owner: Keys, name: str):
    values = {"acl": "private", "tagging": "<Tagging><TagSet/></Tagging>", "success_action_redirect": "http://example.org"}
    form = signed_form(owner, bucket.name).having(**{name: values.get(name, "STANDARD")})
    denied(form.post(bucket.raw, bucket.name), f"Extra input fields: {name if 'action' in name else name.replace('_', '-')}")
    assert bucket.keys() == []


def test_t43_the_fields_of_the_signature_are_covered_too(bucket: Shelf, owner: Keys):
    """Class: a policy that does not name the date or the credential could be used with another."""
    form = PostForm((("key", "key"),))
    form = sign_form(form, owner, policy_of([{"bucket": bucket.name}, {"key": "key"}]), cover=False)
    denied(form.post(bucket.raw, bucket.name), "Extra input fields: x-amz-algorithm, x-amz-credential, x-amz-date")


def test_t43_the_name_of_a_file_cannot_leave_the_prefix(bucket: Shelf, owner: Keys):
    """Class: variables are expanded before the policy is asked, so what it says holds for the key as it is stored."""
    form = PostForm((("key", "${filename}"),), file_name="private.txt")
    form = sign_form(form, owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$key", "user/"]]))
    denied(form.post(bucket.raw, bucket.name), "Policy Condition failed")
    sly = PostForm((("key", "user/${filename}"),), file_name='x"; name="key')
    sly = sign_form(sly, owner, policy_of([{"bucket": bucket.name}, ["starts-with", "$key", "user/"]]))
    refused(sly.post(bucket.raw, bucket.name), 400, "MalformedPOSTRequest")
    assert bucket.keys() == []


@pytest.mark.parametrize("name", ["key", "policy", "x-amz-signature", "KEY", "Policy", "content-type", "file"])
def test_t43_rustfs_cve_2026_27607_a_doubled_field(bucket: Shelf, owner: Keys, name: str):
    form = signed_form(owner, bucket.name, Content_Type="text/plain")
    first = dict(form.fields).get(name, "other")
    before = replace(form, fields=((name, first), *form.fields))
    refused(before.post(bucket.raw, bucket.name), 400, "InvalidArgument")
    behind = replace(form, after=((name, first),))
    refused(behind.post(bucket.raw, bucket.name), 400, "InvalidArgument")
    assert bucket.keys() == []


def test_t43_minio_cve_2023_28434_reserved_fields_do_nothing(bucket: Shelf, owner: Keys):
    for name in ("x_amz_copy_source", "x_amz_mfa", "x_amz_content_sha256", "x_amz_bypass_governance_retention", "x_amz_date2"):
        refused(signed_form(owner, bucket.name, **{name: "x"}).post(bucket.raw, bucket.name), 400, "InvalidArgument")
    refused(
        signed_form(owner, bucket.name, acl="public-read").post(bucket.raw, bucket.name), 400, "AccessControlListNotSupported"
    )
    both = signed_form(owner, bucket.name, acl="private", x_amz_acl="private")
    refused(both.post(bucket.raw, bucket.name), 400, "InvalidArgument")
    assert bucket.keys() == []


def ranged(bucket: Shelf, owner: Keys, low: object, high: object, size: int) -> Answer:
    conditions = [{"bucket": bucket.name}, {"key": "key"}, ["content-length-range", low, high]]
    form = PostForm((("key", "key"),), file=os.urandom(size))
    return sign_form(form, owner, policy_of(conditions)).post(bucket.raw, bucket.name)


@pytest.mark.parametrize("size", [9, 21, 70_000, 600_000])
def test_t43_a_file_of_a_size_out_of_range(bucket: Shelf, owner: Keys, size: int):
    """Class: the size is known only at the end, and nothing is visible before."""
    answer = ranged(bucket, owner, 10, 20, size)
    refused(answer, 400, "EntityTooSmall" if size < 10 else "EntityTooLarge")
    assert bucket.keys() == []
    refused(ranged(bucket, owner, 30_000, 40_000_000, 29_999), 400, "EntityTooSmall")
    refused(ranged(bucket, owner, 0, 599_999, 600_000), 400, "EntityTooLarge")
    assert bucket.keys() == []


def test_files_at_the_ends_of_the_range(bucket: Shelf, owner: Keys):
    for size in (10, 20):
        assert ranged(bucket, owner, 10, "20", size).status == 204
    assert ranged(bucket, owner, 0, 600_000, 600_000).status == 204


def test_t43_parts_behind_the_file_do_not_fill_it_up(bucket: Shelf, owner: Keys):
    """Class: what follows the file is no part of it."""
    conditions = [{"bucket": bucket.name}, {"key": "key"}, ["content-length-range", 100, 200]]
    form = sign_form(PostForm((("key", "key"),), file=bytes(99), after=(("more", "x" * 500),)), owner, policy_of(conditions))
    refused(form.post(bucket.raw, bucket.name), 400, "EntityTooSmall")
    assert bucket.keys() == []


def test_t43_an_expired_policy(bucket: Shelf, owner: Keys):
    """Class: time."""
    conditions = [{"bucket": bucket.name}, {"key": "key"}]
    past = policy_of(conditions, datetime.now(UTC) - timedelta(seconds=2))
    denied(sign_form(PostForm((("key", "key"),)), owner, past).post(bucket.raw, bucket.name), "Policy expired.")
    future = policy_of(conditions, datetime.now(UTC) + timedelta(days=30))
    for days in (-8, 1):
        old = sign_form(PostForm((("key", "key"),)), owner, future, at=datetime.now(UTC) + timedelta(days=days))
        refused(old.post(bucket.raw, bucket.name), 403, "AccessDenied")
    assert bucket.keys() == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"conditions": []}',
        b'{"expiration": "2033-01-01T00:00:00Z"}',
        b'{"EXPIRATION": "2033-01-01T00:00:00Z", "conditions": []}',
        b'{"expiration": "2033-01-01T00:00:00Z", "CONDITIONS": []}',
        b'{"expiration": "tomorrow", "conditions": []}',
        b'{"expiration": 5, "conditions": []}',
        b'{"expiration": "Thu, 01 Dec 2033 16:00:00 GMT", "conditions": []}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": {}}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [5]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [[]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [{}]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [{"a": 5}]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [{"a": "b", "c": "d"}]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [{"a": "b", "a": "c"}]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["eq", "key", "x"]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["ends-with", "$key", "x"]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["eq", "$key"]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 5]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["content-length-range", 6, 5]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["content-length-range", 6]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [["content-length-range", 1.5, true]]}',
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [], "more": 1}',
        b"[" * 9000,
        b'{"expiration": ' + b"9" * 6000 + b"}",
    ],
)
def test_a_policy_that_is_none(bucket: Shelf, owner: Keys, document: bytes):
    text = base64.b64encode(document).decode() or "!"
    form = sign_form(PostForm((("key", "key"),)), owner, text)
    refused(form.post(bucket.raw, bucket.name), 400, "InvalidPolicyDocument")
    assert bucket.keys() == []
