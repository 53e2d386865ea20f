"""Versions, delete markers, the null version, suspended versioning, and lists of all that."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from . import signer
from .raw import Answer
from .shelf import Shelf, fails, quoted_md5, refused, seeded


def listed(answer: Answer) -> list[tuple[str, str, str, bool]]:
    """Versions and markers in the order of the document: kind, key, version id, newest."""
    return [
        (node.tag, node.findtext("Key") or "", node.findtext("VersionId") or "", node.findtext("IsLatest") == "true")
        for node in answer.xml
        if node.tag in {"Version", "DeleteMarker"}
    ]


def delete(bucket: Shelf, key: str, version_id: str | None = None) -> Answer:
    return bucket.call("DELETE", key, query=signer.encode_query([("versionId", version_id)]) if version_id else "")


def test_a_fresh_bucket_is_unversioned(bucket: Shelf):
    answer = bucket.call("GET", query="versioning")
    assert (answer.status, answer.xml.tag, len(answer.xml)) == (200, "VersioningConfiguration", 0)
    assert "VersionId" not in bucket.put("k", b"1")


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_versioning_can_be_set_and_read(bucket: Shelf, status):
    bucket.version(status)
    assert bucket.s3.get_bucket_versioning(Bucket=bucket.name)["Status"] == status


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"nonsense",
        b"<VersioningConfiguration/>",
        b"<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status/></VersioningConfiguration>",
        b"<Other><Status>Enabled</Status></Other>",
        b"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>",
    ],
)
def test_odd_versioning_configurations_are_refused(bucket: Shelf, xml):
    codes = "MalformedXML", "IllegalVersioningConfigurationException", "MissingRequestBodyError", "InvalidArgument"
    with bucket.unchanged():
        answer = bucket.call("PUT", query="versioning", body=xml)
        if b"MfaDelete" in xml:
            assert answer.status in {400, 501}
        else:
            refused(answer, 400, *codes)


def test_every_put_makes_a_version(versioned: Shelf):
    ids = [versioned.put("k", b"%d" % number)["VersionId"] for number in range(3)]
    assert len(set(ids)) == 3
    assert versioned.get("k") == b"2"
    for number, version_id in enumerate(ids):
        assert versioned.get("k", VersionId=version_id) == b"%d" % number
        assert versioned.head("k", VersionId=version_id)["VersionId"] == version_id
    assert versioned.call("GET", "k").header("x-amz-version-id") == ids[-1]


def test_trap_31_a_delete_without_version_adds_a_marker(versioned: Shelf):
    first = versioned.put("k", b"1")["VersionId"]
    answer = delete(versioned, "k")
    assert (answer.status, answer.header("x-amz-delete-marker")) == (204, "true")
    marker = answer.header("x-amz-version-id")
    gone = refused(versioned.call("GET", "k"), 404, "NoSuchKey")
    assert gone.header("x-amz-delete-marker") == "true"
    assert gone.header("x-amz-version-id") == marker
    assert versioned.call("HEAD", "k").status == 404
    named = refused(versioned.call("GET", "k", query=f"versionId={marker}"), 405, "MethodNotAllowed")
    assert named.header("x-amz-delete-marker") == "true"
    assert (named.xml.findtext("Method"), named.xml.findtext("ResourceType")) == ("GET", "DeleteMarker")
    made_at = versioned.s3.list_object_versions(Bucket=versioned.name)["DeleteMarkers"][0]["LastModified"]
    assert parsedate_to_datetime(named.header("last-modified")) == made_at
    assert named.header("allow") == "DELETE"
    assert versioned.call("HEAD", "k", query=f"versionId={marker}").status == 405
    assert versioned.get("k", VersionId=first) == b"1"


def test_trap_31_a_marker_can_be_taken_away_again(versioned: Shelf):
    versioned.put("k", b"1")
    marker = delete(versioned, "k").header("x-amz-version-id")
    answer = delete(versioned, "k", marker)
    assert (answer.status, answer.header("x-amz-delete-marker")) == (204, "true")
    assert answer.header("x-amz-version-id") == marker
    assert versioned.get("k") == b"1"


def test_trap_31_deleting_the_newest_version_uncovers_the_one_below(versioned: Shelf):
    ids = [versioned.put("k", b"%d" % number)["VersionId"] for number in range(3)]
    answer = delete(versioned, "k", ids[2])
    assert (answer.status, answer.header("x-amz-version-id"), answer.has("x-amz-delete-marker")) == (204, ids[2], False)
    assert versioned.get("k") == b"1"
    delete(versioned, "k", ids[0])
    assert versioned.get("k") == b"1"
    delete(versioned, "k", ids[1])
    assert versioned.versions() == []
    refused(versioned.call("GET", "k"), 404, "NoSuchKey")


def test_trap_31_an_absent_key_can_be_deleted(bucket: Shelf, versioned: Shelf):
    assert delete(bucket, "absent").status == 204
    assert bucket.versions() == []
    answer = delete(versioned, "absent")
    assert (answer.status, answer.header("x-amz-delete-marker")) == (204, "true")
    assert len(versioned.versions()) == 1


def test_trap_31_markers_on_markers(versioned: Shelf):
    versioned.put("k", b"1")
    markers = [delete(versioned, "k").header("x-amz-version-id") for _ in range(3)]
    assert len(set(markers)) == 3
    delete(versioned, "k", markers[2])
    refused(versioned.call("GET", "k"), 404, "NoSuchKey")
    for marker in markers[:2]:
        delete(versioned, "k", marker)
    assert versioned.get("k") == b"1"


def test_trap_32_suspended_versioning_writes_the_null_version(versioned: Shelf):
    kept = versioned.put("k", b"kept")["VersionId"]
    versioned.version("Suspended")
    assert versioned.put("k", b"null 1")["VersionId"] == "null"
    assert versioned.put("k", b"null 2")["VersionId"] == "null"
    assert versioned.get("k") == b"null 2"
    assert versioned.get("k", VersionId="null") == b"null 2"
    assert versioned.get("k", VersionId=kept) == b"kept"
    assert [row[1] for row in listed(versioned.call("GET", query="versions"))] == ["k", "k"]


def test_trap_32_a_delete_under_suspension_replaces_only_the_null_version(versioned: Shelf):
    kept = versioned.put("k", b"kept")["VersionId"]
    versioned.version("Suspended")
    versioned.put("k", b"null")
    answer = delete(versioned, "k")
    assert (answer.header("x-amz-delete-marker"), answer.header("x-amz-version-id")) == ("true", "null")
    assert [(row[0], row[2]) for row in listed(versioned.call("GET", query="versions"))] == [
        ("DeleteMarker", "null"),
        ("Version", kept),
    ]
    assert versioned.get("k", VersionId=kept) == b"kept"
    versioned.put("k", b"again")
    assert [row[2] for row in listed(versioned.call("GET", query="versions"))] == ["null", kept]
    delete(versioned, "k", "null")
    assert versioned.get("k") == b"kept"


def test_trap_32_what_was_there_before_versioning_is_the_null_version(bucket: Shelf):
    bucket.put("k", b"old")
    bucket.version()
    newer = bucket.put("k", b"new")["VersionId"]
    assert newer != "null"
    assert bucket.get("k", VersionId="null") == b"old"
    delete(bucket, "k", newer)
    assert bucket.get("k") == b"old"
    assert bucket.call("GET", "k").header("x-amz-version-id") == "null"
    delete(bucket, "k", "null")
    assert bucket.versions() == []


def test_trap_32_an_older_null_version_is_replaced_and_becomes_the_newest(bucket: Shelf):
    bucket.put("k", b"null")
    bucket.version()
    kept = bucket.put("k", b"kept")["VersionId"]
    bucket.version("Suspended")
    bucket.put("k", b"null again")
    rows = listed(bucket.call("GET", query="versions"))
    assert [(row[2], row[3]) for row in rows] == [("null", True), (kept, False)]


@pytest.mark.parametrize("version_id", ["null"])
def test_trap_32_an_absent_version(versioned: Shelf, version_id):
    real = versioned.put("k", b"1")["VersionId"]
    gone = versioned.put("k", b"2")["VersionId"]
    delete(versioned, "k", gone)
    for absent in (version_id, gone):
        answer = refused(versioned.call("GET", "k", query=f"versionId={absent}"), 404, "NoSuchVersion")
        assert (answer.xml.findtext("Key"), answer.xml.findtext("VersionId")) == ("k", absent)
        assert versioned.call("HEAD", "k", query=f"versionId={absent}").status == 404
        assert delete(versioned, "k", absent).status == 204
    refused(versioned.call("GET", "other", query=f"versionId={real}"), 404, "NoSuchVersion")


@pytest.mark.parametrize("version_id", ["", "nonsense", "NULL", "../..", "%00", "1", "a" * 2000, "'; --", "null "])
def test_trap_32_a_malformed_version_is_refused(versioned: Shelf, version_id):
    versioned.put("k", b"1")
    query = signer.encode_query([("versionId", version_id)])
    with versioned.unchanged():
        refused(versioned.call("GET", "k", query=query), (400, 404), "InvalidArgument", "NoSuchVersion")
        assert versioned.call("DELETE", "k", query=query).status in {400, 204}
        assert versioned.call("HEAD", "k", query=query).status in {400, 404}


def test_trap_32_a_version_of_another_bucket_or_key_is_not_found(versioned: Shelf, second_bucket: Shelf):
    mine = versioned.put("k", b"1")["VersionId"]
    second_bucket.version()
    second_bucket.put("k", b"2")
    refused(second_bucket.call("GET", "k", query=f"versionId={mine}"), 404, "NoSuchVersion")


def fill(bucket: Shelf) -> list[tuple[str, str, str, bool]]:
    """Make versions and markers on several keys; return them as a list must show them."""
    expected = []
    for key in ("a", "a/b", "b", "ü"):
        rows = [("Version", bucket.put(key, key.encode() + b"%d" % number)["VersionId"]) for number in range(2)]
        rows.append(("DeleteMarker", delete(bucket, key).header("x-amz-version-id")))
        rows.append(("Version", bucket.put(key, b"last")["VersionId"]))
        expected += [(kind, key, version_id, place == 0) for place, (kind, version_id) in enumerate(reversed(rows))]
    return expected


def test_trap_28_versions_and_markers_interleave_newest_first(versioned: Shelf):
    expected = fill(versioned)
    assert listed(versioned.call("GET", query="versions")) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16])
def test_trap_28_pages_of_versions(versioned: Shelf, size):
    expected, found, mark = fill(versioned), [], {}
    for _ in range(20):
        answer = versioned.call("GET", query="versions&" + signer.encode_query({"max-keys": str(size), **mark}.items()))
        page = listed(answer)
        assert len(page) <= size
        found += page
        if answer.xml.findtext("IsTruncated") == "false":
            break
        mark = {
            "key-marker": answer.xml.findtext("NextKeyMarker") or "",
            "version-id-marker": answer.xml.findtext("NextVersionIdMarker") or "",
        }
    assert found == expected


def test_trap_28_a_key_marker_alone_skips_the_whole_key(versioned: Shelf):
    expected = fill(versioned)
    found = listed(versioned.call("GET", query="versions&key-marker=a/b"))
    assert found == [row for row in expected if row[1] in {"b", "ü"}]
    assert listed(versioned.call("GET", query="versions&prefix=a/")) == [row for row in expected if row[1] == "a/b"]
    refused(versioned.call("GET", query=f"versions&version-id-marker={expected[0][2]}"), 400, "InvalidArgument")


def test_nothing_is_left_out_where_each_page_is_deleted_before_the_next_is_listed(versioned: Shelf):
    made = [versioned.put("k", b"%d" % number)["VersionId"] for number in range(5)]
    made += [versioned.put("z")["VersionId"], delete(versioned, "z").header("x-amz-version-id")]
    found = []
    for page in versioned.s3.get_paginator("list_object_versions").paginate(
        Bucket=versioned.name, PaginationConfig={"PageSize": 2}
    ):
        rows = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        assert [row["IsLatest"] for row in rows].count(True) == len({row["Key"] for row in rows})
        for row in rows:
            delete(versioned, row["Key"], row["VersionId"])
            found.append(row["VersionId"])
    assert sorted(found) == sorted(made)
    assert versioned.s3.delete_bucket(Bucket=versioned.name)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_list_of_versions_of_an_unversioned_bucket_shows_null(bucket: Shelf):
    bucket.put("k", b"1")
    assert listed(bucket.call("GET", query="versions")) == [("Version", "k", "null", True)]
    entry = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"][0]
    assert (entry["ETag"], entry["Size"], entry["StorageClass"]) == (quoted_md5(b"1"), 1, "STANDARD")


def test_large_versions_keep_their_own_bytes(versioned: Shelf):
    bodies = [seeded(100_000, number) for number in range(3)]
    ids = [versioned.put("k", body)["VersionId"] for body in bodies]
    delete(versioned, "k", ids[1])
    assert versioned.get("k", VersionId=ids[0]) == bodies[0]
    assert versioned.get("k", VersionId=ids[2], Range="bytes=50000-50099") == bodies[2][50_000:50_100]
    with fails(404, "NoSuchVersion"):
        versioned.get("k", VersionId=ids[1])
