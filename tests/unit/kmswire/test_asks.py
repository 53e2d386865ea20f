"""What is read, and what is refused, of requests' bodies."""

import base64
import json

import pytest

from siegel.domain.kms_errors import (
    KmsInvalidArnError,
    KmsNotFoundError,
    KmsSerializationError,
    KmsUnsupportedOperationError,
    KmsValidationError,
)
from siegel.kmswire import asks
from siegel.kmswire.asks import contexts_of, read_ask
from siegel.kmswire.names import NamedKey, parse_key_name

BLOB = base64.b64encode(b"x").decode()
OWN = "111122223333"
STORE = {"CustomKeyStoreName": "n", "CustomKeyStoreType": "EXTERNAL_KEY_STORE"}


def read(ask_type, **members):
    return read_ask(ask_type, json.dumps(members).encode())


def test_members_become_fields():
    ask = read(asks.Encrypt, KeyId="k", Plaintext=BLOB, EncryptionContext={"a": "b"}, DryRun=True)
    assert (ask.key_id, ask.plaintext, ask.encryption_context, ask.dry_run) == ("k", b"x", {"a": "b"}, True)
    assert read_ask(asks.ListKeys, b"").limit == 100


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"Marker": "\\ud800"}', b'{"Marker":"' + b"\xed\xa0\x80" + b'"}'])
def test_what_is_no_json(body):
    with pytest.raises(KmsSerializationError):
        read_ask(asks.ListKeys, body)


@pytest.mark.parametrize(
    ("ask_type", "members", "text"),
    [
        (asks.OfKey, {}, "missing required field `KeyId`"),
        (asks.OfKey, {"KeyId": ""}, "KeyId: Expected `str` of length >= 1"),
        (asks.OfKey, {"KeyId": "k" * 2049}, "KeyId"),
        (asks.OfKey, {"KeyId": None}, "KeyId"),
        (asks.OfKey, {"KeyId": "k", "Other": 1}, "unknown field `Other`"),
        (asks.Encrypt, {"KeyId": "k", "Plaintext": base64.b64encode(bytes(4097)).decode()}, "Plaintext"),
        (asks.Encrypt, {"KeyId": "k", "Plaintext": BLOB, "EncryptionContext": {"": "v"}}, "not empty"),
        (asks.Encrypt, {"KeyId": "k", "Plaintext": BLOB, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "EncryptionAlgorithm"),
        (asks.Decrypt, {"CiphertextBlob": base64.b64encode(bytes(6145)).decode()}, "CiphertextBlob"),
        (asks.OfAlias, {"AliasName": "a"}, "AliasName"),
        (asks.OfAlias, {"AliasName": "alias/"}, "AliasName"),
        (asks.OfAlias, {"AliasName": "alias/ä"}, "AliasName"),
        (asks.ScheduleKeyDeletion, {"KeyId": "k", "PendingWindowInDays": 6}, "PendingWindowInDays"),
        (asks.CreateGrant, {"KeyId": "k", "GranteePrincipal": "a", "Operations": []}, "Operations"),
        (asks.CreateGrant, {"KeyId": "k", "GranteePrincipal": "a", "Operations": ["Sign"]}, "Operations"),
        (asks.GetKeyPolicy, {"KeyId": "k", "PolicyName": "other"}, "PolicyName"),
        (asks.CreateKey, {"Tags": [{"TagKey": "", "TagValue": ""}]}, "Tags[0].TagKey"),
    ],
)
def test_what_is_not_as_the_api_says(ask_type, members, text):
    with pytest.raises(KmsValidationError) as refused:
        read(ask_type, **members)
    assert text in refused.value.text


@pytest.mark.parametrize(
    ("ask_type", "members"),
    [
        (asks.GenerateRandom, {"NumberOfBytes": 1, "Recipient": {}}),
        (asks.GenerateRandom, {"NumberOfBytes": 1, "CustomKeyStoreId": "cks"}),
        (asks.CreateCustomKeyStore, {"CustomKeyStoreName": "n"}),
        (asks.CreateCustomKeyStore, STORE | {"CloudHsmClusterId": "c"}),
        (asks.CreateCustomKeyStore, STORE | {"KeyStorePassword": "p"}),
        (asks.CreateCustomKeyStore, STORE | {"XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}),
        (asks.CreateCustomKeyStore, STORE | {"XksProxyVpcEndpointServiceName": "n"}),
        (asks.UpdateCustomKeyStore, {"CustomKeyStoreId": "cks", "XksProxyVpcEndpointServiceOwner": "1"}),
        (asks.UpdateCustomKeyStore, {"CustomKeyStoreId": "cks", "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"}),
        (asks.Decrypt, {"CiphertextBlob": BLOB, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}),
        (asks.ListGrants, {"KeyId": "k", "GranteeServicePrincipal": "s3.amazonaws.com"}),
        (asks.ListRetirableGrants, {"RetiringServicePrincipal": "s3.amazonaws.com"}),
    ],
)
def test_what_is_understood_and_not_done(ask_type, members):
    with pytest.raises(KmsUnsupportedOperationError):
        read(ask_type, **members)


def test_key_stores_show_no_secret():
    credential = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43}
    ask = read(
        asks.CreateCustomKeyStore,
        **STORE,
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyUriEndpoint="https://box.example:8443",
        XksProxyUriPath="/one/kms/xks/v1",
        XksProxyAuthenticationCredential=credential,
        TrustAnchorCertificate="PEM",
    )
    assert "s" * 43 not in repr(ask)
    assert ask.xks_proxy_authentication_credential.raw_secret_access_key == "s" * 43
    assert read(asks.UpdateCustomKeyStore, CustomKeyStoreId="cks", NewCustomKeyStoreName="m").xks_proxy_uri_path is None


@pytest.mark.parametrize(
    "members",
    [
        {"XksProxyUriEndpoint": "https://box/path"},
        {"XksProxyUriEndpoint": "https://user@box.example"},
        {"XksProxyUriEndpoint": "ftp://box.example"},
        {"XksProxyUriPath": "/kms/xks/v1/"},
        {"XksProxyUriPath": "/a?b/kms/xks/v1"},
        {"XksProxyAuthenticationCredential": {"AccessKeyId": "a" * 20, "RawSecretAccessKey": "s" * 43}},
        {"XksProxyAuthenticationCredential": {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 42}},
    ],
)
def test_proxies_that_cannot_be(members):
    with pytest.raises(KmsValidationError):
        read(asks.CreateCustomKeyStore, **STORE, **members)


def test_contexts_are_limited_wherever_they_stand():
    large = {"k": "v" * 8192}
    for ask_type, members in (
        (asks.Encrypt, {"KeyId": "k", "Plaintext": BLOB, "EncryptionContext": large}),
        (asks.ReEncrypt, {"CiphertextBlob": BLOB, "DestinationKeyId": "k", "DestinationEncryptionContext": large}),
        (
            asks.CreateGrant,
            {"KeyId": "k", "Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": large}},
        ),
    ):
        with pytest.raises(KmsValidationError, match="at most 8192 bytes"):
            read(ask_type, **members)
    assert contexts_of(read(asks.ListKeys)) == ()


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("k", NamedKey(OWN, key_id="k")),
        ("alias/a/b", NamedKey(OWN, alias="alias/a/b")),
        ("arn:aws:kms:r:444455556666:key/k", NamedKey("444455556666", key_id="k")),
        ("arn:aws:kms:r:444455556666:alias/a", NamedKey("444455556666", alias="alias/a")),
    ],
)
def test_names_of_keys(name, named):
    assert parse_key_name(name, "r", OWN, takes_alias=True) == named


@pytest.mark.parametrize("name", ["arn:aws:kms:r:1:key/k", "arn:aws:s3:::b", "arn:aws:kms:r:444455556666:key/a/b"])
def test_what_is_no_arn_of_a_key(name):
    with pytest.raises(KmsInvalidArnError):
        parse_key_name(name, "r", OWN, takes_alias=True)


def test_another_region_has_none_of_the_keys_and_some_operations_take_no_alias():
    with pytest.raises(KmsNotFoundError, match="are in r"):
        parse_key_name(f"arn:aws:kms:other:{OWN}:key/k", "r", OWN, takes_alias=True)
    for name in ("alias/a", f"arn:aws:kms:r:{OWN}:alias/a"):
        with pytest.raises(KmsNotFoundError, match="takes a key id"):
            parse_key_name(name, "r", OWN, takes_alias=False)
