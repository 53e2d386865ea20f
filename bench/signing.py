"""A fast signer of requests: AWS Signature Version 4 for tables of requests made ahead of a run.

Object keys and query values here use unreserved characters and `/` only, or are quoted by the caller: nothing is encoded twice.
Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass
class Signer:
    """Signs for one access key and one `host` (with its port). One instance signs with one timestamp, renewed by `renew`."""

    access_key_id: str
    secret_access_key: str
    host: str
    region: str = "eu-central-1"
    _stamp: str = field(default="", init=False)
    _scope: str = field(default="", init=False)
    _key: bytes = field(default=b"", init=False)

    def __post_init__(self) -> None:
        """Sign with the present time from here on."""
        self.renew()

    def renew(self) -> None:
        """Take the present time for what is signed next."""
        self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = self._stamp[:8]
        key = ("AWS4" + self.secret_access_key).encode()
        for word in (day, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self._key = key
        self._scope = f"{day}/{self.region}/s3/aws4_request"

    def _signature(self, canonical: str) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n{digest}"
        return hmac.digest(self._key, text.encode(), "sha256").hex()

    def presign(self, method: str, path: str, query: Mapping[str, str] | None = None, expires_s: int = 86_400) -> str:
        """Return the request target of a presigned URL for `path`; `query` values are already percent-encoded."""
        pairs = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key_id}/{self._scope}".replace("/", "%2F"),
            "X-Amz-Date": self._stamp,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": "host",
            **(query or {}),
        }
        text = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
        signature = self._signature(f"{method}\n{path}\n{text}\nhost:{self.host}\n\nhost\n{UNSIGNED}")
        return f"{path}?{text}&X-Amz-Signature={signature}"

    def head(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        payload_sha256: str = EMPTY_SHA256,
        headers: Mapping[str, str] | None = None,
        content_length: int | None = None,
    ) -> bytes:
        """Return a complete request head, signed in its Authorization header.

        `query` is canonical already (sorted, encoded, `name=value` each). `headers` have lower-case names and are signed.
        """
        signed = {"host": self.host, "x-amz-content-sha256": payload_sha256, "x-amz-date": self._stamp, **(headers or {})}
        names = sorted(signed)
        lines = "".join(f"{name}:{signed[name]}\n" for name in names)
        listed = ";".join(names)
        signature = self._signature(f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{payload_sha256}")
        length = "" if content_length is None else f"content-length: {content_length}\r\n"
        sent = "".join(f"{name}: {signed[name]}\r\n" for name in names)
        target = f"{path}?{query}" if query else path
        return (
            f"{method} {target} HTTP/1.1\r\n{sent}{length}"
            f"authorization: AWS4-HMAC-SHA256 Credential={self.access_key_id}/{self._scope},"
            f"SignedHeaders={listed},Signature={signature}\r\n\r\n"
        ).encode()
