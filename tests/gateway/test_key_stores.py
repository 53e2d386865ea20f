"""External key stores with the official SDK and the customer's key server: states, errors, and keys that nobody here has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .key_servers import Premises, connect, connected, evil_server, external_key, patient, premises
from .people import allow, make_person
from .service import Service
from .shelf import fails, sdk

CONTEXT = {"project": "blue", "case": "Ü 7"}


@pytest.fixture(scope="module")
def kms(service: Service) -> Iterator[Any]:
    client = patient(service, "kms")
    yield client
    client.close()


@pytest.fixture(scope="module")
def store(kms: Any, place: Premises) -> str:
    return connected(kms, place.options)


def shown(kms: Any, store: str) -> Any:
    (found,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return found


@pytest.fixture
def other(tmp_path: Any) -> Iterator[Premises]:
    """A key server of this test alone."""
    with premises(tmp_path) as found:
        yield found


@pytest.fixture
def made(kms: Any, store: str, place: Premises) -> Any:
    """A fresh external key."""
    return external_key(kms, store, place.new_key())


def test_a_store_is_created_connected_shown_disconnected_and_deleted(kms: Any, other: Premises) -> None:
    options = other.options
    store = kms.create_custom_key_store(**options)["CustomKeyStoreId"]
    seen = shown(kms, store)
    assert seen["ConnectionState"] == "DISCONNECTED"
    assert (seen["CustomKeyStoreName"], seen["CustomKeyStoreType"]) == (options["CustomKeyStoreName"], "EXTERNAL_KEY_STORE")
    assert seen["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT",
        "AccessKeyId": options["XksProxyAuthenticationCredential"]["AccessKeyId"],
        "UriEndpoint": options["XksProxyUriEndpoint"],
        "UriPath": options["XksProxyUriPath"],
    }
    assert kms.describe_custom_key_stores(CustomKeyStoreName=options["CustomKeyStoreName"])["CustomKeyStores"] == [seen]
    connect(kms, store)
    with fails(400, "CustomKeyStoreInvalidStateException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.delete_custom_key_store(CustomKeyStoreId=store)
    for call in (kms.delete_custom_key_store, kms.connect_custom_key_store, kms.disconnect_custom_key_store):
        with fails(400, "CustomKeyStoreNotFoundException"):
            call(CustomKeyStoreId=store)
    with fails(400, "CustomKeyStoreNotFoundException"):
        kms.describe_custom_key_stores(CustomKeyStoreId=store)


def test_lists_of_stores_come_in_pages(kms: Any, store: str, other: Premises) -> None:
    second = kms.create_custom_key_store(**other.options)["CustomKeyStoreId"]
    pages = kms.get_paginator("describe_custom_key_stores").paginate(PaginationConfig={"PageSize": 1})
    assert {store, second} <= {found["CustomKeyStoreId"] for page in pages for found in page["CustomKeyStores"]}
    with fails(400, "ValidationException"):
        kms.describe_custom_key_stores(CustomKeyStoreId=store, CustomKeyStoreName="x")
    kms.delete_custom_key_store(CustomKeyStoreId=second)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"CustomKeyStoreType": "AWS_CLOUDHSM"}, "UnsupportedOperationException"),
        ({"CloudHsmClusterId": "cluster-1a23b4cdefg"}, "UnsupportedOperationException"),
        ({"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}, "UnsupportedOperationException"),
        ({"XksProxyVpcEndpointServiceName": "com.amazonaws.vpce.eu-central-1.vpce-svc-e"}, "UnsupportedOperationException"),
        ({"XksProxyConnectivity": None}, "ValidationException"),
        ({"XksProxyUriPath": None}, "ValidationException"),
        ({"XksProxyUriPath": "/kms/xks/w1"}, "ValidationException"),
        ({"XksProxyUriPath": "/kms/xks/v2"}, "XksProxyInvalidConfigurationException"),
        ({"XksProxyUriPath": "/elsewhere/kms/xks/v1"}, "XksProxyUriUnreachableException"),
        ({"XksProxyUriEndpoint": "ftp://127.0.0.1"}, "ValidationException"),
        ({"XksProxyUriEndpoint": "https://user@127.0.0.1"}, "ValidationException"),
        ({"XksProxyUriEndpoint": "https://10.0.0.1"}, "XksProxyUriUnreachableException"),
        ({"XksProxyUriEndpoint": "http://8.8.8.8"}, "XksProxyUriUnreachableException"),
        ({"XksProxyUriEndpoint": "https://169.254.169.254"}, "XksProxyUriUnreachableException"),
        ({"XksProxyUriEndpoint": "http://127.0.0.1:1"}, "XksProxyUriUnreachableException"),
        (
            {"XksProxyAuthenticationCredential": {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43}},
            "XksProxyIncorrectAuthenticationCredentialException",
        ),
        (
            {"XksProxyAuthenticationCredential": {"AccessKeyId": "short", "RawSecretAccessKey": "s" * 43}},
            "ValidationException",
        ),
    ],
)
def test_stores_that_cannot_be(kms: Any, place: Premises, changes: dict[str, Any], code: str) -> None:
    options = place.options | {"XksProxyUriPath": place.options["XksProxyUriPath"]} | changes
    if "XksProxyUriEndpoint" not in changes and "XksProxyUriPath" not in changes:
        options["XksProxyUriEndpoint"] = options["XksProxyUriEndpoint"].replace("127.0.0.1", "localhost")
    with fails(400, code):
        kms.create_custom_key_store(**{name: value for name, value in options.items() if value is not None})


def test_names_and_proxies_are_taken_once(kms: Any, store: str, place: Premises, other: Premises) -> None:
    taken = shown(kms, store)
    with fails(400, "CustomKeyStoreNameInUseException"):
        kms.create_custom_key_store(**other.options | {"CustomKeyStoreName": taken["CustomKeyStoreName"]})
    with fails(400, "XksProxyUriInUseException"):
        kms.create_custom_key_store(**place.options)


def test_a_store_that_cannot_be_connected_says_why(kms: Any, other: Premises) -> None:
    store = kms.create_custom_key_store(**other.options)["CustomKeyStoreId"]
    other.serving.stop()
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    seen = shown(kms, store)
    assert (seen["ConnectionState"], seen["ConnectionErrorCode"]) == ("FAILED", "XKS_PROXY_NOT_REACHABLE")
    with fails(400, "CustomKeyStoreInvalidStateException"):
        kms.connect_custom_key_store(CustomKeyStoreId=store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    seen = shown(kms, store)
    assert seen["ConnectionState"] == "DISCONNECTED"
    assert "ConnectionErrorCode" not in seen
    kms.delete_custom_key_store(CustomKeyStoreId=store)


def test_a_store_is_changed_only_for_a_proxy_that_answers(kms: Any, other: Premises) -> None:
    store = connected(kms, other.options)
    kms.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName="renamed")
    assert shown(kms, store)["CustomKeyStoreName"] == "renamed"
    with fails(400, "CustomKeyStoreInvalidStateException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriEndpoint="http://127.0.0.1:1")
    with fails(400, "XksProxyIncorrectAuthenticationCredentialException"):
        kms.update_custom_key_store(
            CustomKeyStoreId=store,
            XksProxyAuthenticationCredential={"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43},
        )
    rotated = json.loads(other.box.command("credential rotate", "--json"))
    fresh = {"AccessKeyId": rotated["access_key_id"], "RawSecretAccessKey": rotated["secret_access_key"]}
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=fresh)
    other.box.command("credential retire", other.options["XksProxyAuthenticationCredential"]["AccessKeyId"])
    assert shown(kms, store)["XksProxyConfiguration"]["AccessKeyId"] == fresh["AccessKeyId"]
    key = external_key(kms, store, other.new_key())
    assert kms.encrypt(KeyId=key["KeyId"], Plaintext=b"new credential")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    with fails(400, "CustomKeyStoreHasCMKsException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store)
    with fails(400, "XksProxyUriUnreachableException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriEndpoint="http://127.0.0.1:1")


def test_an_external_key_is_shown_as_one(kms: Any, store: str, place: Premises) -> None:
    external = place.new_key()
    made = external_key(kms, store, external, Description="theirs")
    assert (made["Origin"], made["CustomKeyStoreId"], made["XksKeyConfiguration"]) == (
        "EXTERNAL_KEY_STORE", store, {"Id": external},
    )  # fmt: skip
    assert (made["KeyState"], made["Enabled"], made["KeySpec"]) == ("Enabled", True, "SYMMETRIC_DEFAULT")
    assert "CurrentKeyMaterialId" not in made
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"] == made
    asked = place.box.last("xks.metadata")
    assert (asked["key_id"], asked["metadata"]["kmsOperation"]) == (external, "CreateKey")
    with fails(400, "XksKeyAlreadyInUseException"):
        external_key(kms, store, external)
    with fails(400, "UnsupportedOperationException"):
        kms.enable_key_rotation(KeyId=made["KeyId"])
    with fails(400, "UnsupportedOperationException"):
        kms.rotate_key_on_demand(KeyId=made["KeyId"])


def test_external_keys_that_cannot_be(kms: Any, store: str, place: Premises, other: Premises) -> None:
    with fails(400, "XksKeyNotFoundException"):
        external_key(kms, store, "nothing-of-the-kind")
    disabled = place.new_key()
    place.box.command("disable", disabled)
    with fails(400, "XksKeyInvalidConfigurationException"):
        external_key(kms, store, disabled)
    with fails(400, "ValidationException"):
        kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store)
    with fails(400, "ValidationException"):
        kms.create_key(CustomKeyStoreId=store, XksKeyId="x")
    with fails(400, "CustomKeyStoreNotFoundException"):
        external_key(kms, "cks-0", "x")
    idle = kms.create_custom_key_store(**other.options)["CustomKeyStoreId"]
    with fails(400, "CustomKeyStoreInvalidStateException"):
        external_key(kms, idle, other.new_key())
    kms.delete_custom_key_store(CustomKeyStoreId=idle)


def test_external_keys_encrypt_decrypt_and_make_data_keys(kms: Any, place: Premises, made: Any, service: Service) -> None:
    key = made["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    asked = place.box.last("xks.encrypt")
    root = f"arn:aws:iam::{service.owner.account_id}:root"
    assert (asked["principal"], asked["context"], asked["result"]) == (root, CONTEXT, "ok")
    assert asked["metadata"] == {
        "kmsOperation": "Encrypt", "kmsKeyArn": made["Arn"], "person": root, "reason": "kms.encrypt",
    }  # fmt: skip
    got = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert (got["Plaintext"], got["KeyId"]) == (b"secret", made["Arn"])
    assert place.box.last("xks.decrypt")["request_id"] == got["ResponseMetadata"]["RequestId"]
    for context in ({}, CONTEXT | {"project": "red"}):
        with fails(400, "InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    data = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert kms.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext=CONTEXT)["Plaintext"] == data["Plaintext"]
    sealed = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=16)["CiphertextBlob"]
    assert len(kms.decrypt(CiphertextBlob=sealed)["Plaintext"]) == 16
    whole = bytes(range(256)) * 16
    assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=whole)["CiphertextBlob"])["Plaintext"] == whole


def test_ciphertexts_move_between_keys_held_here_and_there(kms: Any, made: Any) -> None:
    local = kms.create_key()["KeyMetadata"]["KeyId"]
    first = kms.encrypt(KeyId=local, Plaintext=b"moving")["CiphertextBlob"]
    there = kms.re_encrypt(CiphertextBlob=first, DestinationKeyId=made["KeyId"], DestinationEncryptionContext=CONTEXT)
    assert ("SourceKeyMaterialId" in there, "DestinationKeyMaterialId" in there) == (True, False)
    back = kms.re_encrypt(CiphertextBlob=there["CiphertextBlob"], SourceEncryptionContext=CONTEXT, DestinationKeyId=local)
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b"moving"
    with fails(400, "IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=there["CiphertextBlob"], EncryptionContext=CONTEXT, KeyId=local)


def test_a_ciphertext_with_another_byte_or_another_key_in_its_head_does_not_open(kms: Any, store: str, place: Premises) -> None:
    first, second = (external_key(kms, store, place.new_key()) for _ in range(2))
    blob = kms.encrypt(KeyId=first["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    other = kms.encrypt(KeyId=second["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    forged = [blob[:12] + other[12:28] + blob[28:], blob[:40], blob[:-1], blob + b"x"]
    forged += [blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :] for at in (3, 28, 29, 30, 31, 50, 70, len(blob) - 1)]
    for bad in forged:
        with fails(400, "InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=bad)


def test_a_dry_run_asks_nobody(kms: Any, place: Premises, made: Any) -> None:
    before = len(place.box.log())
    with fails(400, "DryRunOperationException"):
        kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x", DryRun=True)
    assert len(place.box.log()) == before


def test_what_the_box_refuses_is_refused_and_never_done_otherwise(kms: Any, place: Premises, made: Any) -> None:
    external = made["XksKeyConfiguration"]["Id"]
    blob = kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    place.box.command("disable", external)
    for call in (
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x"),
        lambda: kms.generate_data_key(KeyId=made["KeyId"], KeySpec="AES_256"),
    ):
        with fails(400, "KMSInvalidStateException"):
            call()
    place.box.command("enable", external)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    place.box.command("destroy", external, "--yes")
    with pytest.raises(ClientError, match="KeyNotFoundException: The key was destroyed"):
        kms.decrypt(CiphertextBlob=blob)


def test_keys_of_a_disconnected_store_are_unavailable_at_once(kms: Any, other: Premises, service: Service) -> None:
    store = connected(kms, other.options)
    key = external_key(kms, store, other.new_key())["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    before = len(other.box.log())
    for _ in range(6):
        # A connection of its own each time: both workers have to know.
        with_own = patient(service, "kms")
        with fails(400, "KMSInvalidStateException"):
            with_own.decrypt(CiphertextBlob=blob)
        with_own.close()
    assert len(other.box.log()) == before
    seen = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (seen["KeyState"], seen["Enabled"]) == ("Unavailable", False)
    connect(kms, store)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.disable_key(KeyId=key)
    with fails(400, "DisabledException"):
        kms.decrypt(CiphertextBlob=blob)


def test_only_who_may_manages_stores_and_secrets_are_never_shown(
    kms: Any, iam: Any, store: str, service: Service, place: Premises
) -> None:
    person = make_person(service, iam, allow("kms:DescribeCustomKeyStores"))
    client = patient(service, "kms", person.keys)
    with fails(400, "AccessDeniedException"):
        client.disconnect_custom_key_store(CustomKeyStoreId=store)
    before = len(place.box.log())
    with fails(400, "AccessDeniedException"):
        client.create_custom_key_store(**place.options)
    assert len(place.box.log()) == before
    assert "RawSecret" not in str(client.describe_custom_key_stores())
    client.close()
    secret = place.options["XksProxyAuthenticationCredential"]["RawSecretAccessKey"].encode()
    assert secret not in service.log.read_bytes()
    assert all(secret not in path.read_bytes() for path in service.directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1",
        "https://localhost",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://192.168.0.1",
        "https://100.64.0.1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[fe80::1]",
        "https://2130706433",
        "https://0x7f000001",
        "https://127.1",
        "https://0177.0.0.1",
        "http://8.8.8.8",
        "http://keys.example.org",
    ],
)
def test_t91_rustfs_ghsa_m479_a_key_server_at_an_address_that_is_not_public_is_never_asked(
    strict_service: Service, endpoint: str
) -> None:
    """RustFS GHSA-m479, SeaweedFS GHSA-87fv, CVE-2024-11168, CVE-2024-4032: a key server is one more address that others name."""
    with closing(sdk(strict_service, name="kms")) as strict, evil_server() as evil:
        for place in (endpoint, f"{endpoint}:{evil.url.rpartition(':')[2]}"):
            with pytest.raises(ClientError) as refused:
                strict.create_custom_key_store(**evil.options | {"XksProxyUriEndpoint": place})
            assert refused.value.response["Error"]["Code"] in {"XksProxyUriUnreachableException", "ValidationException"}
        assert evil.asked == []
        assert strict.describe_custom_key_stores()["CustomKeyStores"] == []
