"""A bucket under test, seen through the SDK and through the raw client, and what tests say about answers."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from .raw import Answer, RawClient
from .service import Service
from .signer import REGION, Keys

MIB = 1024 * 1024
REQUEST_ID = re.compile(r"\A[A-Za-z0-9+/=_-]{8,}\Z")


def sdk(service: Service, keys: Keys | None = None, *, name: str = "s3", url: str = "", **options: Any) -> Any:
    """Return a boto3 client of the service `name` that tries once and keeps a pool wide enough for the tests' threads."""
    caller = keys or service.owner
    addressing = options.pop("addressing_style", "path")
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=40,
        s3={"addressing_style": addressing},
        parameter_validation=False,
        connect_timeout=10,
        read_timeout=60,
        **options,
    )
    return boto3.client(
        name,
        endpoint_url=url or service.url,
        region_name=REGION,
        aws_access_key_id=caller.access_key_id,
        aws_secret_access_key=caller.secret_access_key,
        verify=str(service.ca) if service.ca else None,
        config=config,
    )


@dataclass(frozen=True)
class Shelf:
    """A bucket of the owner."""

    name: str
    s3: Any
    raw: RawClient
    service: Service

    def put(self, key: str, body: bytes = b"", **options: Any) -> Any:
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **options)

    def get(self, key: str, **options: Any) -> bytes:
        got = self.s3.get_object(Bucket=self.name, Key=key, **options)
        with got["Body"] as stream:
            data = stream.read()
        assert isinstance(data, bytes)
        return data

    def head(self, key: str, **options: Any) -> Any:
        return self.s3.head_object(Bucket=self.name, Key=key, **options)

    def version(self, status: str = "Enabled") -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": status})

    def call(
        self,
        method: str,
        key: str | bytes | None = None,
        *,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        payload_hash: str = "",
    ) -> Answer:
        return self.raw.call(method, self.name, key, query=query, headers=headers, body=body, payload_hash=payload_hash)

    def start(self, key: str, **options: Any) -> str:
        return str(self.s3.create_multipart_upload(Bucket=self.name, Key=key, **options)["UploadId"])

    def part(self, key: str, upload_id: str, number: int, body: bytes, **options: Any) -> dict[str, Any]:
        """Upload a part; return what Complete wants to hear of it."""
        done = self.s3.upload_part(Bucket=self.name, Key=key, UploadId=upload_id, PartNumber=number, Body=body, **options)
        sums = {name: value for name, value in done.items() if name.startswith("Checksum") and name != "ChecksumType"}
        return {"PartNumber": number, "ETag": done["ETag"], **sums}

    def complete(self, key: str, upload_id: str, parts: Sequence[dict[str, Any]], **options: Any) -> Any:
        return self.s3.complete_multipart_upload(
            Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": list(parts)}, **options
        )

    def keys(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def versions(self) -> list[tuple[str, str, bool, str]]:
        """All versions and markers as (key, version id, whether newest, etag or `marker`), in the order listed by key."""
        found = []
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name):
            found += [(v["Key"], v["VersionId"], v["IsLatest"], v["ETag"]) for v in page.get("Versions", [])]
            found += [(m["Key"], m["VersionId"], m["IsLatest"], "marker") for m in page.get("DeleteMarkers", [])]
        return sorted(found)

    def uploads(self) -> list[tuple[str, str, tuple[tuple[int, str], ...]]]:
        """All uploads in progress with their parts."""
        found = []
        for page in self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.name):
            for upload in page.get("Uploads", []):
                key, upload_id = upload["Key"], upload["UploadId"]
                listed = self.s3.list_parts(Bucket=self.name, Key=key, UploadId=upload_id).get("Parts", [])
                found.append((key, upload_id, tuple((p["PartNumber"], p["ETag"]) for p in listed)))
        return sorted(found)

    def state(self) -> object:
        """Everything that a request could have changed."""
        settings = self.s3.get_bucket_versioning(Bucket=self.name).get("Status", "")
        configured = tuple(self.call("GET", query=query).body for query in ("publicAccessBlock", "encryption"))
        return self.versions(), self.uploads(), settings, configured

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Assert that nothing in the bucket changes within the block."""
        before = self.state()
        yield
        assert self.state() == before


def new_name() -> str:
    return f"test-{secrets.token_hex(8)}"


def refused(answer: Answer, status: int | tuple[int, ...], *codes: str) -> Answer:
    """Assert a complete S3 error answer with one of the codes."""
    allowed = status if isinstance(status, tuple) else (status,)
    assert answer.status in allowed, (answer.status, answer.body[:600])
    assert answer.header("content-type").startswith("application/xml")
    assert answer.code in codes, answer.body[:600]
    assert answer.xml.findtext("RequestId") == answer.header("x-amz-request-id")
    return answer


@contextmanager
def fails(status: int, *codes: str) -> Iterator[pytest.ExceptionInfo[ClientError]]:
    """Assert that the SDK reports one of the error codes with this status."""
    with pytest.raises(ClientError) as caught:
        yield caught
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status, response
    assert response["Error"]["Code"] in codes, response


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def quoted_md5(data: bytes) -> str:
    return f'"{md5_hex(data)}"'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def md5_b64(data: bytes) -> str:
    return b64(hashlib.md5(data, usedforsecurity=False).digest())


def sha256_b64(data: bytes) -> str:
    return b64(hashlib.sha256(data).digest())


def seeded(size: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same every time."""
    return hashlib.shake_128(f"seed {seed}".encode()).digest(size)


def make_shelf(service: Service, client: Any, **options: Any) -> Shelf:
    shelf = Shelf(new_name(), client, service.raw(), service)
    client.create_bucket(Bucket=shelf.name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}, **options)
    return shelf


def blob_files(bucket: Shelf, at_least: int) -> set[Path]:
    return {path for path in bucket.service.directory.rglob("*") if path.is_file() and path.stat().st_size >= at_least}


def everything_on_disk(bucket: Shelf) -> bytes:
    """All bytes below the data directory (files may vanish while we read)."""
    pieces = []
    for path in sorted(bucket.service.directory.rglob("*")):
        if path.is_file() and path.name != "root.key":
            try:
                pieces.append(path.read_bytes())
            except FileNotFoundError:
                continue
    return b"\n".join(pieces)
