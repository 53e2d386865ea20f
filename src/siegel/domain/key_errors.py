"""What a client of S3 is told where a key of the key service cannot be used: KMS's own code behind `KMS.`.

Source: Amazon S3 API Reference, "Error responses"; AWS KMS API Reference, "Decrypt", "GenerateDataKey".
"""

from siegel.domain.errors import S3Error


class KeyDisabledError(S3Error):
    """`KMS.DisabledException`"""

    code = "KMS.DisabledException"
    message = "The key that the object is sealed under is disabled."


class KeyNotFoundError(S3Error):
    """`KMS.NotFoundException`"""

    code = "KMS.NotFoundException"
    message = "The key or alias does not exist."


class KeyStateError(S3Error):
    """`KMS.KMSInvalidStateException`"""

    code = "KMS.KMSInvalidStateException"
    message = "The state of the key does not permit its use."


class KeyInvalidArnError(S3Error):
    """`KMS.InvalidArnException`"""

    code = "KMS.InvalidArnException"
    message = "The ARN of the key is not valid."


class KeyTimeoutError(S3Error):
    """`KMS.DependencyTimeoutException`"""

    code = "KMS.DependencyTimeoutException"
    message = "The external key store of the key did not answer in time. Please try again."
