"""The examples that the specification of the XKS proxy API publishes, each as it stands there (aws/aws-kms-xksproxy-api-spec).

Two of them lack a comma there, which is put in here. The key behind the ciphertext is not published: it must be refused, not
opened.
"""

import hashlib
import json
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from siegel.customer.keybox.ciphers import Sealed, frame_aad, integrity_value
from tests.keybox.caller import decrypt_body, unb64

ALICE = "arn:aws:iam::123456789012:user/Alice"
# With a slash too many, as published: the proxy has no business with the form of ARNs.
KEY_ARN = "arn:aws:kms:us-east-2:123456789012:/key/1234abcd-12ab-34cd-56ef-1234567890ab"
AAD = "cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n"
PLAINTEXT = "SGVsbG8gV29ybGQh"
TOLD = {"awsPrincipalArn": ALICE, "kmsKeyArn": KEY_ARN, "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae"}
DESCRIBE = {
    "requestMetadata": {
        "awsPrincipalArn": ALICE,
        "kmsKeyArn": "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "kmsOperation": "DescribeKey",
        "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
        "kmsViaService": "ebs",
    }
}
SEALED_NAMES = ("ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata")
ENCRYPT = {
    "requestMetadata": TOLD | {"kmsOperation": "Encrypt", "kmsViaService": "ebs"},
    "additionalAuthenticatedData": AAD,
    "plaintext": PLAINTEXT,
    "encryptionAlgorithm": "AES_GCM",
    "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
}
ENCRYPTED = {
    "authenticationTag": "vBxN2ncH1oEkR8WVXpmyYQ==",
    "ciphertext": "ghxkK1txeDNn3q8Y",
    "ciphertextDataIntegrityValue": "qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=",
    "ciphertextMetadata": "a2V5X3ZlcnNpb249MQ==",
    "initializationVector": "HMrlRw85cAJUd5Ax",
}
DECRYPT = {
    "requestMetadata": TOLD
    | {"kmsOperation": "Decrypt", "kmsRequestId": "5112f4d6-db54-4af4-ae30-c55a22a8dfae", "kmsViaService": "ebs"},
    "additionalAuthenticatedData": AAD,
    "encryptionAlgorithm": "AES_GCM",
    **{name: text for name, text in ENCRYPTED.items() if name != "ciphertextDataIntegrityValue"},
}
SCRIPT_ENCRYPT = {
    "requestMetadata": TOLD | {"kmsOperation": "GenerateDataKey"},
    "plaintext": PLAINTEXT,
    "encryptionAlgorithm": "AES_GCM",
}
SCRIPT_HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "1124f4d6-db54-4af4-ae30-c55a22a8abcd"}}
HASHED = bytes.fromhex(
    "70726f6a6563743d6e696c652c6465706172746d656e743d6d61726b6574696e67"
    "6b65795f76657273696f6e3d31"
    "1ccae5470f39700254779031"
    "821c642b5b71783367deaf18"
    "bc1c4dda7707d6812447c5955e99b261"
)


def published():
    names = ("ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata")
    return Sealed(*(unb64(ENCRYPTED[name]) for name in names))


def test_metadata(xks, key_id):
    answer = xks.key(key_id, "metadata", DESCRIBE)
    assert answer.json == {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}


def test_encrypt_and_decrypt(xks, key_id):
    assert unb64(PLAINTEXT) == b"Hello World!"
    assert unb64(AAD) == b"project=nile,department=marketing"
    answer = xks.key(key_id, "encrypt", ENCRYPT)
    assert set(answer.json) == set(ENCRYPTED)
    for name in ("authenticationTag", "ciphertext", "ciphertextDataIntegrityValue", "initializationVector"):
        assert len(unb64(answer.json[name])) == len(unb64(ENCRYPTED[name])), name
    sealed = {name: text for name, text in answer.json.items() if name in DECRYPT}
    assert xks.key(key_id, "decrypt", DECRYPT | sealed).json == {"plaintext": PLAINTEXT}


def test_the_ciphertext_of_another_proxy_is_refused(xks, key_id):
    answer = xks.key(key_id, "decrypt", DECRYPT)
    assert (answer.status, answer.error) == (400, "InvalidCiphertextException")


def test_the_integrity_value_is_the_published_one():
    sealed = published()
    assert unb64(AAD) + sealed.metadata + sealed.iv + sealed.ciphertext + sealed.tag == HASHED
    assert hashlib.sha256(HASHED).hexdigest() == "a8703f2260bd8791ec2d15ea0b23e65a0631eedcf2a13a65cc82db3f47cf5ec7"
    assert integrity_value(sealed, unb64(AAD)) == unb64(ENCRYPTED["ciphertextDataIntegrityValue"])


def test_the_associated_data_is_framed_as_published():
    aad, metadata = unb64(AAD), published().metadata
    assert frame_aad(aad, metadata) == b"\x00\x21" + aad + b"\x0d" + metadata
    assert frame_aad(b"", b"") == b"\x00\x00\x00"


def test_the_configuration_file_has_the_published_form(stage):
    told = stage.box.made["xks"]
    assert set(told) == {"XksProxyUriPath", "XksProxyAuthenticationCredential"}
    assert told["XksProxyUriPath"].endswith("/kms/xks/v1")
    credential = told["XksProxyAuthenticationCredential"]
    assert set(credential) == {"AccessKeyId", "RawSecretAccessKey"}
    assert 20 <= len(credential["AccessKeyId"]) <= 30
    assert set(credential["AccessKeyId"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    assert 43 <= len(credential["RawSecretAccessKey"]) <= 64


@pytest.fixture
def signed(stage):
    """Call as the published script does: every header that is there is signed, by a signer of others' making."""

    def call(target, body):
        caller = stage.caller
        url = f"{caller.url.geturl()}{caller.prefix}/kms/xks/v1/{target}"
        data = json.dumps(body, indent=4).encode() + b"\n"
        asked = AWSRequest("POST", url, {"Content-Type": "application/json"}, data)
        SigV4Auth(Credentials(caller.access_key_id, caller.secret), "kms-xks-proxy", "us-east-1").add_auth(asked)
        path = urlsplit(url).path
        return caller.send_raw("POST", path, data, dict(asked.headers)).json

    return call


def test_the_script_encrypts(signed, xks, key_id):
    sealed = signed(f"keys/{key_id}/encrypt", SCRIPT_ENCRYPT)
    assert len(unb64(sealed["ciphertext"])) == len(b"Hello World!")
    assert "ciphertextDataIntegrityValue" not in sealed
    assert xks.key(key_id, "decrypt", decrypt_body(sealed)).json == {"plaintext": PLAINTEXT}


def test_the_script_asks_for_the_health(signed):
    said = signed("health", SCRIPT_HEALTH)
    assert set(said) == {"xksProxyFleetSize", "xksProxyVendor", "xksProxyModel", "ekmVendor", "ekmFleetDetails"}
    assert [set(one) for one in said["ekmFleetDetails"]] == [{"id", "model", "healthStatus"}]


@pytest.mark.parametrize("operation", ["CreateCustomKeyStore", "UpdateCustomKeyStore", "ConnectCustomKeyStore", "KmsHealthCheck"])
def test_the_health_is_asked_for_as_published(xks, operation):
    """The request's example, whose comma is missing there, and the other operations that the page names."""
    asked = {"requestMetadata": {"kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae", "kmsOperation": operation}}
    answer = xks.post("health", asked)
    assert answer.status == 200
    assert set(answer.json) == {"xksProxyFleetSize", "xksProxyVendor", "xksProxyModel", "ekmVendor", "ekmFleetDetails"}
    assert 1 <= len(answer.json["ekmFleetDetails"]) <= 10


def test_every_error_has_a_message_of_the_published_form(xks, key_id):
    """Less than 512 characters, all of them printable ASCII."""
    for target, asked in (
        (f"keys/{key_id}/decrypt", decrypt_body(dict.fromkeys(SEALED_NAMES, "AAAA"))),
        ("keys/none/metadata", DESCRIBE),
        (f"keys/{key_id}/encrypt", {"requestMetadata": {"kmsOperation": "\u2603" * 100}}),
        ("elsewhere", DESCRIBE),
    ):
        answer = xks.post(target, asked)
        assert answer.status in {400, 404}
        said = answer.json.get("errorMessage", "")
        assert len(said) < 512
        assert all(" " <= sign <= "~" for sign in said)
