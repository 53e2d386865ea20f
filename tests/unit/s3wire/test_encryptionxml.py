import pytest

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import MalformedXMLError, UnsupportedFeatureError
from siegel.s3wire.encryptionxml import EncryptionRule, parse_encryption, render_encryption

from .xmlbodies import written_by_botocore

AES = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
BLOCKS_SSE_C = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}


def written(**rule):
    return written_by_botocore("PutBucketEncryption", ServerSideEncryptionConfiguration={"Rules": [rule]})


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (AES, EncryptionRule(BucketEncryption(), None)),
        (AES | {"BucketKeyEnabled": True}, EncryptionRule(BucketEncryption(bucket_key_enabled=True), None)),
        (
            AES | BLOCKS_SSE_C,
            EncryptionRule(BucketEncryption(), sse_c_allowed=False),
        ),
        ({"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}, EncryptionRule(BucketEncryption(), sse_c_allowed=True)),
    ],
)
def test_what_botocore_writes_is_read(rule, found):
    assert parse_encryption(written(**rule)) == found


@pytest.mark.parametrize("allowed", [False, True])
def test_what_is_written_is_read_again(allowed):
    encryption = BucketEncryption(bucket_key_enabled=not allowed)
    assert parse_encryption(render_encryption(encryption, sse_c_allowed=allowed)) == EncryptionRule(encryption, allowed)


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_keys_of_a_key_service_are_refused_clearly(algorithm):
    with pytest.raises(UnsupportedFeatureError, match="key management service"):
        parse_encryption(written(ApplyServerSideEncryptionByDefault={"SSEAlgorithm": algorithm, "KMSMasterKeyID": "k"}))


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<Rule/><Rule/>",
        "<Rule><ApplyServerSideEncryptionByDefault/></Rule>",
        "<Rule><BucketKeyEnabled>maybe</BucketKeyEnabled></Rule>",
        "<Rule><BucketKeyEnabled>true</BucketKeyEnabled><BucketKeyEnabled>true</BucketKeyEnabled></Rule>",
        "<Rule><BlockedEncryptionTypes/></Rule>",
        "<Rule><BlockedEncryptionTypes><EncryptionType>AES256</EncryptionType></BlockedEncryptionTypes></Rule>",
        "<Rule>" + "<BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes>" * 2 + "</Rule>",
        "<Rule>" + "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "<KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>",
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES128</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>",
    ],
)
def test_t69_odd_bodies_are_refused(inside):
    body = f"<ServerSideEncryptionConfiguration>{inside}</ServerSideEncryptionConfiguration>"
    with pytest.raises(MalformedXMLError):
        parse_encryption(body.encode())
