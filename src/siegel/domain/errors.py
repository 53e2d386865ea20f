"""The error tree: whatever can go wrong, by its name.

    SiegelError
    ├── S3Error                 an answer to the client: `code` is Amazon's; `s3wire/faults.py` holds each HTTP status
    │   └── one class per code, named after it (NoSuchKeyError, BadDigestError, ...); those of browsers in `browser_errors.py`
    │                           (those of keys, whose codes begin with `KMS.`, in `key_errors.py`)
    ├── QueryError              an answer in the query protocol of IAM and STS; its classes are in `domain/query_errors.py`
    ├── SealBrokenError         stored bytes do not open: damage, a swap, a replay, or the wrong key
    │   └── WrongCustomerKeyError  the seal is whole, but the key of the request (SSE-C) is not the one it was made with
    ├── StorageError            the disk or database refused: nothing was acknowledged
    │   └── StorageFullError    no space left
    ├── AccountError            an account cannot be made like this
    ├── PolicyError             a policy document says something that the policy language does not know
    ├── OutboundError           somebody else's server cannot be asked, or does not answer; see `domain/outbound.py`
    └── ConfigurationError      the service cannot start like this; the message says what to change

Source of codes and wording: Amazon S3 API Reference, "Error responses".
"""

from typing import ClassVar


class SiegelError(Exception):
    """Any error that Siegel raises on purpose."""


class SealBrokenError(SiegelError):
    """Stored bytes do not open under the identity they are read for. No byte of them was released."""


class WrongCustomerKeyError(SealBrokenError):
    """The seal is whole, but was made with another customer key (SSE-C) than the request brought."""


class StorageError(SiegelError):
    """The disk or the database failed. What was being written is not acknowledged and not visible."""


class StorageFullError(StorageError):
    """No space is left. Reads wait too, since no access goes unrecorded; all goes on by itself once there is space."""


class AccountError(SiegelError):
    """An account cannot be created under this name; the message says why."""


class PolicyError(SiegelError):
    """A policy document cannot be used; the message names the exact place. Each protocol answers with its own code for it."""


class ConfigurationError(SiegelError):
    """The service refuses to start; the message names the cause and the way out."""


class S3Error(SiegelError):
    """An error with a place in the S3 protocol.

    `fields` are extra elements of the XML answer (for example `Region`, `BucketName`); `headers` go onto the response.
    """

    code: ClassVar[str] = "InternalError"
    message: ClassVar[str] = "We encountered an internal error. Please try again."

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Take a more specific `message` than the class's own, extra XML `fields` and response `headers`."""
        self.text = message or self.message
        self.fields = fields or {}
        self.headers = headers or {}
        super().__init__(self.text)


class AccessControlListNotSupportedError(S3Error):
    """`AccessControlListNotSupported`"""

    code = "AccessControlListNotSupported"
    message = "The bucket does not allow ACLs."


class AccessDeniedError(S3Error):
    """`AccessDenied`"""

    code = "AccessDenied"
    message = "Access Denied"


class AuthorizationHeaderMalformedError(S3Error):
    """`AuthorizationHeaderMalformed`"""

    code = "AuthorizationHeaderMalformed"
    message = "The authorization header is malformed."


class AuthorizationQueryParametersError(S3Error):
    """`AuthorizationQueryParametersError`"""

    code = "AuthorizationQueryParametersError"
    message = "The query parameters for signing are not complete or not valid."


class BadDigestError(S3Error):
    """`BadDigest`"""

    code = "BadDigest"
    message = "The checksum or Content-MD5 you specified did not match what we received."


class BadRequestError(S3Error):
    """`BadRequest`"""

    code = "BadRequest"
    message = "The request could not be understood."


class BucketAlreadyExistsError(S3Error):
    """`BucketAlreadyExists`"""

    code = "BucketAlreadyExists"
    message = "The requested bucket name is not available. Please select a different name and try again."


class BucketAlreadyOwnedByYouError(S3Error):
    """`BucketAlreadyOwnedByYou`"""

    code = "BucketAlreadyOwnedByYou"
    message = "Your previous request to create the named bucket succeeded and you already own it."


class BucketNotEmptyError(S3Error):
    """`BucketNotEmpty`"""

    code = "BucketNotEmpty"
    message = "The bucket you tried to delete is not empty."


class ConditionalRequestConflictError(S3Error):
    """`ConditionalRequestConflict`"""

    code = "ConditionalRequestConflict"
    message = "A conflicting conditional operation is in progress against this resource. Please try again."


class EntityTooLargeError(S3Error):
    """`EntityTooLarge`"""

    code = "EntityTooLarge"
    message = "Your proposed upload exceeds the maximum allowed size."


class EntityTooSmallError(S3Error):
    """`EntityTooSmall`"""

    code = "EntityTooSmall"
    message = "Your proposed upload is smaller than the minimum allowed size."


class ExpiredTokenError(S3Error):
    """`ExpiredToken`"""

    code = "ExpiredToken"
    message = "The provided token has expired."


class IllegalLocationConstraintError(S3Error):
    """`IllegalLocationConstraintException`"""

    code = "IllegalLocationConstraintException"
    message = "The location constraint is not the region of this endpoint."


class IllegalVersioningConfigurationError(S3Error):
    """`IllegalVersioningConfigurationException`"""

    code = "IllegalVersioningConfigurationException"
    message = "The versioning configuration specified in the request is invalid."


class IncompleteBodyError(S3Error):
    """`IncompleteBody`"""

    code = "IncompleteBody"
    message = "You did not provide the number of bytes specified by the Content-Length HTTP header."


class InternalError(S3Error):
    """`InternalError`"""

    code = "InternalError"
    message = "We encountered an internal error. Please try again."


class InvalidAccessKeyIdError(S3Error):
    """`InvalidAccessKeyId`"""

    code = "InvalidAccessKeyId"
    message = "The access key ID you provided does not exist in our records."


class InvalidArgumentError(S3Error):
    """`InvalidArgument`"""

    code = "InvalidArgument"
    message = "Invalid Argument"


class InvalidBucketNameError(S3Error):
    """`InvalidBucketName`"""

    code = "InvalidBucketName"
    message = "The specified bucket is not valid."


class InvalidBucketStateError(S3Error):
    """`InvalidBucketState`"""

    code = "InvalidBucketState"
    message = "The request is not valid for the current state of the bucket."


class InvalidChunkSizeError(S3Error):
    """`InvalidChunkSizeError`"""

    code = "InvalidChunkSizeError"
    message = "Only the last chunk is allowed to have a size less than 8192 bytes."


class InvalidDigestError(S3Error):
    """`InvalidDigest`"""

    code = "InvalidDigest"
    message = "The Content-MD5 or checksum value that you specified is not valid."


class InvalidEncryptionAlgorithmError(S3Error):
    """`InvalidEncryptionAlgorithmError`"""

    code = "InvalidEncryptionAlgorithmError"
    message = "The encryption request that you specified is not valid. The valid value is AES256."


class InvalidPartError(S3Error):
    """`InvalidPart`"""

    code = "InvalidPart"
    message = (
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag."
    )


class InvalidPartNumberError(S3Error):
    """`InvalidPartNumber`"""

    code = "InvalidPartNumber"
    message = "The requested partnumber is not satisfiable."


class InvalidPartOrderError(S3Error):
    """`InvalidPartOrder`"""

    code = "InvalidPartOrder"
    message = "The list of parts was not in ascending order. The parts list must be specified in order by part number."


class InvalidRangeError(S3Error):
    """`InvalidRange`"""

    code = "InvalidRange"
    message = "The requested range is not satisfiable."


class InvalidRedirectLocationError(S3Error):
    """`InvalidRedirectLocation`"""

    code = "InvalidRedirectLocation"
    message = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."


class InvalidRequestError(S3Error):
    """`InvalidRequest`"""

    code = "InvalidRequest"
    message = "Invalid Request"


class InvalidRetentionPeriodError(S3Error):
    """`InvalidRetentionPeriod`"""

    code = "InvalidRetentionPeriod"
    message = "The retention period must be a positive number of days or years, of 100 years at most."


class InvalidStorageClassError(S3Error):
    """`InvalidStorageClass`"""

    code = "InvalidStorageClass"
    message = "The storage class you specified is not valid."


class InvalidTagError(S3Error):
    """`InvalidTag`"""

    code = "InvalidTag"
    message = "The tag provided was not a valid tag."


class InvalidTokenError(S3Error):
    """`InvalidToken`"""

    code = "InvalidToken"
    message = "The provided token is malformed or otherwise not valid."


class InvalidURIError(S3Error):
    """`InvalidURI`"""

    code = "InvalidURI"
    message = "The specified URI couldn't be parsed."


class KeyTooLongError(S3Error):
    """`KeyTooLongError`"""

    code = "KeyTooLongError"
    message = "Your key is too long."


class MalformedPolicyError(S3Error):
    """`MalformedPolicy`"""

    code = "MalformedPolicy"
    message = "The policy is not valid."


class MalformedTrailerError(S3Error):
    """`MalformedTrailerError`"""

    code = "MalformedTrailerError"
    message = "The request's trailing headers were not well-formed, or not the ones that were announced."


class MalformedXMLError(S3Error):
    """`MalformedXML`"""

    code = "MalformedXML"
    message = "The XML you provided was not well-formed or did not validate against our published schema."


class MaxMessageLengthExceededError(S3Error):
    """`MaxMessageLengthExceeded`"""

    code = "MaxMessageLengthExceeded"
    message = "Your request was too big."


class MetadataTooLargeError(S3Error):
    """`MetadataTooLarge`"""

    code = "MetadataTooLarge"
    message = "Your metadata headers exceed the maximum allowed metadata size."


class MethodNotAllowedError(S3Error):
    """`MethodNotAllowed`"""

    code = "MethodNotAllowed"
    message = "The specified method is not allowed against this resource."


class MissingContentLengthError(S3Error):
    """`MissingContentLength`"""

    code = "MissingContentLength"
    message = "You must provide the Content-Length HTTP header."


class MissingRequestBodyError(S3Error):
    """`MissingRequestBodyError`"""

    code = "MissingRequestBodyError"
    message = "Request body is empty."


class MissingSecurityHeaderError(S3Error):
    """`MissingSecurityHeader`"""

    code = "MissingSecurityHeader"
    message = "Your request is missing a required header."


class NoSuchBucketError(S3Error):
    """`NoSuchBucket`"""

    code = "NoSuchBucket"
    message = "The specified bucket does not exist."


class NoSuchKeyError(S3Error):
    """`NoSuchKey`"""

    code = "NoSuchKey"
    message = "The specified key does not exist."


class NoSuchLifecycleConfigurationError(S3Error):
    """`NoSuchLifecycleConfiguration`"""

    code = "NoSuchLifecycleConfiguration"
    message = "The lifecycle configuration does not exist"


class NoSuchObjectLockConfigurationError(S3Error):
    """`NoSuchObjectLockConfiguration`"""

    code = "NoSuchObjectLockConfiguration"
    message = "The specified object does not have a ObjectLock configuration"


class NoSuchUploadError(S3Error):
    """`NoSuchUpload`"""

    code = "NoSuchUpload"
    message = (
        "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed."
    )


class NoSuchVersionError(S3Error):
    """`NoSuchVersion`"""

    code = "NoSuchVersion"
    message = "The specified version does not exist."


class UnsupportedFeatureError(S3Error):
    """`NotImplemented`"""

    code = "NotImplemented"
    message = "A header or query parameter you provided implies functionality that is not implemented."


class NotModifiedError(S3Error):
    """`NotModified`"""

    code = "NotModified"
    message = "Not Modified"


class ObjectLockConfigurationNotFoundError(S3Error):
    """`ObjectLockConfigurationNotFoundError`"""

    code = "ObjectLockConfigurationNotFoundError"
    message = "Object Lock configuration does not exist for this bucket"


class PermanentRedirectError(S3Error):
    """`PermanentRedirect`"""

    code = "PermanentRedirect"
    message = "The bucket you are attempting to access must be addressed using the specified endpoint."


class PreconditionFailedError(S3Error):
    """`PreconditionFailed`"""

    code = "PreconditionFailed"
    message = "At least one of the preconditions you specified did not hold."


class RequestHeaderSectionTooLargeError(S3Error):
    """`RequestHeaderSectionTooLarge`"""

    code = "RequestHeaderSectionTooLarge"
    message = "Your request header section exceeds the maximum allowed size."


class RequestTimeTooSkewedError(S3Error):
    """`RequestTimeTooSkewed`"""

    code = "RequestTimeTooSkewed"
    message = "The difference between the request time and the server's time is too large."


class RequestTimeoutError(S3Error):
    """`RequestTimeout`"""

    code = "RequestTimeout"
    message = "Your socket connection to the server was not read from or written to within the timeout period."


class ServiceUnavailableError(S3Error):
    """`ServiceUnavailable`"""

    code = "ServiceUnavailable"
    message = "Service is unable to handle the request."


class SignatureDoesNotMatchError(S3Error):
    """`SignatureDoesNotMatch`"""

    code = "SignatureDoesNotMatch"
    message = (
        "The request signature we calculated does not match the signature you provided. Check your secret "
        "access key and signing method."
    )


class SlowDownError(S3Error):
    """`SlowDown`"""

    code = "SlowDown"
    message = "Please reduce your request rate."


class TooManyBucketsError(S3Error):
    """`TooManyBuckets`"""

    code = "TooManyBuckets"
    message = "You have attempted to create more buckets than allowed."


class URITooLongError(S3Error):
    """`URITooLong`"""

    code = "URITooLong"
    message = "The URI of the request is too long."


class UnexpectedContentError(S3Error):
    """`UnexpectedContent`"""

    code = "UnexpectedContent"
    message = "This request contains unsupported content."


class XAmzContentSHA256MismatchError(S3Error):
    """`XAmzContentSHA256Mismatch`"""

    code = "XAmzContentSHA256Mismatch"
    message = "The provided 'x-amz-content-sha256' header does not match what was computed."
