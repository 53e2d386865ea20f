"""The cases of the published test client for XKS proxies (aws-samples/aws-kms-xksproxy-test-client), written anew: 35 of them.

Six on health, eight on metadata, twenty-one on encrypt and decrypt, counted as the client counts: an encrypt and the decrypt that
follows it are two.
"""

import base64
import os

import pytest

from tests.keybox.caller import (
    AAD,
    OTHER_AAD,
    PLAINTEXT,
    cdiv_of,
    decrypt_body,
    encrypt_body,
    told,
    unb64,
)

HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae"}}


@pytest.fixture(params=["id", "secret", "path"])
def stranger(request, xks):
    """A caller with something wrong, and the error that tells."""
    return {
        "id": (xks.but(access_key_id=f"Invalid{xks.access_key_id}"), "AuthenticationFailedException", 401),
        "secret": (xks.but(secret=f"Invalid{xks.secret}"), "AuthenticationFailedException", 401),
        "path": (xks.but(prefix=f"{xks.prefix}/invalid"), "InvalidUriPathException", 404),
    }[request.param]


def test_health(xks):
    answer = xks.post("health", HEALTH)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json
    assert said["xksProxyFleetSize"] == 1
    assert all(said[name] for name in ("xksProxyVendor", "xksProxyModel", "ekmVendor"))
    assert [engine["healthStatus"] for engine in said["ekmFleetDetails"]] == ["ACTIVE"]
    assert all(engine["id"] and engine["model"] for engine in said["ekmFleetDetails"])


@pytest.mark.parametrize("body", [{}, {"requestMetadata": {}}])
def test_health_without_metadata(xks, body):
    answer = xks.post("health", body)
    assert (answer.status, answer.error) == (400, "ValidationException")


def test_health_of_strangers(stranger):
    caller, error, status = stranger
    answer = caller.post("health", HEALTH)
    assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize("operation", ["DescribeKey", "CreateKey", "BulkDescribeKey"])
def test_metadata(xks, key_id, operation):
    answer = xks.key(key_id, "metadata", {"requestMetadata": told(operation)})
    assert answer.status == 200
    assert answer.json == {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}


@pytest.mark.parametrize("body", [{}, {"requestMetadata": {}}])
def test_metadata_without_metadata(xks, key_id, body):
    answer = xks.key(key_id, "metadata", body)
    assert (answer.status, answer.error) == (400, "ValidationException")


def test_metadata_of_no_key(xks):
    answer = xks.key("non_existing_key", "metadata", {"requestMetadata": told("DescribeKey")})
    assert (answer.status, answer.error) == (404, "KeyNotFoundException")


def test_metadata_for_strangers(stranger, key_id):
    caller, error, status = stranger
    answer = caller.key(key_id, "metadata", {"requestMetadata": told("DescribeKey")})
    assert (answer.status, answer.error) == (status, error)


def test_encrypt_with_no_key(xks):
    answer = xks.key("non_existing_key", "encrypt", encrypt_body())
    assert (answer.status, answer.error) == (404, "KeyNotFoundException")


def test_encrypt_without_plaintext(xks, key_id):
    answer = xks.key(key_id, "encrypt", encrypt_body(plaintext=None))
    assert (answer.status, answer.error) == (400, "ValidationException")


def test_encrypt_for_strangers(stranger, key_id):
    caller, error, status = stranger
    answer = caller.key(key_id, "encrypt", encrypt_body())
    assert (answer.status, answer.error) == (status, error)


def sealed_by(xks, key_id, **told_more):
    answer = xks.key(key_id, "encrypt", encrypt_body(**told_more))
    assert answer.status == 200, answer.body
    sealed = answer.json
    assert len(unb64(sealed["ciphertext"])) == len(unb64(told_more.get("plaintext", PLAINTEXT)))
    assert len(unb64(sealed["initializationVector"])) in {12, 16}
    assert len(unb64(sealed["authenticationTag"])) == 16
    assert len(unb64(sealed["ciphertextMetadata"])) <= 20
    return sealed


@pytest.mark.parametrize("aad", [None, OTHER_AAD])
def test_decrypt_with_missing_or_other_aad(xks, key_id, aad):
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed_by(xks, key_id, aad=AAD), aad))
    assert (answer.status, answer.error) == (400, "InvalidCiphertextException")


def test_decrypt_with_aad_where_there_was_none(xks, key_id):
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed_by(xks, key_id), AAD))
    assert answer.error == "InvalidCiphertextException"


@pytest.mark.parametrize("cdiv", [None, "SHA_256"])
@pytest.mark.parametrize("aad", [None, AAD])
def test_round_trip(xks, key_id, aad, cdiv):
    sealed = sealed_by(xks, key_id, aad=aad, cdiv=cdiv)
    assert ("ciphertextDataIntegrityValue" in sealed) == (cdiv is not None)
    if cdiv:
        assert unb64(sealed["ciphertextDataIntegrityValue"]) == cdiv_of(sealed, aad)
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed, aad))
    assert answer.status == 200
    assert answer.json == {"plaintext": PLAINTEXT}


@pytest.mark.parametrize("size", [4096, 4300])
def test_large_plaintext_and_aad(xks, key_id, size):
    plaintext, aad = (base64.b64encode(os.urandom(count)).decode() for count in (size, 8192))
    sealed = sealed_by(xks, key_id, plaintext=plaintext, aad=aad)
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed, aad))
    assert answer.json == {"plaintext": plaintext}


def test_metadata_cannot_pass_for_aad(xks, key_id):
    """The specification's own warning: both have their lengths in front, so that neither can take the other's place."""
    sealed = sealed_by(xks, key_id)
    swapped = decrypt_body(sealed, sealed["ciphertextMetadata"])
    del swapped["ciphertextMetadata"]
    answer = xks.key(key_id, "decrypt", swapped)
    assert (answer.status, answer.error) == (400, "InvalidCiphertextException")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("target", ["health", "keys/any/metadata", "keys/any/encrypt", "keys/any/decrypt"])
def test_only_post(xks, method, target):
    answer = xks.send(method, f"{xks.prefix}/kms/xks/v1/{target}", b"")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
