"""A small client of S3 and KMS inside the process: it signs requests and hands them to the gateway as the server would."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from siegel.app.http import Application
from siegel.app.verify.exchange import HOST, Answer, Target, exchange
from siegel.domain.errors import SiegelError
from siegel.s3wire.sigv4 import signing_key
from siegel.service.access_keys import AccessKey

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
UNSIGNED_FRAMES: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_STATUS_OK: Final = 300


class InProcessClient:
    """Calls one gateway as one account. Paths and queries are given in their canonical form (RFC 3986, sorted)."""

    def __init__(self, gateway: Application, key: AccessKey, region: str) -> None:
        """Speak to `gateway` with `key`."""
        self._gateway = gateway
        self._key = key
        self._region = region

    async def call(
        self, method: str, path: str, *, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send one request to S3. Raises SiegelError unless the answer is a success: a write path that fails proves nothing."""
        sent = {"content-length": str(len(body)), "x-amz-content-sha256": UNSIGNED, **(headers or {})}
        target = Target(method, path, query)
        signed = self._sign("s3", target, sent, sent["x-amz-content-sha256"])
        return await self._send(target, signed, body)

    async def call_kms(self, operation: str, members: Mapping[str, object]) -> dict[str, Any]:
        """Call KMS; members that are bytes are sent in base64. Raises SiegelError unless it succeeds."""
        body = msgspec.json.encode(members)
        sent = {
            "content-length": str(len(body)),
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"TrentService.{operation}",
        }
        target = Target("POST", "/")
        signed = self._sign("kms", target, sent, hashlib.sha256(body).hexdigest())
        answer = await self._send(target, signed, body)
        return msgspec.json.decode(answer.body, type=dict[str, Any]) if answer.body else {}

    async def _send(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = await exchange(self._gateway, target, list(headers.items()), body)
        if answer.status >= _STATUS_OK:
            raise SiegelError(
                f"{target.method} {target.path}?{target.query} was answered with {answer.status}: "
                f"{answer.body.decode(errors='replace')}"
            )
        return answer

    def _sign(self, service: str, target: Target, headers: Mapping[str, str], payload: str) -> dict[str, str]:
        """Return all headers of a request, signed (AWS Signature Version 4, every header covered)."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = moment[:8]
        sent = {"host": HOST, "x-amz-date": moment, **headers}
        names = sorted(sent)
        canonical = "\n".join(
            [target.method, target.path, target.query, *(f"{name}:{sent[name]}" for name in names), "", ";".join(names), payload]
        )
        scope = f"{day}/{self._region}/{service}/aws4_request"
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        key = signing_key(self._key.secret_access_key, day, self._region, service)
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key.access_key_id}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
        )
        return sent
