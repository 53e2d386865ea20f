"""minio-py: files, streams, ranges, copies, composed objects, presigned URLs, versions, deletes."""

import datetime as dt
import io
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3
from connect import client
from minio import Minio
from minio.commonconfig import ENABLED, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig
from story import BUCKET, LARGE, NAMES, TREE, content, digest, tell


def read(name, **more):
    answer = client.get_object(bucket_name=BUCKET, object_name=name, **more)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def a_bucket_is_made():
    assert not client.bucket_exists(bucket_name=BUCKET)
    client.make_bucket(bucket_name=BUCKET)
    assert client.bucket_exists(bucket_name=BUCKET)
    assert BUCKET in [bucket.name for bucket in client.list_buckets()]


def the_tree_goes_up_and_comes_back():
    def put(name):
        client.fput_object(bucket_name=BUCKET, object_name=f"tree/{name}", file_path=str(TREE / name), part_size=5 << 20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, NAMES))
    listed = [entry.object_name for entry in client.list_objects(bucket_name=BUCKET, prefix="tree/", recursive=True)]
    assert listed == [f"tree/{name}" for name in sorted(NAMES, key=str.encode)]
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(NAMES):
            copy = Path(folder) / str(number)
            client.fget_object(bucket_name=BUCKET, object_name=f"tree/{name}", file_path=str(copy))
            assert digest(copy.read_bytes()) == digest(content(name)), name


def the_region_is_asked_for_when_it_is_not_named():
    provider = client._provider.retrieve()
    other = Minio(
        endpoint=client._base_url.host,
        access_key=provider.access_key,
        secret_key=provider.secret_key,
        secure=client._base_url.is_https,
    )
    assert other.stat_object(bucket_name=BUCKET, object_name=f"tree/{LARGE}").size == len(content(LARGE))


def one_level_is_listed_at_a_time():
    listed = [entry.object_name for entry in client.list_objects(bucket_name=BUCKET, prefix="tree/")]
    assert listed == ["tree/documents/", "tree/large/", "tree/odd/"]
    first = client.list_objects(bucket_name=BUCKET, prefix="tree/", use_api_v1=True)
    assert [entry.object_name for entry in first] == listed


def a_stream_of_unknown_length_goes_up():
    body = content(LARGE)[: 12 << 20]
    client.put_object(
        bucket_name=BUCKET, object_name="stream", data=io.BytesIO(body), length=-1, part_size=5 << 20, metadata={"kind": "stream"}
    )
    found = client.stat_object(bucket_name=BUCKET, object_name="stream")
    assert found.size == len(body)
    assert found.metadata["x-amz-meta-kind"] == "stream"
    assert digest(read("stream")) == digest(body)


def ranges_are_read():
    whole = content(LARGE)
    assert read(f"tree/{LARGE}", offset=16380, length=100) == whole[16380:16480]
    assert read(f"tree/{LARGE}", offset=len(whole) - 7) == whole[-7:]


def objects_are_copied_composed_and_moved():
    client.copy_object(
        bucket_name=BUCKET,
        object_name="copied/a b+c",
        source=CopySource(bucket_name=BUCKET, object_name="tree/odd/a+b/plus+plus.txt"),
    )
    assert read("copied/a b+c") == content("odd/a+b/plus+plus.txt")
    sources = [ComposeSource(bucket_name=BUCKET, object_name=name) for name in (f"tree/{LARGE}", "copied/a b+c")]
    client.compose_object(bucket_name=BUCKET, object_name="copied/composed", sources=sources)
    assert digest(read("copied/composed")) == digest(content(LARGE) + content("odd/a+b/plus+plus.txt"))
    client.remove_object(bucket_name=BUCKET, object_name="copied/a b+c")
    found = ""
    try:
        client.stat_object(bucket_name=BUCKET, object_name="copied/a b+c")
    except S3Error as error:
        found = error.code
    assert found == "NoSuchKey", found


def presigned_urls_open_what_they_name():
    trust = os.environ.get("SSL_CERT_FILE")
    http = urllib3.PoolManager(ca_certs=trust) if trust else urllib3.PoolManager()
    soon = dt.timedelta(minutes=1)
    put = client.presigned_put_object(bucket_name=BUCKET, object_name="signed/ü +", expires=soon)
    assert http.request("PUT", put, body=b"by url").status == 200
    get = client.presigned_get_object(bucket_name=BUCKET, object_name="signed/ü +", expires=soon)
    assert http.request("GET", get).data == b"by url"


def versions_are_kept():
    client.set_bucket_versioning(bucket_name=BUCKET, config=VersioningConfig(status=ENABLED))
    assert client.get_bucket_versioning(bucket_name=BUCKET).status == ENABLED
    first = client.put_object(bucket_name=BUCKET, object_name="versioned", data=io.BytesIO(b"first"), length=5).version_id
    client.put_object(bucket_name=BUCKET, object_name="versioned", data=io.BytesIO(b"second"), length=6)
    client.remove_object(bucket_name=BUCKET, object_name="versioned")
    assert read("versioned", version_id=first) == b"first"
    found = list(client.list_objects(bucket_name=BUCKET, prefix="versioned", include_version=True))
    assert [entry.is_delete_marker for entry in found].count(True) == 1
    assert len(found) == 3


def many_are_deleted_at_once():
    for number in range(20):
        client.put_object(bucket_name=BUCKET, object_name=f"batch/{number}", data=io.BytesIO(b""), length=0)
    listed = client.list_objects(bucket_name=BUCKET, prefix="batch/", recursive=True)
    doomed = [DeleteObject(entry.object_name) for entry in listed]
    assert len(doomed) == 20
    assert list(client.remove_objects(bucket_name=BUCKET, delete_object_list=doomed)) == []
    assert list(client.list_objects(bucket_name=BUCKET, prefix="batch/", recursive=True)) == []


tell(
    a_bucket_is_made,
    the_tree_goes_up_and_comes_back,
    the_region_is_asked_for_when_it_is_not_named,
    one_level_is_listed_at_a_time,
    a_stream_of_unknown_length_goes_up,
    ranges_are_read,
    objects_are_copied_composed_and_moved,
    presigned_urls_open_what_they_name,
    versions_are_kept,
    many_are_deleted_at_once,
)
