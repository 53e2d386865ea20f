"""What is signed: all of a request or less, never more, by the customer's keys alone; and what is shown before."""

import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import APPROVAL, AT_S, KEYS, POLICY, REQUEST, SIGNERS
from tests.unit.ledger.log import log_keys, policy_text

from siegel.customer.consent.decisions import ConsentError, check_own, check_signers, grant, refuse, sign
from siegel.customer.consent.desk import desk_url
from siegel.customer.consent.showing import describe_grant, describe_request
from siegel.domain.errors import ConfigurationError
from siegel.ledger.consent_scope import Scope
from siegel.ledger.consents import NO_COPIES, Verb, parse_approval, parse_refusal
from siegel.ledger.notes import parse_note
from siegel.ledger.policies import read_policy

NOW = AT_S + 60


def test_all_of_it_or_less_is_granted():
    assert grant(REQUEST, KEYS, NOW) == APPROVAL
    less = grant(REQUEST, KEYS, NOW, until_s=NOW + 60, scope=[Scope("film", "täglich/1.log")])
    assert (less.expires_s, less.scope) == (NOW + 60, (Scope("film", "täglich/1.log"),))
    # This clock is late.
    assert grant(REQUEST, KEYS, AT_S - 100).decided_at_s == AT_S


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"now_s": REQUEST.answer_by_s}, "has lapsed"),
        ({"until_s": NOW}, "is past"),
        ({"until_s": REQUEST.expires_s + 1}, "cannot be granted"),
        ({"scope": [Scope("film", "", is_prefix=True)]}, "was not asked for"),
        ({"scope": [Scope("other", "x")]}, "was not asked for"),
    ],
)
def test_more_or_too_late_is_not(how, why):
    with pytest.raises(ConsentError, match=why):
        grant(REQUEST, KEYS, **{"now_s": NOW, **how})


def test_signatures_of_others_stay_and_only_the_customers_sign():
    first = sign(APPROVAL.text, SIGNERS[:1])
    second = sign(APPROVAL.text, SIGNERS[1:2], first)
    assert KEYS.open_approval(second.encode()) == APPROVAL
    assert parse_approval(parse_note(second.encode()).text) == APPROVAL
    check_signers(SIGNERS, KEYS)
    with pytest.raises(ConsentError, match="say who signs"):
        check_signers([], KEYS)
    with pytest.raises(ConsentError, match="none of the consent keys"):
        check_signers(SIGNERS, replace(KEYS, keys=KEYS.keys[:2]))


@pytest.mark.parametrize("verb", list(Verb))
def test_no_is_said_with_or_without_a_reason(verb):
    for reason in ("", "Not needed"):
        refusal = refuse(verb, REQUEST, NOW, reason)
        assert parse_refusal(verb, refusal.text) == refusal
    with pytest.raises(ConsentError, match="reason"):
        refuse(verb, REQUEST, NOW, "two\nlines")


def test_a_request_about_somebody_else_is_not_signed():
    check_own(REQUEST, REQUEST.account_id, POLICY)
    with pytest.raises(ConsentError, match="about the account 111122223333"):
        check_own(REQUEST, "444455556666", POLICY)
    foreign = policy_text(log=log_keys("store.example/ledger/444455556666"))
    with pytest.raises(ConsentError, match="names the log"):
        check_own(REQUEST, REQUEST.account_id, read_policy(foreign))


def test_everything_that_is_signed_is_shown():
    shown = "\n".join(describe_request(REQUEST))
    for name, value in REQUEST.fields:
        if name not in {"account", "requested-at"} and not value.endswith("Z"):
            assert value in shown, name
    for told in (
        "2027-01-15T08:00:00Z",
        "16:00:00Z  (8 h)",
        "3 reads at most",
        "all that begin so",
        "works from FR",
        "without an answer",
    ):
        assert told in shown
    assert "reads at most" not in "\n".join(describe_request(replace(REQUEST, max_reads=0)))
    assert "copies      none" in describe_request(replace(REQUEST, copies=NO_COPIES, copies_until_s=0))
    assert "(30 min)" in "\n".join(describe_request(replace(REQUEST, expires_s=AT_S + 1800)))
    assert "(1 h 1 min)" in "\n".join(describe_request(replace(REQUEST, expires_s=AT_S + 3660)))
    assert describe_grant(APPROVAL) == ["signatures  2 of the consent keys have to sign"]
    narrow = describe_grant(replace(APPROVAL, expires_s=AT_S + 600, scope=(Scope("film", "täglich/1.log"),)))
    assert narrow[1:] == ["granted     only until 2027-01-15T08:10:00Z", "granted     only s3://film/t%C3%A4glich/1.log"]


def test_the_desk_is_beside_the_ledger():
    assert desk_url("https://store.example/.ledger/111122223333/") == (
        "https://store.example/.consent/111122223333",
        "111122223333",
    )
    for url in ("/some/folder", "https://store.example/111122223333", "https://store.example/.ledger/x"):
        with pytest.raises(ConfigurationError, match="no ledger on a server"):
            desk_url(url)
