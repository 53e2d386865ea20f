"""Requests in the shapes that real clients give them, also of clients that no test machine can run.

Each row of the table names the clients it stands for: what they put on the wire was recorded or is documented by them.
"""

from __future__ import annotations

import hashlib
import ssl
import warnings
from dataclasses import dataclass, replace

import pytest
from awscrt import checksums

from .raw import Answer, CutError, RawClient
from .service import Service
from .shelf import Shelf, b64, md5_b64, quoted_md5, seeded, sha256_b64
from .signer import SIGNED_FRAMES, SIGNED_FRAMES_TRAILER, UNSIGNED, UNSIGNED_FRAMES_TRAILER, Ask

BODY = seeded(150_000, 3)
HEX = "hex"


@dataclass(frozen=True)
class Shape:
    """How a client sends a PUT: payload mode, who carries the checksum, and what surrounds it."""

    clients: str
    mode: str
    checksum: str = ""
    carrier: str = ""  # header, trailer
    chunked: bool = False
    expect: str = ""
    virtual: bool = False
    md5: bool = False
    query: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    encoding: str = "aws-chunked"
    frame: int = 65_536


SHAPES = [
    Shape("boto3 and aws cli v1 over plain HTTP, duplicity, barman, smart_open", HEX, "crc32", "header", expect="100-continue"),
    Shape(
        "boto3 over TLS, aws cli v2 since 2.23, s3fs",
        UNSIGNED_FRAMES_TRAILER,
        "crc32",
        "trailer",
        chunked=True,
        expect="100-continue",
    ),
    Shape("JavaScript SDK v3 with streams", UNSIGNED_FRAMES_TRAILER, "crc32", "trailer", query="x-id=PutObject", virtual=True),
    Shape("JavaScript SDK v3 with strings", HEX, "crc32", "header", query="x-id=PutObject"),
    Shape(
        "SDK for C++: pyarrow, pyiceberg",
        UNSIGNED_FRAMES_TRAILER,
        "crc64nvme",
        "trailer",
        chunked=True,
        extra=(("x-amz-api-version", "2006-03-01"),),
    ),
    Shape("CRT: s3torchconnector, Mountpoint", UNSIGNED, "crc32c", "header"),
    Shape("polars", UNSIGNED, "crc64nvme", "header"),
    Shape("obstore, delta-rs, lancedb", HEX, extra=(("If-None-Match", "*"),)),
    Shape("opendal, Litestream", UNSIGNED),
    Shape("minio-py and minio-js over TLS, Thanos, Mimir", UNSIGNED, md5=True),
    Shape("restic and minio-go over plain HTTP", SIGNED_FRAMES),
    Shape("minio-go with trailing checksums", SIGNED_FRAMES_TRAILER, "crc32c", "trailer"),
    Shape("Java SDK v2, Quarkus, Spark S3A, Trino", SIGNED_FRAMES_TRAILER, "crc32", "trailer", frame=128 * 1024),
    Shape("Java SDK v1, older S3A", SIGNED_FRAMES, frame=128 * 1024, expect="100-continue", encoding="aws-chunked"),
    Shape("Java SDK v2 before its checksums", SIGNED_FRAMES, frame=128 * 1024, encoding="br"),
    Shape(
        "rclone 1.60",
        UNSIGNED,
        md5=True,
        expect="100-Continue",
        extra=(("x-amz-acl", "private"), ("x-amz-meta-mtime", "1700000000.123456789")),
    ),
    Shape(
        "rclone since 1.66, Go SDK v2: Velero, WAL-G, Loki",
        UNSIGNED_FRAMES_TRAILER,
        "crc32",
        "trailer",
        expect="100-continue",
        extra=(("accept-encoding", "identity"),),
    ),
    Shape("Go SDK v2 over plain HTTP", SIGNED_FRAMES_TRAILER, "crc32", "trailer"),
    Shape("Loki with lock buckets", UNSIGNED_FRAMES_TRAILER, "sha256", "trailer"),
    Shape(
        "PHP SDK since 3.337: Nextcloud", HEX, "crc32", "header", extra=(("aws-sdk-invocation-id", "x"), ("aws-sdk-retry", "0/0"))
    ),
    Shape("Ruby, fog: GitLab, Mastodon", HEX, md5=True, virtual=True),
    Shape(".NET SDK: Veeam", SIGNED_FRAMES_TRAILER, "crc32", "trailer", frame=81_920, virtual=True),
    Shape("Rust SDK, one frame for all", UNSIGNED_FRAMES_TRAILER, "crc64nvme", "trailer", frame=1 << 20),
    Shape(
        "s3cmd", HEX, extra=(("x-amz-storage-class", "STANDARD"), ("x-amz-meta-s3cmd-attrs", "atime:1/ctime:2/gid:0/mode:33188"))
    ),
    Shape("s5cmd, docker-registry, pgBackRest", HEX, md5=True),
    Shape("Kopia, backup tools with MD5 beside frames", SIGNED_FRAMES, md5=True),
    Shape("gzip inside frames: log shippers", UNSIGNED_FRAMES_TRAILER, "crc32", "trailer", encoding="gzip,aws-chunked"),
    Shape("frames without a trailer", UNSIGNED_FRAMES_TRAILER, chunked=True),
    Shape(
        "s3transfer: the algorithm named beside the checksum",
        UNSIGNED_FRAMES_TRAILER,
        "crc32",
        "trailer",
        extra=(("x-amz-sdk-checksum-algorithm", "CRC32"),),
    ),
    Shape("Cyberduck", UNSIGNED, virtual=True, expect="100-continue", extra=(("x-amz-meta-version-id", "1"),)),
    Shape("SHA-1 checksums of older tools", HEX, "sha1", "header"),
    Shape("SHA-256 beside the payload hash", HEX, "sha256", "header"),
]


def checksum_of(name: str) -> tuple[str, str]:
    values = {
        "crc32": lambda: b64(checksums.crc32(BODY).to_bytes(4)),
        "crc32c": lambda: b64(checksums.crc32c(BODY).to_bytes(4)),
        "crc64nvme": lambda: b64(checksums.crc64nvme(BODY).to_bytes(8)),
        "sha1": lambda: b64(hashlib.sha1(BODY, usedforsecurity=False).digest()),
        "sha256": lambda: sha256_b64(BODY),
    }
    return f"x-amz-checksum-{name}", values[name]()


def shaped(raw: RawClient, bucket: str, shape: Shape) -> Ask:
    """Build the PUT of a shape, rightly signed."""
    headers = list(shape.extra)
    headers += [("Expect", shape.expect)] if shape.expect else []
    headers += [("Content-MD5", md5_b64(BODY))] if shape.md5 else []
    headers += [checksum_of(shape.checksum)] if shape.carrier == "header" else []
    trailers = [checksum_of(shape.checksum)] if shape.carrier == "trailer" else []
    client = replace(raw, host=f"{bucket}.s3.localhost:{raw.address[1]}") if shape.virtual else raw
    name = "" if shape.virtual else bucket
    if shape.mode in {HEX, UNSIGNED}:
        ask = client.ask("PUT", name, "k", query=shape.query, headers=headers, body=BODY)
        return client.sign(ask, "" if shape.mode == HEX else UNSIGNED)
    if shape.encoding != "aws-chunked":
        headers.append(("Content-Encoding", shape.encoding))
    return client.put_frames(
        name,
        "k",
        BODY,
        shape.mode,
        query=shape.query,
        size=shape.frame,
        headers=headers,
        trailers=trailers,
        transfer_chunked=shape.chunked,
    )


def deliver(raw: RawClient, ask: Ask) -> Answer:
    """Send a request as its client does: with Expect, the body waits for the 100."""
    if not ask.header("expect"):
        return raw.send(ask)
    with raw.connect() as wire:
        wire.send(ask.head())
        first = wire.read(interim=True)
        if first.status != 100:
            return first
        wire.send(ask.body)
        return wire.read()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.clients)
def test_puts_in_the_shapes_of_real_clients(bucket: Shelf, shape: Shape):
    put_and_read(bucket, shape)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.clients)
def test_puts_in_the_shapes_of_real_clients_over_tls(tls_bucket: Shelf, shape: Shape):
    put_and_read(tls_bucket, shape)


def put_and_read(bucket: Shelf, shape: Shape) -> None:
    answer = deliver(bucket.raw, shaped(bucket.raw, bucket.name, shape))
    assert answer.status == 200, answer.body
    assert answer.header("etag") == quoted_md5(BODY)
    if shape.checksum:
        name, value = checksum_of(shape.checksum)
        assert answer.header(name) == value
    got = bucket.call("GET", "k")
    assert got.body == BODY
    assert got.header("content-encoding") == {"aws-chunked": "", "gzip,aws-chunked": "gzip"}.get(shape.encoding, shape.encoding)


@dataclass(frozen=True)
class Look:
    """A request of another kind that some client sends."""

    clients: str
    method: str
    path: str
    query: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    holds: str = ""


LOOKS = [
    Look("s3cmd, minio-py: region first", "GET", "/{b}/", "location", holds="eu-central-1"),
    Look("minio-py, restic", "GET", "/{b}", "location=", holds="eu-central-1"),
    Look("restic: trailing slash", "HEAD", "/{b}/"),
    Look("restic: list", "GET", "/{b}/", "fetch-owner=true&list-type=2&prefix=", holds="<Owner>"),
    Look("rclone: list v1 with empty parameters", "GET", "/{b}", "delimiter=&max-keys=1000&prefix=", holds="<Marker"),
    Look(
        "rclone: list v1 with a delimiter and encoding",
        "GET",
        "/{b}",
        "delimiter=%2F&encoding-type=url&max-keys=1000&prefix=dir%2F",
        holds="dir/file",
    ),
    Look("rclone: head with a version", "HEAD", "/{b}/dir/file", "versionId=null"),
    Look("s3fs-fuse: probe of a folder", "HEAD", "/{b}/dir_%24folder%24", status=404),
    Look("s3fs-fuse: probe of a slash", "HEAD", "/{b}/dir/", status=404),
    Look("s3fs-fuse: is there anything", "GET", "/{b}", "delimiter=/&max-keys=2&prefix=dir/", holds="dir/file"),
    Look("docker-registry", "GET", "/{b}", "list-type=2&max-keys=1&prefix=dir", holds="dir/file"),
    Look("docker-registry: resumed uploads", "GET", "/{b}", "uploads=&prefix=dir%2Ffile", holds="ListMultipartUploadsResult"),
    Look("polars: list without an encoding", "GET", "/{b}/", "list-type=2&prefix=dir%2F", holds="dir/file"),
    Look("obstore: start-after", "GET", "/{b}", "delimiter=%2F&list-type=2&prefix=&start-after=a", holds="dir/"),
    Look("JavaScript SDK: the operation named", "GET", "/{b}/", "list-type=2&x-id=ListObjectsV2", holds="dir/file"),
    Look("SDK for C++: head of a bucket", "HEAD", "/{b}", headers=(("x-amz-api-version", "2006-03-01"),)),
    Look(
        "boto3: ranged read with a guard",
        "GET",
        "/{b}/dir/file",
        status=206,
        headers=(("Range", "bytes=0-1"), ("If-Match", quoted_md5(b"hello")), ("x-amz-checksum-mode", "ENABLED")),
    ),
    Look("duckdb: ranged read", "GET", "/{b}/dir/file", status=206, headers=(("Range", "bytes=0-4"),)),
    Look("winscp, Cyberduck: all buckets", "GET", "/", holds="{b}"),
    Look("Cyberduck: versions", "GET", "/{b}", "versions&delimiter=%2F&encoding-type=url&max-keys=1000&prefix=", holds="dir/"),
    Look("Hadoop S3A: list v1 marker", "GET", "/{b}/", "marker=a&max-keys=5000&prefix=&delimiter=/", holds="dir/"),
    Look("Terraform, boto3: versioning", "GET", "/{b}", "versioning", holds="VersioningConfiguration"),
    Look(
        "signed accept-encoding, as rclone does",
        "GET",
        "/{b}/dir/file",
        headers=(("Accept-Encoding", "identity"),),
        holds="hello",
    ),
    Look(
        "SDKs' own headers",
        "GET",
        "/{b}/dir/file",
        headers=(("amz-sdk-invocation-id", "a"), ("amz-sdk-request", "attempt=1; max=3")),
        holds="hello",
    ),
]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.clients)
def test_looks_in_the_shapes_of_real_clients(bucket: Shelf, look: Look):
    bucket.put("dir/file", b"hello")
    path = look.path.format(b=bucket.name)
    ask = replace(bucket.raw.ask(look.method, query=look.query, headers=look.headers), path=path)
    answer = bucket.raw.send(bucket.raw.sign(ask))
    assert answer.status == look.status, answer.body
    assert look.holds.format(b=bucket.name) in answer.body.decode()


@pytest.mark.parametrize("style", ["put", "put of the bucket again"])
def test_rclone_makes_its_bucket_before_each_run(bucket: Shelf, style):
    body = b'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>'
    answer = bucket.raw.call("PUT", bucket.name, headers=[("x-amz-acl", "private")], body=body if style == "put" else b"")
    assert answer.status in {200, 409}
    if answer.status == 409:
        assert answer.code == "BucketAlreadyOwnedByYou"


def test_tls_answers_the_same_and_only_tls(tls_bucket: Shelf, tls_service: Service):

    tls_bucket.put("k", BODY)
    assert tls_bucket.get("k") == BODY
    assert tls_service.url.startswith("https://")
    plain = replace(tls_service.raw(), tls=None)
    with pytest.raises((CutError, OSError)):
        plain.call("GET")
    assert tls_service.raw().call("GET").status == 200


def test_old_tls_is_refused(tls_service: Service):

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = tls_service.tls
        assert context is not None
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        replace(tls_service.raw(), tls=context).call("GET")
