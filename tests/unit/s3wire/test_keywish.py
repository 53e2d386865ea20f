"""Which key of the key service a write names, and what answers say of it."""

from base64 import b64decode, b64encode

import pytest

from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError, InvalidEncryptionAlgorithmError
from siegel.s3wire.keywish import (
    KeyWish,
    context_headers,
    key_headers,
    needs_key_service,
    parse_context,
    parse_key_wish,
    unsigned,
)

SSE = "x-amz-server-side-encryption"
PLAIN = BucketEncryption()
WITH_KEY = BucketEncryption(algorithm="aws:kms", bucket_key_enabled=True, key_id="alias/default")
DSSE = BucketEncryption(algorithm="aws:kms:dsse")


def sent(method="", **more):
    headers = {SSE: method} if method else {}
    return headers | {f"{SSE}-{name.replace('_', '-')}": value for name, value in more.items()}


def b64(text):
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "default", "wish"),
    [
        (sent(), PLAIN, None),
        (sent(bucket_key_enabled="false"), PLAIN, None),
        (sent("AES256"), WITH_KEY, None),
        (sent("aws:kms"), PLAIN, KeyWish("", is_dsse=False, with_bucket_key=False)),
        (sent("aws:kms", aws_kms_key_id="k"), WITH_KEY, KeyWish("k", is_dsse=False, with_bucket_key=True)),
        (sent("aws:kms", bucket_key_enabled="FALSE"), WITH_KEY, KeyWish("", is_dsse=False, with_bucket_key=False)),
        (sent("aws:kms", bucket_key_enabled="true"), PLAIN, KeyWish("", is_dsse=False, with_bucket_key=True)),
        (sent("aws:kms:dsse", context=b64('{"a":"b"}')), WITH_KEY, KeyWish("", True, False, {"a": "b"})),
        (sent(), WITH_KEY, KeyWish("alias/default", is_dsse=False, with_bucket_key=True, of_bucket=True)),
        (sent(bucket_key_enabled="false"), WITH_KEY, KeyWish("alias/default", False, False, of_bucket=True)),
        (sent(), DSSE, KeyWish("", is_dsse=True, with_bucket_key=False, of_bucket=True)),
    ],
)
def test_what_a_write_asks_for_or_else_its_bucket(headers, default, wish):
    assert parse_key_wish(headers, default) == wish


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        (sent("aws:nothing"), InvalidEncryptionAlgorithmError),
        (sent(aws_kms_key_id="k"), InvalidArgumentError),
        (sent(bucket_key_enabled="true"), InvalidArgumentError),
        (sent("AES256", bucket_key_enabled="true"), InvalidArgumentError),
        (sent("aws:kms", bucket_key_enabled="1"), InvalidArgumentError),
        (sent("aws:kms:dsse", bucket_key_enabled="true"), InvalidArgumentError),
        (sent("aws:kms", context="no base64!"), InvalidArgumentError),
        (sent("aws:kms", context="Zm9v\u00e9"), InvalidArgumentError),
        (sent("aws:kms", context=b64("no json")), InvalidArgumentError),
        (sent("aws:kms", context=b64("[]")), InvalidArgumentError),
        (sent("aws:kms", context=b64('{"a":1}')), InvalidArgumentError),
        (sent("aws:kms", context=b64('{"":"a"}')), InvalidArgumentError),
        (sent("aws:kms", context=b64('{"aws:s3:arn":"a"}')), InvalidArgumentError),
        (sent("aws:kms", context=b64('{"a":"%s"}' % ("x" * 8192))), InvalidArgumentError),
    ],
)
def test_t84_what_cannot_be_is_refused(headers, error):
    with pytest.raises(error):
        parse_key_wish(headers, PLAIN)


def test_a_context_is_told_again_as_it_was_given():
    context = {"department": "ten", "ü": "ß"}
    headers = context_headers(context)
    assert parse_context(headers) == context
    assert b64decode(headers[f"{SSE}-context"]).startswith(b"{")
    assert context_headers({}) == parse_context({}) == {}


def test_answers_name_method_key_and_bucket_key():
    assert key_headers("arn", is_dsse=False, with_bucket_key=False) == sent("aws:kms", aws_kms_key_id="arn")
    assert key_headers("arn", is_dsse=True, with_bucket_key=False) == sent("aws:kms:dsse", aws_kms_key_id="arn")
    assert key_headers("arn", is_dsse=False, with_bucket_key=True) == sent(
        "aws:kms", aws_kms_key_id="arn", bucket_key_enabled="true"
    )


def test_refusals_name_what_they_are_about():
    assert needs_key_service("h").fields == {"ArgumentName": "h"}
    assert "Signature Version 4" in unsigned().text
