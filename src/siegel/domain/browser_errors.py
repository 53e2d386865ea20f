"""The errors that only browsers meet: with forms, and with rules for other origins.

Source of codes and wording: Amazon S3 API Reference, "Error responses", "POST Object", "OPTIONS object".
"""

from siegel.domain.errors import S3Error


class AccessForbiddenError(S3Error):
    """`AccessForbidden`"""

    code = "AccessForbidden"
    message = "CORSResponse: This CORS request is not allowed."


class InvalidPolicyDocumentError(S3Error):
    """`InvalidPolicyDocument`"""

    code = "InvalidPolicyDocument"
    message = "The content of the form does not meet the conditions specified in the policy document."


class MalformedPOSTRequestError(S3Error):
    """`MalformedPOSTRequest`"""

    code = "MalformedPOSTRequest"
    message = "The body of your POST request is not well-formed multipart/form-data."


class MaxPostPreDataLengthExceededError(S3Error):
    """`MaxPostPreDataLengthExceededError`"""

    code = "MaxPostPreDataLengthExceededError"
    message = "Your POST request fields preceding the upload file were too large."


class NoSuchCORSConfigurationError(S3Error):
    """`NoSuchCORSConfiguration`"""

    code = "NoSuchCORSConfiguration"
    message = "The CORS configuration does not exist"
