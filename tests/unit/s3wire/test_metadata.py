"""What an object carries besides its bytes, and the headers that decide on it."""

from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import (
    AccessControlListNotSupportedError,
    AccessDeniedError,
    InvalidArgumentError,
    InvalidRedirectLocationError,
    InvalidRequestError,
    InvalidStorageClassError,
    InvalidTagError,
    MetadataTooLargeError,
    UnsupportedFeatureError,
)
from siegel.s3wire.metadata import (
    Directive,
    parse_directive,
    parse_kept_headers,
    parse_response_overrides,
)
from siegel.s3wire.refusals import check_control_account, check_expected_owner, refuse_unsupported
from siegel.s3wire.tags import check_tags, parse_tagging


def kept(headers: dict[str, str]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in parse_kept_headers(headers)}


def test_trap_38_standard_headers_come_back_as_they_were():
    shown = kept(
        {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-cache",
            "content-disposition": 'attachment; filename="x"',
            "content-encoding": "gzip",
            "content-language": "de",
            "expires": "whenever",
            "x-amz-website-redirect-location": "/there",
            "x-amz-meta-colour": "blue",
            "x-amz-storage-class": "STANDARD",
            "host": "s3.example",
        }
    )
    assert shown == {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "content-disposition": 'attachment; filename="x"',
        "content-encoding": "gzip",
        "content-language": "de",
        "expires": "whenever",
        "x-amz-website-redirect-location": "/there",
        "x-amz-meta-colour": "blue",
    }


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}])
def test_trap_38_default_content_type(headers):
    assert kept(headers) == {"content-type": "binary/octet-stream"}


@pytest.mark.parametrize(
    ("sent", "stays"),
    [
        ("aws-chunked", ""),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("AWS-Chunked ,gzip , br,", "gzip, br"),
        ("gzip ,br", "gzip ,br"),
        ("x-aws-chunked-not", "x-aws-chunked-not"),
    ],
)
def test_trap_11_only_the_framing_leaves_the_content_encoding(sent, stays):
    assert kept({"content-encoding": sent}).get("content-encoding", "") == stays


@pytest.mark.parametrize(("value", "text"), [("Größe 日本", "Größe 日本"), ("=?UTF-8?B?w5w=?=", "Ü")])
def test_trap_38_t73_utf_8_comes_back_as_rfc_2047(value, text):
    sent = value.encode().decode("latin-1")
    shown = kept({"x-amz-meta-a": sent})["x-amz-meta-a"]
    assert shown.isascii()
    assert str(make_header(decode_header(shown))) == text


def test_t73_bytes_that_are_not_utf_8_are_taken_as_latin_1():
    shown = kept({"x-amz-meta-a": "\xff\xe4"})["x-amz-meta-a"]
    assert str(make_header(decode_header(shown))) == "ÿä"


@given(value=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_trap_38_ascii_metadata_comes_back_byte_for_byte(value):
    assert kept({"x-amz-meta-under_score.x": value})["x-amz-meta-under_score.x"] == value


def test_trap_38_t73_two_kibibytes_of_metadata_and_no_more():
    parse_kept_headers({"x-amz-meta-name": "v" * 2044})
    with pytest.raises(MetadataTooLargeError) as refusal:
        parse_kept_headers({"x-amz-meta-name": "v" * 2044, "x-amz-meta-b": ""})
    assert refusal.value.fields == {"Size": "2049", "MaxSizeAllowed": "2048"}


@pytest.mark.parametrize("name", ["", "a b", "a\r\nset-cookie", "ü", "a:", "A"])
def test_t73_metadata_names_that_are_no_header_names(name):
    with pytest.raises(InvalidArgumentError):
        parse_kept_headers({"x-amz-meta-" + name: "value"})


def test_only_the_standard_storage_class():
    with pytest.raises(InvalidStorageClassError):
        parse_kept_headers({"x-amz-storage-class": "GLACIER"})


@pytest.mark.parametrize("location", ["javascript:alert(1)", "ftp://x", "there", "/" + "x" * 2048])
def test_t77_redirects_lead_to_the_web(location):
    with pytest.raises(InvalidRedirectLocationError):
        parse_kept_headers({"x-amz-website-redirect-location": location})


def test_trap_36_directives_of_a_copy():
    assert parse_directive({}, "x-amz-metadata-directive") is Directive.COPY
    assert parse_directive({"x-amz-tagging-directive": "REPLACE"}, "x-amz-tagging-directive") is Directive.REPLACE
    with pytest.raises(InvalidArgumentError, match="Unknown metadata directive"):
        parse_directive({"x-amz-metadata-directive": "MERGE"}, "x-amz-metadata-directive")


def test_overrides_of_the_answer():
    query = {"response-content-type": "text/plain", "response-content-disposition": 'inline; filename="ü"', "versionId": "x"}
    assert parse_response_overrides(query, is_signed=True) == {
        "Content-Type": "text/plain",
        "Content-Disposition": 'inline; filename="ü"'.encode().decode("latin-1"),
    }
    assert parse_response_overrides({}, is_signed=False) == {}
    with pytest.raises(InvalidRequestError):
        parse_response_overrides(query, is_signed=False)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x", "a\n", "\0", "\x7f"])
def test_t58_cve_2020_7695_overrides_cannot_end_a_header(value):
    with pytest.raises(InvalidArgumentError):
        parse_response_overrides({"response-expires": value}, is_signed=True)


def test_trap_39_tags_of_the_header():
    assert parse_tagging(None) == {}
    assert parse_tagging("") == {}
    assert parse_tagging("a=1&b=x%3Dy=z&c&d+e=%C3%BC/:@") == {"a": "1", "b": "x=y=z", "c": "", "d e": "ü/:@"}
    assert len(parse_tagging("&".join(f"k{n}=v" for n in range(10)))) == 10


@pytest.mark.parametrize(
    "value",
    [
        "&".join(f"k{n}=v" for n in range(11)),
        "=1",
        "k" * 129 + "=v",
        "k=" + "v" * 257,
        "aws:x=1",
        "k%00=v",
        "k=%3Cscript%3E",
        "k=a%0Ab",
    ],
)
def test_trap_39_tags_that_break_a_rule(value):
    with pytest.raises(InvalidTagError):
        parse_tagging(value)


@pytest.mark.parametrize("value", ["a=%", "a=%zz", "a=%FF", "\xff=1", "a=1&a=2"])
def test_trap_39_tags_that_cannot_be_read(value):
    with pytest.raises(InvalidArgumentError):
        parse_tagging(value)


def test_tags_from_elsewhere_obey_the_same_rules():
    check_tags({"name": "wert 5"})
    with pytest.raises(InvalidTagError):
        check_tags({"name": "wert;"})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-amz-acl", "public-read", AccessControlListNotSupportedError),
        ("x-amz-acl", "", AccessControlListNotSupportedError),
        ("x-amz-grant-read", 'id="x"', AccessControlListNotSupportedError),
        ("x-amz-object-lock-mode", "COMPLIANCE", InvalidRequestError),
        ("x-amz-object-lock-legal-hold", "ON", InvalidRequestError),
        ("x-amz-write-offset-bytes", "0", UnsupportedFeatureError),
        ("x-amz-meta-snowball-auto-extract", "true", UnsupportedFeatureError),
        ("x-amz-bucket-object-lock-enabled", "true", UnsupportedFeatureError),
        ("x-amz-object-ownership", "ObjectWriter", UnsupportedFeatureError),
        ("x-amz-object-ownership", "Nobody", InvalidArgumentError),
        ("x-amz-acl", "private", None),
        ("x-amz-acl", "bucket-owner-full-control", None),
        ("x-amz-bucket-object-lock-enabled", "false", None),
        ("x-amz-object-ownership", "BucketOwnerEnforced", None),
        ("x-amz-meta-anything", "goes", None),
        ("content-type", "public-read", None),
    ],
)
def test_t03_t71_what_is_not_there_is_refused_not_ignored(name, value, error):
    if error is None:
        refuse_unsupported({name: value})
    else:
        with pytest.raises(error):
            refuse_unsupported({name: value})


def test_t35_a_request_may_insist_on_the_owner_of_the_bucket():
    check_expected_owner({}, "111122223333")
    check_expected_owner({"x-amz-expected-bucket-owner": "111122223333"}, "111122223333")
    with pytest.raises(AccessDeniedError):
        check_expected_owner({"x-amz-expected-bucket-owner": "444455556666"}, "111122223333")
    with pytest.raises(AccessDeniedError):
        check_expected_owner({"x-amz-source-expected-bucket-owner": "4"}, "111122223333", of_copy_source=True)


def test_t35_s3_control_names_the_account_of_the_bucket():
    check_control_account("", "111122223333")
    check_control_account("111122223333", "111122223333")
    with pytest.raises(AccessDeniedError):
        check_control_account("444455556666", "111122223333")
