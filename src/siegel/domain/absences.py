"""What a bucket is answered that is not configured in some respect: one error per code, on the tree of `errors.py`.

Source: Amazon S3 API Reference, "Error responses", and the errors of each configuration.
"""

from siegel.domain.errors import S3Error


class NoSuchBucketPolicyError(S3Error):
    """`NoSuchBucketPolicy`"""

    code = "NoSuchBucketPolicy"
    message = "The bucket policy does not exist"


class NoSuchConfigurationError(S3Error):
    """`NoSuchConfiguration`"""

    code = "NoSuchConfiguration"
    message = "The specified configuration does not exist."


class NoSuchLedgerFileError(S3Error):
    """`NoSuchLedgerFile`, an own code: the account's log has no such file, or not yet."""

    code = "NoSuchLedgerFile"
    message = "The ledger has no such file, or not yet."


class NoSuchPublicAccessBlockConfigurationError(S3Error):
    """`NoSuchPublicAccessBlockConfiguration`"""

    code = "NoSuchPublicAccessBlockConfiguration"
    message = "The public access block configuration was not found"


class NoSuchTagSetError(S3Error):
    """`NoSuchTagSet`"""

    code = "NoSuchTagSet"
    message = "The TagSet does not exist"


class NoSuchWebsiteConfigurationError(S3Error):
    """`NoSuchWebsiteConfiguration`"""

    code = "NoSuchWebsiteConfiguration"
    message = "The specified bucket does not have a website configuration"


class OwnershipControlsNotFoundError(S3Error):
    """`OwnershipControlsNotFoundError`"""

    code = "OwnershipControlsNotFoundError"
    message = "The bucket ownership controls were not found"


class ReplicationConfigurationNotFoundError(S3Error):
    """`ReplicationConfigurationNotFoundError`"""

    code = "ReplicationConfigurationNotFoundError"
    message = "The replication configuration was not found"


class ServerSideEncryptionConfigurationNotFoundError(S3Error):
    """`ServerSideEncryptionConfigurationNotFoundError`"""

    code = "ServerSideEncryptionConfigurationNotFoundError"
    message = "The server side encryption configuration was not found."
