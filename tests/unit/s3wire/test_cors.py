import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.browser_errors import AccessForbiddenError
from siegel.domain.configuration import Cors, CorsRule
from siegel.domain.errors import BadRequestError
from siegel.s3wire.cors import VARY, Preflight, answer_headers, parse_preflight, preflight_headers

from .signing import plain

SITE = "https://a.example"
RULES = Cors(
    rules=(
        CorsRule((SITE, "http://*.b.example"), ("PUT", "POST"), ("Content-*", "*-md5"), ("ETag", "x-a"), 60, "one"),
        CorsRule(("*",), ("GET",)),
    )
)


def options(**headers):
    return plain("OPTIONS", "/b/k", {name.replace("_", "-"): value for name, value in headers.items()}).parse()


def test_what_a_preflight_asks():
    asked = options(origin=SITE, access_control_request_method="PUT", access_control_request_headers="A, b,,\tC ")
    assert parse_preflight(asked) == Preflight(SITE, "PUT", ("a", "b", "c"))
    assert parse_preflight(options(origin="null", access_control_request_method="GET")) == Preflight("null", "GET")


def test_a_preflight_asks_for_as_many_headers_as_a_request_may_have():
    few, many = (",".join(f"x-{number}" for number in range(count)) for count in (100, 101))
    assert (
        len(
            parse_preflight(options(origin=SITE, access_control_request_method="PUT", access_control_request_headers=few)).headers
        )
        == 100
    )
    with pytest.raises(BadRequestError):
        parse_preflight(options(origin=SITE, access_control_request_method="PUT", access_control_request_headers=many))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "", "access_control_request_method": "GET"},
        {"origin": SITE},
        {"origin": SITE, "access_control_request_method": "get"},
        {"origin": SITE, "access_control_request_method": "PATCH"},
    ],
)
def test_preflights_that_ask_nothing(headers):
    with pytest.raises(BadRequestError):
        parse_preflight(options(**headers))


def test_the_answer_to_a_preflight():
    found = preflight_headers(RULES, Preflight(SITE, "PUT", ("content-type", "content-md5")), "OBJECT")
    assert found == {
        "access-control-allow-origin": SITE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "PUT, POST",
        "access-control-expose-headers": "ETag, x-a",
        "access-control-max-age": "60",
        "access-control-allow-headers": "content-type, content-md5",
        "vary": VARY,
    }
    anyone = preflight_headers(RULES, Preflight("http://x", "GET"), "OBJECT")
    assert anyone == {"access-control-allow-origin": "*", "access-control-allow-methods": "GET", "vary": VARY}


@pytest.mark.parametrize(
    "asked",
    [
        Preflight(SITE, "DELETE"),
        Preflight(SITE, "PUT", ("x-amz-acl",)),
        Preflight(SITE, "PUT", ("content-type", "x")),
        Preflight("https://a.example.evil", "PUT"),
        Preflight("http://b.example", "PUT"),
        Preflight("http://.b.exampl", "PUT"),
        Preflight("http://x", "GET", ("range",)),
    ],
)
def test_t76_what_no_rule_allows(asked):
    with pytest.raises(AccessForbiddenError, match="not allowed") as caught:
        preflight_headers(RULES, asked, "BUCKET")
    assert caught.value.fields == {"Method": asked.method, "ResourceType": "BUCKET"}
    with pytest.raises(AccessForbiddenError, match="not enabled"):
        preflight_headers(None, asked, "BUCKET")


def test_the_headers_of_answers():
    put = answer_headers(RULES, plain("PUT", "/b/k", {"origin": "http://x.b.example"}).parse())
    assert put["access-control-allow-origin"] == "http://x.b.example"
    assert "access-control-allow-headers" not in put
    assert answer_headers(RULES, plain("DELETE", "/b/k", {"origin": SITE}).parse()) == {"vary": VARY}
    got = answer_headers(RULES, plain("GET", "/b/k", {"origin": SITE}).parse())
    assert got["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in got


PIECES = st.text("ab.", max_size=4)


@given(PIECES, PIECES, PIECES)
def test_a_star_stands_for_any_text(before, middle, after):
    rules = Cors(rules=(CorsRule((f"{before}*{after}",), ("GET",)),))
    wanted = {"access-control-allow-origin": before + middle + after or "", "access-control-allow-credentials": "true"}
    found = preflight_headers(rules, Preflight(before + middle + after, "GET"), "BUCKET")
    if before or after:
        assert found.items() >= wanted.items()
    else:
        assert found["access-control-allow-origin"] == "*"
    if before and after:
        # The two ends never share a character.
        shorter = Preflight((before + after)[:-1], "GET")
        try:
            preflight_headers(rules, shorter, "BUCKET")
        except AccessForbiddenError:
            pass
        else:
            raise AssertionError(shorter)
