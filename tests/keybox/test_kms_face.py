"""The face of KMS, with the official client: GenerateDataKey and Decrypt as the Amazon S3 encryption client calls them."""

import base64

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.keybox.caller import decrypt_body

CONTEXT = {"aws:x-amz-cek-alg": "AES/GCM/NoPadding", "bucket": "evidence"}


def client_of(stage, **changes):
    keys = stage.box.made["kms"]
    settings = {
        "endpoint_url": stage.serving.url.geturl(),
        "region_name": "eu-central-1",
        "aws_access_key_id": keys["access_key_id"],
        "aws_secret_access_key": keys["secret_access_key"],
        "config": Config(retries={"max_attempts": 0}),
    }
    return boto3.client("kms", **(settings | changes))


@pytest.fixture(scope="module")
def kms(stage):
    return client_of(stage)


def code(call, *args, **asked):
    with pytest.raises(ClientError) as caught:
        call(*args, **asked)
    return caught.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def data_key(kms, key_id):
    return kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)


def test_a_data_key_comes_back(kms, stage, key_id, data_key):
    assert len(data_key["Plaintext"]) == 32
    assert data_key["KeyId"] == f"arn:aws:kms:eu-central-1:000000000000:key/{key_id}"
    opened = kms.decrypt(KeyId=data_key["KeyId"], CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == data_key["Plaintext"]
    assert opened["KeyId"] == data_key["KeyId"]
    assert opened["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    line = stage.box.last("kms.Decrypt")
    assert line["context"] == CONTEXT
    assert line["key_id"] == key_id
    assert line["principal"] == f"credential/{stage.box.made['kms']['access_key_id']}"


@pytest.mark.parametrize(
    "name", ["{id}", "arn:aws:kms:us-east-1:123456789012:key/{id}", "alias/main", "arn:aws:kms:x:000000000000:alias/main"]
)
def test_a_key_by_any_of_its_names(kms, key_id, name):
    made = kms.generate_data_key(KeyId=name.format(id=key_id), NumberOfBytes=64)
    assert len(made["Plaintext"]) == 64
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]


def test_every_data_key_is_another(kms, key_id):
    made = [kms.generate_data_key(KeyId=key_id, KeySpec="AES_128") for _ in range(5)]
    assert len({one["Plaintext"] for one in made}) == 5
    assert all(len(one["Plaintext"]) == 16 for one in made)


@pytest.mark.parametrize("context", [{}, {"bucket": "evidence"}, CONTEXT | {"more": "x"}, CONTEXT | {"bucket": "Evidence"}])
def test_another_context_opens_nothing(kms, data_key, context):
    assert code(kms.decrypt, CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=context) == "InvalidCiphertextException"


def test_a_changed_blob_opens_nothing(kms, data_key):
    blob = bytearray(data_key["CiphertextBlob"])
    for place in (0, 40, len(blob) - 1):
        changed = blob.copy()
        changed[place] ^= 1
        assert code(kms.decrypt, CiphertextBlob=bytes(changed), EncryptionContext=CONTEXT) == "InvalidCiphertextException"
    assert code(kms.decrypt, CiphertextBlob=bytes(blob[:20])) == "InvalidCiphertextException"


def test_another_key_is_an_incorrect_one(kms, stage, data_key):
    other = stage.box.create_key("incorrect")
    asked = {"CiphertextBlob": data_key["CiphertextBlob"], "EncryptionContext": CONTEXT}
    assert code(kms.decrypt, KeyId=other, **asked) == "IncorrectKeyException"
    assert code(kms.decrypt, KeyId="nowhere", **asked) == "NotFoundException"


def test_states_of_a_key(kms, stage):
    key_id = stage.box.create_key("states")
    blob = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["CiphertextBlob"]
    stage.box.command("disable", "states")
    assert code(kms.generate_data_key, KeyId=key_id, KeySpec="AES_256") == "DisabledException"
    assert code(kms.decrypt, CiphertextBlob=blob) == "DisabledException"
    stage.box.command("enable", key_id)
    assert kms.decrypt(CiphertextBlob=blob)["KeyId"].endswith(key_id)
    stage.box.command("destroy", key_id, "--yes")
    assert code(kms.decrypt, CiphertextBlob=blob) == "NotFoundException"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"KeySpec": "AES_256", "NumberOfBytes": 32},
        {"NumberOfBytes": 1025},
        {"KeySpec": "AES_512"},
        {"KeySpec": "AES_256", "DryRun": True},
    ],
)
def test_requests_that_say_something_wrong(stage, key_id, asked):
    kms = client_of(stage, config=Config(retries={"max_attempts": 0}, parameter_validation=False))
    assert code(kms.generate_data_key, KeyId=key_id, **asked) == "ValidationException"


def test_blobs_that_are_none(stage):
    kms = client_of(stage, config=Config(retries={"max_attempts": 0}, parameter_validation=False))
    assert code(kms.decrypt, CiphertextBlob=b"") == "ValidationException"
    assert code(kms.decrypt, CiphertextBlob=bytes(6145)) == "ValidationException"
    assert code(kms.decrypt, CiphertextBlob=bytes(100)) == "InvalidCiphertextException"
    assert code(kms.decrypt, CiphertextBlob=bytes(100), EncryptionAlgorithm="RSAES_OAEP_SHA_1") == "ValidationException"


def test_operations_that_are_not_there(kms):
    assert code(kms.list_keys) == "UnknownOperationException"


def test_credentials_of_the_other_face_do_not_count(stage, key_id):
    xks = stage.caller
    kms = client_of(stage, aws_access_key_id=xks.access_key_id, aws_secret_access_key=xks.secret)
    assert code(kms.generate_data_key, KeyId=key_id, KeySpec="AES_256") == "UnrecognizedClientException"
    keys = stage.box.made["kms"]
    stranger = xks.but(access_key_id=keys["access_key_id"], secret=keys["secret_access_key"])
    assert stranger.post("health", {}).error == "AuthenticationFailedException"


def test_what_one_face_has_sealed_the_other_does_not_open(stage, key_id, data_key):
    """The store holds the credential of the XKS face: it must not be able to open what clients have sealed for themselves."""
    blob = data_key["CiphertextBlob"]
    body = 2 + blob[1]
    parts = {
        "ciphertextMetadata": b"\x01" + blob[body : body + 16],
        "initializationVector": blob[body + 16 : body + 28],
        "ciphertext": blob[body + 28 : -16],
        "authenticationTag": blob[-16:],
    }
    sealed = {name: base64.b64encode(value).decode() for name, value in parts.items()}
    assert stage.caller.key(key_id, "decrypt", decrypt_body(sealed)).error == "InvalidCiphertextException"
