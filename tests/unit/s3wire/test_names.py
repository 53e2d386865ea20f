"""Version ids, copy sources and tokens."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidArgumentError, KeyTooLongError
from siegel.s3wire import names
from siegel.s3wire.names import (
    CopySource,
    decode_token,
    decode_version_id,
    encode_token,
    encode_version_id,
    named_version,
    parse_copy_source,
)
from siegel.s3wire.uri import encode_path

ID = bytes(range(16))
ID_TEXT = "AAECAwQFBgcICQoLDA0ODw"


@given(version_id=st.none() | st.binary(min_size=16, max_size=16))
def test_trap_32_version_ids_go_there_and_back(version_id):
    text = encode_version_id(version_id)
    assert decode_version_id(text) == version_id
    assert text == "null" or len(text) == 22


@pytest.mark.parametrize(
    "text", ["", "NULL", ID_TEXT[:-1], ID_TEXT + "A", ID_TEXT[:-1] + "x", "ü" * 22, ID_TEXT[:-1] + "=", ID_TEXT + "\n"]
)
def test_trap_32_malformed_version_ids(text):
    with pytest.raises(InvalidArgumentError):
        decode_version_id(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bucket/key", CopySource("bucket", "key", None)),
        ("/bucket/key", CopySource("bucket", "key", None)),
        ("bucket%2Fa%2Fb", CopySource("bucket", "a/b", None)),
        ("bucket/a+b", CopySource("bucket", "a+b", None)),
        ("bucket/a%20b%252F", CopySource("bucket", "a b%2F", None)),
        ("bucket//a//b", CopySource("bucket", "/a//b", None)),
        ("bucket/../../etc/passwd", CopySource("bucket", "../../etc/passwd", None)),
        (f"bucket/key?versionId={ID_TEXT}", CopySource("bucket", "key", ID_TEXT)),
        ("bucket/key?versionId=null", CopySource("bucket", "key", "null")),
        (f"bucket/key%3FversionId={ID_TEXT}", CopySource("bucket", f"key?versionId={ID_TEXT}", None)),
        (f"bucket/key?versionId=x?versionId={ID_TEXT}", CopySource("bucket", "key?versionId=x", ID_TEXT)),
        ("bucket/ü".encode().decode("latin-1"), CopySource("bucket", "ü", None)),
    ],
)
def test_trap_36_t27_t51_copy_sources(value, expected):
    assert parse_copy_source(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/",
        "//",
        "bucket",
        "bucket/",
        "/bucket/",
        "//bucket/key",
        "../key",
        "%2E%2E/key",
        "Bucket_/key",
        "bucket/%",
        "bucket/%FF",
        "bucket/\xff",
        "bucket/a%00b",
        "bucket/key?versionId=",
        "bucket/key?versionId=..",
        "arn:aws:s3:eu-central-1:1:accesspoint/x/object/key",
    ],
)
def test_trap_36_t27_cve_2024_47866_copy_sources_that_name_nothing(value):
    with pytest.raises(InvalidArgumentError):
        parse_copy_source(value)


def test_trap_44_a_source_key_has_its_limit():
    assert parse_copy_source("bucket/" + "k" * 1024).object_key == "k" * 1024
    with pytest.raises(KeyTooLongError):
        parse_copy_source("bucket/" + "%C3%BC" * 513)


@given(key=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
def test_any_encoded_key_is_found_again(key):
    assert parse_copy_source("bucket/" + encode_path(key)) == CopySource("bucket", key, None)


@given(scope=st.text(max_size=10), position=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_tokens_go_there_and_back(scope, position):
    scope = scope.encode(errors="ignore").decode()
    token = encode_token(scope, position)
    assert decode_token(scope, token) == position
    with pytest.raises(InvalidArgumentError):
        decode_token(scope + "x", token)


@given(spot=st.integers(0, 30), char=st.characters(codec="ascii"))
def test_t70_an_altered_token_is_refused(spot, char):
    token = encode_token("bucket", "the/last/key/of/a/page")
    altered = token[:spot] + char + token[spot + 1 :]
    if altered != token:
        with pytest.raises(InvalidArgumentError):
            decode_token("bucket", altered)


@pytest.mark.parametrize("token", ["", "a", "A" * 13, "A" * 14, "ü" * 20, "A" * 10_000, "=" * 16])
def test_t70_what_never_was_a_token(token):
    with pytest.raises(InvalidArgumentError):
        decode_token("bucket", token)


def test_t70_a_forged_token_whose_check_is_right_is_still_only_text():
    body = b"\xff\xfe"
    forged = urlsafe_b64encode(b"\x01" + names._check_of("bucket", body) + body).rstrip(b"=").decode()
    with pytest.raises(InvalidArgumentError):
        decode_token("bucket", forged)


@pytest.mark.parametrize("text", [None, "", "NULL", "zzz", "A" * 21, "A" * 23, "A" * 21 + "B", "A" * 21 + "é"])
def test_what_cannot_be_a_version_id_names_no_version(text):
    assert named_version(text) == ""
    assert [named_version(named) for named in ("null", "A" * 22)] == ["null", "A" * 22]
