"""Errors as answers of the query protocol: code and HTTP status of every error that its clients may meet.

What goes wrong with a signature comes as an error of S3's tree, since one place checks them all; here it gets the code that IAM
and STS give it.

Source: AWS IAM API Reference, "Common errors"; AWS STS API Reference, "Common errors".
"""

from typing import Final

from msgspec import Struct

from siegel.domain import errors, query_errors
from siegel.domain.errors import PolicyError, S3Error, SiegelError, StorageError
from siegel.domain.query_errors import MalformedPolicyDocumentError, QueryError, ServiceFailureError, TemporarilyUnavailableError

STATUS: Final[dict[type[QueryError], int]] = {
    query_errors.DeleteConflictError: 409,
    query_errors.EntityAlreadyExistsError: 409,
    query_errors.ExpiredTokenExceptionError: 400,
    query_errors.IdpCommunicationError: 400,
    query_errors.IdpRejectedClaimError: 403,
    query_errors.InvalidActionError: 400,
    query_errors.InvalidIdentityTokenError: 400,
    query_errors.InvalidInputError: 400,
    query_errors.LimitExceededError: 409,
    query_errors.MalformedPolicyDocumentError: 400,
    query_errors.MissingActionError: 400,
    query_errors.MissingAuthenticationTokenError: 403,
    query_errors.NoSuchEntityError: 404,
    query_errors.PackedPolicyTooLargeError: 400,
    query_errors.RequestEntityTooLargeError: 413,
    query_errors.ServiceFailureError: 500,
    query_errors.TemporarilyUnavailableError: 503,
    query_errors.ValidationError: 400,
}
"""Every class of the query protocol's errors, with its HTTP status."""

_OF_S3: Final[dict[type[S3Error], tuple[str, int, str]]] = {
    errors.AccessDeniedError: ("AccessDenied", 403, ""),
    errors.AuthorizationHeaderMalformedError: ("IncompleteSignature", 400, ""),
    errors.AuthorizationQueryParametersError: ("IncompleteSignature", 400, ""),
    errors.ExpiredTokenError: ("ExpiredToken", 403, "The security token included in the request is expired"),
    errors.InternalError: ("ServiceFailure", 500, QueryError.message),
    errors.InvalidAccessKeyIdError: ("InvalidClientTokenId", 403, "The security token included in the request is invalid."),
    errors.InvalidTokenError: ("InvalidClientTokenId", 403, "The security token included in the request is invalid."),
    errors.RequestTimeTooSkewedError: ("RequestExpired", 400, ""),
    errors.ServiceUnavailableError: ("ServiceUnavailable", 503, ""),
    errors.SignatureDoesNotMatchError: ("SignatureDoesNotMatch", 403, ""),
    errors.SlowDownError: ("Throttling", 400, ""),
}
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
    if isinstance(error, S3Error):
        code, status, text = _OF_S3.get(type(error), ("ValidationError", 400, ""))
        return Fault(code, status, text or error.text)
    if isinstance(error, PolicyError):
        error = MalformedPolicyDocumentError(str(error))
    elif isinstance(error, StorageError):
        error = TemporarilyUnavailableError()
    elif not isinstance(error, QueryError):
        error = ServiceFailureError()
    return Fault(error.code, STATUS[type(error)], error.text)
