"""Keys of requests (SSE-C) and what else a request may ask of encryption."""

import hashlib
from base64 import b64encode

import msgspec
import pytest

from siegel.domain.errors import InvalidArgumentError, InvalidEncryptionAlgorithmError, UnsupportedFeatureError
from siegel.s3wire.encryption import (
    COPY_SOURCE_CUSTOMER_KEY_PREFIX,
    CUSTOMER_KEY_PREFIX,
    CustomerKey,
    check_encryption,
    parse_customer_key,
    refuse_in_read,
)

KEY = bytes(range(100, 132))
KEY_MD5 = b64encode(hashlib.md5(KEY).digest()).decode()


def headers(prefix=CUSTOMER_KEY_PREFIX, **changes):
    values = {"algorithm": "AES256", "key": b64encode(KEY).decode(), "key-md5": KEY_MD5}
    values.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {prefix + name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("prefix", [CUSTOMER_KEY_PREFIX, COPY_SOURCE_CUSTOMER_KEY_PREFIX])
def test_trap_22_a_key_comes_with_its_algorithm_and_its_digest(prefix):
    found = parse_customer_key(headers(prefix), prefix)
    assert found == CustomerKey(key=KEY, key_md5=KEY_MD5)
    assert found.to_headers() == {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key-MD5": KEY_MD5,
    }
    assert parse_customer_key({}, prefix) is None


def test_a_key_of_a_copys_source_is_none_of_the_object():
    assert parse_customer_key(headers(COPY_SOURCE_CUSTOMER_KEY_PREFIX)) is None
    assert parse_customer_key(headers(), COPY_SOURCE_CUSTOMER_KEY_PREFIX) is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"algorithm": None}, InvalidArgumentError),
        ({"algorithm": ""}, InvalidArgumentError),
        ({"algorithm": "AES128"}, InvalidEncryptionAlgorithmError),
        ({"key": None}, InvalidArgumentError),
        ({"key": "not base64"}, InvalidArgumentError),
        ({"key": b64encode(KEY[:16]).decode()}, InvalidArgumentError),
        ({"key_md5": None}, InvalidArgumentError),
        ({"key_md5": "not base64"}, InvalidArgumentError),
        ({"key_md5": b64encode(bytes(16)).decode()}, InvalidArgumentError),
        ({"algorithm": None, "key": None}, InvalidArgumentError),
    ],
)
def test_trap_22_t84_anything_less_is_refused(changes, error):
    with pytest.raises(error) as refusal:
        parse_customer_key(headers(**changes))
    assert b64encode(KEY).decode() not in str(refusal.value.fields) + refusal.value.text


def test_t84_a_key_shows_in_no_text_form():
    key = parse_customer_key(headers())
    shown = repr(key) + str(key) + f"{key}" + str(list(key.__rich_repr__())) + repr([key])
    assert "100" not in shown
    assert b64encode(KEY).decode() not in shown
    assert KEY_MD5 not in shown
    assert msgspec.structs.asdict(key)["key"] == KEY


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({}, None),
        ({"x-amz-server-side-encryption": "AES256"}, None),
        ({"x-amz-server-side-encryption": "aws:kms"}, None),
        ({"x-amz-server-side-encryption": "aws:kms:dsse", "x-amz-server-side-encryption-aws-kms-key-id": "x"}, None),
        ({"x-amz-server-side-encryption": "aws:fsx"}, UnsupportedFeatureError),
        ({"x-amz-server-side-encryption": "aws:kms", **headers()}, InvalidArgumentError),
        ({"x-amz-server-side-encryption-aws-kms-key-id": "x"}, InvalidArgumentError),
        ({"x-amz-server-side-encryption": "AES256", "x-amz-server-side-encryption-context": "x"}, InvalidArgumentError),
        ({"x-amz-server-side-encryption": "ROT13"}, InvalidEncryptionAlgorithmError),
        ({"x-amz-server-side-encryption": ""}, InvalidEncryptionAlgorithmError),
        ({"x-amz-server-side-encryption": "AES256", **headers()}, InvalidArgumentError),
        (headers(), None),
    ],
)
def test_what_a_write_may_ask_of_encryption(sent, error):
    if error is None:
        assert check_encryption(sent) == sent.get("x-amz-server-side-encryption", "")
    else:
        with pytest.raises(error):
            check_encryption(sent)


def test_a_read_does_not_say_how_its_object_is_sealed():
    refuse_in_read(headers())
    with pytest.raises(InvalidArgumentError):
        refuse_in_read({"x-amz-server-side-encryption": "AES256"})
