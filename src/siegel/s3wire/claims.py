"""Whom a request says it comes from, as Signature Version 4 writes it down: in a header, in a presigned URL's query, in a form.

A claim is not yet believed: `sigv4.verify` compares its signature.

Sources: AWS S3 API Reference, "Authenticating Requests (AWS Signature Version 4)", "Authenticating Requests: Using Query
Parameters", "Browser-Based Uploads Using POST".
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from msgspec import Struct

from siegel.domain.errors import (
    AccessDeniedError,
    AuthorizationHeaderMalformedError,
    AuthorizationQueryParametersError,
    InvalidAccessKeyIdError,
    InvalidArgumentError,
    InvalidRequestError,
    InvalidTokenError,
    S3Error,
    UnsupportedFeatureError,
)
from siegel.domain.limits import PRESIGNED_EXPIRES_S_MAX
from siegel.s3wire.dates import parse_date
from siegel.s3wire.request import SIGNING_QUERY_NAMES, Request

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
STREAMING_PAYLOADS: Final = frozenset(
    {
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
)

_PAYLOAD_HEADER: Final = "x-amz-content-sha256"
_SHA256_HEX: Final = re.compile(r"[0-9a-f]{64}")
_ACCESS_KEY_ID: Final = re.compile(r"[A-Za-z0-9_]{1,128}")
_AUTHORIZATION_PARTS: Final = frozenset({"Credential", "SignedHeaders", "Signature"})
_QUERY_PARTS: Final = SIGNING_QUERY_NAMES - {"X-Amz-Security-Token"}
_FORM_PARTS: Final = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_FORM_PARTS_V2: Final = ("awsaccesskeyid", "signature")
_SCOPE_END: Final = "aws4_request"
# What is derived for a scope is remembered by its text, before anybody has proven anything.
_REGION_CHARS_MAX: Final = 64
_EXPIRES_DIGITS_MAX: Final = len(str(PRESIGNED_EXPIRES_S_MAX))
_TIMESTAMP_CHARS: Final = len("YYYYMMDDTHHMMSSZ")
# Requests of the same second, and presigned URLs that were made together, say the same moment.
_MOMENTS_MAX: Final = 64
# Credentials come again with every request; what is longer than any is not kept.
_CREDENTIALS_KEPT_MAX: Final = 1024
_CREDENTIAL_CHARS_KEPT_MAX: Final = 256
_SIGNATURE_V2: Final = (
    "Signature Version 2 is not supported. Please use AWS4-HMAC-SHA256; with boto3 or the AWS CLI set signature_version = s3v4."
)


class Claim(Struct, frozen=True, kw_only=True):
    """Who signed, when, for what scope, and over which headers.

    `date` is the scope's day (YYYYMMDD), `timestamp` the moment as it was signed (YYYYMMDDTHHMMSSZ), `at_ms` the same in
    milliseconds. `expires_s` is a presigned URL's lifetime, else None. `source` is "header", "query" or "form".
    `payload_hash` is the signed word about the body: 64 hex digits, UNSIGNED-PAYLOAD or one of the STREAMING forms.
    `session_token` goes with temporary credentials, and is empty with permanent ones.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    at_ms: int
    expires_s: int | None
    source: str
    payload_hash: str
    session_token: str = ""

    @property
    def scope(self) -> str:
        """The credential's scope, as it stands in every string to sign."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    def malformed(self, message: str, fields: dict[str, str] | None = None) -> S3Error:
        """Return the error for a claim that says something wrong, in the code that belongs to its source."""
        return _malformed(self.source, message, fields)


def signing_service(request: Request) -> str:
    """Return the service that a request is signed for (`s3`, `iam`, ...), "" where it shows no readable credential.

    Nothing is believed of it: it tells only whose protocol the answer is to be given in.
    """
    authorization = request.headers.get("authorization", "")
    credential = request.query.get("X-Amz-Credential", "")
    if "Credential=" in authorization:
        credential = authorization.partition("Credential=")[2].partition(",")[0]
    scope = credential.strip().split("/")
    return scope[-2] if len(scope) > 1 and scope[-1] == _SCOPE_END else ""


def parse_claim(request: Request, service: str = "s3") -> Claim | None:
    """Return the request's claim for `service`, or None for an anonymous request.

    Services other than S3 sign the hash of their body without saying it: their claims come with an empty `payload_hash`, and
    whoever has the body puts its SHA-256 there before the claim is verified.

    Any trace of credentials makes a request one that must be signed properly. Raises an S3Error for what is malformed,
    doubled, outdated (Signature Version 2) or not known.
    """
    query = request.query
    authorization = request.headers.get("authorization")
    if "AWSAccessKeyId" in query:
        raise InvalidRequestError(_SIGNATURE_V2)
    presigned = not SIGNING_QUERY_NAMES.isdisjoint(query)
    if authorization is None:
        return _from_query(request, service) if presigned else None
    if presigned:
        raise InvalidArgumentError("A request is signed in its header or in its query, not in both.")
    return _from_header(request, authorization, service)


def _from_header(request: Request, authorization: str, service: str) -> Claim:
    scheme, _, rest = authorization.partition(" ")
    if scheme != ALGORITHM:
        raise _unknown_scheme(scheme)
    parts: dict[str, str] = {}
    for item in rest.split(","):
        name, _, value = item.strip().partition("=")
        if name in parts or not value:
            raise AuthorizationHeaderMalformedError(
                f"The authorization header names {name[:64] or 'a part'} twice or without a value."
            )
        parts[name] = value
    if parts.keys() != _AUTHORIZATION_PARTS:
        raise AuthorizationHeaderMalformedError("The authorization header consists of Credential, SignedHeaders and Signature.")
    said = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
    return _claim("header", said, _header_time(request.headers), None, request=request, expected=service)


def _from_query(request: Request, service: str) -> Claim:
    query = request.query
    if not _QUERY_PARTS.issubset(query):
        names = ", ".join(sorted(_QUERY_PARTS - query.keys()))
        raise AuthorizationQueryParametersError(f"A presigned URL must also have these query parameters: {names}.")
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise AuthorizationQueryParametersError(f"X-Amz-Algorithm must be {ALGORITHM}.")
    if "x-amz-security-token" in request.headers:
        raise InvalidTokenError
    timestamp = query["X-Amz-Date"]
    at_ms = _moment_ms(timestamp)
    if at_ms is None:
        raise AuthorizationQueryParametersError("X-Amz-Date must be in the ISO 8601 basic form YYYYMMDDTHHMMSSZ.")
    said = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
    return _claim("query", said, (timestamp, at_ms), _expires_s(query["X-Amz-Expires"]), request=request, expected=service)


def parse_form_claim(request: Request, fields: Mapping[str, str]) -> Claim | None:
    """Return the claim of a form with these fields, or None where it shows no trace of credentials.

    `request` is what the form asks for. Raises an S3Error for what is missing, malformed or outdated (Signature Version 2).
    """
    if any(name in fields for name in _FORM_PARTS_V2):
        raise InvalidRequestError(_SIGNATURE_V2)
    if not any(name in fields for name in (*_FORM_PARTS, "x-amz-security-token")):
        return None
    for name in _FORM_PARTS:
        if not fields.get(name):
            raise InvalidArgumentError(
                f"Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields.",
                fields={"ArgumentName": name},
            )
    at_ms = _moment_ms(fields["x-amz-date"])
    if fields["x-amz-algorithm"] != ALGORITHM or at_ms is None:
        name = "x-amz-date" if at_ms is None else "x-amz-algorithm"
        wanted = "in the ISO 8601 basic form YYYYMMDDTHHMMSSZ" if at_ms is None else ALGORITHM
        raise InvalidArgumentError(f"{name} must be {wanted}.", fields={"ArgumentName": name})
    said = fields["x-amz-credential"], "", fields["x-amz-signature"]
    return _claim("form", said, (fields["x-amz-date"], at_ms), None, request=request, expected="s3")


def _claim(
    source: str,
    said: tuple[str, str, str],
    moment: tuple[str, int],
    expires_s: int | None,
    *,
    request: Request,
    expected: str,
) -> Claim:
    timestamp, at_ms = moment
    credential, signed_headers, signature = said
    read = _read_credential if len(credential) <= _CREDENTIAL_CHARS_KEPT_MAX else _read_credential.__wrapped__
    access_key_id, date, region = read(source, credential, timestamp[:8], expected)
    return Claim(
        access_key_id=access_key_id,
        date=date,
        region=region,
        service=expected,
        signed_headers=tuple(signed_headers.split(";")),
        signature=signature,
        timestamp=timestamp,
        at_ms=at_ms,
        expires_s=expires_s,
        source=source,
        payload_hash=read_payload_hash(request) if expected == "s3" else "",
        session_token=_session_token(request, source),
    )


@lru_cache(maxsize=_CREDENTIALS_KEPT_MAX)
def _read_credential(source: str, text: str, day: str, expected: str) -> tuple[str, str, str]:
    """Return access key id, date and region of a credential that is used on a `day`."""
    credential = text.rsplit("/", 4)
    if len(credential) != len(("access key id", "date", "region", "service", "aws4_request")):
        raise _malformed(source, f"The Credential must be <access key id>/YYYYMMDD/<region>/{expected}/aws4_request.")
    access_key_id, date, region, service, end = credential
    if service != expected or end != _SCOPE_END:
        raise _malformed(source, f"The Credential's scope must end in /{expected}/aws4_request.")
    if date != day:
        raise _malformed(source, "The Credential's date is not that of the request's own date.")
    if len(region) > _REGION_CHARS_MAX:
        raise _malformed(source, f"The region of a scope has at most {_REGION_CHARS_MAX} characters.")
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise InvalidAccessKeyIdError
    return access_key_id, date, region


def _session_token(request: Request, source: str) -> str:
    if source == "query":
        return request.query.get("X-Amz-Security-Token", "")
    return request.headers.get("x-amz-security-token", "")


def read_payload_hash(request: Request) -> str:
    """Return what a request to S3 says about its body.

    Raises InvalidRequestError, InvalidArgumentError, UnsupportedFeatureError.
    """
    word = request.headers.get(_PAYLOAD_HEADER)
    if word is None:
        if "authorization" not in request.headers:
            return UNSIGNED_PAYLOAD
        raise InvalidRequestError(f"A signed request must have the header {_PAYLOAD_HEADER}.")
    if word == UNSIGNED_PAYLOAD or word in STREAMING_PAYLOADS or _SHA256_HEX.fullmatch(word):
        return word
    if word.startswith("STREAMING-"):
        raise UnsupportedFeatureError(f"{_PAYLOAD_HEADER} names a form of body that is not implemented.")
    raise InvalidArgumentError(
        f"{_PAYLOAD_HEADER} must be UNSIGNED-PAYLOAD, a STREAMING form or 64 lower-case hexadecimal digits.",
        fields={"ArgumentName": _PAYLOAD_HEADER},
    )


def _header_time(headers: dict[str, str]) -> tuple[str, int]:
    """Return the signed moment, as text and in milliseconds: that of x-amz-date, or else of Date in either of its forms."""
    text = headers.get("x-amz-date") or headers.get("date") or ""
    at_ms = _moment_ms(text)
    if at_ms is not None:
        return text, at_ms
    moment_ms = parse_date(text) if "x-amz-date" not in headers else None
    if moment_ms is None:
        raise AccessDeniedError("A signed request must have a valid x-amz-date or Date header.")
    return datetime.fromtimestamp(moment_ms // 1000, UTC).strftime("%Y%m%dT%H%M%SZ"), moment_ms


@lru_cache(maxsize=_MOMENTS_MAX)
def _moment_ms(text: str) -> int | None:
    digits = text[:8] + text[9:-1]
    if len(text) != _TIMESTAMP_CHARS or not (digits.isascii() and digits.isdigit()) or text[8] + text[-1] != "TZ":
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp()) * 1000
    except ValueError:
        return None


def _expires_s(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _EXPIRES_DIGITS_MAX or int(text) > PRESIGNED_EXPIRES_S_MAX:
        raise AuthorizationQueryParametersError(
            f"X-Amz-Expires must be a number of seconds, at most a week ({PRESIGNED_EXPIRES_S_MAX} seconds)."
        )
    return int(text)


def _malformed(source: str, message: str, fields: dict[str, str] | None = None) -> S3Error:
    error = AuthorizationHeaderMalformedError if source == "header" else AuthorizationQueryParametersError
    return error(message, fields=fields)


def _unknown_scheme(scheme: str) -> S3Error:
    if scheme == "AWS":
        return InvalidRequestError(_SIGNATURE_V2)
    return InvalidArgumentError(
        f"The authorization mechanism is not supported. Please use {ALGORITHM}.", fields={"ArgumentName": "Authorization"}
    )
