"""Requests, approvals, refusals, reports: one spelling each, and nothing granted that was not asked for."""

import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import APPROVAL, AT_S, REQUEST

from siegel.domain.ledgers import LedgerFormError
from siegel.domain.moments import encode_time
from siegel.ledger.consent_lines import parse_count, parse_time
from siegel.ledger.consent_scope import Scope, is_within, parse_scope
from siegel.ledger.consents import (
    Action,
    Cause,
    Refusal,
    Report,
    Verb,
    is_consent_id,
    parse_action,
    parse_approval,
    parse_cause,
    parse_refusal,
    parse_report,
    parse_request,
)

WHOLE = Scope("film", "", is_prefix=True)


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        replace(REQUEST, copies="none", copies_until_s=0, max_reads=0),
        replace(REQUEST, actions=tuple(Action), scope=(WHOLE,)),
        replace(REQUEST, scope=(Scope("film", "100%/*\n?\ud7ff\N{GRINNING FACE}"),)),
    ],
)
def test_a_request_is_read_as_it_was_written(request_):
    assert parse_request(request_.text) == request_
    assert parse_request(request_.text).text == request_.text


@pytest.mark.parametrize(
    "approval",
    [
        APPROVAL,
        replace(APPROVAL, expires_s=REQUEST.not_before_s + 1),
        replace(APPROVAL, scope=REQUEST.scope[:1]),
        replace(APPROVAL, scope=(Scope("film", "täglich/7"), Scope("film", "täglich/x", is_prefix=True))),
    ],
)
def test_an_approval_is_read_as_it_was_written(approval):
    assert parse_approval(approval.text) == approval
    assert parse_approval(approval.text).text == approval.text


def test_an_approval_says_every_line_of_the_request():
    assert set(REQUEST.text.splitlines()[1:]) <= set(APPROVAL.text.splitlines())


def changed(old, new, text=REQUEST.text):
    assert text.count(old) >= 1
    return text.replace(old, new, 1)


BAD_REQUESTS = [
    ("", "access request v1"),
    (REQUEST.text.replace("v1", "v2", 1), "access request v1"),
    ("siegel access request v1", "access request v1"),
    (REQUEST.text[:-1], "access request v1"),
    (REQUEST.text + "more: x\n", "too many"),
    (changed("ticket: T-4711\n", ""), "lacks its line ticket"),
    (changed("ticket: T-4711", "ticket: "), "ticket has no value"),
    (changed("ticket: T-4711", "ticket:T-4711"), "lacks its line ticket"),
    (changed("ticket: T-4711", "ticket"), "ticket has no value"),
    (changed("ticket: T-4711", "ticket:  T-4711"), "ticket has 1 to"),
    (changed("T-4711", "T\u202e4711"), "ticket has 1 to"),
    (changed("T-4711", "T" * 501), "ticket has 1 to"),
    (changed("The recording", "The\trecording"), "reason has 1 to"),
    (changed("consent: 6b49d20000c0ffee", "consent: 6B49D20000C0FFEE"), "consent is"),
    (changed("account: 1", "account: x"), "account is"),
    (changed(f"origin: {REQUEST.origin}", "origin: \u2028"), "origin has"),
    (changed("jane.doe@", "jane doe@"), "person is"),
    (changed("office-country: DE", "office-country: de"), "office-country is"),
    (changed("physical-country: FR", "physical-country: FRA"), "physical-country is"),
    (changed("customer-support", "curiosity"), "cause is one of customer-support"),
    (changed("action: list", "action: write"), "action is one of list"),
    (changed("action: list\naction: read", "action: read\naction: list"), "the actions are some"),
    (changed("action: list\n", "action: list\naction: list\n"), "the actions are some"),
    (changed("action: list\naction: read\n", ""), "the actions are some"),
    (changed("objects: s3://film/case", "objects: s3://film/t%C3%A4glich/*\nobjects: s3://film/case"), "twice"),
    (changed("objects: s3://film/case%207/video.mp4\nobjects: s3://film/t%C3%A4glich/*\n", ""), "1 to 64 lines"),
    (changed("max-reads: 3", "max-reads: 03"), "nine decimal digits"),
    (changed("max-reads: 3", "max-reads: -3"), "nine decimal digits"),
    (replace(REQUEST, max_reads=10**9).text, "nine decimal digits"),
    (changed("2027-01-15T08:00:00Z", "2027-01-15T08:00:00+00:00"), "a time is written"),
    (changed("2027-01-15T08:00:00Z", "2027-1-15T08:00:00Z"), "a time is written"),
    (changed("2027-01-15T08:00:00Z", "1927-01-15T08:00:00Z"), "a time is written"),
    (replace(REQUEST, answer_by_s=AT_S).text, "answer-by lies"),
    (replace(REQUEST, answer_by_s=AT_S + 15 * 86_400).text, "answer-by lies"),
    (replace(REQUEST, not_before_s=AT_S - 1).text, "expires lies"),
    (replace(REQUEST, expires_s=AT_S).text, "expires lies"),
    (replace(REQUEST, expires_s=AT_S + 86_401).text, "expires lies"),
    (replace(REQUEST, copies_until_s=0).text, "copies-until"),
    (replace(REQUEST, copies="none").text, "copies-until"),
    (REQUEST.text + "copies-until: x\n" * 20_000, "access request v1"),
]


@pytest.mark.parametrize(("text", "why"), BAD_REQUESTS)
def test_bad_requests(text, why):
    with pytest.raises(LedgerFormError, match=why):
        parse_request(text)


@pytest.mark.parametrize(
    ("approval", "why"),
    [
        (replace(APPROVAL, decided_at_s=AT_S - 1), "decided on between"),
        (replace(APPROVAL, decided_at_s=REQUEST.answer_by_s), "decided on between"),
        (replace(APPROVAL, threshold=0), "threshold is at least 1"),
        (replace(APPROVAL, threshold=65), "threshold is at least 1"),
        (replace(APPROVAL, expires_s=REQUEST.expires_s + 1), "granted-until lies"),
        (replace(APPROVAL, expires_s=REQUEST.not_before_s), "granted-until lies"),
        (replace(APPROVAL, scope=(WHOLE,)), "not asked for"),
        (replace(APPROVAL, scope=(Scope("other", "case 7/video.mp4"),)), "not asked for"),
        (replace(APPROVAL, scope=REQUEST.scope[:1] * 2), "twice"),
        (replace(APPROVAL, request=replace(REQUEST, actions=())), "the actions are some"),
    ],
)
def test_approvals_of_more_than_was_asked_for(approval, why):
    with pytest.raises(LedgerFormError, match=why):
        parse_approval(approval.text)


@pytest.mark.parametrize(
    "more",
    [
        f"granted-until: {encode_time(REQUEST.expires_s)}\n",
        "".join(f"granted-objects: {scope}\n" for scope in REQUEST.scope),
    ],
)
def test_an_approval_has_one_spelling(more):
    with pytest.raises(LedgerFormError, match="only where less"):
        parse_approval(APPROVAL.text + more)


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("reason", ["", "Done, thank you"])
def test_denials_and_revocations(verb, reason):
    refusal = Refusal(verb=verb, consent_id=REQUEST.consent_id, origin=REQUEST.origin, at_s=AT_S, reason=reason)
    assert parse_refusal(verb, refusal.text) == refusal
    for bad in (
        refusal.text + "more: x\n",
        changed("6b49", "6B49", refusal.text),
        changed(f"origin: {REQUEST.origin}", "origin: a\u2029", refusal.text),
        changed("at: ", "on: ", refusal.text),
    ):
        with pytest.raises(LedgerFormError):
            parse_refusal(verb, bad)


def test_a_reason_is_printable():
    refusal = Refusal(verb=Verb.DENIAL, consent_id=REQUEST.consent_id, origin=REQUEST.origin, at_s=AT_S, reason="a\u202eb")
    with pytest.raises(LedgerFormError, match="reason has"):
        parse_refusal(Verb.DENIAL, refusal.text)
    with pytest.raises(LedgerFormError, match="access revocation v1"):
        parse_refusal(Verb.REVOCATION, refusal.text)


def test_reports():
    report = Report(consent_id=REQUEST.consent_id, origin=REQUEST.origin, closed_at_s=AT_S, uses=2, summary="A bad index; mended")
    assert parse_report(report.text) == report
    for bad in (
        report.text + "more: x\n",
        changed("6b49", "6B49", report.text),
        changed(f"origin: {REQUEST.origin}", "origin: a\u2029", report.text),
        changed("A bad", "A\tbad", report.text),
        changed("uses: 2", "uses: two", report.text),
    ):
        with pytest.raises(LedgerFormError):
            parse_report(bad)


@pytest.mark.parametrize(
    "text",
    ["s3://film/a", "s3://film/a/b*", "s3://film/*", "s3://film/%2A", "s3://film/%25a", "s3://film/%C3%A4", "s3://film/a%20b"],
)
def test_scopes_have_one_spelling(text):
    assert str(parse_scope(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "film/a",
        "s3://film",
        "s3://film/",
        "s3://Film/a",
        "s3://film/ä",
        "s3://film/a b",
        "s3://film/a*b",
        "s3://film/**",
        "s3://film/%41",
        "s3://film/%c3%a4",
        "s3://film/%ff",
        "s3://film/%",
        "s3://film/%zz",
        f"s3://film/{'a' * 1025}",
        f"s3://film/{'a' * 1025}*",
    ],
)
def test_bad_scopes(text):
    with pytest.raises(LedgerFormError):
        parse_scope(text)


def test_what_is_in_a_scope():
    one, all_below = Scope("film", "a"), Scope("film", "a/", is_prefix=True)
    assert one.has_object("film", "a")
    assert not any([one.has_object("film", "ab"), one.has_object("other", "a"), one.has_prefix("film", "a")])
    assert all_below.has_object("film", "a/b")
    assert not any([all_below.has_object("film", "a"), all_below.has_object("other", "a/b")])
    assert all_below.has_prefix("film", "a/b")
    assert not any([all_below.has_prefix("film", "a"), all_below.has_prefix("film", ""), all_below.has_prefix("other", "a/")])
    assert is_within([Scope("film", "a/b"), Scope("film", "a/c", is_prefix=True)], [one, all_below])
    assert not is_within([one, WHOLE], [one, all_below])


def test_small_words():
    assert parse_cause("legal-request") is Cause.LEGAL_REQUEST
    assert parse_action("head") is Action.HEAD
    assert [is_consent_id(text) for text in ("6b49d20000c0ffee", "6b49d20000c0ffe", "")] == [True, False, False]
    assert (parse_count("0"), parse_time("1970-01-01T00:00:00Z")) == (0, 0)
