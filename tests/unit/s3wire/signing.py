"""Requests as clients send them: plain ones, and ones signed by botocore at a fixed moment."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from siegel.s3wire.request import Request, parse_request
from siegel.s3wire.sigv4 import VerifiedRequest, parse_claim, signing_key, verify

HOST = "127.0.0.1:9000"
REGION = "eu-central-1"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True)
class Sent:
    """A request's head on its way, open to meddling."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def header(self, name: str) -> bytes:
        return dict(self.headers)[name.encode()]

    def but(self, **changes) -> "Sent":
        return replace(self, **changes)

    def with_header(self, name: str, value: str | bytes) -> "Sent":
        """Replace a header, or add it."""
        raw = value.encode("latin-1") if isinstance(value, str) else value
        others = tuple(pair for pair in self.headers if pair[0] != name.encode())
        return replace(self, headers=(*others, (name.encode(), raw)))

    def without_header(self, name: str) -> "Sent":
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name.encode()))

    def parse(self, domains: tuple[str, ...] = ()) -> Request:
        return parse_request(self.method, "http", self.path, self.query, list(self.headers), "192.0.2.7", domains)


def plain(method: str, target: str, headers: dict[str, str] | None = None, host: str = HOST) -> Sent:
    """Build a request without a signature."""
    path, _, query = target.partition("?")
    pairs = {"host": host} | (headers or {})
    return Sent(method, path.encode(), query.encode(), tuple((k.encode(), v.encode("latin-1")) for k, v in pairs.items()))


def signed(
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    expires: int | None = None,
    region: str = REGION,
    secret: str = SECRET,
    host: str = HOST,
    token: str | None = None,
) -> Sent:
    """Build a request as botocore signs it: in its header, or in its query where `expires` is given."""
    request = AWSRequest(method, f"http://{host}{target}", headers=headers or {}, data=body)
    credentials = Credentials(KEY_ID, secret, token)
    signer = S3SigV4Auth if expires is None else S3SigV4QueryAuth
    options = {} if expires is None else {"expires": expires}
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer(credentials, "s3", region, **options).add_auth(request)
    url = urlsplit(request.url)
    pairs = {"host": host} | {name.lower(): value for name, value in request.headers.items()}
    return Sent(
        method, url.path.encode(), url.query.encode(), tuple((k.encode(), str(v).encode("latin-1")) for k, v in pairs.items())
    )


def check(request: Request, *, now_ms: int = NOW_MS, region: str = REGION, secret: str = SECRET) -> VerifiedRequest:
    """Do what the gateway does with a signed request."""
    claim = parse_claim(request)
    assert claim is not None
    key = signing_key(secret, claim.date, claim.region, claim.service)
    return verify(request, claim, key, now_ms=now_ms, region=region)
