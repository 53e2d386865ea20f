"""Signature Version 4, checked: the only place that makes a `VerifiedRequest`, which is the evidence that later rooms ask for.

The canonical request is made from the URL as it was sent, since signers sign what they send. Where that does not match and the
URL was not in canonical form, the canonical encoding of what it means is tried as well, as Amazon S3 does; both forms of one
URL mean the same bucket, key and parameters, so neither lets anything through that was not signed.

Source: AWS S3 API Reference, "Signature Calculations for the Authorization Header".
"""

import hmac
import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from siegel.domain.errors import AccessDeniedError, RequestTimeTooSkewedError, SignatureDoesNotMatchError
from siegel.domain.limits import CLOCK_SKEW_S_MAX, PRESIGNED_EXPIRES_S_MAX
from siegel.s3wire.claims import ALGORITHM, Claim, parse_claim, read_payload_hash
from siegel.s3wire.dates import format_iso
from siegel.s3wire.request import Request
from siegel.s3wire.uri import decode, encode, encode_path

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

__all__ = ["Claim", "VerifiedRequest", "admit_anonymous", "keyed_digest", "parse_claim", "signing_key", "verify", "verify_form"]

REGION_ALIAS: Final = "us-east-1"
"""The region that clients sign for when nobody told them one; accepted beside the deployment's own."""

_LOWER_CASE_ESCAPE: Final = re.compile(rb"%[0-9A-F]?[a-f]")
_SPACES: Final = re.compile(r"[ \t]+")
_SECRET_HEADERS: Final = (
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
)
_SKEW_MS_MAX: Final = CLOCK_SKEW_S_MAX * 1000
_FORM_AGE_MS_MAX: Final = PRESIGNED_EXPIRES_S_MAX * 1000
# SHA-256 hashes blocks of this size; HMAC sets its two keys apart by these bytes (RFC 2104, section 2).
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_KEYS_READY_MAX: Final = 256


class VerifiedRequest(Struct, frozen=True):
    """Evidence that a request was signed, whole and in time, by the holder of the claim's secret. Only this module makes one.

    Without a claim, as `admit_anonymous` makes it, it is evidence of nothing but an honest form: nobody stands behind it.
    `signing_key` is kept for the signatures inside a body that is sent in signed chunks; it shows in no text form.
    """

    request: Request
    claim: Claim | None
    signing_key: bytes

    @property
    def payload_hash(self) -> str:
        """What is said about the body: 64 hex digits, UNSIGNED-PAYLOAD or one of the STREAMING forms."""
        return read_payload_hash(self.request) if self.claim is None else self.claim.payload_hash

    def __repr__(self) -> str:
        return f"VerifiedRequest({self.request.method} by {self.claim.access_key_id if self.claim else 'nobody'})"


def admit_anonymous(request: Request) -> VerifiedRequest:
    """Let an unsigned request through to the policies."""
    return VerifiedRequest(request, None, b"")


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the key that a secret access key signs with on one day (YYYYMMDD), in one region, for one service."""
    key = f"AWS4{secret}".encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


@lru_cache(maxsize=_KEYS_READY_MAX)
def _ready(signing_key: bytes) -> "tuple[HASH, HASH]":
    """Return the two hashes of HMAC, each with its key taken in already."""
    padded = signing_key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))


def keyed_digest(signing_key: bytes, text: bytes) -> bytes:
    """Return the HMAC-SHA256 of `text` under a key that `signing_key` made, which is made ready once, not for each text."""
    inner, outer = _ready(signing_key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(text)
    outer.update(inner.digest())
    return outer.digest()


def verify(request: Request, claim: Claim, signing_key: bytes, *, now_ms: int, region: str) -> VerifiedRequest:
    """Return the evidence that `claim`, which `parse_claim` read from `request`, holds at `now_ms` in `region`.

    Raises AuthorizationHeaderMalformedError or AuthorizationQueryParametersError for another region (with the right one),
    RequestTimeTooSkewedError, AccessDeniedError for an expired URL or an unsigned header, SignatureDoesNotMatchError.
    """
    _check_region(claim, region)
    _check_time(claim, now_ms)
    _check_coverage(request, claim)
    tail = _signed_tail(request, claim)
    sent = _query_as_sent(request)
    canonical = f"{request.method}\n{request.raw_path.decode('latin-1')}\n{sent}\n{tail}"
    to_sign = _string_to_sign(canonical, claim)
    if _is_signed(to_sign, claim, signing_key):
        return VerifiedRequest(request, claim, signing_key)
    for path, query in list(product(_paths(request), _queries(request, sent)))[1:]:
        canonical = f"{request.method}\n{path}\n{query}\n{tail}"
        to_sign = _string_to_sign(canonical, claim)
        if _is_signed(to_sign, claim, signing_key):
            return VerifiedRequest(request, claim, signing_key)
    raise SignatureDoesNotMatchError(
        fields={
            "AWSAccessKeyId": claim.access_key_id,
            "StringToSign": to_sign,
            "SignatureProvided": claim.signature,
            "CanonicalRequest": _without_secrets(canonical, request),
        }
    )


def verify_form(request: Request, claim: Claim, policy: str, signing_key: bytes, *, now_ms: int, region: str) -> VerifiedRequest:
    """Return the evidence that the text of a form's `policy` was signed; that `request` keeps to it is for others to check.

    Raises what `verify` raises for the region, the signature and the time: a signature is good for a week, whatever its policy.
    """
    _check_region(claim, region)
    if now_ms - claim.at_ms > _FORM_AGE_MS_MAX:
        raise AccessDeniedError("Request has expired", fields={"ServerTime": format_iso(now_ms)})
    if claim.at_ms - now_ms > _SKEW_MS_MAX:
        raise AccessDeniedError("Request is not valid yet", fields={"ServerTime": format_iso(now_ms)})
    if _is_signed(policy, claim, signing_key):
        return VerifiedRequest(request, claim, signing_key)
    raise SignatureDoesNotMatchError(
        fields={"AWSAccessKeyId": claim.access_key_id, "StringToSign": policy, "SignatureProvided": claim.signature}
    )


def _check_region(claim: Claim, region: str) -> None:
    if claim.region not in {region, REGION_ALIAS}:
        error = claim.malformed(f"The region '{claim.region}' is wrong; expecting '{region}'.", {"Region": region})
        if claim.service == "s3":
            # The answer to HEAD has no body: there, clients read of the right region in this header, and sign anew.
            error.headers["x-amz-bucket-region"] = region
        raise error


def _check_time(claim: Claim, now_ms: int) -> None:
    if claim.expires_s is None:
        if abs(now_ms - claim.at_ms) > _SKEW_MS_MAX:
            raise RequestTimeTooSkewedError(
                fields={
                    "RequestTime": claim.timestamp,
                    "ServerTime": format_iso(now_ms),
                    "MaxAllowedSkewMilliseconds": str(_SKEW_MS_MAX),
                }
            )
        return
    expires_ms = claim.at_ms + claim.expires_s * 1000
    if now_ms > expires_ms or claim.expires_s == 0:
        raise AccessDeniedError(
            "Request has expired",
            fields={
                "X-Amz-Expires": str(claim.expires_s),
                "Expires": format_iso(expires_ms),
                "ServerTime": format_iso(now_ms),
            },
        )
    if claim.at_ms - now_ms > _SKEW_MS_MAX:
        raise AccessDeniedError("Request is not valid yet", fields={"ServerTime": format_iso(now_ms)})


def _check_coverage(request: Request, claim: Claim) -> None:
    """Refuse headers that decide something and that nobody signed; those of a presigned query are signed with the URL."""
    signed = claim.signed_headers
    unsigned = [name for name in request.headers if name.startswith("x-amz-") and name not in signed]
    if unsigned:
        unsigned = [name for name in unsigned if name not in request.hoisted]
    if "host" not in signed:
        unsigned.append("host")
    if unsigned:
        raise AccessDeniedError(
            "There were headers present in the request which were not signed",
            fields={"HeadersNotSigned": ", ".join(sorted(unsigned))},
        )
    for name in signed:
        if name not in request.headers:
            raise SignatureDoesNotMatchError(f"The header {name} was signed but is not in the request.")


def _signed_tail(request: Request, claim: Claim) -> str:
    """Return the canonical request from its headers on."""
    headers = request.headers
    signed = claim.signed_headers
    lines = "".join([f"{name}:{headers[name]}\n" for name in signed])
    if "  " in lines or "\t" in lines:
        lines = "".join([f"{name}:{_SPACES.sub(' ', headers[name])}\n" for name in signed])
    return f"{lines}\n{';'.join(signed)}\n{claim.payload_hash}"


def _string_to_sign(canonical: str, claim: Claim) -> str:
    digest = sha256(canonical.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{claim.timestamp}\n{claim.scope}\n{digest}"


def _is_signed(text: str, claim: Claim, signing_key: bytes) -> bool:
    signature = keyed_digest(signing_key, text.encode()).hex()
    return hmac.compare_digest(signature.encode(), claim.signature.encode())


def _query_as_sent(request: Request) -> str:
    if not request.raw_query:
        return ""
    sent = request.raw_query.decode("latin-1")
    front, _, signature = sent.rpartition("&X-Amz-Signature=")
    if front and "&" not in signature and _is_canonical(front, request.query):
        return front
    pairs = [pair.partition("=") for pair in sent.split("&") if pair]
    pairs.sort()
    return "&".join([f"{name}={value}" for name, _, value in pairs if name != "X-Amz-Signature"])


def _is_canonical(front: str, query: dict[str, str]) -> bool:
    """Whether a query in front of its signature is in order, so that nothing has to be taken apart: most presigned URLs are.

    All its names then stand as they mean, each is there once and has a value, and the escapes are those of slashes in values.
    """
    names = [*query]
    names.pop()
    return (
        names == sorted(names)
        and len(names) == front.count("&") + 1
        and "" not in query.values()
        and front.count("%") == front.count("%2F")
        and "+" not in front
        and front.isascii()
        and "/" not in "".join(names)
    )


def _paths(request: Request) -> Iterator[str]:
    sent = request.raw_path.decode("latin-1")
    yield sent
    if not _LOWER_CASE_ESCAPE.search(request.raw_path):
        encoded = encode_path(decode(request.raw_path))
        if encoded != sent:
            yield encoded


def _queries(request: Request, sent: str) -> Iterator[str]:
    yield sent
    if not _LOWER_CASE_ESCAPE.search(request.raw_query):
        pairs = sorted((encode(name), encode(value)) for name, value in request.query.items() if name != "X-Amz-Signature")
        encoded = "&".join(f"{name}={value}" for name, value in pairs)
        if encoded != sent:
            yield encoded


def _without_secrets(canonical: str, request: Request) -> str:
    for name in _SECRET_HEADERS:
        value = request.headers.get(name)
        if value:
            canonical = canonical.replace(value, "...").replace(encode(value), "...")
    return canonical
