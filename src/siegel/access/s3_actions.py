"""The actions of S3, and what each is about: a bucket, an object, or the account.

Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from enum import Flag, auto
from typing import Final


class About(Flag):
    """The kinds of resources that an action may name."""

    ACCOUNT = auto()
    BUCKET = auto()
    OBJECT = auto()


_OF_BUCKET: Final = """
    CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket DeleteBucketMetadataTableConfiguration DeleteBucketPolicy
    DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS
    GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration
    GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment
    GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetIntelligentTieringConfiguration
    GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket
    ListBucketMultipartUploads ListBucketVersions PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl
    PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls
    PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite
    PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
    PutMetricsConfiguration PutReplicationConfiguration UpdateBucketMetadataInventoryTableConfiguration
    UpdateBucketMetadataJournalTableConfiguration
"""
_OF_OBJECT: Final = """
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging
    GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent
    GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging
    GetObjectVersionTorrent InitiateReplication ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl
    PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging RenameObject
    ReplicateDelete ReplicateObject ReplicateTags RestoreObject UpdateObjectEncryption
"""
_OF_ACCOUNT: Final = "GetAccountPublicAccessBlock ListAllMyBuckets PutAccountPublicAccessBlock"
_OF_BUCKET_OR_OBJECT: Final = "ListTagsForResource TagResource UntagResource"

ACTIONS: Final[dict[str, About]] = {
    f"s3:{name}": about
    for names, about in (
        (_OF_BUCKET, About.BUCKET),
        (_OF_OBJECT, About.OBJECT),
        (_OF_ACCOUNT, About.ACCOUNT),
        (_OF_BUCKET_OR_OBJECT, About.BUCKET | About.OBJECT),
    )
    for name in names.split()
}
