"""What is asked of proxies, and what of their answers is believed."""

import base64
import json
from hashlib import sha256

import msgspec
import pytest

from siegel.domain.key_stores import KeyServerError, Lapse, OuterLayer
from siegel.kmswire.xks import (
    integrity_value,
    of_key,
    read_decrypted,
    read_encrypted,
    read_health,
    read_metadata,
    render_aad,
    render_decrypt,
    render_encrypt,
    render_question,
)

TOLD = {"kmsRequestId": "r", "kmsOperation": "Encrypt"}
AAD = b'{"account":"1"}'
LAYER = OuterLayer(b"sealed", bytes(12), bytes(16), b"\x01m")
ENGINE = {"id": "1", "model": "m", "healthStatus": "ACTIVE"}
HEALTH = {
    "xksProxyFleetSize": 1,
    "xksProxyVendor": "v",
    "xksProxyModel": "m",
    "ekmVendor": "v",
    "ekmFleetDetails": [ENGINE],
}
METADATA = {"keySpec": "AES_256", "keyUsage": ["DECRYPT", "ENCRYPT", "WRAP"], "keyStatus": "ENABLED"}


def b64(data):
    return base64.b64encode(data).decode()


def body(value):
    return json.dumps(value).encode()


def encrypted(**changes):
    told = {
        "ciphertext": b64(LAYER.ciphertext),
        "initializationVector": b64(LAYER.iv),
        "authenticationTag": b64(LAYER.tag),
        "ciphertextMetadata": b64(LAYER.metadata),
        "ciphertextDataIntegrityValue": b64(sha256(AAD + LAYER.metadata + LAYER.iv + LAYER.ciphertext + LAYER.tag).digest()),
    }
    return body({name: value for name, value in (told | changes).items() if value is not ...})


def lapse_of(read, *arguments):
    with pytest.raises(KeyServerError) as caught:
        read(*arguments)
    assert caught.value.text == str(caught.value)
    return caught.value.lapse


def test_questions_are_those_of_the_specification():
    assert of_key("k", "encrypt") == "keys/k/encrypt"
    assert json.loads(render_question(TOLD)) == {"requestMetadata": TOLD}
    assert json.loads(render_encrypt(TOLD, b"plain", AAD)) == {
        "requestMetadata": TOLD,
        "plaintext": b64(b"plain"),
        "encryptionAlgorithm": "AES_GCM",
        "additionalAuthenticatedData": b64(AAD),
        "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
    }
    asked = json.loads(render_decrypt(TOLD, LAYER, AAD))
    assert asked == {
        "requestMetadata": TOLD,
        "ciphertext": b64(LAYER.ciphertext),
        "initializationVector": b64(LAYER.iv),
        "authenticationTag": b64(LAYER.tag),
        "ciphertextMetadata": b64(LAYER.metadata),
        "encryptionAlgorithm": "AES_GCM",
        "additionalAuthenticatedData": b64(AAD),
    }
    bare = msgspec.structs.replace(LAYER, metadata=b"")
    assert "ciphertextMetadata" not in json.loads(render_decrypt(TOLD, bare, AAD))


def test_what_is_bound_can_be_read_and_has_one_form():
    assert render_aad({"version": "v", "bucket": "Ü"}) == '{"bucket":"Ü","version":"v"}'.encode()
    assert render_aad({}) == b"{}"
    assert len(render_aad({"k": "v" * 8_184})) == 8_192
    assert lapse_of(render_aad, {"k": "v" * 8_185}) is Lapse.VALIDATION


def test_the_integrity_value_is_that_of_the_specification():
    # Appendix C of the specification fixes the order of the parts.
    assert integrity_value(LAYER, AAD) == sha256(AAD + b"\x01m" + bytes(12) + b"sealed" + bytes(16)).digest()


def test_honest_answers_are_read():
    read_health(200, body(HEALTH | {"later": [1]}))
    assert read_metadata(200, body(METADATA)) == ""
    assert read_encrypted(200, encrypted(), b"plain!", AAD) == LAYER
    assert read_encrypted(200, encrypted(ciphertextDataIntegrityValue=...), b"plain!", AAD) == LAYER
    bare = encrypted(ciphertextMetadata=..., ciphertextDataIntegrityValue=...)
    assert read_encrypted(200, bare, b"plain!", AAD).metadata == b""
    assert read_decrypted(200, body({"plaintext": b64(b"plain!")}), LAYER) == b"plain!"


@pytest.mark.parametrize(
    "told",
    [
        HEALTH | {"xksProxyFleetSize": 0},
        HEALTH | {"xksProxyFleetSize": "1"},
        HEALTH | {"ekmFleetDetails": []},
        HEALTH | {"ekmFleetDetails": [ENGINE] * 11},
        HEALTH | {"ekmFleetDetails": [ENGINE | {"healthStatus": "FINE"}]},
        {name: value for name, value in HEALTH.items() if name != "ekmVendor"},
        [],
        None,
    ],
)
def test_what_is_no_health_is_nonsense(told):
    assert lapse_of(read_health, 200, body(told)) is Lapse.NONSENSE


def test_a_proxy_without_a_key_manager_cannot_be_used():
    gone = ENGINE | {"healthStatus": "UNAVAILABLE"}
    assert lapse_of(read_health, 200, body(HEALTH | {"ekmFleetDetails": [gone, gone]})) is Lapse.DEPENDENCY
    read_health(200, body(HEALTH | {"ekmFleetDetails": [gone, ENGINE | {"healthStatus": "DEGRADED"}]}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"keySpec": "RSA_2048"}, "AES_256"),
        ({"keyUsage": ["ENCRYPT"]}, "ENCRYPT and to DECRYPT"),
        ({"keyStatus": "DISABLED"}, "disabled"),
    ],
)
def test_keys_that_cannot_be_used(changes, problem):
    assert problem in read_metadata(200, body(METADATA | changes))


@pytest.mark.parametrize("changes", [{"keyUsage": ["X"] * 11}, {"keyStatus": "FINE"}, {"keySpec": 256}])
def test_what_is_no_metadata_is_nonsense(changes):
    assert lapse_of(read_metadata, 200, body(METADATA | changes)) is Lapse.NONSENSE


@pytest.mark.parametrize(
    "answer",
    [
        encrypted(ciphertext=b64(b"longer!")),
        encrypted(ciphertext=b64(b"short")),
        encrypted(ciphertext="not base64!"),
        encrypted(ciphertext=...),
        encrypted(initializationVector=b64(bytes(13))),
        encrypted(authenticationTag=b64(bytes(15))),
        encrypted(ciphertextMetadata=b64(bytes(21)), ciphertextDataIntegrityValue=...),
        encrypted(ciphertextDataIntegrityValue=b64(bytes(32))),
        encrypted(ciphertextDataIntegrityValue=b64(b"")),
        encrypted(initializationVector=b64(bytes(16))),
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_ciphertext_is_nonsense(answer):
    assert lapse_of(read_encrypted, 200, answer, b"plain!", AAD) is Lapse.NONSENSE


@pytest.mark.parametrize("told", [{"plaintext": b64(b"longer!")}, {"plaintext": b64(b"")}, {"plaintext": 1}, {}])
def test_what_is_no_plaintext_is_nonsense(told):
    assert lapse_of(read_decrypted, 200, body(told), LAYER) is Lapse.NONSENSE


@pytest.mark.parametrize("lapse", [lapse for lapse in Lapse if lapse.value.endswith("Exception")])
def test_refusals_are_told_apart(lapse):
    assert lapse_of(read_decrypted, 400, body({"errorName": lapse.value, "errorMessage": "no"}), LAYER) is lapse
    assert lapse_of(read_decrypted, 500, body({"errorName": lapse.value}), LAYER) is lapse


@pytest.mark.parametrize("answer", [b"", b"<html>", body({"errorName": "timeout"}), body({"errorName": 1}), b"[" * 100_000])
def test_a_refusal_that_is_none_is_nonsense(answer):
    assert lapse_of(read_decrypted, 502, answer, LAYER) is Lapse.NONSENSE


def test_nonsense_is_shown_as_plain_text_and_cut():
    status = "gr\xfcn" + "x" * 5000
    with pytest.raises(KeyServerError) as caught:
        read_metadata(200, body(METADATA | {"keyStatus": status}))
    assert "gr?nxxx" in caught.value.text
    assert len(caught.value.text) < 600


def test_what_a_proxy_says_is_shown_as_plain_text_and_cut():
    said = "the key\nis gone \x1b[31m" + "x" * 600
    with pytest.raises(KeyServerError) as caught:
        read_metadata(404, body({"errorName": "KeyNotFoundException", "errorMessage": said}))
    text = caught.value.text
    assert text.startswith("The external key store proxy refused: KeyNotFoundException: the key?is gone ?[31mxxx")
    assert len(text) < 600


def test_the_published_example_of_a_health_is_believed():
    """aws/aws-kms-xksproxy-api-spec, "GetHealthStatus", the response's example; one of its key managers is degraded."""
    published = """{
        "xksProxyFleetSize": 2, "xksProxyVendor": "Acme Corp", "xksProxyModel": "Acme XKS Proxy 1.0", "ekmVendor": "Thales Group",
        "ekmFleetDetails": [
            {"id": "hsm-id-1", "model": "Luna 5.0", "healthStatus": "DEGRADED"},
            {"id": "hsm-id-2", "model": "Luna 5.1", "healthStatus": "ACTIVE"}
        ]
    }"""
    read_health(200, published.encode())
    assert lapse_of(read_health, 200, published.replace('"DEGRADED"', '"WELL"').encode()) is Lapse.NONSENSE


def test_the_published_example_of_a_refusal_is_told_whole():
    """aws/aws-kms-xksproxy-api-spec, "Error codes", the example: not the AAD that it was encrypted with."""
    said = (
        "The request was rejected because the specified ciphertext, or additional authenticated data is corrupted, missing, or "
        "otherwise invalid."
    )
    with pytest.raises(KeyServerError) as caught:
        read_decrypted(400, body({"errorName": "InvalidCiphertextException", "errorMessage": said}), LAYER)
    assert caught.value.lapse is Lapse.CIPHERTEXT
    assert caught.value.text.endswith(f"InvalidCiphertextException: {said}")


@pytest.mark.parametrize(("operation", "expected"), [("CreateCustomKeyStore", HEALTH), ("ConnectCustomKeyStore", HEALTH)])
def test_the_question_for_the_health_is_the_published_one(operation, expected):
    told = {"kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae", "kmsOperation": operation}
    assert json.loads(render_question(told)) == {"requestMetadata": told}
    read_health(200, body(expected))
