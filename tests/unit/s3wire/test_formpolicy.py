import contextlib
import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.browser_errors import InvalidPolicyDocumentError
from siegel.domain.errors import AccessDeniedError
from siegel.domain.limits import PUT_BYTES_MAX
from siegel.s3wire.formpolicy import FormPolicy, parse_form_policy

EXPIRATION = "2033-01-01T00:00:00.000Z"
EXPIRES_MS = 1_988_150_400_000
NOW_MS = EXPIRES_MS - 1


def encoded(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b64encode(raw).decode()


def policy(*conditions):
    return parse_form_policy(encoded({"expiration": EXPIRATION, "conditions": [{"bucket": "b"}, *conditions]}))


def denial(found: FormPolicy, fields, bucket="b", now_ms=NOW_MS):
    with pytest.raises(AccessDeniedError) as caught:
        found.check(fields, bucket, now_ms)
    text = caught.value.text
    assert text.startswith("Invalid according to Policy: ")
    return text.removeprefix("Invalid according to Policy: ")


def test_a_policy_is_read():
    found = policy(["eq", "$Key", "a"], ["content-length-range", 5, "900"], ["Content-Length-Range", 0, 100])
    assert (found.expires_at_ms, found.bytes_min, found.bytes_max) == (EXPIRES_MS, 5, 100)
    assert [(c.field, c.value, c.is_prefix) for c in found.conditions] == [("bucket", "b", False), ("key", "a", False)]
    found.check({"key": "a"}, "b", NOW_MS)
    found.check({"key": "a"}, "b", EXPIRES_MS)


def test_a_policy_without_a_range_takes_any_file():
    assert (policy().bytes_min, policy().bytes_max) == (0, PUT_BYTES_MAX)


def test_base64_may_have_lines():
    text = encoded({"expiration": EXPIRATION, "conditions": [{"bucket": "b"}]})
    assert parse_form_policy(f"{text[:10]}\r\n{text[10:]}\n") == policy()


def test_what_a_condition_says():
    found = policy({"a": "1"}, ["starts-with", "$b", "x/"], ["starts-with", "$c", ""], ["eq", "$d", "\\$1"])
    fields = {"a": "1", "b": "x/y", "c": "anything", "d": "$1"}
    found.check(fields, "b", NOW_MS)
    found.check(fields | {"c": "", "x-ignore-me": "", "policy": "p", "x-amz-signature": "s", "bucket": "b"}, "b", NOW_MS)
    assert denial(found, fields | {"a": "2"}) == 'Policy Condition failed: ["eq", "$a", "1"]'
    assert denial(found, fields | {"b": "x"}) == 'Policy Condition failed: ["starts-with", "$b", "x/"]'
    assert denial(found, {name: text for name, text in fields.items() if name != "c"}).startswith("Policy Condition failed")
    assert denial(found, fields | {"e": "", "f": ""}) == "Extra input fields: e, f"
    assert denial(found, fields, bucket="other") == 'Policy Condition failed: ["eq", "$bucket", "b"]'
    assert "bucket of the URL" in denial(found, fields | {"bucket": "other"})
    assert denial(found, fields, now_ms=EXPIRES_MS + 1) == "Policy expired."


def test_the_bucket_must_be_named():
    found = parse_form_policy(encoded({"expiration": EXPIRATION, "conditions": []}))
    assert denial(found, {}) == "Extra input fields: bucket"


def test_each_of_several_types_must_fit():
    found = policy(["starts-with", "$Content-Type", "image/"])
    found.check({"content-type": "image/png"}, "b", NOW_MS)
    found.check({"content-type": "image/png, image/gif"}, "b", NOW_MS)
    denial(found, {"content-type": "image/png,text/html"})
    denial(found, {"content-type": "text/html,image/png"})


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 9000,
        b'{"a": ' + b"9" * 6000 + b"}",
        {},
        {"expiration": EXPIRATION},
        {"conditions": []},
        {"expiration": EXPIRATION, "conditions": [], "more": 1},
        {"expiration": 5, "conditions": []},
        {"expiration": "", "conditions": []},
        {"expiration": "2033-13-01T00:00:00Z", "conditions": []},
        {"expiration": "Sun Nov  6 08:49:37 1994", "conditions": []},
        {"expiration": EXPIRATION, "conditions": {}},
        *(
            {"expiration": EXPIRATION, "conditions": [condition]}
            for condition in (
                5,
                [],
                [5],
                {},
                {"a": 5},
                {"a": "b", "c": "d"},
                ["eq"],
                ["eq", "$a"],
                ["eq", "a", "b"],
                ["eq", "$a", 5],
                ["eq", "$a", "b", "c"],
                ["matches", "$a", "b"],
                ["content-length-range"],
                ["content-length-range", 1],
                ["content-length-range", 1, 2, 3],
                ["content-length-range", 2, 1],
                ["content-length-range", -1, 1],
                ["content-length-range", 0, 1.5],
                ["content-length-range", False, True],
                ["content-length-range", "0", "x"],
                ["content-length-range", "0", "1" * 20],
                ["content-length-range", 0, None],
            )
        ),
        b'{"expiration": "2033-01-01T00:00:00Z", "conditions": [{"a": "b", "a": "c"}]}',
    ],
)
def test_policies_that_are_none(document):
    with pytest.raises(InvalidPolicyDocumentError):
        parse_form_policy(encoded(document))


@pytest.mark.parametrize("text", ["", "!", "e30", "ä", "e30=e30="])
def test_base64_that_is_none(text):
    with pytest.raises(InvalidPolicyDocumentError):
        parse_form_policy(text)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["eq", "$key", "starts-with"]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=4), inside, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_any_json_is_read_or_refused(conditions, expiration):
    for document in (
        conditions,
        {"expiration": EXPIRATION, "conditions": conditions},
        {"expiration": expiration, "conditions": []},
    ):
        with contextlib.suppress(InvalidPolicyDocumentError, AccessDeniedError):
            parse_form_policy(encoded(document)).check({"key": "k"}, "b", NOW_MS)
