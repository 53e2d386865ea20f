"""Bad input on the XKS face: a clear error of the specification for each, and a line in the log for whoever signed."""

import base64
import json
import re
import socket
from datetime import UTC, datetime, timedelta

import pytest

from tests.keybox.box import done
from tests.keybox.caller import AAD, OBJECT, PLAINTEXT, decrypt_body, encrypt_body, told, unb64

HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "r"}}


def b64(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def sealed(xks, key_id):
    return xks.key(key_id, "encrypt", encrypt_body(aad=AAD)).json


def refused(answer, status, error):
    assert (answer.status, answer.error) == (status, error), answer.body
    message = answer.json["errorMessage"]
    assert len(message) < 512
    assert re.fullmatch("[ -~]+", message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1, 2]",
        b'"text"',
        b"{",
        b"[" * 30_000,
        b'{"requestMetadata": ' + b'{"a":' * 10_000,
        b'{"requestMetadata": {"kmsRequestId": "\xff"}}',
        b'{"requestMetadata": {"kmsRequestId": "\\ud800"}}',
        b"null",
    ],
)
@pytest.mark.parametrize("operation", ["encrypt", "decrypt", "metadata"])
def test_bodies_that_are_not_what_they_should_be(xks, key_id, operation, body):
    refused(xks.key(key_id, operation, body), 400, "ValidationException")


@pytest.mark.parametrize("missing", ["awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId"])
@pytest.mark.parametrize("operation", ["encrypt", "decrypt", "metadata"])
def test_metadata_that_is_required(xks, key_id, sealed, operation, missing):
    body = {"encrypt": encrypt_body(), "decrypt": decrypt_body(sealed, AAD), "metadata": {"requestMetadata": told("x")}}[
        operation
    ]
    del body["requestMetadata"][missing]
    answer = xks.key(key_id, operation, body)
    if (operation, missing) == ("metadata", "kmsKeyArn"):
        assert answer.status == 200
    else:
        refused(answer, 400, "ValidationException")
    body["requestMetadata"][missing] = 7
    answer = xks.key(key_id, operation, body)
    assert answer.status == (200 if (operation, missing) == ("metadata", "kmsKeyArn") else 400)


def test_metadata_of_later_versions_is_taken(xks, stage, key_id):
    more = told("BulkEncrypt", sourceIdentity="x", tags={"a": ["b"]}, awsSourceVpc="vpc-1")
    answer = xks.key(key_id, "encrypt", encrypt_body(requestMetadata=more, somethingNew=[1]))
    assert answer.status == 200
    line = stage.box.last("xks.encrypt")
    assert line["metadata"]["tags"] == {"a": ["b"]}
    assert line["request_id"] == more["kmsRequestId"]


def test_metadata_cannot_make_the_log_unreadable(xks, stage, key_id):
    """Whoever may call must not be able to write a line that a reader of the log stumbles over."""
    for levels, status in ((7, 200), (8, 400), (400, 400)):
        nested = json.loads("[" * levels + "]" * levels)
        answer = xks.key(key_id, "metadata", {"requestMetadata": told("DescribeKey", nested=nested)})
        assert answer.status == status, levels
    hostile = "\x1b[2J\n{}\u2028" + "\x00"
    assert xks.key(key_id, "metadata", {"requestMetadata": told("DescribeKey", person=hostile)}).status == 200
    assert stage.box.last("xks.metadata")["metadata"]["person"] == hostile
    shown = done("log", stage.box.folder)
    assert "\x1b" not in shown
    assert "\x00" not in shown
    assert "whole" in done("log", stage.box.folder, "--verify")


def test_a_principal_of_2048_characters(xks, stage, key_id):
    principal = "arn:aws:iam::123456789012:user/" + "a" * 2017
    assert len(principal) == 2048
    body = encrypt_body(requestMetadata=told("Encrypt", awsPrincipalArn=principal))
    assert xks.key(key_id, "encrypt", body).status == 200
    assert stage.box.last("xks.encrypt")["principal"] == principal


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"plaintext": ""}, "ValidationException"),
        ({"plaintext": "no base64!"}, "ValidationException"),
        ({"plaintext": PLAINTEXT + "\n"}, "ValidationException"),
        ({"plaintext": 7}, "ValidationException"),
        ({"plaintext": None}, "ValidationException"),
        ({"encryptionAlgorithm": "AES_CBC"}, "ValidationException"),
        ({"encryptionAlgorithm": None}, "ValidationException"),
        ({"ciphertextDataIntegrityValueAlgorithm": "MD5"}, "ValidationException"),
        ({"ciphertextDataIntegrityValueAlgorithm": ""}, "ValidationException"),
        ({"additionalAuthenticatedData": "%"}, "ValidationException"),
        ({"plaintext": b64(bytes(8193))}, "UnsupportedOperationException"),
        ({"additionalAuthenticatedData": b64(bytes(8193))}, "UnsupportedOperationException"),
    ],
)
def test_encrypt_refuses(xks, key_id, change, error):
    refused(xks.key(key_id, "encrypt", encrypt_body(**change)), 501 if error.startswith("Unsup") else 400, error)


@pytest.mark.parametrize("name", ["ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata"])
def test_decrypt_of_anything_changed(xks, key_id, sealed, name):
    data = bytearray(unb64(sealed[name]))
    data[-1] ^= 1
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed, AAD, **{name: b64(bytes(data))}))
    refused(answer, 400, "InvalidCiphertextException")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ciphertext": b64(b"short")}, "InvalidCiphertextException"),
        ({"ciphertextMetadata": ""}, "InvalidCiphertextException"),
        ({"ciphertextMetadata": b64(b"\x02" + bytes(16))}, "InvalidCiphertextException"),
        ({"initializationVector": b64(bytes(16))}, "InvalidCiphertextException"),
        ({"ciphertext": ""}, "ValidationException"),
        ({"initializationVector": b64(bytes(13))}, "ValidationException"),
        ({"authenticationTag": b64(bytes(12))}, "ValidationException"),
        ({"ciphertextMetadata": b64(bytes(21))}, "ValidationException"),
        ({"encryptionAlgorithm": "none"}, "ValidationException"),
        ({"ciphertext": b64(bytes(8193))}, "UnsupportedOperationException"),
        ({"additionalAuthenticatedData": b64(bytes(8193))}, "UnsupportedOperationException"),
    ],
)
def test_decrypt_refuses(xks, key_id, sealed, change, error):
    answer = xks.key(key_id, "decrypt", decrypt_body(sealed, AAD) | change)
    refused(answer, 501 if error.startswith("Unsup") else 400, error)


@pytest.mark.parametrize("name", ["ciphertext", "initializationVector", "authenticationTag", "encryptionAlgorithm"])
def test_decrypt_without_what_it_needs(xks, key_id, sealed, name):
    body = decrypt_body(sealed, AAD)
    del body[name]
    refused(xks.key(key_id, "decrypt", body), 400, "ValidationException")


def test_another_key_of_the_box_opens_nothing(stage, xks, key_id, sealed):
    other = stage.box.create_key("other")
    refused(xks.key(other, "decrypt", decrypt_body(sealed, AAD)), 400, "InvalidCiphertextException")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/kms/xks/v1/health",
        "{prefix}/kms/xks/v2/health",
        "{prefix}/kms/xks/v1/health/",
        "{prefix}/kms/xks/v1/health?x=1",
        "{prefix}/kms/xks/v1/keys/{key}/rotate",
        "{prefix}/kms/xks/v1/keys/{key}",
        "{prefix}/kms/xks/v1/keys/{key}/../{key}/encrypt",
        "{prefix}/kms/xks/v1/keys/a%2fb/encrypt",
        "{prefix}//kms/xks/v1/health",
        "/keystores/two/kms/xks/v1/health",
        "{prefix}/kms/xks/v1/keys/" + "a" * 129 + "/encrypt",
    ],
)
def test_paths_that_are_none(xks, key_id, path):
    path = path.format(prefix=xks.prefix, key=key_id)
    answer = xks.send("POST", path, HEALTH, headers=xks.sign("POST", path.partition("?")[0], json.dumps(HEALTH).encode()))
    if path == "/":
        # That is the other face, whose errors have the form of KMS.
        assert (answer.status, answer.json["__type"]) == (400, "UnknownOperationException")
    else:
        refused(answer, 404, "InvalidUriPathException")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_other_content_types(xks, kind):
    refused(xks.but(headers={"Content-Type": kind}).post("health", HEALTH), 400, "ValidationException")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_types_with_more_to_say(xks, kind):
    assert xks.but(headers={"Content-Type": kind}).post("health", HEALTH).status == 200


@pytest.mark.parametrize("skew_s", [-301, 301, -86_400])
def test_t85_an_old_request_is_taken_for_a_replay(xks, skew_s):
    refused(xks.but(skew_s=skew_s).post("health", HEALTH), 401, "AuthenticationFailedException")


@pytest.mark.parametrize("skew_s", [-270, 270])
def test_clocks_may_differ_a_little(xks, skew_s):
    assert xks.but(skew_s=skew_s).post("health", HEALTH).status == 200


def test_every_region_is_the_callers_own(xks):
    assert xks.but(region="eu-central-9").post("health", HEALTH).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"signed": ("host",)},
        {"signed": ("x-amz-date",)},
        {"service": "s3"},
        {"service": "kms"},
        {"access_key_id": "A" * 24},
        {"access_key_id": "not/an/id"},
        {"secret": ""},
        {"headers": {"Content-Type": "application/json", "X-Amz-Unsigned": "1"}},
    ],
)
def test_signatures_that_prove_nothing(xks, changes):
    refused(xks.but(**changes).post("health", HEALTH), 401, "AuthenticationFailedException")


def test_more_headers_may_be_signed(xks):
    assert xks.but(signed=("content-type", "host", "x-amz-date")).post("health", HEALTH).status == 200


def test_a_body_that_was_changed_on_the_way(xks, key_id):
    path = f"{xks.prefix}/kms/xks/v1/keys/{key_id}/encrypt"
    body = json.dumps(encrypt_body()).encode()
    headers = xks.sign("POST", path, body)
    refused(xks.send("POST", path, body + b" ", headers), 401, "AuthenticationFailedException")
    refused(xks.send("POST", path.replace("/encrypt", "/decrypt"), body, headers), 401, "AuthenticationFailedException")


def test_unsigned_and_presigned_requests(xks):
    path = f"{xks.prefix}/kms/xks/v1/health"
    body = json.dumps(HEALTH).encode()
    plain = {"Content-Type": "application/json"}
    refused(xks.send("POST", path, body, plain), 401, "AuthenticationFailedException")
    refused(xks.send("POST", path, body, plain | {"Authorization": "Basic eA=="}), 401, "AuthenticationFailedException")


def test_a_moment_that_is_none(xks):
    path, body = f"{xks.prefix}/kms/xks/v1/health", json.dumps(HEALTH).encode()
    headers = xks.sign("POST", path, body, at=datetime.now(UTC) - timedelta(seconds=1))
    for moment in ("", "yesterday", "20261399T000000Z"):
        refused(xks.send("POST", path, body, headers | {"X-Amz-Date": moment}), 401, "AuthenticationFailedException")


def test_t85_a_body_without_end_is_not_read(xks):
    path = f"{xks.prefix}/kms/xks/v1/health"
    headers = {"Content-Type": "application/json", "Content-Length": str(100 * 1024 * 1024)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((xks.url.hostname, xks.url.port), 20) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + b"{" * 1000)
        assert raw.recv(65536).startswith(b"HTTP/1.1 400")


def test_t85_a_body_in_chunks_without_end_is_cut_off(xks):
    path = f"{xks.prefix}/kms/xks/v1/health"
    with socket.create_connection((xks.url.hostname, xks.url.port), 20) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        raw.sendall(b"10000\r\n" + b"{" * 0x10000 + b"\r\n1\r\n{\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 400")


def test_the_health_of_a_load_balancers_target(xks):
    answer = xks.send("GET", "/-/live", b"", {})
    assert (answer.status, answer.json) == (200, {"status": "live"})


def test_lines_tell_who_and_why_and_what_and_no_key(stage, xks, key_id):
    asked = told("Encrypt", person="Erika Musterfrau", reason="case 4711")
    answer = xks.key(key_id, "encrypt", encrypt_body(aad=AAD, requestMetadata=asked))
    line = stage.box.last("xks.encrypt")
    assert line["key_id"] == key_id
    assert line["request_id"] == asked["kmsRequestId"]
    assert line["principal"] == asked["awsPrincipalArn"]
    assert (line["metadata"]["person"], line["metadata"]["reason"]) == ("Erika Musterfrau", "case 4711")
    assert line["metadata"]["kmsViaService"] == "ebs"
    assert line["context"] == OBJECT
    assert line["result"] == "ok"
    assert (line["credential"], line["region"], line["source"]) == (xks.access_key_id, "us-east-2", "127.0.0.1")
    xks.key(key_id, "decrypt", decrypt_body(answer.json, AAD))
    text = (stage.box.folder / "log.jsonl").read_bytes()
    for secret in (PLAINTEXT, b64(unb64(PLAINTEXT)), xks.secret, answer.json["ciphertext"]):
        assert secret.encode() not in text
    assert unb64(PLAINTEXT) not in text


def test_aad_that_cannot_be_read_is_told_by_its_digest(stage, xks, key_id):
    opaque = b64(b"\x00\x01 not json")
    assert xks.key(key_id, "encrypt", encrypt_body(aad=opaque)).status == 200
    line = stage.box.last("xks.encrypt")
    assert "context" not in line
    assert re.fullmatch("[0-9a-f]{64}", line["context_sha256"])


def test_refused_calls_have_lines(stage, xks, key_id):
    xks.key("nowhere", "encrypt", encrypt_body())
    assert stage.box.last("xks.encrypt")["result"] == "KeyNotFoundException"
    xks.but(secret="wrong").key(key_id, "decrypt", {})
    line = stage.box.last("xks.decrypt")
    assert line["result"] == "AuthenticationFailedException"
    assert "credential" not in line
