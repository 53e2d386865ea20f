"""Who calls: Signature Version 4 in the header, for the service of the face, over host and x-amz-date at least.

Any region is taken: it is the caller's own, and part of what is signed. The words of the refusals tell no secret.

Source: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md`, "Authentication" and appendix A.
"""

from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from siegel.customer.keybox.content import Content, Credential, Face
from siegel.customer.keybox.refusals import RefusedError
from siegel.domain.errors import S3Error
from siegel.s3wire.request import Request
from siegel.s3wire.sigv4 import Claim, parse_claim, signing_key, verify

# A request that is older, or comes from a clock that is further ahead, is taken for a replay.
SKEW_S_MAX: Final = 5 * 60
SIGNING_KEYS_MAX: Final = 1024

_MUST_BE_SIGNED: Final = frozenset({"host", "x-amz-date"})


class Doorman:
    """Checks signatures. Remembers the signing keys of the day, which cost four hashes each."""

    def __init__(self) -> None:
        self._signing_keys: dict[tuple[str, str, str], bytes] = {}

    def identify(self, request: Request, body: bytes, face: Face, content: Content, now_ms: int) -> Claim:
        """Return the claim of a request that one of the box's credentials signed, whole and in time.

        Raises RefusedError (AuthenticationFailedException).
        """
        try:
            claim = parse_claim(request, face)
            if claim is None:
                raise _failed("The request is not signed.")
            credential = content.credentials_by_id.get((face, claim.access_key_id))
            if credential is None:
                raise _failed("The access key id is not one of this key server.")
            _check_form(claim, now_ms)
            key = self._signing_key(credential, claim)
            signed = replace(claim, payload_hash=sha256(body).hexdigest())
            verify(request, signed, key, now_ms=now_ms, region=claim.region)
        except S3Error as error:
            raise _failed(error.text) from None
        self._signing_keys[credential.secret, claim.date, claim.region] = key
        return claim

    def _signing_key(self, credential: Credential, claim: Claim) -> bytes:
        if len(self._signing_keys) >= SIGNING_KEYS_MAX:
            self._signing_keys.clear()
        known = self._signing_keys.get((credential.secret, claim.date, claim.region))
        return known or signing_key(credential.secret, claim.date, claim.region, claim.service)


def _check_form(claim: Claim, now_ms: int) -> None:
    if claim.source != "header":
        raise _failed("A request is signed in its Authorization header.")
    if not _MUST_BE_SIGNED.issubset(claim.signed_headers):
        raise _failed("The headers host and x-amz-date must be signed.")
    if abs(now_ms - claim.at_ms) > SKEW_S_MAX * 1000:
        raise _failed(f"The request's time is more than {SKEW_S_MAX} seconds from the time of the key server.")


def _failed(message: str) -> RefusedError:
    return RefusedError("AuthenticationFailedException", message)
