"""Operators see what a customer has signed for, as long as that holds, and nothing else; each use and refusal is an entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from siegel.ledger.consent_evidence import verify_evidence
from siegel.ledger.consent_keys import parse_consent_keys
from siegel.ledger.consents import parse_report, parse_request
from siegel.ledger.leaves import commit_content
from siegel.ledger.policies import read_policy
from siegel.service.consents.book import digest

from .consenting import SIGNERS, Parties, in_time, parties
from .service import Service
from .shelf import MIB, fails, new_name

BIG = 96 * MIB


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("consents")) as found:
        for key, body in (("case/1", b"one"), ("case/2", b"two"), ("other", b"other")):
            found.s3.put_object(Bucket=found.bucket, Key=key, Body=body)
        yield found


@pytest.fixture
def apart(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    """Parties of whom no other test takes notice."""
    with parties(service, tmp_path_factory.mktemp("apart")) as found:
        found.s3.put_object(Bucket=found.bucket, Key="k", Body=b"mine")
        yield found


def read(s3: Any, bucket: str, key: str, **options: Any) -> bytes:
    with s3.get_object(Bucket=bucket, Key=key, **options)["Body"] as stream:
        return bytes(stream.read())


def drain(body: Any) -> None:
    while body.read(MIB):
        pass


def told(theirs: Parties, consent_id: str, *, at_least: int = 0) -> list[tuple[str, int]]:
    return [(line.leaf.facts.kind, line.leaf.facts.status) for line in theirs.lines(consent_id, at_least=at_least)]


def test_a_grant_is_used_and_each_use_is_an_entry(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1")
    s3 = theirs.engineer(consent_id)
    for _ in range(3):
        assert read(s3, theirs.bucket, "case/1") == b"one"
    assert read(s3, theirs.bucket, "case/1", Range="bytes=1-") == b"ne"
    s3.head_object(Bucket=theirs.bucket, Key="case/1")
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/2")
    assert told(theirs, consent_id, at_least=10) == [
        ("consent.request", 200),
        ("consent.approve", 200),
        ("consent.activate", 200),
        ("consent.credentials", 200),
        *[("object.read", 200)] * 3,
        ("object.read", 206),
        ("object.head", 200),
        ("object.read", 403),
    ]
    used = theirs.lines(consent_id)[4]
    assert used.opening is not None
    assert used.opening.principal == f"arn:aws:siegel:::support/{consent_id}/jane.doe"
    assert (used.opening.permit, used.opening.object_key) == (f"consent {consent_id}", "case/1")
    shown = theirs.shown(consent_id)
    assert (shown["uses"], shown["reads"], shown["signed"], shown["threshold"]) == (5, 4, 1, 1)


def test_t36_without_an_answer_there_are_no_credentials(theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    status, fault = theirs.ask("POST", f"/{consent_id}/credentials")
    assert (status, fault["code"]) == (403, "AccessDenied")
    assert "is requested, not active" in fault["message"]
    assert told(theirs, consent_id, at_least=2) == [("consent.request", 200), ("consent.credentials", 403)]


def test_silence_is_denial(theirs: Parties) -> None:
    consent_id = theirs.request("case/1", answer_by=in_time(2))
    asked_at_s = parse_request(theirs.shown(consent_id)["request"]).requested_at_s
    theirs.await_state(consent_id, "lapsed")
    # It says of itself that it was in time; it was not.
    answer = theirs.approve(consent_id, decided_at_s=asked_at_s)
    assert (answer.status, answer.code) == (409, "InvalidConsentState")
    assert theirs.ask("POST", f"/{consent_id}/credentials")[0] == 403
    kinds = told(theirs, consent_id, at_least=4)
    assert sorted(kinds) == [
        ("consent.approve", 409),
        ("consent.credentials", 403),
        ("consent.lapse", 200),
        ("consent.request", 200),
    ]


@pytest.mark.parametrize("is_signed", [True, False])
def test_denied(theirs: Parties, *, is_signed: bool) -> None:
    consent_id = theirs.request("case/1")
    assert theirs.deny(consent_id, is_signed=is_signed).status == 200
    assert theirs.shown(consent_id)["state"] == "denied"
    answer = theirs.approve(consent_id)
    assert (answer.status, answer.code) == (409, "InvalidConsentState")
    assert theirs.ask("POST", f"/{consent_id}/credentials")[0] == 403
    expected = [("consent.request", 200), ("consent.deny", 200), ("consent.approve", 409), ("consent.credentials", 403)]
    assert told(theirs, consent_id, at_least=4) == expected


def test_t36_expired(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1", until=in_time(12))
    s3 = theirs.engineer(consent_id)
    assert read(s3, theirs.bucket, "case/1") == b"one"
    theirs.await_state(consent_id, "expired")
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/1")
    assert theirs.ask("POST", f"/{consent_id}/credentials")[0] == 403
    kinds = told(theirs, consent_id, at_least=8)
    assert ("consent.expire", 200) in kinds
    assert [status for kind, status in kinds if kind == "object.read"] == [200, 403]


def test_a_customer_may_grant_less_than_was_asked_for(theirs: Parties) -> None:
    consent_id = theirs.request("case/1", "case/2", until=in_time(7200))
    narrow = theirs.approval(consent_id)
    changes = {"scope": narrow.request.scope[:1], "expires_s": narrow.request.expires_s - 3600}
    assert theirs.approve(consent_id, **changes).status == 200
    theirs.await_state(consent_id, "active")
    s3 = theirs.engineer(consent_id)
    assert read(s3, theirs.bucket, "case/1") == b"one"
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/2")


@pytest.mark.parametrize("is_signed", [True, False])
def test_t36_a_revocation_binds_every_worker_at_once(theirs: Parties, *, is_signed: bool) -> None:
    consent_id = theirs.granted("case/1")
    # Connections of their own, so that both workers have known the consent as live.
    engineers = [theirs.engineer(consent_id) for _ in range(12)]
    assert {read(s3, theirs.bucket, "case/1") for s3 in engineers} == {b"one"}
    assert theirs.revoke(consent_id, is_signed=is_signed).status == 200
    for s3 in engineers:
        with fails(403, "AccessDenied"):
            read(s3, theirs.bucket, "case/1")
    kinds = told(theirs, consent_id, at_least=12 * 3 + 4)
    assert kinds.count(("object.read", 200)) == kinds.count(("object.read", 403)) == 12
    assert kinds.index(("consent.revoke", 200)) > max(at for at, kind in enumerate(kinds) if kind == ("object.read", 200))
    assert theirs.revoke(consent_id).status == 409


def test_an_open_stream_ends_with_the_consent(apart: Parties) -> None:
    apart.s3.put_object(Bucket=apart.bucket, Key="big", Body=bytes(BIG))
    consent_id = apart.granted("big")
    body = apart.engineer(consent_id).get_object(Bucket=apart.bucket, Key="big")["Body"]
    with body:
        assert len(body.read(MIB)) == MIB
        assert apart.revoke(consent_id).status == 200
        with pytest.raises((IncompleteReadError, ResponseStreamingError)):
            drain(body)


def test_a_stream_under_a_live_consent_comes_to_its_end(apart: Parties) -> None:
    apart.s3.put_object(Bucket=apart.bucket, Key="big", Body=b"x" * 8 * MIB)
    s3 = apart.engineer(apart.granted("big"))
    assert read(s3, apart.bucket, "big") == b"x" * 8 * MIB
    assert len(read(s3, apart.bucket, "big", Range=f"bytes={MIB}-{4 * MIB}")) == 3 * MIB + 1


def test_so_many_reads_and_no_more(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1", max_reads=2)
    s3 = theirs.engineer(consent_id)
    assert [read(s3, theirs.bucket, "case/1") for _ in range(2)] == [b"one", b"one"]
    for _ in range(2):
        with pytest.raises(ClientError, match="permits 2 reads, and they are used up"):
            read(s3, theirs.bucket, "case/1")
    # Heads are no reads.
    s3.head_object(Bucket=theirs.bucket, Key="case/1")
    kinds = told(theirs, consent_id, at_least=9)
    assert [status for kind, status in kinds if kind == "object.read"] == [200, 200, 403, 403]


def test_k_of_n(apart: Parties) -> None:
    apart.put_keys(2, SIGNERS)
    consent_id = apart.request("k")
    text = apart.approval(consent_id).text
    first = apart.put_note(consent_id, text, SIGNERS[:1])
    assert [json.loads(first.body)[name] for name in ("state", "signed", "threshold")] == ["requested", 1, 2]
    assert json.loads(apart.put_note(consent_id, text, SIGNERS[:1]).body)["signed"] == 1
    assert apart.ask("POST", f"/{consent_id}/credentials")[0] == 403
    second = apart.put_note(consent_id, text, SIGNERS[2:])
    assert [json.loads(second.body)[name] for name in ("state", "signed")] == ["approved", 2]
    apart.await_state(consent_id, "active")
    assert read(apart.engineer(consent_id), apart.bucket, "k") == b"mine"
    kinds = [kind for kind, status in told(apart, consent_id, at_least=7) if status == 200]
    assert kinds[:5] == ["consent.request", "consent.sign", "consent.sign", "consent.approve", "consent.activate"]


def test_signatures_of_two_texts_do_not_add_up(apart: Parties) -> None:
    apart.put_keys(2, SIGNERS)
    consent_id = apart.request("k", until=in_time(7200))
    whole = apart.approval(consent_id)
    short = apart.approval(consent_id, expires_s=whole.expires_s - 60)
    assert json.loads(apart.put_note(consent_id, whole.text, SIGNERS[:1]).body)["signed"] == 1
    answer = json.loads(apart.put_note(consent_id, short.text, SIGNERS[1:2]).body)
    assert (answer["state"], answer["signed"]) == ("requested", 1)


def test_without_a_quorum_nothing_becomes_active(apart: Parties) -> None:
    apart.witness.stop()
    consent_id = apart.request("k")
    assert apart.approve(consent_id).status == 200
    # The log goes on, and so does time; the consent does not.
    apart.lines(consent_id, at_least=2)
    assert apart.shown(consent_id)["state"] == "approved"
    assert apart.call("GET", f"{consent_id}/evidence").status == 404
    assert "is approved, not active" in apart.ask("POST", f"/{consent_id}/credentials")[1]["message"]


def test_a_policy_without_witnesses_is_refused_before_anybody_waits(apart: Parties) -> None:
    consent_id = apart.request("k")
    assert apart.raw.call("PUT", ".ledger", f"{apart.account_id}/policy", body=b"quorum none\n").status == 204
    answer = apart.approve(consent_id)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"a consent needs a quorum" in answer.body


def test_other_keys_end_what_the_old_ones_have_signed(apart: Parties) -> None:
    s3 = apart.engineer(apart.granted("k"))
    assert read(s3, apart.bucket, "k") == b"mine"
    apart.put_keys(1, SIGNERS[1:])
    with pytest.raises(ClientError, match="none of the customer's keys"):
        read(s3, apart.bucket, "k")


def test_the_report_closes_it(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1")
    s3 = theirs.engineer(consent_id)
    read(s3, theirs.bucket, "case/1")
    status, shown = theirs.ask("POST", f"/{consent_id}/close", {"summary": "The index was cut; mended"})
    assert (status, shown["state"]) == (200, "closed")
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/1")
    report = parse_report(theirs.call("GET", f"{consent_id}/report").body.decode())
    assert (report.uses, report.summary) == (1, "The index was cut; mended")
    assert theirs.ask("POST", f"/{consent_id}/close", {"summary": "again"})[0] == 409
    closing = next(line for line in theirs.lines(consent_id, at_least=7) if line.leaf.facts.kind == "consent.close")
    assert closing.opening is not None
    assert closing.leaf.facts.content == commit_content(closing.opening, digest(report.text))
    assert closing.opening.principal == f"operator/{theirs.operator.access_key_id}"


def test_auditors_have_every_document_and_check_it_themselves(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1")
    assert consent_id in theirs.auditor.fetch("consents/index").body.decode().splitlines()
    fetched = {name: theirs.auditor.fetch(f"consents/{consent_id}/{name}") for name in ("request", "approval", "evidence")}
    assert {answer.status for answer in fetched.values()} == {200}
    assert theirs.auditor.fetch(f"consents/{consent_id}/report").status == 404
    assert theirs.auditor.fetch("consents/0000000000000000/request").status == 404
    keys = parse_consent_keys(theirs.call("GET", "keys").body)
    proven = verify_evidence(fetched["evidence"].body, keys, read_policy(theirs.policy))
    assert proven.approval.request.text == fetched["request"].body.decode()
    for kind, content in (("consent.request", digest(proven.approval.request.text)), ("consent.approve", proven.approval.digest)):
        line = next(line for line in theirs.lines(consent_id) if line.leaf.facts.kind == kind)
        assert line.opening is not None
        assert line.leaf.facts.content == commit_content(line.opening, content)


def test_what_there_is_in_pages(apart: Parties) -> None:
    ids = sorted(apart.request("k") for _ in range(5))
    first = json.loads(apart.call("GET", "", query="limit=3").body)
    assert [each["consent_id"] for each in first["consents"]] == ids[:3]
    second = json.loads(apart.call("GET", "", query=f"after={first['next']}&limit=3").body)
    assert [each["consent_id"] for each in second["consents"]] == ids[3:]
    assert second["next"] == ""
    assert apart.call("GET", "", query="limit=0").status == 400
    status, listed = apart.ask("GET")
    assert status == 200
    assert {each["consent_id"] for each in listed["requests"]} >= set(ids) or listed["next"]
    status, shown = apart.ask("GET", f"/{ids[0]}")
    assert (status, shown["state"], shown["objects"]) == (200, "requested", [f"s3://{apart.bucket}/k"])


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "000000000000"},
        {"objects": []},
        {"objects": ["s3://b/ä"]},
        {"actions": []},
        {"actions": ["write"]},
        {"cause": "curiosity"},
        {"ticket": ""},
        {"reason": "two\nlines"},
        {"person": "Jane Doe"},
        {"country": "Germany"},
        {"until": "tomorrow"},
        {"until": 25 * 3600},
        {"until": -3600},
        {"answer_by": 15 * 86_400},
        {"max_reads": -1},
        {"max_reads": "many"},
        {"copies": "some"},
        {"more": 1},
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(theirs: Parties, changes: dict[str, Any]) -> None:
    # Times are seconds from now: all processes that share the tests must name these alike.
    timed = {name: in_time(value) for name, value in changes.items() if name in {"until", "answer_by"} and isinstance(value, int)}
    before = theirs.call("GET", "").body
    status, fault = theirs.ask("POST", body=theirs.wanted("case/1", **{**changes, **timed}))
    assert (status, fault["code"]) == (400, "InvalidRequest")
    assert theirs.call("GET", "").body == before


def test_names_of_buckets_cannot_be_guessed(theirs: Parties) -> None:
    """A refusal is the same, whether a bucket is the account's, another's or nobody's."""
    consent_id = theirs.granted("case/*", actions=["list"])
    s3 = theirs.engineer(consent_id)
    own = new_name()
    theirs.s3.create_bucket(Bucket=own)
    for name in (own, new_name()):
        with fails(403, "AccessDenied") as refused:
            s3.list_objects_v2(Bucket=name, Prefix="case/")
        assert refused.value.response["Error"]["Message"] == f"The consent {consent_id} is about other objects."
