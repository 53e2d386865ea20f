"""What cannot be configured here: reads answer as S3 does where nothing is configured, writes say why they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from .shelf import Shelf, fails, refused

EMPTY: dict[str, dict[str, Any]] = {
    "get_bucket_logging": {},
    "get_bucket_notification_configuration": {},
    "get_bucket_accelerate_configuration": {},
    "get_bucket_request_payment": {"Payer": "BucketOwner"},
    "get_bucket_abac": {"AbacStatus": {"Status": "Disabled"}},
    "list_bucket_analytics_configurations": {"IsTruncated": False},
    "list_bucket_inventory_configurations": {"IsTruncated": False},
    "list_bucket_metrics_configurations": {"IsTruncated": False},
    "list_bucket_intelligent_tiering_configurations": {"IsTruncated": False},
}
BY_ID = ("analytics", "inventory", "metrics", "intelligent_tiering")


@pytest.mark.parametrize("operation", EMPTY)
def test_trap_45_what_is_empty_on_s3_is_empty_here(bucket: Shelf, operation):
    found = getattr(bucket.s3, operation)(Bucket=bucket.name)
    assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert found == EMPTY[operation]


def test_trap_45_the_codes_of_what_is_not_configured_are_exact(bucket: Shelf):
    with fails(404, "NoSuchWebsiteConfiguration"):
        bucket.s3.get_bucket_website(Bucket=bucket.name)
    with fails(404, "ReplicationConfigurationNotFoundError"):
        bucket.s3.get_bucket_replication(Bucket=bucket.name)
    for noun in BY_ID:
        with fails(404, "NoSuchConfiguration"):
            getattr(bucket.s3, f"get_bucket_{noun}_configuration")(Bucket=bucket.name, Id="one")


def test_deleting_what_is_not_there_succeeds(bucket: Shelf):
    bucket.s3.delete_bucket_website(Bucket=bucket.name)
    bucket.s3.delete_bucket_replication(Bucket=bucket.name)
    for noun in BY_ID:
        getattr(bucket.s3, f"delete_bucket_{noun}_configuration")(Bucket=bucket.name, Id="one")


@pytest.mark.parametrize(
    "query",
    [
        *("website", "logging", "notification", "replication", "accelerate", "requestPayment", "abac"),
        *("analytics&id=1", "inventory&id=1", "metrics&id=1", "intelligent-tiering&id=1"),
        *("metadataInventoryTable", "metadataJournalTable", "metadataAnnotationTable"),
    ],
)
def test_writes_are_refused_with_the_reason(bucket: Shelf, query):
    with bucket.unchanged():
        answer = refused(bucket.call("PUT", query=query, body=b"<Anything/>"), 501, "NotImplemented")
    assert " is not implemented. " in str(answer.xml.findtext("Message"))


@pytest.mark.parametrize(
    ("method", "query"),
    [
        *(("GET", "torrent"), ("POST", "restore"), ("POST", "select&select-type=2"), ("PUT", "renameObject")),
        *(("GET", "annotation"), ("PUT", "annotation&annotationName=a")),
    ],
)
def test_operations_of_objects_are_refused_with_the_reason(bucket: Shelf, method, query):
    bucket.put("k", b"1")
    with bucket.unchanged():
        answer = refused(bucket.call(method, "k", query=query), 501, "NotImplemented")
    assert " is not implemented. " in str(answer.xml.findtext("Message"))
    assert bucket.get("k") == b"1"


def test_one_configuration_of_several_is_named(bucket: Shelf):
    for method in ("PUT", "DELETE"):
        refused(bucket.call(method, query="analytics"), 400, "InvalidArgument")
    assert bucket.call("HEAD").status == 200
