"""Errors as answers of KMS: code and HTTP status of every error that its clients may meet.

What goes wrong with a signature or with a right comes as an error of S3's tree, since one place checks them all; here it gets the
code that KMS gives it.

Source: AWS KMS API Reference, "Common Errors".
"""

from typing import Final

from msgspec import Struct

from siegel.domain import errors
from siegel.domain.errors import PolicyError, S3Error, SiegelError, StorageError
from siegel.domain.kms_errors import (
    KmsDependencyTimeoutError,
    KmsError,
    KmsInternalError,
    KmsMalformedPolicyDocumentError,
    KmsRequestTooLargeError,
    KmsServiceUnavailableError,
)

_STATUS: Final[dict[type[KmsError], int]] = {
    KmsDependencyTimeoutError: 503,
    KmsInternalError: 500,
    KmsRequestTooLargeError: 413,
    KmsServiceUnavailableError: 503,
}
_STATUS_DEFAULT: Final = 400
_TOKEN_INVALID: Final = "The security token included in the request is invalid."
_OF_S3: Final[dict[type[S3Error], tuple[str, str]]] = {
    errors.AccessDeniedError: ("AccessDeniedException", ""),
    errors.AuthorizationHeaderMalformedError: ("IncompleteSignatureException", ""),
    errors.AuthorizationQueryParametersError: ("IncompleteSignatureException", ""),
    errors.ExpiredTokenError: ("ExpiredTokenException", "The security token included in the request is expired"),
    errors.InvalidAccessKeyIdError: ("UnrecognizedClientException", _TOKEN_INVALID),
    errors.InvalidTokenError: ("UnrecognizedClientException", _TOKEN_INVALID),
    errors.RequestTimeTooSkewedError: ("InvalidSignatureException", ""),
    errors.SignatureDoesNotMatchError: ("InvalidSignatureException", ""),
    errors.SlowDownError: ("ThrottlingException", ""),
}
_UNAVAILABLE: Final = (StorageError, errors.ServiceUnavailableError)
_INTERNAL: Final = errors.InternalError
_RECEIVER_STATUS_MIN: Final = 500


class Fault(Struct, frozen=True):
    """What the client is told: code, HTTP status, one sentence."""

    code: str
    status: int
    text: str

    @property
    def is_sender(self) -> bool:
        """Whether the client is to blame."""
        return self.status < _RECEIVER_STATUS_MIN


def to_fault(error: SiegelError) -> Fault:
    """Return what the client is told of an error. What went wrong inside stays inside."""
    if isinstance(error, _UNAVAILABLE):
        error = KmsServiceUnavailableError()
    elif isinstance(error, S3Error) and not isinstance(error, _INTERNAL):
        code, text = _OF_S3.get(type(error), ("ValidationException", ""))
        return Fault(code, _STATUS_DEFAULT, text or error.text)
    elif isinstance(error, PolicyError):
        error = KmsMalformedPolicyDocumentError(str(error))
    elif not isinstance(error, KmsError):
        error = KmsInternalError()
    return Fault(error.code, _STATUS.get(type(error), _STATUS_DEFAULT), error.text)
