"""Lifecycles in XML: what is understood, what is refused and how, and that what is written is read again."""

import pytest

from siegel.domain.errors import (
    InvalidArgumentError,
    InvalidRequestError,
    InvalidTagError,
    MalformedXMLError,
    UnsupportedFeatureError,
)
from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.s3wire.lifecyclexml import abort_headers, expiration_header, parse_lifecycle, render_lifecycle

DAYS = "<Expiration><Days>1</Days></Expiration>"
STATUS = "<Status>Enabled</Status>"
TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"
ABORT = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
MARKERS = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
MIDNIGHT_MS = 1_893_456_000_000


def body(*rules):
    return f"<LifecycleConfiguration>{''.join(f'<Rule>{rule}</Rule>' for rule in rules)}</LifecycleConfiguration>".encode()


def one(inside, narrow="<Filter/>"):
    return body(f"<ID>r</ID>{STATUS}{narrow}{inside}")


def make(**fields):
    return Rule("r", is_enabled=True, filter=fields.pop("narrow", RuleFilter()), **fields)


@pytest.mark.parametrize(
    "rule",
    [
        make(expire_days=1),
        make(expire_at_ms=MIDNIGHT_MS),
        make(expire_markers=True),
        make(noncurrent_days=3, noncurrent_kept=100, expire_markers=True),
        make(abort_days=7, narrow=RuleFilter(prefix="logs/<&>")),
        make(expire_days=1, narrow=RuleFilter(is_legacy=True)),
        make(expire_days=1, narrow=RuleFilter(is_legacy=True, prefix="a/")),
        make(expire_days=1, narrow=RuleFilter(tags=(("k", "v"),))),
        make(expire_days=1, narrow=RuleFilter(size_above_bytes=0)),
        make(expire_days=1, narrow=RuleFilter(size_below_bytes=1)),
        make(
            expire_days=1,
            narrow=RuleFilter(prefix="a", tags=(("k", "v"), ("l", "")), size_above_bytes=0, size_below_bytes=2),
        ),
        Rule("off", is_enabled=False, filter=RuleFilter(), expire_days=2_147_483_647),
    ],
)
def test_what_is_written_is_read_again(rule):
    lifecycle = Lifecycle(rules=(rule,), minimum_size="varies_by_storage_class")
    assert parse_lifecycle(render_lifecycle(lifecycle), "varies_by_storage_class") == lifecycle


def test_a_rule_without_an_id_gets_one_that_stays():
    first, second = parse_lifecycle(body(STATUS + "<Filter/>" + DAYS, STATUS + "<Filter/>" + DAYS)).rules
    assert len(first.rule_id) == 24
    assert first.rule_id != second.rule_id
    assert parse_lifecycle(body(STATUS + "<Filter/>" + DAYS)).rules[0].rule_id == first.rule_id


def test_a_marker_rule_that_says_false_does_nothing():
    inside = "<Expiration><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>"
    assert parse_lifecycle(one(inside)).rules[0] == make()


@pytest.mark.parametrize(
    "refused",
    [
        b"<LifecycleConfiguration/>",
        body(*[f"<ID>{number}</ID>{STATUS}<Filter/>{DAYS}" for number in range(1001)]),
        body("<Filter/>" + DAYS),
        body("<Status>On</Status><Filter/>" + DAYS),
        body(STATUS + DAYS),
        body(STATUS + "<Prefix/><Filter/>" + DAYS),
        one(DAYS, "<Filter/><Filter/>"),
        one(DAYS + DAYS),
        one(DAYS, f"<Filter><Prefix>a</Prefix>{TAG}</Filter>"),
        one(DAYS, "<Filter><And><Prefix>a</Prefix><Prefix>b</Prefix></And></Filter>"),
        one(DAYS, "<Filter><And></And></Filter>"),
        one(DAYS, "<Filter><Tag><Key>k</Key></Tag></Filter>"),
        one("<Expiration/>"),
        one("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),
        one("<Expiration><Days>soon</Days></Expiration>"),
        one("<Expiration><Days>11111111111111111111</Days></Expiration>"),
        one("<Expiration><Date>2030</Date></Expiration>"),
        one("<Expiration><ExpiredObjectDeleteMarker>maybe</ExpiredObjectDeleteMarker></Expiration>"),
        one("<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"),
        one("<AbortIncompleteMultipartUpload/>"),
        one("<Delete/>"),
    ],
)
def test_t69_what_breaks_the_schema_is_refused(refused):
    with pytest.raises(MalformedXMLError):
        parse_lifecycle(refused)


@pytest.mark.parametrize(
    "refused",
    [
        one("<Expiration><Days>0</Days></Expiration>"),
        one("<Expiration><Days>-1</Days></Expiration>"),
        one("<Expiration><Days>2147483648</Days></Expiration>"),
        one("<Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>"),
        one("<Expiration><Date>1970-01-01T00:00:00Z</Date></Expiration>"),
        one("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
        one(
            "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
            "<NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
        ),
        one("<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
        body(f"<ID>{'i' * 256}</ID>{STATUS}<Filter/>{DAYS}"),
        body(*[f"<ID>same</ID>{STATUS}<Filter/>{DAYS}"] * 2),
    ],
)
def test_numbers_dates_and_ids_that_cannot_be(refused):
    with pytest.raises(InvalidArgumentError):
        parse_lifecycle(refused)


@pytest.mark.parametrize(
    "refused",
    [
        one(""),
        one(ABORT, f"<Filter>{TAG}</Filter>"),
        one(ABORT, "<Filter><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></Filter>"),
        one(MARKERS, f"<Filter>{TAG}</Filter>"),
        one(MARKERS, "<Filter><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>"),
        one(DAYS, f"<Filter><And>{TAG}{TAG}</And></Filter>"),
        one(DAYS, f"<Filter><Prefix>{'ü' * 513}</Prefix></Filter>"),
        one(DAYS, "<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"),
        one(DAYS, "<Filter><ObjectSizeLessThan>0</ObjectSizeLessThan></Filter>"),
        one(
            DAYS,
            "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>",
        ),
        body(f"<ID>a</ID>{STATUS}<Filter/>{DAYS}", f"<ID>b</ID>{STATUS}<Prefix/>{DAYS}"),
    ],
)
def test_rules_that_cannot_be(refused):
    with pytest.raises(InvalidRequestError):
        parse_lifecycle(refused)


def test_tags_of_a_filter_keep_the_rules_of_tags():
    with pytest.raises(InvalidTagError):
        parse_lifecycle(one(DAYS, "<Filter><Tag><Key>aws:k</Key><Value>v</Value></Tag></Filter>"))


@pytest.mark.parametrize("name", ["Transition", "NoncurrentVersionTransition"])
def test_transitions_are_refused_with_the_reason(name):
    with pytest.raises(UnsupportedFeatureError, match="one storage class"):
        parse_lifecycle(one(f"<{name}><Days>1</Days><StorageClass>GLACIER</StorageClass></{name}>"))


def test_a_date_after_the_end_of_the_calendar_is_none():
    with pytest.raises(MalformedXMLError):
        parse_lifecycle(one("<Expiration><Date>9999-12-31T23:59:60Z</Date></Expiration>"))


def test_a_minimum_size_is_one_of_two():
    assert parse_lifecycle(one(DAYS), "all_storage_classes_128K").minimum_size == "all_storage_classes_128K"
    with pytest.raises(InvalidArgumentError):
        parse_lifecycle(one(DAYS), "big")


def test_headers_quote_the_rule():
    assert expiration_header(MIDNIGHT_MS, 'a "b"') == (
        b"x-amz-expiration",
        b'expiry-date="Tue, 01 Jan 2030 00:00:00 GMT", rule-id="a%20%22b%22"',
    )
    assert abort_headers(MIDNIGHT_MS, "ü") == [
        (b"x-amz-abort-date", b"Tue, 01 Jan 2030 00:00:00 GMT"),
        (b"x-amz-abort-rule-id", b"%C3%BC"),
    ]
    never_ms = 2_147_483_647 * 86_400_000
    assert expiration_header(never_ms, "r")[1] == b'expiry-date="Fri, 31 Dec 9999 23:59:59 GMT", rule-id="r"'
    assert abort_headers(never_ms, "r")[0][1] == b"Fri, 31 Dec 9999 23:59:59 GMT"
