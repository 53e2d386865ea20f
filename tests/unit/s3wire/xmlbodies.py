"""Every XML body that this service reads, by its root: its reader, and a body that it accepts. Each new reader is added here."""

from functools import partial

import boto3
from botocore.serialize import create_serializer

from siegel.s3wire.accessblockxml import parse_public_access_block
from siegel.s3wire.aclxml import check_acl
from siegel.s3wire.encryptionxml import parse_encryption
from siegel.s3wire.ownershipxml import parse_ownership_controls
from siegel.s3wire.tagsxml import parse_bucket_tags, parse_object_tags, parse_resource_tags
from siegel.s3wire.xml_read import parse_complete_upload, parse_create_bucket, parse_delete, parse_versioning

MODEL = boto3.client("s3", region_name="eu-central-1").meta.service_model
CONTROL_MODEL = boto3.client("s3control", region_name="eu-central-1").meta.service_model
ACCOUNT = "111122223333"
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
GRANT = f"<Grant><Grantee {XSI}><ID>{ACCOUNT}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>"
ENCRYPTION = "ServerSideEncryptionConfiguration"
TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"

BODIES = {
    "complete upload": (
        parse_complete_upload,
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
    ),
    "delete": (parse_delete, "<Delete><Object><Key>k</Key></Object></Delete>"),
    "create bucket": (
        parse_create_bucket,
        "<CreateBucketConfiguration><LocationConstraint>r</LocationConstraint></CreateBucketConfiguration>",
    ),
    "versioning": (parse_versioning, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
    "access block": (
        parse_public_access_block,
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
    ),
    "ownership": (
        parse_ownership_controls,
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
    ),
    "encryption": (
        parse_encryption,
        f"<{ENCRYPTION}><Rule><BucketKeyEnabled>false</BucketKeyEnabled></Rule></{ENCRYPTION}>",
    ),
    "acl": (
        partial(check_acl, account_id=ACCOUNT),
        f"<AccessControlPolicy><AccessControlList>{GRANT}</AccessControlList></AccessControlPolicy>",
    ),
    "bucket tags": (parse_bucket_tags, f"<Tagging><TagSet>{TAG}</TagSet></Tagging>"),
    "object tags": (parse_object_tags, f"<Tagging><TagSet>{TAG}</TagSet></Tagging>"),
    "resource tags": (parse_resource_tags, f"<TagResourceRequest><Tags>{TAG}</Tags></TagResourceRequest>"),
}


def reader_of(name):
    return BODIES[name][0]


def good_body(name):
    return BODIES[name][1].encode()


def written_by_botocore(operation, **params):
    """Return the body that botocore writes."""
    model = MODEL if operation in MODEL.operation_names else CONTROL_MODEL
    place = {"AccountId": ACCOUNT, "ResourceArn": "arn:aws:s3:::b"} if model is CONTROL_MODEL else {"Bucket": "b"}
    found = create_serializer("rest-xml").serialize_to_request({**place, **params}, model.operation_model(operation))
    return found["body"] if isinstance(found["body"], bytes) else found["body"].encode()
