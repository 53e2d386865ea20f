"""Errors as answers: the HTTP status of every error class, and the XML that clients read.

Source: Amazon S3 API Reference, "Error responses".
"""

from typing import Final

from siegel.domain import absences, browser_errors, consents, errors, key_errors
from siegel.domain.errors import (
    AccessDeniedError,
    InternalError,
    S3Error,
    ServiceUnavailableError,
    SiegelError,
    StorageError,
    StorageFullError,
    WrongCustomerKeyError,
)
from siegel.s3wire.xmltext import PROLOGUE, element

STATUS: Final[dict[type[S3Error], int]] = {
    errors.AccessControlListNotSupportedError: 400,
    errors.AccessDeniedError: 403,
    browser_errors.AccessForbiddenError: 403,
    errors.AuthorizationHeaderMalformedError: 400,
    errors.AuthorizationQueryParametersError: 400,
    errors.BadDigestError: 400,
    errors.BadRequestError: 400,
    errors.BucketAlreadyExistsError: 409,
    errors.BucketAlreadyOwnedByYouError: 409,
    errors.BucketNotEmptyError: 409,
    errors.ConditionalRequestConflictError: 409,
    consents.InvalidConsentStateError: 409,
    errors.EntityTooLargeError: 400,
    errors.EntityTooSmallError: 400,
    errors.ExpiredTokenError: 400,
    errors.IllegalLocationConstraintError: 400,
    errors.IllegalVersioningConfigurationError: 400,
    errors.IncompleteBodyError: 400,
    errors.InternalError: 500,
    errors.InvalidAccessKeyIdError: 403,
    errors.InvalidArgumentError: 400,
    errors.InvalidBucketNameError: 400,
    errors.InvalidBucketStateError: 409,
    errors.InvalidChunkSizeError: 403,
    errors.InvalidDigestError: 400,
    errors.InvalidEncryptionAlgorithmError: 400,
    errors.InvalidPartError: 400,
    errors.InvalidPartNumberError: 416,
    errors.InvalidPartOrderError: 400,
    browser_errors.InvalidPolicyDocumentError: 400,
    errors.InvalidRangeError: 416,
    errors.InvalidRedirectLocationError: 400,
    errors.InvalidRequestError: 400,
    errors.InvalidRetentionPeriodError: 400,
    errors.InvalidStorageClassError: 400,
    errors.InvalidTagError: 400,
    errors.InvalidTokenError: 400,
    errors.InvalidURIError: 400,
    key_errors.KeyDisabledError: 400,
    key_errors.KeyInvalidArnError: 400,
    key_errors.KeyNotFoundError: 400,
    key_errors.KeyStateError: 400,
    key_errors.KeyTimeoutError: 503,
    errors.KeyTooLongError: 400,
    errors.MalformedPolicyError: 400,
    browser_errors.MalformedPOSTRequestError: 400,
    errors.MalformedTrailerError: 400,
    errors.MalformedXMLError: 400,
    errors.MaxMessageLengthExceededError: 400,
    browser_errors.MaxPostPreDataLengthExceededError: 400,
    errors.MetadataTooLargeError: 400,
    errors.MethodNotAllowedError: 405,
    errors.MissingContentLengthError: 411,
    errors.MissingRequestBodyError: 400,
    errors.MissingSecurityHeaderError: 400,
    errors.NoSuchBucketError: 404,
    absences.NoSuchBucketPolicyError: 404,
    browser_errors.NoSuchCORSConfigurationError: 404,
    absences.NoSuchConfigurationError: 404,
    consents.NoSuchConsentError: 404,
    errors.NoSuchKeyError: 404,
    absences.NoSuchLedgerFileError: 404,
    errors.NoSuchLifecycleConfigurationError: 404,
    errors.NoSuchObjectLockConfigurationError: 404,
    absences.NoSuchPublicAccessBlockConfigurationError: 404,
    absences.NoSuchTagSetError: 404,
    errors.NoSuchUploadError: 404,
    errors.NoSuchVersionError: 404,
    absences.NoSuchWebsiteConfigurationError: 404,
    errors.NotModifiedError: 304,
    errors.ObjectLockConfigurationNotFoundError: 404,
    absences.OwnershipControlsNotFoundError: 404,
    errors.PermanentRedirectError: 301,
    errors.PreconditionFailedError: 412,
    absences.ReplicationConfigurationNotFoundError: 404,
    errors.RequestHeaderSectionTooLargeError: 400,
    errors.RequestTimeTooSkewedError: 403,
    errors.RequestTimeoutError: 400,
    absences.ServerSideEncryptionConfigurationNotFoundError: 404,
    errors.ServiceUnavailableError: 503,
    errors.SignatureDoesNotMatchError: 403,
    errors.SlowDownError: 503,
    errors.TooManyBucketsError: 400,
    errors.URITooLongError: 414,
    errors.UnexpectedContentError: 400,
    errors.UnsupportedFeatureError: 501,
    errors.XAmzContentSHA256MismatchError: 400,
}
"""Every class of the error tree that clients may meet, with its HTTP status."""

_NO_BODY: Final = 304


def to_s3_error(error: SiegelError) -> S3Error:
    """Return what the client is told of an error. What went wrong inside stays inside.

    A storage error is worth another try (503); a broken seal, or an error that should not have come this far, is not (500);
    another customer key than the object's is a matter of access (403).
    """
    if isinstance(error, S3Error):
        return error
    if isinstance(error, WrongCustomerKeyError):
        return AccessDeniedError("The customer key of the request is not the one that the object is sealed with.")
    if isinstance(error, StorageFullError):
        return ServiceUnavailableError("The service has no space left, and what cannot be written down is not done.")
    if isinstance(error, StorageError):
        return ServiceUnavailableError()
    return InternalError()


def status_of(error: SiegelError) -> int:
    """Return the HTTP status of an error."""
    return STATUS.get(type(to_s3_error(error)), STATUS[InternalError])


def render_fault(
    error: SiegelError, resource: str, request_id: str, host_id: str, *, of_control: bool = False
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer.

    `resource` is the path as the client knows it. `of_control`: S3 Control wraps its errors in one more element. The two ids
    stand in the body only: their headers are on every response and not this function's. The answer to a HEAD request drops the
    body; 304 has none.
    """
    told = to_s3_error(error)
    status = status_of(told)
    if status == _NO_BODY:
        return status, dict(told.headers), b""
    body = _render_body(told, resource, request_id, host_id)
    if of_control:
        body = f"<ErrorResponse>{body}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return status, {"Content-Type": "application/xml", **told.headers}, f"{PROLOGUE}{body}".encode()


def _render_body(error: S3Error, resource: str, request_id: str, host_id: str) -> str:
    parts = {
        "Code": error.code,
        "Message": error.text,
        **error.fields,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": host_id,
    }
    return f"<Error>{''.join([element(name, text) for name, text in parts.items()])}</Error>"


def render_error_page() -> str:
    """Return the documentation's page of errors, as Markdown."""
    lines = [
        "# Errors",
        "",
        "Every refusal is XML with a `Code`, a `Message`, the `Resource` and the `RequestId`, which is also in the header",
        "`x-amz-request-id`. Answers to HEAD have the status alone. Messages may be more specific than these.",
        "",
        "| Code | Status | Meaning |",
        "|---|---|---|",
    ]
    rows = sorted((error.code, status, error.message) for error, status in STATUS.items())
    return "\n".join([*lines, *(f"| `{code}` | {status} | {message} |" for code, status, message in rows)]) + "\n"
