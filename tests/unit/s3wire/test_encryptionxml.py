import pytest

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError, InvalidRequestError, MalformedXMLError, UnsupportedFeatureError
from siegel.s3wire.encryptionxml import (
    EncryptionRule,
    ObjectEncryption,
    parse_encryption,
    parse_object_encryption,
    render_encryption,
)

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
@pytest.mark.parametrize("key_id", ["", "alias/mine"])
def test_a_key_of_the_key_service_is_told_again(algorithm, key_id):
    default = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key_id} if key_id else {})
    rule = parse_encryption(written(ApplyServerSideEncryptionByDefault=default, BucketKeyEnabled=algorithm == "aws:kms"))
    assert rule.encryption == BucketEncryption(algorithm=algorithm, bucket_key_enabled=algorithm == "aws:kms", key_id=key_id)
    assert parse_encryption(render_encryption(rule.encryption, sse_c_allowed=False)).encryption == rule.encryption


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"SSEAlgorithm": "aws:fsx"}, UnsupportedFeatureError),
        ({"SSEAlgorithm": "AES256", "KMSMasterKeyID": "k"}, InvalidArgumentError),
        ({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k" * 2049}, MalformedXMLError),
        ({"SSEAlgorithm": "aws:kms:dsse"}, InvalidArgumentError),
    ],
)
def test_defaults_that_cannot_be_are_refused(rule, error):
    with pytest.raises(error):
        parse_encryption(written(ApplyServerSideEncryptionByDefault=rule, BucketKeyEnabled=True))


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
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES128</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>",
    ],
)
def test_t69_odd_bodies_are_refused(inside):
    body = f"<ServerSideEncryptionConfiguration>{inside}</ServerSideEncryptionConfiguration>"
    with pytest.raises(MalformedXMLError):
        parse_encryption(body.encode())


KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/1c9b2f6e-5b0e-4d0a-9a53-0a6f5c0e9d11"


@pytest.mark.parametrize("flag", [None, True, False])
def test_another_key_for_an_object_is_read(flag):
    wanted = {"KMSKeyArn": KEY_ARN} | ({} if flag is None else {"BucketKeyEnabled": flag})
    body = written_by_botocore("UpdateObjectEncryption", Key="k", ObjectEncryption={"SSEKMS": wanted})
    assert parse_object_encryption(body) == ObjectEncryption(KEY_ARN, bucket_key_enabled=bool(flag))


@pytest.mark.parametrize(
    ("inside", "error"),
    [
        ("", InvalidRequestError),
        ("<SSE-S3/>", InvalidRequestError),
        ("<SSE-KMS/><SSE-KMS/>", InvalidRequestError),
        ("<SSE-KMS><KMSKeyArn>alias/x</KMSKeyArn></SSE-KMS>", InvalidRequestError),
        ("<SSE-KMS/>", InvalidRequestError),
        ("<SSE-C/>", MalformedXMLError),
        (f"<SSE-KMS><KMSKeyArn>{KEY_ARN}</KMSKeyArn><BucketKeyEnabled>x</BucketKeyEnabled></SSE-KMS>", MalformedXMLError),
    ],
)
def test_t69_odd_wishes_for_another_key_are_refused(inside, error):
    with pytest.raises(error):
        parse_object_encryption(f"<ObjectEncryption>{inside}</ObjectEncryption>".encode())
