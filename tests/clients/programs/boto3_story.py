"""boto3: files, ranges, conditions, checksums, parts, copies, presigned URLs, versions, deletes."""

import base64
import hashlib
import ssl
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from connect import client
from story import BUCKET, LARGE, NAMES, TREE, content, digest, tell

MIB = 1024 * 1024
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
WHOLE = {"CRC32", "CRC32C", "CRC64NVME"}


def refusal(call, **arguments):
    """Make a call that must fail; return its code and HTTP status."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"not refused: {arguments}")


def client_like(**different):
    """Make a client like the one of the settings, with something different."""
    held = client._get_credentials()
    same = {
        "endpoint_url": client.meta.endpoint_url,
        "region_name": client.meta.region_name,
        "aws_access_key_id": held.access_key,
        "aws_secret_access_key": held.secret_key,
        "verify": client._endpoint.http_session._verify,
        "config": client.meta.config,
    }
    return boto3.client("s3", **(same | different))


def read(key, **more):
    return client.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


def a_bucket_is_made_in_its_region():
    region = client.meta.region_name
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    assert client.head_bucket(Bucket=BUCKET)["BucketRegion"] == region
    assert client.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == region
    assert BUCKET in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    again = refusal(client.create_bucket, Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    assert again == ("BucketAlreadyOwnedByYou", 409), again
    assert refusal(client.head_bucket, Bucket=f"{BUCKET}-absent")[1] == 404


def the_tree_goes_up_and_comes_back():
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: client.upload_file(str(TREE / name), BUCKET, f"tree/{name}"), NAMES))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="tree/", PaginationConfig={"PageSize": 50})
    listed = [(entry["Key"], entry["Size"]) for page in pages for entry in page["Contents"]]
    assert listed == [(f"tree/{name}", (TREE / name).stat().st_size) for name in sorted(NAMES, key=str.encode)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for name in NAMES:
            client.download_file(BUCKET, f"tree/{name}", str(copy))
            assert digest(copy.read_bytes()) == digest(content(name)), name


def etags_are_those_of_s3():
    small = content(NAMES[0])
    assert client.put_object(Bucket=BUCKET, Key="etag", Body=small)["ETag"] == f'"{hashlib.md5(small).hexdigest()}"'
    head = client.head_object(Bucket=BUCKET, Key=f"tree/{LARGE}")
    parts = [content(LARGE)[at : at + 8 * MIB] for at in range(0, head["ContentLength"], 8 * MIB)]
    of_parts = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert head["ETag"] == f'"{of_parts}-{len(parts)}"', head["ETag"]


def one_level_is_listed_at_a_time():
    below = client.list_objects_v2(Bucket=BUCKET, Prefix="tree/", Delimiter="/")
    assert [entry["Prefix"] for entry in below["CommonPrefixes"]] == ["tree/documents/", "tree/large/", "tree/odd/"]
    odd = sorted((f"tree/{name}" for name in NAMES if name.startswith("odd/")), key=str.encode)
    first = client.list_objects(Bucket=BUCKET, Prefix="tree/odd/", MaxKeys=4)
    assert [entry["Key"] for entry in first["Contents"]] == odd[:4]
    assert first["IsTruncated"]
    rest = client.list_objects_v2(Bucket=BUCKET, Prefix="tree/odd/", StartAfter=odd[3])
    assert [entry["Key"] for entry in rest["Contents"]] == odd[4:]


def ranges_are_read():
    whole = content(LARGE)
    key = f"tree/{LARGE}"
    for spoken, wanted in (
        ("bytes=0-0", whole[:1]),
        ("bytes=16383-16384", whole[16383:16385]),
        (f"bytes={8 * MIB - 5}-{8 * MIB + 70000}", whole[8 * MIB - 5 : 8 * MIB + 70001]),
        (f"bytes={len(whole) - 3}-", whole[-3:]),
        ("bytes=-100", whole[-100:]),
    ):
        answer = client.get_object(Bucket=BUCKET, Key=key, Range=spoken)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["Body"].read() == wanted, spoken
        assert answer["ContentRange"].endswith(f"/{len(whole)}")
    assert refusal(client.get_object, Bucket=BUCKET, Key=key, Range=f"bytes={len(whole)}-") == ("InvalidRange", 416)
    assert read(key, PartNumber=2) == whole[8 * MIB : 16 * MIB]
    assert client.head_object(Bucket=BUCKET, Key=key, PartNumber=1)["PartsCount"] == 3


def reads_can_be_conditional():
    etag = client.put_object(Bucket=BUCKET, Key="condition", Body=b"one")["ETag"]
    assert read("condition", IfMatch=etag) == b"one"
    assert refusal(client.get_object, Bucket=BUCKET, Key="condition", IfNoneMatch=etag)[1] == 304
    assert refusal(client.get_object, Bucket=BUCKET, Key="condition", IfMatch='"0"') == ("PreconditionFailed", 412)


def writes_can_be_conditional():
    key = {"Bucket": BUCKET, "Key": "once"}
    etag = client.put_object(**key, Body=b"one", IfNoneMatch="*")["ETag"]
    assert refusal(client.put_object, **key, Body=b"two", IfNoneMatch="*") == ("PreconditionFailed", 412)
    client.put_object(**key, Body=b"three", IfMatch=etag)
    assert refusal(client.put_object, **key, Body=b"four", IfMatch=etag) == ("PreconditionFailed", 412)
    absent = refusal(client.put_object, Bucket=BUCKET, Key="never", Body=b"", IfMatch=etag)
    assert absent == ("NoSuchKey", 404), absent
    assert read("once") == b"three"
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda turn: _try_to_be_first("race", turn), range(8)))
    assert outcomes.count("won") == 1, outcomes
    assert set(outcomes) <= {"won", "PreconditionFailed", "ConditionalRequestConflict"}, outcomes


def _try_to_be_first(key, turn):
    try:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"%d" % turn, IfNoneMatch="*")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "won"


def every_checksum_is_kept_and_returned():
    body = content(NAMES[1])
    for algorithm in ALGORITHMS:
        key = {"Bucket": BUCKET, "Key": f"checksum/{algorithm}"}
        field = f"Checksum{algorithm}"
        own = {"ChecksumMD5": base64.b64encode(hashlib.md5(body).digest()).decode()}  # boto3 computes all others itself
        put = client.put_object(**key, Body=body, **(own if algorithm == "MD5" else {"ChecksumAlgorithm": algorithm}))
        got = client.get_object(**key, ChecksumMode="ENABLED")
        assert got["Body"].read() == body
        assert got[field] == put[field], algorithm
        assert got["ChecksumType"] == "FULL_OBJECT"
        plain = client.head_object(**key)
        assert field not in plain
        wrong = base64.b64encode(bytes(len(base64.b64decode(put[field])))).decode()
        assert refusal(client.put_object, **key, Body=body, **{field: wrong}) == ("BadDigest", 400), algorithm
    default = client.head_object(Bucket=BUCKET, Key="etag", ChecksumMode="ENABLED")
    assert "ChecksumCRC32" in default, default


def parts_are_put_together():
    whole = content(LARGE)
    parts = [whole[at : at + 5 * MIB] for at in range(0, len(whole), 5 * MIB)]
    for algorithm, kind in (
        ("CRC32", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
    ):
        key = {"Bucket": BUCKET, "Key": f"parts/{algorithm}"}
        begun = client.create_multipart_upload(**key, ChecksumAlgorithm=algorithm, ChecksumType=kind, Metadata={"kind": kind})
        upload = {**key, "UploadId": begun["UploadId"]}
        done = []
        for number, part in enumerate(parts, 1):
            sent = client.upload_part(**upload, PartNumber=number, Body=part, ChecksumAlgorithm=algorithm)
            field = f"Checksum{algorithm}"
            done.append({"PartNumber": number, "ETag": sent["ETag"], field: sent[field]})
        listed = client.list_parts(**upload)
        assert [part["Size"] for part in listed["Parts"]] == [len(part) for part in parts]
        assert begun["UploadId"] in [found["UploadId"] for found in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]]
        ended = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        assert ended["ChecksumType"] == kind, ended
        again = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        assert again["ETag"] == ended["ETag"]
        got = client.get_object(**key, ChecksumMode="ENABLED")
        assert digest(got["Body"].read()) == digest(whole)
        assert got["Metadata"] == {"kind": kind}
        about = client.get_object_attributes(
            **key, ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
        )
        assert about["ObjectSize"] == len(whole)
        assert about["ObjectParts"]["TotalPartsCount"] == len(parts)


def an_upload_can_be_given_up():
    key = {"Bucket": BUCKET, "Key": "parts/given-up"}
    upload = {**key, "UploadId": client.create_multipart_upload(**key)["UploadId"]}
    sent = client.upload_part(**upload, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(**upload)
    parts = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
    assert refusal(client.complete_multipart_upload, **upload, MultipartUpload=parts) == ("NoSuchUpload", 404)
    assert refusal(client.head_object, **key)[1] == 404


def objects_are_copied_and_moved():
    source = {"Bucket": BUCKET, "Key": "tree/odd/a+b/plus+plus.txt"}
    client.copy_object(Bucket=BUCKET, Key="copy/odd ü", CopySource=source)
    assert read("copy/odd ü") == content("odd/a+b/plus+plus.txt")
    client.copy_object(
        Bucket=BUCKET,
        Key="copy/described",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"a": "b"},
        ContentType="text/x",
    )
    head = client.head_object(Bucket=BUCKET, Key="copy/described")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/x")
    client.copy({"Bucket": BUCKET, "Key": f"tree/{LARGE}"}, BUCKET, "copy/large")  # in parts, as it is large
    assert digest(read("copy/large")) == digest(content(LARGE))
    assert (
        refusal(client.copy_object, Bucket=BUCKET, Key="copy/large", CopySource={"Bucket": BUCKET, "Key": "copy/large"})[1] == 400
    )
    client.delete_object(Bucket=BUCKET, Key="copy/large")
    assert refusal(client.get_object, Bucket=BUCKET, Key="copy/large") == ("NoSuchKey", 404)


def descriptions_come_back():
    client.put_object(
        Bucket=BUCKET,
        Key="described",
        Body=b"text",
        ContentType="text/plain; charset=utf-8",
        CacheControl="max-age=5",
        ContentDisposition='attachment; filename="a b.txt"',
        ContentEncoding="gzip",
        ContentLanguage="de",
        Metadata={"mixed-Case": "Value  with blanks", "empty": ""},
    )
    head = client.head_object(Bucket=BUCKET, Key="described")
    assert head["ContentType"] == "text/plain; charset=utf-8"
    assert head["CacheControl"] == "max-age=5"
    assert head["ContentDisposition"] == 'attachment; filename="a b.txt"'
    assert head["ContentEncoding"] == "gzip"
    assert head["ContentLanguage"] == "de"
    assert set(head["Metadata"]) == {"mixed-case", "empty"}, head["Metadata"]
    changed = client.get_object(Bucket=BUCKET, Key="described", ResponseContentType="text/x", ResponseCacheControl="no-cache")
    assert (changed["ContentType"], changed["CacheControl"]) == ("text/x", "no-cache")


def presigned_urls_open_what_they_name():
    def sign(operation, **more):
        url = client.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": "signed/ü +", **more}, ExpiresIn=60)
        assert "X-Amz-Signature=" in url, url
        return url

    assert send("PUT", sign("put_object"), b"by url")[0] == 200
    assert send("GET", sign("get_object")) == (200, b"by url")
    status, part = send("GET", sign("get_object"), headers={"Range": "bytes=3-"})
    assert (status, part) == (206, b"url")
    assert send("HEAD", sign("head_object"))[0] == 200
    status, told = send("GET", sign("get_object").replace("Expires=60", "Expires=61"))
    assert status == 403
    assert b"SignatureDoesNotMatch" in told
    assert send("DELETE", sign("delete_object"))[0] == 204
    assert send("GET", sign("get_object"))[0] == 404


def the_old_signature_is_refused_with_the_way_out():
    old = client_like(region_name="us-east-1", config=Config())
    url = old.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "etag"})
    assert "AWSAccessKeyId=" in url
    status, told = send("GET", url)
    assert 400 <= status < 500, (status, told)
    assert b"s3v4" in told, told


def send(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    trust = client._endpoint.http_session._verify
    context = ssl.create_default_context(cafile=trust) if isinstance(trust, str) else None
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def versions_are_kept():
    key = {"Bucket": BUCKET, "Key": "versioned"}
    client.put_object(**key, Body=b"before")
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    first = client.put_object(**key, Body=b"first")["VersionId"]
    second = client.put_object(**key, Body=b"second")["VersionId"]
    marker = client.delete_object(**key)
    assert marker["DeleteMarker"]
    assert refusal(client.get_object, **key) == ("NoSuchKey", 404)
    assert refusal(client.get_object, **key, VersionId=marker["VersionId"]) == ("MethodNotAllowed", 405)
    assert read("versioned", VersionId=first) == b"first"
    assert read("versioned", VersionId="null") == b"before"
    found = client.list_object_versions(Bucket=BUCKET, Prefix="versioned")
    assert [entry["VersionId"] for entry in found["Versions"]] == [second, first, "null"]
    assert [entry["IsLatest"] for entry in found["DeleteMarkers"]] == [True]
    client.delete_object(**key, VersionId=marker["VersionId"])
    assert read("versioned") == b"second"
    client.copy_object(**key, CopySource={**key, "VersionId": first})
    assert read("versioned") == b"first"
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert client.put_object(**key, Body=b"after").get("VersionId", "null") == "null"
    assert refusal(client.get_object, **key, VersionId="0" * 32)[1] in {400, 404}


def many_are_deleted_at_once():
    keys = [f"batch/{number}" for number in range(30)]
    for key in keys:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert refusal(client.delete_bucket, Bucket=BUCKET) == ("BucketNotEmpty", 409)
    gone = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in [*keys, "batch/absent"]]})
    assert sorted(entry["Key"] for entry in gone["Deleted"]) == sorted([*keys, "batch/absent"])
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="batch/")["KeyCount"] == 0


tell(
    a_bucket_is_made_in_its_region,
    the_tree_goes_up_and_comes_back,
    etags_are_those_of_s3,
    one_level_is_listed_at_a_time,
    ranges_are_read,
    reads_can_be_conditional,
    writes_can_be_conditional,
    every_checksum_is_kept_and_returned,
    parts_are_put_together,
    an_upload_can_be_given_up,
    objects_are_copied_and_moved,
    descriptions_come_back,
    presigned_urls_open_what_they_name,
    the_old_signature_is_refused_with_the_way_out,
    versions_are_kept,
    many_are_deleted_at_once,
)
