"""S3 Control on the S3 port: the tags of buckets, as the SDK asks for them with and without names of hosts."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest
from botocore.config import Config

from .certificates import DOMAIN
from .raw import with_length
from .service import Service
from .shelf import Shelf, fails
from .signer import REGION, Keys, sign_header


def control(service: Service, keys: Keys, *, hosts: bool) -> Any:
    """Return boto3's S3 Control, with the account in front of the host, or in the header alone where hosts have no names."""
    client = boto3.client(
        "s3control",
        endpoint_url=f"http://{DOMAIN}:{service.address[1]}" if hosts else service.url,
        region_name=REGION,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}),
    )

    def take_account_off_host(request: Any, **_: Any) -> None:
        request.url = re.sub(r"//\d{12}\.", "//", request.url)

    if not hosts:
        client.meta.events.register("before-sign.s3-control", take_account_off_host)
    return client


def owner_of(bucket: Shelf) -> str:
    return str(bucket.s3.get_bucket_acl(Bucket=bucket.name)["Owner"]["ID"])


@pytest.mark.parametrize("hosts", [False, True])
def test_tags_of_a_bucket_by_its_arn(bucket: Shelf, service: Service, hosts):
    client = control(service, service.owner, hosts=hosts)
    place = {"AccountId": owner_of(bucket), "ResourceArn": f"arn:aws:s3:::{bucket.name}"}
    assert client.list_tags_for_resource(**place)["Tags"] == []
    client.tag_resource(**place, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "2"}])
    client.tag_resource(**place, Tags=[{"Key": "a", "Value": "3"}])
    expected = [{"Key": "a", "Value": "3"}, {"Key": "b c", "Value": "2"}]
    assert client.list_tags_for_resource(**place)["Tags"] == expected
    assert bucket.s3.get_bucket_tagging(Bucket=bucket.name)["TagSet"] == expected
    client.untag_resource(**place, TagKeys=["b c", "absent"])
    assert client.list_tags_for_resource(**place)["Tags"] == expected[:1]
    client.untag_resource(**place, TagKeys=["a", "b c"])
    assert client.list_tags_for_resource(**place)["Tags"] == []
    with fails(404, "NoSuchTagSet"):
        bucket.s3.get_bucket_tagging(Bucket=bucket.name)


def test_trap_39_tags_are_counted_together(bucket: Shelf, service: Service):
    client = control(service, service.owner, hosts=False)
    place = {"AccountId": owner_of(bucket), "ResourceArn": f"arn:aws:s3:::{bucket.name}"}
    client.tag_resource(**place, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    with fails(400, "InvalidTag"):
        client.tag_resource(**place, Tags=[{"Key": "more", "Value": ""}])
    client.tag_resource(**place, Tags=[{"Key": "k1", "Value": "new"}])
    assert len(client.list_tags_for_resource(**place)["Tags"]) == 50


@pytest.mark.parametrize("hosts", [False, True])
def test_t35_another_account_or_bucket_is_refused(bucket: Shelf, service: Service, hosts):
    owner = owner_of(bucket)
    arn = f"arn:aws:s3:::{bucket.name}"
    client = control(service, service.owner, hosts=hosts)
    with fails(403, "AccessDenied"):
        client.list_tags_for_resource(AccountId="999999999999", ResourceArn=arn)
    with fails(403, "AccessDenied"):
        control(service, service.stranger, hosts=hosts).list_tags_for_resource(AccountId=owner, ResourceArn=arn)
    with fails(404, "NoSuchBucket"):
        client.list_tags_for_resource(AccountId=owner, ResourceArn="arn:aws:s3:::never-made-bucket")
    with fails(405, "MethodNotAllowed"):
        client.list_tags_for_resource(AccountId=owner, ResourceArn=f"arn:aws:s3:{REGION}:{owner}:accesspoint/a")


def test_errors_have_the_form_of_s3_control(bucket: Shelf):
    path = f"v20180820/tags/arn:aws:s3:::{bucket.name}"
    ask = bucket.raw.ask("GET", "", path, headers=[("x-amz-account-id", "999999999999")])
    signed, _ = sign_header(ask, bucket.raw.keys, "UNSIGNED-PAYLOAD")
    answer = bucket.raw.send(signed)
    assert (answer.status, answer.xml.tag) == (403, "ErrorResponse")
    assert answer.xml.findtext("Error/Code") == "AccessDenied"
    assert answer.xml.findtext("RequestId") == answer.header("x-amz-request-id")


def test_an_object_of_that_name_is_an_object(bucket: Shelf):
    answer = bucket.call("GET", f"v20180820/tags/arn:aws:s3:::{bucket.name}", headers=[("x-amz-account-id", "999999999999")])
    assert answer.code == "NoSuchKey"


def test_an_unsigned_post_to_an_accounts_host_is_no_form_for_sts(service: Service):
    raw = service.raw()
    ask = raw.ask("POST", body=b"Action=GetCallerIdentity").set_header("Host", f"123456789012.{DOMAIN}:{service.address[1]}")
    answer = raw.send(with_length(ask))
    assert (answer.status, answer.xml.findtext("Error/Code")) in {(403, "AccessDenied"), (405, "MethodNotAllowed")}
