import pytest

from siegel.domain.configuration import Cors, CorsRule
from siegel.domain.errors import InvalidRequestError, MalformedXMLError, MaxMessageLengthExceededError
from siegel.domain.limits import CORS_BYTES_MAX, CORS_RULES_MAX
from siegel.domain.records import decode_document, encode_document
from siegel.s3wire.corsxml import parse_cors, render_cors

ORIGIN = "<AllowedOrigin>https://*.example</AllowedOrigin>"
METHOD = "<AllowedMethod>GET</AllowedMethod>"
FULL = Cors(
    rules=(
        CorsRule(("https://a", "*"), ("GET", "PUT", "POST", "DELETE", "HEAD"), ("*", "x-*"), ("ETag",), 0, "an <id>"),
        CorsRule(("http://b:80",), ("GET",)),
    )
)


def rule(*parts):
    return f"<CORSConfiguration><CORSRule>{''.join(parts)}</CORSRule></CORSConfiguration>".encode()


def test_rules_are_written_as_they_are_read():
    assert parse_cors(render_cors(FULL)) == FULL
    assert parse_cors(rule(ORIGIN, METHOD)) == Cors(rules=(CorsRule(("https://*.example",), ("GET",)),))


def test_rules_are_stored_as_their_format_says():
    assert (
        encode_document(parse_cors(rule("<AllowedOrigin>*</AllowedOrigin>", METHOD))).hex() == "9201919691a12a91a34745549090c0a0"
    )
    assert decode_document(encode_document(FULL), Cors) == FULL


@pytest.mark.parametrize(
    "body",
    [
        b"<CORSConfiguration/>",
        b"<CORSRules/>",
        b"<CORSConfiguration><Other/></CORSConfiguration>",
        rule(),
        rule(ORIGIN),
        rule(METHOD),
        rule(ORIGIN, METHOD, "<Other/>"),
        rule(ORIGIN, METHOD, "<ID>a</ID><ID>a</ID>"),
        rule(ORIGIN, METHOD, "<MaxAgeSeconds/>"),
        rule(ORIGIN, METHOD, "<MaxAgeSeconds>1.5</MaxAgeSeconds>"),
        rule(ORIGIN, METHOD, "<MaxAgeSeconds>1000000000</MaxAgeSeconds>"),
    ],
)
def test_xml_that_is_none(body):
    with pytest.raises(MalformedXMLError):
        parse_cors(body)


@pytest.mark.parametrize(
    "body",
    [
        rule(ORIGIN, "<AllowedMethod>OPTIONS</AllowedMethod>"),
        rule(ORIGIN, "<AllowedMethod>get</AllowedMethod>"),
        rule(METHOD, "<AllowedOrigin>**</AllowedOrigin>"),
        rule(METHOD, "<AllowedOrigin/>"),
        rule(METHOD, "<AllowedOrigin>http://a,http://b</AllowedOrigin>"),
        rule(METHOD, "<AllowedOrigin>http://a b</AllowedOrigin>"),
        rule(ORIGIN, METHOD, "<AllowedHeader>*-*</AllowedHeader>"),
        rule(ORIGIN, METHOD, "<AllowedHeader>a:b</AllowedHeader>"),
        rule(ORIGIN, METHOD, "<ExposeHeader>*</ExposeHeader>"),
        rule(ORIGIN, METHOD, "<ExposeHeader>a&#13;&#10;b</ExposeHeader>"),
        rule(ORIGIN, METHOD, f"<ID>{'x' * 256}</ID>"),
        rule(ORIGIN, METHOD, f"</CORSRule><CORSRule>{ORIGIN}{METHOD}" * CORS_RULES_MAX),
    ],
)
def test_rules_that_are_none(body):
    with pytest.raises(InvalidRequestError):
        parse_cors(body)


def test_rules_have_a_limit():
    with pytest.raises(MaxMessageLengthExceededError):
        parse_cors(rule(ORIGIN, METHOD) + b" " * CORS_BYTES_MAX)
