"""Session tokens: temporary credentials that carry themselves, sealed by the deployment for the one access key they belong to.

Nothing of a session is stored. What a token says of a user or role is looked up at each use, so that the token of a principal
that went, or changed, means at once what it now means. Format page: `docs/design/formats/session-token.md`.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain import ids
from siegel.domain.errors import InvalidTokenError, SealBrokenError, StorageError
from siegel.domain.limits import SESSION_TOKEN_CHARS_MAX
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.domain.query_errors import PackedPolicyTooLargeError
from siegel.domain.records import decode_document, encode_document
from siegel.domain.sessions import Session

_FORM: Final = "SGS1"
"""What a token begins with: the number of its form."""


class Issued(Struct, frozen=True):
    """Fresh temporary credentials: shown once, kept nowhere."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    session: Session

    def __repr__(self) -> str:
        return f"Issued({self.access_key_id})"


class SessionTokens:
    """Issues tokens, and opens them again."""

    def __init__(self, custodian: KeyCustodian, randomness: Randomness) -> None:
        self._custodian = custodian
        self._randomness = randomness

    def issue(self, session: Session) -> Issued:
        """Return credentials for a session; its `secret` is made here.

        Raises PackedPolicyTooLargeError if the token would not fit into a request.
        """
        access_key_id = ids.make_temporary_key_id(self._randomness.bytes(ids.ACCESS_KEY_ID_RANDOM_BYTES))
        secret = ids.make_secret(self._randomness.bytes(ids.SECRET_RANDOM_BYTES))
        session = replace(session, secret=secret)
        sealed = self._custodian.wrap(encode_document(session), _context(access_key_id))
        token = _FORM + urlsafe_b64encode(sealed).decode().rstrip("=")
        if len(token) > SESSION_TOKEN_CHARS_MAX:
            raise PackedPolicyTooLargeError(
                f"Policies and tags make a token of {len(token)} characters; {SESSION_TOKEN_CHARS_MAX} are permitted."
            )
        if not hmac.compare_digest(self.open(access_key_id, token).secret, secret):
            raise SealBrokenError("the custodian did not return what it wrapped")
        return Issued(access_key_id, secret, token, session)

    def open(self, access_key_id: str, token: str) -> Session:
        """Return what a token says; whether it has expired is for the caller to judge.

        Raises InvalidTokenError for one that this deployment never issued for this access key.
        """
        if len(token) > SESSION_TOKEN_CHARS_MAX or not token.startswith(_FORM) or not token.isascii():
            raise InvalidTokenError
        text = token.removeprefix(_FORM)
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if urlsafe_b64encode(sealed).decode().rstrip("=") != text:
                raise InvalidTokenError
            return decode_document(self._custodian.unwrap(sealed, _context(access_key_id)), Session)
        except (Base64Error, SealBrokenError, StorageError):
            raise InvalidTokenError from None


def _context(access_key_id: str) -> bytes:
    return b"siegel session token v1\0" + access_key_id.encode()
