"""A small S3 client inside the process: it signs requests and hands them to the gateway as the server would."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from siegel.app.http import Application
from siegel.domain.errors import SiegelError
from siegel.s3wire.sigv4 import signing_key
from siegel.service.access_keys import AccessKey

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
UNSIGNED_FRAMES: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_HOST: Final = "localhost"
_STATUS_OK: Final = 300
_PIECE_BYTES: Final = 256 * 1024


class Answer(Struct, frozen=True):
    """What the gateway answered."""

    status: int
    headers: dict[str, str]
    body: bytes


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
        """Send one request. Raises SiegelError unless the answer is a success: a write path that fails proves nothing."""
        signed = self._sign(method, path, query, {"content-length": str(len(body)), **(headers or {})})
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            # TLS is what the real server would have ended: keys of customers are accepted on nothing less.
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in signed.items()],
            "client": ("127.0.0.1", 0),
            "server": (_HOST, 443),
        }
        answer = await _exchange(self._gateway, scope, body)
        if answer.status >= _STATUS_OK:
            raise SiegelError(
                f"{method} {path}?{query} was answered with {answer.status}: {answer.body.decode(errors='replace')}"
            )
        return answer

    def _sign(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Return all headers of the request, signed (AWS Signature Version 4, every header covered)."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = moment[:8]
        sent = {"host": _HOST, "x-amz-date": moment, "x-amz-content-sha256": UNSIGNED, **headers}
        names = sorted(sent)
        canonical = "\n".join(
            [
                method,
                path,
                query,
                *(f"{name}:{sent[name]}" for name in names),
                "",
                ";".join(names),
                sent["x-amz-content-sha256"],
            ]
        )
        scope = f"{day}/{self._region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        key = signing_key(self._key.secret_access_key, day, self._region, "s3")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._key.access_key_id}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
        )
        return sent


async def _exchange(gateway: Application, scope: dict[str, Any], body: bytes) -> Answer:
    left = memoryview(body)
    status, headers, pieces = 0, {}, []

    async def receive() -> dict[str, Any]:
        nonlocal left
        piece, left = left[:_PIECE_BYTES], left[_PIECE_BYTES:]
        return {"type": "http.request", "body": bytes(piece), "more_body": bool(left)}

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        else:
            pieces.append(bytes(message.get("body", b"")))

    await gateway(scope, receive, send)
    return Answer(status, headers, b"".join(pieces))
