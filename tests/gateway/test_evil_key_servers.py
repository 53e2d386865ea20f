"""Key servers that lie, dawdle, send elsewhere, answer too much or in halves: each a clear error, and nothing is made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from .key_servers import EvilServer, b64, connected, evil_server, external_key, late, only, patient, unb64
from .service import Service
from .shelf import fails, sdk

ERRORS = ("KMSInvalidStateException", 400), ("DependencyTimeoutException", 503)
STATE, DEPENDENCY = ERRORS


def flipped(text: str) -> str:
    data = bytearray(unb64(text))
    data[0] ^= 1
    return b64(bytes(data))


def changed(name: str, make: Any) -> Any:
    return lambda _question, honest: honest | {name: make(honest.get(name, ""))}


def resealed(evil: EvilServer) -> Any:
    """Encrypt something else than was asked, with a digest that holds."""
    return lambda question, _honest: evil.seal(
        bytes(len(unb64(question["plaintext"]))), unb64(question["additionalAuthenticatedData"])
    )


def rebound(evil: EvilServer) -> Any:
    """Encrypt what was asked, bound to something else than was asked, and without a digest that would tell."""

    def lie(question: dict[str, Any], _honest: dict[str, Any]) -> dict[str, Any]:
        told = evil.seal(unb64(question["plaintext"]), b'{"bucket":"mine"}')
        del told["ciphertextDataIntegrityValue"]
        return told

    return lie


@pytest.fixture(scope="module")
def evil() -> Iterator[EvilServer]:
    with evil_server() as server:
        yield server


@pytest.fixture(scope="module")
def kms(service: Service) -> Iterator[Any]:
    with closing(patient(service, "kms")) as client:
        yield client


@pytest.fixture(scope="module")
def once(service: Service) -> Iterator[Any]:
    """A client that tries once."""
    with closing(sdk(service, name="kms")) as client:
        yield client


@pytest.fixture(scope="module")
def key(kms: Any, evil: EvilServer) -> str:
    return str(external_key(kms, connected(kms, evil.options), "main")["KeyId"])


@pytest.fixture(autouse=True)
def honest_again(evil: EvilServer) -> Iterator[None]:
    yield
    evil.twist = None


TWISTS = {
    "a wrong digest": (only("encrypt", changed("ciphertextDataIntegrityValue", flipped)), STATE),
    "a wrong digest's length": (only("encrypt", changed("ciphertextDataIntegrityValue", lambda _: b64(b"x"))), STATE),
    "a changed ciphertext": (only("encrypt", changed("ciphertext", flipped)), STATE),
    "a changed tag": (only("encrypt", changed("authenticationTag", flipped)), STATE),
    "a ciphertext that is too long": (only("encrypt", changed("ciphertext", lambda text: b64(unb64(text) + b"x"))), STATE),
    "a ciphertext that is no text": (only("encrypt", changed("ciphertext", lambda _: 17)), STATE),
    "an initialization vector of 13 bytes": (only("encrypt", changed("initializationVector", lambda _: b64(bytes(13)))), STATE),
    "21 bytes of metadata": (only("encrypt", changed("ciphertextMetadata", lambda _: b64(bytes(21)))), STATE),
    "half of the members": (only("encrypt", {"ciphertext": "eA=="}), STATE),
    "no JSON": (only("encrypt", (200, {}, b"<html>hello</html>")), STATE),
    "nothing": (only("encrypt", (200, {}, b"")), STATE),
    "an error that is none": (only("encrypt", (502, {}, b"bad gateway")), STATE),
    "200 with an error": (only("encrypt", (200, {}, b'{"errorName": "AccessDeniedException"}')), STATE),
    "a refusal": (only("encrypt", {"errorName": "AccessDeniedException", "errorMessage": "no"}), STATE),
    "an exhausted proxy": (only("encrypt", {"errorName": "ThrottlingException"}), DEPENDENCY),
    "a broken manager": (only("encrypt", {"errorName": "DependencyTimeoutException"}), DEPENDENCY),
    "a plaintext that is another": (only("decrypt", changed("plaintext", flipped)), STATE),
    "a plaintext that is shorter": (only("decrypt", {"plaintext": ""}), STATE),
    "a redirect": (only("encrypt", (307, {"location": "http://169.254.169.254/latest/"}, b"")), DEPENDENCY),
    "too much": (only("encrypt", (200, {}, b"{" + b" " * 40_000 + b"}")), DEPENDENCY),
    "a hundred megabytes": (only("encrypt", (200, {}, b" " * 100_000_000)), DEPENDENCY),
    "half of an answer": (only("encrypt", (200, {"content-length": "900"}, b'{"ciphertext":')), DEPENDENCY),
    "nothing in time": (late(0.6), DEPENDENCY),
}


@pytest.mark.parametrize("name", TWISTS)
def test_t85_a_lie_is_a_clear_error_and_the_truth_works_again(once: Any, kms: Any, evil: EvilServer, key: str, name: str) -> None:
    """Key servers that are slow, down, send elsewhere, answer wrongly or without end: the limits of the XKS proxy API."""
    evil.twist, (code, status) = TWISTS[name]
    began = time.monotonic()
    with fails(status, code):
        once.encrypt(KeyId=key, Plaintext=b"secret")
    assert time.monotonic() - began < 5
    evil.twist = None
    time.sleep(0.4 if name == "nothing in time" else 0)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"


@pytest.mark.parametrize("make", [resealed, rebound])
def test_t85_a_consistent_lie_shows_when_it_is_opened_again(once: Any, evil: EvilServer, key: str, make: Any) -> None:
    evil.twist = only("encrypt", make(evil))
    with fails(400, "KMSInvalidStateException"):
        once.encrypt(KeyId=key, Plaintext=b"secret")


@pytest.mark.parametrize("name", ["another plaintext", "another key's plaintext"])
def test_t85_what_a_lie_opens_is_no_plaintext(once: Any, kms: Any, evil: EvilServer, key: str, name: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    other = external_key(kms, kms.describe_key(KeyId=key)["KeyMetadata"]["CustomKeyStoreId"], f"k{time.monotonic_ns()}")["KeyId"]
    inner: list[str] = []
    evil.twist = only("encrypt", lambda question, honest: inner.append(question["plaintext"]) or honest)
    kms.encrypt(KeyId=other, Plaintext=b"others")
    told = changed("plaintext", flipped) if name == "another plaintext" else {"plaintext": inner[0]}
    evil.twist = only("decrypt", told)
    with fails(400, "InvalidCiphertextException"):
        once.decrypt(CiphertextBlob=blob)


def test_a_server_that_never_answers_is_left_alone_for_a_while(once: Any, kms: Any, service: Service) -> None:
    with evil_server() as slow:
        key = external_key(kms, connected(kms, slow.options), "main")["KeyId"]
        slow.twist = late(0.4)
        for _ in range(30):
            with fails(503, "DependencyTimeoutException"):
                once.encrypt(KeyId=key, Plaintext=b"x")
        # Two workers, each of which gives up after a few calls of 250 ms.
        asked = slow.count("encrypt")
        assert asked < 30
        slow.twist = None
        time.sleep(1.5)
        assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (
            {"keySpec": "RSA_2048", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"},
            "XksKeyInvalidConfigurationException",
        ),
        ({"keySpec": "AES_256", "keyUsage": ["DECRYPT"], "keyStatus": "ENABLED"}, "XksKeyInvalidConfigurationException"),
        (
            {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "DISABLED"},
            "XksKeyInvalidConfigurationException",
        ),
        ({"keySpec": "AES_256"}, "XksKeyInvalidConfigurationException"),
        ({"errorName": "KeyNotFoundException"}, "XksKeyNotFoundException"),
    ],
)
def test_a_key_that_does_not_fit_is_not_made(once: Any, evil: EvilServer, key: str, told: Any, code: str) -> None:
    store = once.describe_key(KeyId=key)["KeyMetadata"]["CustomKeyStoreId"]
    evil.twist = only("metadata", told)
    with fails(400, code):
        external_key(once, store, "other")


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ((200, {}, b"{}"), "XksProxyInvalidResponseException"),
        ((200, {}, b"[" * 30_000), "XksProxyInvalidResponseException"),
        ((301, {"location": "http://127.0.0.1:1/"}, b""), "XksProxyUriUnreachableException"),
        ({"errorName": "AuthenticationFailedException"}, "XksProxyIncorrectAuthenticationCredentialException"),
        ({"errorName": "InvalidUriPathException"}, "XksProxyUriUnreachableException"),
        ({"errorName": "InternalException"}, "XksProxyInvalidResponseException"),
        ({"errorName": "ValidationException"}, "XksProxyInvalidResponseException"),
        ({"errorName": "DependencyTimeoutException"}, "XksProxyUriUnreachableException"),
        ({"errorName": "ThrottlingException"}, "XksProxyUriUnreachableException"),
    ],
)
def test_a_store_with_a_proxy_that_lies_is_not_made(once: Any, told: Any, code: str) -> None:
    with evil_server() as server:
        server.twist = only("health", told)
        with fails(400, code):
            once.create_custom_key_store(**server.options)


def test_a_lie_about_the_health_leaves_a_store_failed(kms: Any) -> None:
    with evil_server() as server:
        store = kms.create_custom_key_store(**server.options)["CustomKeyStoreId"]
        told: dict[str, tuple[Any, str]] = {
            "nonsense": ((200, {}, b"nonsense"), "XKS_PROXY_INVALID_RESPONSE"),
            "denied": ({"errorName": "AuthenticationFailedException"}, "XKS_PROXY_ACCESS_DENIED"),
        }
        for answer, failure in told.values():
            server.twist = only("health", answer)
            kms.connect_custom_key_store(CustomKeyStoreId=store)
            (shown,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
            assert (shown["ConnectionState"], shown["ConnectionErrorCode"]) == ("FAILED", failure)
            kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        kms.delete_custom_key_store(CustomKeyStoreId=store)
