"""Answers in XML, read back with botocore's own parser."""

from datetime import UTC, datetime
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.parsers import RestXMLParser
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.objects import Bucket, SealingMode, Upload, Versioning
from siegel.domain.pages import (
    ListedObject,
    ListedPart,
    ListedUpload,
    ListedVersion,
    ObjectPage,
    PartPage,
    UploadPage,
    VersionPage,
)
from siegel.s3wire.checksums import Algorithm
from siegel.s3wire.listquery import (
    parse_bucket_query,
    parse_object_query,
    parse_part_query,
    parse_upload_query,
    parse_version_query,
)
from siegel.s3wire.names import encode_token
from siegel.s3wire.xml_write import (
    DeletedObject,
    DeleteFailure,
    render_attributes,
    render_buckets,
    render_complete,
    render_copy_object,
    render_copy_part,
    render_delete,
    render_initiate,
    render_location,
    render_objects_v1,
    render_objects_v2,
    render_parts,
    render_policy_status,
    render_uploads,
    render_versioning,
    render_versions,
)

MODEL = boto3.client("s3", region_name="eu-central-1").meta.service_model
ACCOUNT = "111122223333"
BUCKET = Bucket(1, "bucket", ACCOUNT, "eu-central-1", 784_111_777_000)
OWNER = {"ID": ACCOUNT, "DisplayName": ACCOUNT}
AT_MS = 784_111_777_900
AT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
HOSTILE = "</Key><Key>x & \"y\" 'z' \t\r\n +%41 ü 日本 ]]>"
NO_CONTROLS = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30)


def read(operation, body):
    """Return what botocore makes of an answer, without its metadata."""
    response = {"status_code": 200, "headers": {}, "body": body}
    found = RestXMLParser().parse(response, MODEL.operation_model(operation).output_shape)
    found.pop("ResponseMetadata")
    return found


def listed(key, **changes):
    values = {"size_bytes": 5, "modified_at_ms": AT_MS, "etag": "e" * 32, "checksum_algorithm": "CRC32"}
    return ListedObject(key, **{**values, "checksum_type": "FULL_OBJECT", **changes})


def test_objects_of_the_first_version():
    query = parse_object_query({"prefix": "a", "marker": "a/0", "max-keys": "2"}, "bucket")
    page = ObjectPage([listed("a/1"), listed("a/2", checksum_algorithm="", checksum_type="")], [], True, "a/2")
    assert read("ListObjects", render_objects_v1(BUCKET, query, page)) == {
        "Name": "bucket",
        "Prefix": "a",
        "Marker": "a/0",
        "MaxKeys": 2,
        "IsTruncated": True,
        "Contents": [
            {
                "Key": "a/1",
                "LastModified": AT,
                "ETag": f'"{"e" * 32}"',
                "ChecksumAlgorithm": ["CRC32"],
                "ChecksumType": "FULL_OBJECT",
                "Size": 5,
                "StorageClass": "STANDARD",
                "Owner": OWNER,
            },
            {
                "Key": "a/2",
                "LastModified": AT,
                "ETag": f'"{"e" * 32}"',
                "Size": 5,
                "StorageClass": "STANDARD",
                "Owner": OWNER,
            },
        ],
    }


def test_trap_27_next_marker_comes_with_a_delimiter_only():
    page = ObjectPage([listed("a")], ["b/"], True, "b/")
    query = parse_object_query({"delimiter": "/"}, "bucket")
    found = read("ListObjects", render_objects_v1(BUCKET, query, page))
    assert (found["NextMarker"], found["Delimiter"], found["CommonPrefixes"]) == ("b/", "/", [{"Prefix": "b/"}])
    assert "NextMarker" not in read("ListObjects", render_objects_v1(BUCKET, parse_object_query({}, "bucket"), page))
    last = ObjectPage([listed("a")], ["b/"], False, "")
    assert "NextMarker" not in read("ListObjects", render_objects_v1(BUCKET, query, last))


def test_trap_27_objects_of_the_second_version():
    token = encode_token("bucket", "a")
    query = parse_object_query({"list-type": "2", "start-after": "a", "continuation-token": token, "delimiter": "/"}, "bucket")
    page = ObjectPage([listed("b")], ["c/", "d/"], True, "d/")
    found = read("ListObjectsV2", render_objects_v2(BUCKET, query, page, "next"))
    assert (found["KeyCount"], found["MaxKeys"], found["IsTruncated"]) == (3, 1000, True)
    assert (found["StartAfter"], found["ContinuationToken"], found["NextContinuationToken"]) == ("a", token, "next")
    assert found["CommonPrefixes"] == [{"Prefix": "c/"}, {"Prefix": "d/"}]
    assert "Owner" not in found["Contents"][0]


def test_trap_27_owners_on_request_and_no_empty_elements():
    query = parse_object_query({"list-type": "2", "fetch-owner": "true"}, "bucket")
    body = render_objects_v2(BUCKET, query, ObjectPage([listed("b")], [], False), "")
    assert read("ListObjectsV2", body)["Contents"][0]["Owner"] == OWNER
    for absent in (b"Delimiter", b"ContinuationToken", b"StartAfter", b"EncodingType", b"CommonPrefixes"):
        assert absent not in body


def test_trap_26_encoding_covers_names_and_nothing_else():
    name, written = "a b+c/ü", "a%20b%2Bc/%C3%BC"
    query = parse_object_query(
        {"list-type": "2", "encoding-type": "url", "prefix": name, "delimiter": " ", "start-after": name}, "bucket"
    )
    found = read("ListObjectsV2", render_objects_v2(BUCKET, query, ObjectPage([listed(name)], [name], True, name), "t+/="))
    assert found["EncodingType"] == "url"
    assert [found["Prefix"], found["StartAfter"], found["Contents"][0]["Key"]] == [written] * 3
    assert (found["Delimiter"], found["CommonPrefixes"]) == ("%20", [{"Prefix": written}])
    assert found["NextContinuationToken"] == "t+/="
    query = parse_object_query({"encoding-type": "url", "marker": name, "delimiter": "/"}, "bucket")
    found = read("ListObjects", render_objects_v1(BUCKET, query, ObjectPage([], [name], True, name)))
    assert (found["Marker"], found["NextMarker"]) == (written, written)


def test_trap_26_encoding_covers_the_names_of_versions_and_uploads():
    name, written = "a b+c/ü", "a%20b%2Bc/%C3%BC"
    asked = {"encoding-type": "url", "prefix": name, "delimiter": " ", "key-marker": name}
    uploads = UploadPage([ListedUpload(name, "u1", AT_MS, "", "")], [name], True, name, "u1")
    found = read("ListMultipartUploads", render_uploads(BUCKET, parse_upload_query(asked), uploads))
    assert found["Uploads"][0]["Key"] == written
    versions = VersionPage([], [name], True, name, "")
    for answer in (found, read("ListObjectVersions", render_versions(BUCKET, parse_version_query(asked), versions))):
        assert [answer[field] for field in ("Prefix", "KeyMarker", "NextKeyMarker")] == [written] * 3
        assert (answer["Delimiter"], answer["CommonPrefixes"], answer["EncodingType"]) == ("%20", [{"Prefix": written}], "url")


@given(keys=st.lists(NO_CONTROLS, max_size=5))
def test_t51_t55_names_come_back_exactly(keys):
    page = ObjectPage([listed(key) for key in keys], keys, False)
    found = read("ListObjectsV2", render_objects_v2(BUCKET, parse_object_query({"list-type": "2"}, "bucket"), page, ""))
    assert [item["Key"] for item in found.get("Contents", [])] == keys
    assert [item["Prefix"] for item in found.get("CommonPrefixes", [])] == keys


@given(keys=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_t54_with_url_encoding_every_name_comes_back_exactly(keys):
    query = parse_object_query({"list-type": "2", "encoding-type": "url"}, "bucket")
    found = read("ListObjectsV2", render_objects_v2(BUCKET, query, ObjectPage([listed(key) for key in keys], [], False), ""))
    assert [unquote(item["Key"]) for item in found.get("Contents", [])] == keys


def test_t54_without_it_control_characters_do_not_break_the_list():
    keys = [f"a{chr(code)}b" for code in range(1, 32)]
    query = parse_object_query({}, "bucket")
    body = render_objects_v1(BUCKET, query, ObjectPage([listed(key) for key in keys], [], False))
    found = [item["Key"] for item in read("ListObjects", body)["Contents"]]
    assert found == [key if key[1] in "\t\r\n" else "a\ufffdb" for key in keys]


def test_trap_28_versions_and_markers_in_one_order():
    query = parse_version_query({"prefix": "k", "key-marker": "k", "version-id-marker": "null", "delimiter": "/"})
    page = VersionPage(
        [
            ListedVersion(HOSTILE, "v2", True, True, 0, AT_MS, ""),
            ListedVersion(HOSTILE, "null", False, False, 7, AT_MS, "e", "SHA1", "COMPOSITE"),
        ],
        ["k/"],
        True,
        "k2",
        "v9",
    )
    body = render_versions(BUCKET, query, page)
    assert [each.tag.rpartition("}")[2] for each in ET.fromstring(body)][-3:] == ["DeleteMarker", "Version", "CommonPrefixes"]
    found = read("ListObjectVersions", body)
    assert found["DeleteMarkers"] == [
        {"Key": HOSTILE, "VersionId": "v2", "IsLatest": True, "LastModified": AT, "Owner": OWNER},
    ]
    assert found["Versions"] == [
        {
            "Key": HOSTILE,
            "VersionId": "null",
            "IsLatest": False,
            "LastModified": AT,
            "ETag": '"e"',
            "ChecksumAlgorithm": ["SHA1"],
            "ChecksumType": "COMPOSITE",
            "Size": 7,
            "Owner": OWNER,
            "StorageClass": "STANDARD",
        }
    ]
    assert (found["KeyMarker"], found["VersionIdMarker"], found["Delimiter"]) == ("k", "null", "/")
    assert (found["NextKeyMarker"], found["NextVersionIdMarker"], found["IsTruncated"]) == ("k2", "v9", True)


def test_trap_26_versions_with_url_encoding():
    query = parse_version_query({"encoding-type": "url", "key-marker": "a b"})
    body = render_versions(
        BUCKET, query, VersionPage([ListedVersion("c d", "v", True, False, 0, AT_MS, "e")], ["e f/"], True, "g h")
    )
    found = read("ListObjectVersions", body)
    assert (found["KeyMarker"], found["NextKeyMarker"], found["Versions"][0]["Key"]) == ("a%20b", "g%20h", "c%20d")
    assert "NextVersionIdMarker" not in found
    assert "NextKeyMarker" not in read("ListObjectVersions", render_versions(BUCKET, query, VersionPage([], [], False)))


def test_uploads():
    query = parse_upload_query({"key-marker": "k", "upload-id-marker": "u", "prefix": "<", "delimiter": "/", "max-uploads": "1"})
    page = UploadPage([ListedUpload(HOSTILE, "u1", AT_MS, "CRC32", "FULL_OBJECT")], ["p/"], True, "k1", "u1")
    assert read("ListMultipartUploads", render_uploads(BUCKET, query, page)) == {
        "Bucket": "bucket",
        "KeyMarker": "k",
        "UploadIdMarker": "u",
        "NextKeyMarker": "k1",
        "NextUploadIdMarker": "u1",
        "Prefix": "<",
        "Delimiter": "/",
        "MaxUploads": 1,
        "IsTruncated": True,
        "Uploads": [
            {
                "Key": HOSTILE,
                "UploadId": "u1",
                "Initiator": OWNER,
                "Owner": OWNER,
                "StorageClass": "STANDARD",
                "Initiated": AT,
                "ChecksumAlgorithm": "CRC32",
                "ChecksumType": "FULL_OBJECT",
            }
        ],
        "CommonPrefixes": [{"Prefix": "p/"}],
    }
    assert "NextKeyMarker" not in read("ListMultipartUploads", render_uploads(BUCKET, query, UploadPage([], [], False)))


def upload(algorithm="", checksum_type=""):
    return Upload("u", 1, HOSTILE, b"", AT_MS, SealingMode.SSE_S3, b"", b"", b"", algorithm, checksum_type)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_trap_35_parts(algorithm):
    query = parse_part_query({"part-number-marker": "1", "max-parts": "2"})
    page = PartPage([ListedPart(2, 5, AT_MS, "e", "AAAA"), ListedPart(3, 6, AT_MS, "f")], True, 3)
    assert read("ListParts", render_parts(BUCKET, upload(algorithm, "COMPOSITE"), page, query)) == {
        "Bucket": "bucket",
        "Key": HOSTILE,
        "UploadId": "u",
        "Initiator": OWNER,
        "Owner": OWNER,
        "StorageClass": "STANDARD",
        "PartNumberMarker": 1,
        "NextPartNumberMarker": 3,
        "MaxParts": 2,
        "IsTruncated": True,
        "Parts": [
            {"PartNumber": 2, "LastModified": AT, "ETag": '"e"', "Size": 5, "Checksum" + algorithm: "AAAA"},
            {"PartNumber": 3, "LastModified": AT, "ETag": '"f"', "Size": 6},
        ],
        "ChecksumAlgorithm": algorithm,
        "ChecksumType": "COMPOSITE",
    }


def test_an_upload_begun_and_completed():
    found = read("CreateMultipartUpload", render_initiate("bucket", HOSTILE, "u"))
    assert found == {"Bucket": "bucket", "Key": HOSTILE, "UploadId": "u"}
    body = render_complete(
        location="http://h/bucket/a?b&c",
        bucket="bucket",
        object_key=HOSTILE,
        etag="e-2",
        checksum_algorithm="CRC32",
        checksum="AAAAAA==-2",
        checksum_type="COMPOSITE",
    )
    assert read("CompleteMultipartUpload", body) == {
        "Location": "http://h/bucket/a?b&c",
        "Bucket": "bucket",
        "Key": HOSTILE,
        "ETag": '"e-2"',
        "ChecksumCRC32": "AAAAAA==-2",
        "ChecksumType": "COMPOSITE",
    }


def test_copies():
    assert read("CopyObject", render_copy_object("e", AT_MS, "MD5", "x", "FULL_OBJECT"))["CopyObjectResult"] == {
        "ETag": '"e"',
        "LastModified": AT,
        "ChecksumMD5": "x",
        "ChecksumType": "FULL_OBJECT",
    }
    assert read("CopyObject", render_copy_object("e", AT_MS, "", "", ""))["CopyObjectResult"] == {
        "ETag": '"e"',
        "LastModified": AT,
    }
    found = read("UploadPartCopy", render_copy_part("e", AT_MS, "SHA1", "x"))["CopyPartResult"]
    assert found == {"ETag": '"e"', "LastModified": AT, "ChecksumSHA1": "x"}


def test_trap_30_what_was_deleted_and_what_not():
    body = render_delete(
        [
            DeletedObject(HOSTILE),
            DeletedObject("b", "v1"),
            DeletedObject("c", "", True, "m1"),
            DeleteFailure("d", "v2", "AccessDenied", "Access <Denied>"),
        ]
    )
    assert read("DeleteObjects", body) == {
        "Deleted": [
            {"Key": HOSTILE},
            {"Key": "b", "VersionId": "v1"},
            {"Key": "c", "DeleteMarker": True, "DeleteMarkerVersionId": "m1"},
        ],
        "Errors": [{"Key": "d", "VersionId": "v2", "Code": "AccessDenied", "Message": "Access <Denied>"}],
    }
    assert read("DeleteObjects", render_delete([])) == {}


ALL = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


def attributes(wanted, parts=None, part_query=None, checksum="x"):
    body = render_attributes(
        wanted,
        etag="e",
        size_bytes=9,
        checksum_algorithm="CRC32",
        checksum=checksum,
        checksum_type="FULL_OBJECT",
        parts=parts,
        part_query=part_query,
    )
    return read("GetObjectAttributes", body)


def test_attributes_that_were_asked_for():
    assert attributes(frozenset({"ETag"})) == {"ETag": "e"}
    assert attributes(ALL, checksum="") == {"ETag": "e", "StorageClass": "STANDARD", "ObjectSize": 9}
    page = PartPage([ListedPart(1, 5, AT_MS, "", "y"), ListedPart(2, 4, AT_MS, "")], False, 2, 2)
    assert attributes(ALL, page, parse_part_query({"max-parts": "2"})) == {
        "ETag": "e",
        "Checksum": {"ChecksumCRC32": "x", "ChecksumType": "FULL_OBJECT"},
        "ObjectParts": {
            "PartNumberMarker": 0,
            "NextPartNumberMarker": 2,
            "MaxParts": 2,
            "IsTruncated": False,
            "TotalPartsCount": 2,
            "Parts": [{"PartNumber": 1, "Size": 5, "ChecksumCRC32": "y"}, {"PartNumber": 2, "Size": 4}],
        },
        "StorageClass": "STANDARD",
        "ObjectSize": 9,
    }
    assert attributes(frozenset({"ObjectParts"}), page)["ObjectParts"]["TotalPartsCount"] == 2


def test_buckets():
    query = parse_bucket_query({"prefix": "b"})
    assert read("ListBuckets", render_buckets(ACCOUNT, "A & B", [BUCKET], query, "t")) == {
        "Owner": {"ID": ACCOUNT, "DisplayName": "A & B"},
        "Buckets": [{"Name": "bucket", "CreationDate": AT, "BucketRegion": "eu-central-1"}],
        "ContinuationToken": "t",
        "Prefix": "b",
    }


def test_trap_44_locations():
    assert ET.fromstring(render_location("eu-central-1")).text == "eu-central-1"
    assert ET.fromstring(render_location("us-east-1")).text is None


@pytest.mark.parametrize(("state", "shown"), [(Versioning.ENABLED, {"Status": "Enabled"}), (Versioning.UNVERSIONED, {})])
def test_trap_45_versioning(state, shown):
    assert read("GetBucketVersioning", render_versioning(state)) == shown


@pytest.mark.parametrize("is_public", [True, False])
def test_the_status_of_a_policy(is_public):
    assert read("GetBucketPolicyStatus", render_policy_status(is_public=is_public)) == {"PolicyStatus": {"IsPublic": is_public}}
