"""Bucket policies: other accounts and everybody get what a policy grants them, and no more."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from .raw import Answer, with_length
from .service import Service
from .shelf import Shelf, fails, refused

Statement = dict[str, Any]


def statement(
    shelf: Shelf, principal: object, action: object, *, on: str = "/*", effect: str = "Allow", **more: Any
) -> Statement:
    resource = f"arn:aws:s3:::{shelf.name}{on}"
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


def account(service: Service) -> dict[str, str]:
    """The stranger's account as a principal."""
    return {"AWS": f"arn:aws:iam::{service.stranger.account_id}:root"}


def put_policy(shelf: Shelf, *statements: Statement) -> str:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    shelf.s3.put_bucket_policy(Bucket=shelf.name, Policy=text)
    return text


def open_to_the_public(shelf: Shelf) -> None:
    shelf.s3.delete_public_access_block(Bucket=shelf.name)


def ask_anonymously(shelf: Shelf, method: str, key: str | None = None, *, query: str = "", body: bytes = b"") -> Answer:
    return shelf.raw.send(with_length(shelf.raw.ask(method, shelf.name, key, query=query, body=body)))


@pytest.fixture(scope="module")
def nobody(service: Service) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=service.url,
        region_name="eu-central-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


def test_a_copy_takes_tags_along_only_for_those_who_may_read_and_set_them(
    bucket: Shelf, second_bucket: Shelf, service: Service, stranger_s3: Any
) -> None:
    bucket.put("plain", b"1")
    bucket.put("tagged", b"1", Tagging="secret=name")
    them = account(service)
    put_policy(second_bucket, statement(second_bucket, them, "s3:PutObject"))
    put_policy(bucket, statement(bucket, them, "s3:GetObject"))

    def copy(key: str, **options: Any) -> None:
        stranger_s3.copy_object(Bucket=second_bucket.name, Key="copy", CopySource=f"{bucket.name}/{key}", **options)

    copy("plain")
    with second_bucket.unchanged(), fails(403, "AccessDenied"):
        copy("tagged")
    put_policy(bucket, statement(bucket, them, ["s3:GetObject", "s3:GetObjectTagging"]))
    with second_bucket.unchanged(), fails(403, "AccessDenied"):
        copy("tagged")
    put_policy(second_bucket, statement(second_bucket, them, ["s3:PutObject", "s3:PutObjectTagging"]))
    copy("tagged")
    found = second_bucket.s3.get_object_tagging(Bucket=second_bucket.name, Key="copy")["TagSet"]
    assert found == [{"Key": "secret", "Value": "name"}]


def test_a_policy_comes_back_as_it_was_put(bucket: Shelf, service: Service) -> None:
    with fails(404, "NoSuchBucketPolicy"):
        bucket.s3.get_bucket_policy(Bucket=bucket.name)
    with fails(404, "NoSuchBucketPolicy"):
        bucket.s3.get_bucket_policy_status(Bucket=bucket.name)
    text = put_policy(bucket, statement(bucket, account(service), "s3:GetObject"))
    assert bucket.s3.get_bucket_policy(Bucket=bucket.name)["Policy"] == text
    assert bucket.s3.get_bucket_policy_status(Bucket=bucket.name)["PolicyStatus"]["IsPublic"] is False
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    with fails(404, "NoSuchBucketPolicy"):
        bucket.s3.get_bucket_policy(Bucket=bucket.name)


def test_another_account_gets_what_is_granted_from_the_next_request_on(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    bucket.put("shared/a", b"a")
    bucket.put("private/b", b"b")
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="shared/a")
    put_policy(
        bucket,
        statement(bucket, account(service), ["s3:GetObject", "s3:PutObject"], on="/shared/*"),
        statement(bucket, account(service), "s3:ListBucket", on="", Condition={"StringLike": {"s3:prefix": "shared/*"}}),
    )
    assert stranger_s3.get_object(Bucket=bucket.name, Key="shared/a")["Body"].read() == b"a"
    stranger_s3.put_object(Bucket=bucket.name, Key="shared/new", Body=b"from outside")
    assert bucket.get("shared/new") == b"from outside"
    listed = stranger_s3.list_objects_v2(Bucket=bucket.name, Prefix="shared/")
    assert [entry["Key"] for entry in listed["Contents"]] == ["shared/a", "shared/new"]
    for key in ("private/b", "private/none"):
        with fails(403, "AccessDenied"):
            stranger_s3.get_object(Bucket=bucket.name, Key=key)
    with fails(403, "AccessDenied"):
        stranger_s3.list_objects_v2(Bucket=bucket.name)
    with fails(403, "AccessDenied"):
        stranger_s3.delete_object(Bucket=bucket.name, Key="shared/a")
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="shared/a")


def test_trap_42_absence_shows_only_to_those_who_may_list(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    put_policy(bucket, statement(bucket, account(service), ["s3:GetObject", "s3:GetObjectVersion"]))
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="none")
    with fails(403, "403"):
        stranger_s3.head_object(Bucket=bucket.name, Key="none")
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="none", VersionId="null")
    put_policy(
        bucket,
        statement(bucket, account(service), ["s3:GetObject", "s3:GetObjectVersion"]),
        statement(bucket, account(service), "s3:ListBucket", on=""),
    )
    with fails(404, "NoSuchKey"):
        stranger_s3.get_object(Bucket=bucket.name, Key="none")


def test_an_explicit_deny_binds_the_owner_too_and_can_be_taken_back(bucket: Shelf) -> None:
    bucket.put("k", b"x")
    put_policy(bucket, statement(bucket, "*", "s3:*", effect="Deny"), statement(bucket, "*", "s3:*", on="", effect="Deny"))
    with fails(403, "AccessDenied"):
        bucket.get("k")
    with fails(403, "AccessDenied"):
        bucket.s3.list_objects_v2(Bucket=bucket.name)
    bucket.s3.get_bucket_policy(Bucket=bucket.name)
    bucket.s3.delete_bucket_policy(Bucket=bucket.name)
    assert bucket.get("k") == b"x"


def test_a_public_policy_is_refused_until_the_block_is_lifted(bucket: Shelf, nobody: Any) -> None:
    bucket.put("page.html", b"<p>")
    everyone = statement(bucket, "*", "s3:GetObject")
    with fails(403, "AccessDenied"):
        put_policy(bucket, everyone)
    open_to_the_public(bucket)
    put_policy(bucket, everyone)
    assert bucket.s3.get_bucket_policy_status(Bucket=bucket.name)["PolicyStatus"]["IsPublic"] is True
    assert nobody.get_object(Bucket=bucket.name, Key="page.html")["Body"].read() == b"<p>"
    for ask in (
        lambda: nobody.put_object(Bucket=bucket.name, Key="page.html", Body=b"evil"),
        lambda: nobody.list_objects_v2(Bucket=bucket.name),
        lambda: nobody.get_object(Bucket=bucket.name, Key="none"),
        lambda: nobody.delete_object(Bucket=bucket.name, Key="page.html"),
    ):
        with fails(403, "AccessDenied"):
            ask()
    assert bucket.get("page.html") == b"<p>"


@pytest.mark.parametrize(
    "override",
    [
        "response-content-type=text%2Fhtml",
        "response-content-disposition=inline",
        "response-content-encoding=br",
        "response-content-language=de",
        "response-cache-control=no-store",
        "response-expires=0",
    ],
)
def test_whoever_did_not_sign_chooses_no_headers_of_an_answer(bucket: Shelf, override: str) -> None:
    """Else a link that anybody can write makes a page of what was put as plain data."""
    bucket.put("data", b"<script>", ContentType="text/plain")
    open_to_the_public(bucket)
    put_policy(bucket, statement(bucket, "*", "s3:GetObject"))
    assert ask_anonymously(bucket, "GET", "data").header("content-type") == "text/plain"
    refused(ask_anonymously(bucket, "GET", "data", query=override), 400, "InvalidRequest")
    assert ask_anonymously(bucket, "HEAD", "data", query=override).status == 400
    assert bucket.call("GET", "data", query=override).status == 200


def test_t28_rustfs_ghsa_x298_blocking_shuts_the_public_out_of_everything(bucket: Shelf, nobody: Any) -> None:
    bucket.put("k", b"x")
    open_to_the_public(bucket)
    put_policy(
        bucket,
        statement(bucket, "*", ["s3:GetObject", "s3:GetObjectVersion"]),
        statement(bucket, "*", ["s3:ListBucket", "s3:ListBucketVersions"], on=""),
    )
    assert nobody.list_object_versions(Bucket=bucket.name)["Versions"][0]["Key"] == "k"
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    for ask in (
        lambda: nobody.list_object_versions(Bucket=bucket.name),
        lambda: nobody.list_objects_v2(Bucket=bucket.name),
        lambda: nobody.get_object(Bucket=bucket.name, Key="k"),
    ):
        with fails(403, "AccessDenied"):
            ask()
    assert bucket.get("k") == b"x"


def test_the_public_may_write_where_a_policy_says_so(bucket: Shelf, nobody: Any) -> None:
    open_to_the_public(bucket)
    put_policy(bucket, statement(bucket, "*", "s3:PutObject", on="/inbox/*"))
    nobody.put_object(Bucket=bucket.name, Key="inbox/a", Body=b"hello")
    assert bucket.get("inbox/a") == b"hello"
    answer = bucket.raw.send(
        with_length(
            bucket.raw.ask(
                "PUT",
                bucket.name,
                "inbox/b",
                headers=[("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("x-amz-decoded-content-length", "1")],
                body=b"1;chunk-signature=0\r\na\r\n0;chunk-signature=0\r\n\r\n",
            )
        )
    )
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert bucket.keys() == ["inbox/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[" * 5000, "JSON"),
        ("[]", ""),
        ('{"Version":"2012-10-17","Statement":[]}', ""),
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', ""),
        (
            '{"Version":"1999-01-01","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"R/*"}]}',
            "",
        ),
        ('{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"R/*"}]}', ""),
        ('{"Statement":[{"Effect":"Maybe","Principal":"*","Action":"s3:GetObject","Resource":"R/*"}]}', ""),
        (
            '{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}]}',
            "resource",
        ),
        ('{"Statement":[{"Effect":"Deny","Principal":"*","Action":"ec2:Start","Resource":"R/*"}]}', "action"),
        (
            '{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"R/*","Condition":{"Like":{"s3:prefix":"a"}}}]}',
            "",
        ),
        (
            '{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"R/*","Condition":{"StringLike":{"s3:nope":"a"}}}]}',
            "",
        ),
        (
            '{"Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:user/none"},"Action":"s3:*","Resource":"R/*"}]}',
            "principal",
        ),
        ('{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"R/*","Surprise":1}]}', ""),
    ],
)
def test_t34_a_policy_that_is_none_is_refused_and_nothing_changes(
    bucket: Shelf, service: Service, text: str, message: str
) -> None:
    before = put_policy(bucket, statement(bucket, account(service), "s3:GetObject"))
    answer = bucket.call("PUT", query="policy", body=text.replace("R/*", f"arn:aws:s3:::{bucket.name}/*").encode())
    assert (answer.status, answer.code) == (400, "MalformedPolicy")
    assert message.lower() in (answer.xml.findtext("Message") or "").lower()
    assert bucket.s3.get_bucket_policy(Bucket=bucket.name)["Policy"] == before


def test_t34_a_policy_of_20_kib_is_the_largest(bucket: Shelf, service: Service) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement(bucket, account(service), "s3:GetObject")]})
    padded = text[:-1] + " " * (20 * 1024 - len(text)) + "}"
    assert bucket.call("PUT", query="policy", body=padded.encode()).status == 204
    assert 400 <= bucket.call("PUT", query="policy", body=padded.encode() + b" ").status < 500


def test_a_copy_needs_the_right_to_read_its_source_t27(
    bucket: Shelf, second_bucket: Shelf, service: Service, stranger_s3: Any
) -> None:
    bucket.put("source", b"secret")
    put_policy(second_bucket, statement(second_bucket, account(service), "s3:PutObject"))
    with fails(403, "AccessDenied"):
        stranger_s3.copy_object(Bucket=second_bucket.name, Key="copy", CopySource=f"{bucket.name}/source")
    put_policy(bucket, statement(bucket, account(service), "s3:GetObject"))
    stranger_s3.copy_object(Bucket=second_bucket.name, Key="copy", CopySource=f"{bucket.name}/source")
    assert second_bucket.get("copy") == b"secret"


def test_each_key_of_many_deletes_is_decided_for_itself(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    for key in ("mine/a", "yours/b"):
        bucket.put(key, b"x")
    put_policy(bucket, statement(bucket, account(service), "s3:DeleteObject", on="/yours/*"))
    done = stranger_s3.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "mine/a"}, {"Key": "yours/b"}]})
    assert [entry["Key"] for entry in done["Deleted"]] == ["yours/b"]
    assert [(entry["Key"], entry["Code"]) for entry in done["Errors"]] == [("mine/a", "AccessDenied")]
    assert bucket.keys() == ["mine/a"]


def test_a_delete_that_names_an_etag_needs_the_right_to_read(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    deletes, reads = (statement(bucket, account(service), f"s3:{action}") for action in ("DeleteObject", "GetObject"))
    etags = {key: bucket.put(key, b"secret")["ETag"] for key in ("a", "b", "c")}
    put_policy(bucket, deletes)
    with fails(403, "AccessDenied"):
        stranger_s3.delete_object(Bucket=bucket.name, Key="a", IfMatch=etags["a"])
    named = {"Objects": [{"Key": "b", "ETag": etags["b"]}, {"Key": "c", "ETag": "*"}]}
    done = stranger_s3.delete_objects(Bucket=bucket.name, Delete=named)
    assert [(entry["Key"], entry["Code"]) for entry in done["Errors"]] == [("b", "AccessDenied")]
    assert bucket.keys() == ["a", "b"]
    put_policy(bucket, deletes, reads)
    stranger_s3.delete_object(Bucket=bucket.name, Key="a", IfMatch=etags["a"])
    stranger_s3.delete_objects(Bucket=bucket.name, Delete=named)
    assert bucket.keys() == []


def test_conditions_see_the_request(bucket: Shelf, service: Service, stranger_s3: Any) -> None:
    put_policy(
        bucket,
        statement(
            bucket,
            account(service),
            "s3:PutObject",
            Condition={
                "StringEquals": {"s3:x-amz-server-side-encryption": "AES256"},
                "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
            },
        ),
        statement(bucket, account(service), "s3:PutObjectTagging"),
        statement(bucket, account(service), "s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}),
    )
    with fails(403, "AccessDenied"):
        stranger_s3.put_object(Bucket=bucket.name, Key="k", Body=b"x")
    stranger_s3.put_object(Bucket=bucket.name, Key="k", Body=b"x", ServerSideEncryption="AES256")
    with fails(403, "AccessDenied"):
        stranger_s3.get_object(Bucket=bucket.name, Key="k")
    stranger_s3.put_object(Bucket=bucket.name, Key="k", Body=b"x", ServerSideEncryption="AES256", Tagging="open=yes")
    assert stranger_s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"


def test_what_is_granted_names_the_deciding_statement_to_the_owner_alone(
    bucket: Shelf, service: Service, stranger_s3: Any
) -> None:
    bucket.put("k", b"x")
    put_policy(bucket, statement(bucket, "*", "s3:GetObject", effect="Deny", Sid="NoReading"))
    own = bucket.call("GET", "k")
    assert (own.status, own.code) == (403, "AccessDenied")
    assert "NoReading" in (own.xml.findtext("Message") or "")
    foreign = service.raw(service.stranger).call("GET", bucket.name, "k")
    assert foreign.xml.findtext("Message") == "Access Denied"
