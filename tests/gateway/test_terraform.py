"""Terraform's AWS provider, replayed: a bucket and its companions are created, read, changed and destroyed without a 5xx."""

from __future__ import annotations

from .raw import RawClient
from .service import Service
from .shelf import new_name
from .signer import REGION
from .terraform_reads import LOCK, REFRESH, Step, companions

CREATE = (
    f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint>"
    "<Tags><Tag><Key>team</Key><Value>shelf</Value></Tag></Tags></CreateBucketConfiguration>"
).encode()


def follow(raw: RawClient, bucket: str, step: Step) -> None:
    answer = step.run(raw, bucket)
    assert (answer.status, answer.code if answer.status >= 400 else "") == (step.status, step.code), (
        step.name,
        answer.body[:500],
    )


def test_trap_45_a_refresh_of_a_bare_bucket_meets_no_surprise(raw: RawClient):
    bucket = new_name()
    assert raw.call("PUT", bucket).status == 200
    for step in REFRESH:
        follow(raw, bucket, step)


def test_companion_resources_are_created_read_and_destroyed(raw: RawClient):
    bucket = new_name()
    assert raw.call("PUT", bucket).status == 200
    for step in companions(bucket):
        follow(raw, bucket, step)
    for step in REFRESH:
        follow(raw, bucket, step)
    assert raw.call("DELETE", bucket).status == 204


def test_a_lock_is_created_read_and_loosened(raw: RawClient):
    bucket = new_name()
    assert raw.call("PUT", bucket).status == 200
    for step in LOCK:
        follow(raw, bucket, step)
    assert raw.call("DELETE", bucket).status == 204


def test_a_bucket_is_created_with_tags_that_s3_control_reads(raw: RawClient, service: Service):
    bucket = new_name()
    assert raw.call("PUT", bucket, body=CREATE).status == 200
    owner = raw.call("GET", bucket, query="acl").xml.findtext("Owner/ID")
    ask = raw.ask("GET", "", f"v20180820/tags/arn:aws:s3:::{bucket}", headers=[("x-amz-account-id", str(owner))])
    ask = ask.set_header("Host", f"{owner}.s3.localhost:{service.address[1]}")
    tags = raw.send(raw.sign(ask))
    assert (tags.status, tags.xml.findtext("Tags/Tag/Key"), tags.xml.findtext("Tags/Tag/Value")) == (200, "team", "shelf")
    assert raw.call("DELETE", bucket).status == 204
    assert raw.call("HEAD", bucket).status == 404


def test_an_object_of_a_plan(raw: RawClient):
    bucket = new_name()
    assert raw.call("PUT", bucket).status == 200
    put = raw.call("PUT", bucket, "k", headers=[("x-amz-acl", "private"), ("x-amz-tagging", "team=shelf")], body=b"1")
    assert put.status == 200
    head = raw.call("HEAD", bucket, "k", headers=[("x-amz-checksum-mode", "ENABLED")])
    assert (head.status, head.header("x-amz-tagging-count")) == (200, "1")
    assert raw.call("GET", bucket, "k", query="acl").status == 200
    tags = raw.call("GET", bucket, "k", query="tagging")
    assert (tags.status, tags.xml.findtext("TagSet/Tag/Value")) == (200, "shelf")
    assert raw.call("DELETE", bucket, "k").status == 204
