"""Every way in which a customer's bytes reach the store, walked once with canaries."""

import base64
import hashlib
import re
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import msgspec

from siegel.app.verify.canaries import Canary
from siegel.app.verify.client import UNSIGNED_FRAMES, InProcessClient
from siegel.domain.limits import INLINE_BYTES_MAX, PART_BYTES_MIN
from siegel.s3wire.checksums import Algorithm, new_hasher

SMALL_BYTES: Final = 4_000
LARGE_BYTES: Final = 3 * INLINE_BYTES_MAX + 17

_ON_VERSIONING: Final = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_PART_TAG = re.compile(rb"<ETag>(?:&quot;|\")?([^<&\"]+)")


class WritePaths:
    """Writes canaries into one bucket of the guest."""

    def __init__(self, client: InProcessClient, canary: Canary, region: str) -> None:
        """Write by `client` into a bucket named after the canary's mark."""
        self._client = client
        self._canary = canary
        self._region = region
        # Bucket names are no secret, but the mark must not be found: the bucket is named after its digest.
        self._bucket = "/siegel-verify-" + hashlib.sha256(canary.mark.encode()).hexdigest()[:24]

    async def walk(self) -> list[str]:
        """Write through every path; return their names."""
        configuration = (
            f"<CreateBucketConfiguration><LocationConstraint>{self._region}</LocationConstraint></CreateBucketConfiguration>"
        )
        await self._client.call("PUT", self._bucket, body=configuration.encode())
        await self._client.call("PUT", self._bucket, query="versioning=", body=_ON_VERSIONING)
        walked = {
            "put, small": self.put("small", SMALL_BYTES, {}),
            "put, large": self.put("large", LARGE_BYTES, {}),
            "put, framed": self._put_framed("framed", LARGE_BYTES),
            "overwrite": self.put("small", SMALL_BYTES + 1, {}),
            "object names": self.put(self._canary.mark, SMALL_BYTES, {}),
            "metadata and headers": self.put("described", SMALL_BYTES, self.description()),
            "tags": self.put("tagged", SMALL_BYTES, {"x-amz-tagging": f"{self._canary.mark}=of-{self._canary.mark}"}),
            "changed tags": self.configure("tagging", self._tags(), "tagged"),
            "bucket's tags": self.configure("tagging", self._tags()),
            "bucket policy": self.configure("policy", self._policy()),
            "rules for other origins": self.configure("cors", self._origins()),
            "lifecycle rules": self.configure("lifecycle", self._lifecycle()),
            "customer's key, small": self.put("private-small", SMALL_BYTES, self._customer_key()),
            "customer's key, large": self.put("private-large", LARGE_BYTES, self._customer_key()),
            "copy": self.copy("large", "copied"),
            "parts": self.put_in_parts("assembled", {}),
            "parts, customer's key": self.put_in_parts("private-assembled", self._customer_key()),
            "upload in progress": self.begin("unfinished"),
            "delete marker": self._client.call("DELETE", f"{self._bucket}/{self._canary.mark}"),
        }
        await walk_in_order(walked.values())
        return list(walked)

    def description(self) -> dict[str, str]:
        """Return headers that describe an object by the mark."""
        mark = self._canary.mark
        return {
            "x-amz-meta-note": f"{mark} in metadata",
            "content-disposition": f'attachment; filename="{mark}.txt"',
            "content-type": f"text/x-{mark}",
            "content-language": mark,
        }

    def _customer_key(self) -> dict[str, str]:
        # The key itself is a canary too: its bytes are the mark, stretched.
        key = (self._canary.mark * 2).encode()[:32]
        return {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
            "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(
                hashlib.md5(key, usedforsecurity=False).digest()
            ).decode(),
        }

    def _tags(self) -> bytes:
        mark = self._canary.mark
        return f"<Tagging><TagSet><Tag><Key>{mark}</Key><Value>of-{mark}</Value></Tag></TagSet></Tagging>".encode()

    def _policy(self) -> bytes:
        # It denies what nobody asks for, so that nothing else on the walk is kept from its place.
        statement = {
            "Sid": self._canary.mark,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObjectTorrent",
            "Resource": f"arn:aws:s3:::{self._bucket[1:]}/{self._canary.mark}",
        }
        return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]})

    def _origins(self) -> bytes:
        rule = f"<AllowedOrigin>https://{self._canary.mark}.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
        return f"<CORSConfiguration><CORSRule>{rule}</CORSRule></CORSConfiguration>".encode()

    def _lifecycle(self) -> bytes:
        mark = self._canary.mark
        rule = f"<ID>{mark}</ID><Filter><Prefix>{mark}</Prefix></Filter><Status>Disabled</Status>"
        expiration = "<Expiration><Days>1</Days></Expiration>"
        return f"<LifecycleConfiguration><Rule>{rule}{expiration}</Rule></LifecycleConfiguration>".encode()

    async def configure(self, query: str, body: bytes, name: str = "") -> None:
        """Put a configuration of the bucket, or of the object `name` in it."""
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        place = f"{self._bucket}/{name}" if name else self._bucket
        await self._client.call("PUT", place, query=f"{query}=", headers={"content-md5": digest}, body=body)

    async def put(self, name: str, size_bytes: int, headers: dict[str, str]) -> None:
        """Write an object."""
        body = self._canary.body(name, size_bytes)
        await self._client.call("PUT", f"{self._bucket}/{name}", headers=headers, body=body)

    async def _put_framed(self, name: str, size_bytes: int) -> None:
        body = self._canary.body(name, size_bytes)
        hasher = new_hasher(Algorithm.CRC64NVME)
        hasher.update(body)
        trailer = f"x-amz-checksum-crc64nvme:{base64.b64encode(hasher.digest()).decode()}"
        framed = b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, trailer.encode())
        headers = {
            "x-amz-content-sha256": UNSIGNED_FRAMES,
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(len(body)),
            "x-amz-trailer": "x-amz-checksum-crc64nvme",
        }
        await self._client.call("PUT", f"{self._bucket}/{name}", headers=headers, body=framed)

    async def copy(self, source: str, target: str, headers: dict[str, str] | None = None) -> None:
        """Copy an object."""
        headers = {"x-amz-copy-source": f"{self._bucket}/{source}", **(headers or {})}
        await self._client.call("PUT", f"{self._bucket}/{target}", headers=headers)

    async def begin(self, name: str, headers: dict[str, str] | None = None) -> tuple[str, list[str]]:
        """Start an upload with one part of bytes and, where the source can be read, one copied part; return its id and tags."""
        target = f"{self._bucket}/{name}"
        customer = _of_customer(headers or {})
        begun = await self._client.call("POST", target, query="uploads=", headers={**self.description(), **(headers or {})})
        upload_id = _first(_UPLOAD_ID, begun.body)
        body = self._canary.body(f"part of {name}", PART_BYTES_MIN)
        sent = await self._client.call("PUT", target, query=f"partNumber=1&uploadId={upload_id}", headers=customer, body=body)
        copied = await self._client.call(
            "PUT",
            target,
            query=f"partNumber=2&uploadId={upload_id}",
            headers={"x-amz-copy-source": f"{self._bucket}/large", **customer},
        )
        return upload_id, [sent.headers["etag"].strip('"'), _first(_PART_TAG, copied.body)]

    async def put_in_parts(self, name: str, headers: dict[str, str]) -> None:
        """Write an object in parts."""
        upload_id, tags = await self.begin(name, headers)
        parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>" for number, tag in enumerate(tags, 1))
        await self._client.call(
            "POST",
            f"{self._bucket}/{name}",
            query=f"uploadId={upload_id}",
            headers=_of_customer(headers),
            body=f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode(),
        )


async def walk_in_order(steps: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Do one step after the other; what comes behind one that fails is left."""
    left = list(steps)
    try:
        while left:
            await left.pop(0)
    finally:
        for step in left:
            step.close()


def _of_customer(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers of a customer's own key, which each request of an upload carries."""
    return {name: value for name, value in headers.items() if "customer" in name}


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    if found is None:
        raise ValueError(f"the answer has no {pattern.pattern!r}: {body!r}")
    return found[1].decode()
