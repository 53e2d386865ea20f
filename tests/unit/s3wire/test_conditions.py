"""Conditions on reads, writes, copies and deletes."""

import pytest

from siegel.domain.errors import (
    InvalidArgumentError,
    NoSuchKeyError,
    NotModifiedError,
    PreconditionFailedError,
    UnsupportedFeatureError,
)
from siegel.s3wire.conditions import (
    COPY_SOURCE_PREFIX,
    DeleteConditions,
    make_delete_conditions,
    parse_delete_conditions,
    parse_etags,
    parse_read_conditions,
    parse_write_conditions,
    range_applies,
)
from tests.unit.s3wire.finite import finite

ETAG = "9bb58f26192e4ba00f01e2e7b136bbd8"
MODIFIED_MS = 784_111_777_500
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
EXACTLY = "Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"


def outcome(headers, prefix=""):
    conditions = parse_read_conditions({prefix + name: value for name, value in headers.items()}, prefix)
    try:
        conditions.check(ETAG, MODIFIED_MS)
    except PreconditionFailedError:
        return 412
    except NotModifiedError:
        return 304
    return 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"if-match": f'"{ETAG}"'}, 200),
        ({"if-match": ETAG}, 200),
        ({"if-match": f'W/"{ETAG}"'}, 200),
        ({"if-match": f'"other" , "{ETAG}"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-match": ""}, 412),
        ({"if-none-match": f'"{ETAG}"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": BEFORE}, 200),
        ({"if-modified-since": EXACTLY}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-modified-since": "some day"}, 200),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": EXACTLY}, 200),
        ({"if-unmodified-since": "Sunday, 06-Nov-94 08:49:36 GMT"}, 412),
        ({"if-unmodified-since": "some day"}, 200),
        ({"if-match": ETAG, "if-unmodified-since": BEFORE}, 200),
        ({"if-match": "other", "if-unmodified-since": AFTER}, 412),
        ({"if-none-match": ETAG, "if-modified-since": BEFORE}, 304),
        ({"if-none-match": "other", "if-modified-since": AFTER}, 200),
        ({"if-match": ETAG, "if-none-match": ETAG}, 304),
    ],
)
def test_trap_23_read_conditions(headers, expected):
    assert outcome(headers) == expected
    assert outcome(headers, COPY_SOURCE_PREFIX) == (412 if expected == 304 else expected)


def test_trap_23_not_modified_shows_what_the_client_has():
    with pytest.raises(NotModifiedError) as answer:
        parse_read_conditions({"if-none-match": ETAG}).check(ETAG, MODIFIED_MS)
    assert answer.value.headers == {"ETag": f'"{ETAG}"', "Last-Modified": EXACTLY}


def test_hostile_lists_of_tags_cost_nothing():
    with finite():
        assert parse_etags(" " * 65_000) == ()
        assert len(parse_etags('"a",' * 16_000)) == 16_000


@pytest.mark.parametrize(
    ("value", "applies"),
    [
        (None, True),
        (f'"{ETAG}"', True),
        ('"other"', False),
        (f'W/"{ETAG}"', False),
        (EXACTLY, True),
        (AFTER, False),
        (BEFORE, False),
    ],
)
def test_if_range_keeps_a_range_to_the_object_that_it_began_with(value, applies):
    assert range_applies(value, ETAG, MODIFIED_MS) is applies


@pytest.mark.parametrize(
    ("headers", "current", "error"),
    [
        ({}, None, None),
        ({}, ETAG, None),
        ({"if-none-match": "*"}, None, None),
        ({"if-none-match": "*"}, ETAG, PreconditionFailedError),
        ({"if-match": f'"{ETAG}"'}, ETAG, None),
        ({"if-match": ETAG}, ETAG, None),
        ({"if-match": "*"}, ETAG, None),
        ({"if-match": "other"}, ETAG, PreconditionFailedError),
        ({"if-match": ETAG}, None, NoSuchKeyError),
        ({"if-match": "*"}, None, NoSuchKeyError),
    ],
)
def test_trap_24_write_conditions(headers, current, error):
    conditions = parse_write_conditions(headers)
    assert bool(conditions) == bool(headers)
    if error is None:
        conditions.check("k", current)
    else:
        with pytest.raises(error) as caught:
            conditions.check("k", current)
        assert error is not NoSuchKeyError or caught.value.fields == {"Key": "k"}


@pytest.mark.parametrize(
    "headers",
    [
        {"if-none-match": f'"{ETAG}"'},
        {"if-none-match": "*", "if-match": ETAG},
        {"if-modified-since": BEFORE},
        {"if-unmodified-since": BEFORE},
    ],
)
def test_trap_24_conditions_that_writes_do_not_have(headers):
    with pytest.raises(UnsupportedFeatureError):
        parse_write_conditions(headers)


@pytest.mark.parametrize(
    ("headers", "holds"),
    [
        ({}, True),
        ({"if-match": f'"{ETAG}"'}, True),
        ({"if-match": "*"}, True),
        ({"if-match": "other"}, False),
        ({"x-amz-if-match-size": "7"}, True),
        ({"x-amz-if-match-size": "8"}, False),
        ({"x-amz-if-match-last-modified-time": EXACTLY}, True),
        ({"x-amz-if-match-last-modified-time": AFTER}, False),
        ({"if-match": ETAG, "x-amz-if-match-size": "7", "x-amz-if-match-last-modified-time": EXACTLY}, True),
        ({"if-match": ETAG, "x-amz-if-match-size": "8", "x-amz-if-match-last-modified-time": EXACTLY}, False),
    ],
)
def test_conditions_of_a_delete(headers, holds):
    conditions = parse_delete_conditions(headers)
    assert bool(conditions) == bool(headers)
    if holds:
        conditions.check(ETAG, 7, MODIFIED_MS)
    else:
        with pytest.raises(PreconditionFailedError):
            conditions.check(ETAG, 7, MODIFIED_MS)


def test_only_if_match_of_a_delete_asks_for_an_object():
    for asked in ("*", ETAG):
        with pytest.raises(NoSuchKeyError):
            parse_delete_conditions({"if-match": asked, "x-amz-if-match-size": "7"}).check_absent(NoSuchKeyError())
    for name, value in (("size", "7"), ("last-modified-time", EXACTLY)):
        parse_delete_conditions({f"x-amz-if-match-{name}": value}).check_absent(NoSuchKeyError())


@pytest.mark.parametrize(
    ("size", "modified"), [("-1", None), ("9" * 20, None), ("²", None), ("", None), (None, "soon"), (None, "")]
)
def test_conditions_of_a_delete_that_cannot_be_read(size, modified):
    with pytest.raises(InvalidArgumentError):
        make_delete_conditions(None, size, modified)
    assert make_delete_conditions(None, "0", None) == DeleteConditions(size_bytes=0)
