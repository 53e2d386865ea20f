"""Whoever writes into the provider's database, or holds his root key, has no consent by that: what lets in is the evidence alone.

Here the attacker is the provider himself: he mints the credentials, and writes the rows as he likes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from siegel.app.config import load_config, resolve
from siegel.app.wiring import Deployment, open_deployment
from siegel.domain.consents import Consent, ConsentState
from siegel.domain.sessions import Session, SessionOf
from siegel.ledger.consent_evidence import Evidence, parse_evidence
from siegel.ledger.consents import parse_request
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import SignedNote, parse_note
from siegel.ledger.proof_files import ProofFile, parse_proof_file
from siegel.service.consents.book import find_consent, put_consent
from siegel.service.session_tokens import SessionTokens

from .consenting import SIGNERS, Parties, client_of, note_of, parties
from .service import Service
from .shelf import fails
from .signer import Keys
from .test_consents import read, told

THIEF = SignerKey("customer0.example", Algorithm.ED25519, b"t" * 32)


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("forged")) as found:
        for key in ("case/1", "case/2"):
            found.s3.put_object(Bucket=found.bucket, Key=key, Body=key.encode())
        yield found


@contextmanager
def inside(service: Service) -> Iterator[Deployment]:
    """The deployment as its provider has it: database, root key and all."""
    deployment = open_deployment(resolve(load_config(service.directory, {}), service.directory))
    try:
        yield deployment
    finally:
        deployment.close()


def rewrite(theirs: Parties, consent_id: str, change: Callable[[Consent], Consent]) -> None:
    with inside(theirs.service) as deployment:

        async def write() -> None:
            await deployment.store.write(
                lambda tx: put_consent(tx, change(find_consent(tx, theirs.account_id, consent_id))), None
            )

        asyncio.run(write())


def mint(theirs: Parties, consent_id: str, person: str = "jane.doe") -> Any:
    """The S3 client of credentials that the provider has made for himself."""
    now_ms = int(time.time() * 1000)
    session = Session(
        account_id=theirs.account_id,
        session_of=SessionOf.SUPPORT,
        name=consent_id,
        session_name=person,
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + 3_600_000,
    )
    with inside(theirs.service) as deployment:
        issued = SessionTokens(deployment.custodian, deployment.randomness).issue(session)
    given = {"AccessKeyId": issued.access_key_id, "SecretAccessKey": issued.secret_access_key}
    return client_of(theirs.service, {**given, "SessionToken": issued.session_token})


def refused(theirs: Parties, consent_id: str, why: str, key: str = "case/1", person: str = "jane.doe") -> None:
    """See that nobody gets in, that the refusal says why, and that it is an entry."""
    before = told(theirs, consent_id).count(("object.read", 403))
    with pytest.raises(ClientError, match=why) as refusal:
        read(mint(theirs, consent_id, person), theirs.bucket, key)
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"
    entry = refusal.value.response["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    (line,) = theirs.auditor.await_entries([entry])[entry]
    assert (line.leaf.facts.kind, line.leaf.facts.status, line.leaf.facts.consent_id) == ("object.read", 403, consent_id)
    assert told(theirs, consent_id).count(("object.read", 403)) == before + 1


def test_minted_credentials_do_what_issued_ones_do(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1")
    assert read(mint(theirs, consent_id), theirs.bucket, "case/1") == b"case/1"


def test_an_approval_in_the_database_only(theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    # The customer's own signature even, that he has given to somebody, and never to the service.
    note = note_of(theirs.approval(consent_id).text, theirs.signers)
    rewrite(theirs, consent_id, lambda row: replace(row, state=ConsentState.ACTIVE, approval=note, approved_by="0" * 16))
    refused(theirs, consent_id, "is not proven")
    status, fault = theirs.ask("POST", f"/{consent_id}/credentials")
    assert (status, fault["code"]) == (403, "AccessDenied")


def test_t36_no_row_at_all(theirs: Parties) -> None:
    """Class: operators without a consent, or with one that is over, another's, used again, or called back."""
    refused(theirs, "0123456789abcdef", "is not known")


def test_a_row_without_a_signature(theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    rewrite(theirs, consent_id, lambda row: replace(row, state=ConsentState.ACTIVE))
    refused(theirs, consent_id, "is not proven")


@pytest.fixture(scope="module")
def live(theirs: Parties) -> tuple[str, bytes]:
    """A consent that is live, and its evidence."""
    consent_id = theirs.granted("case/1")
    return consent_id, theirs.call("GET", f"{consent_id}/evidence").body


def with_evidence(theirs: Parties, consent_id: str, evidence: bytes) -> None:
    note = parse_evidence(evidence).approval
    rewrite(
        theirs,
        consent_id,
        lambda row: replace(row, state=ConsentState.ACTIVE, approval=note, approved_by="0" * 16, evidence=evidence),
    )


def test_the_evidence_of_another_consent(theirs: Parties, live: tuple[str, bytes]) -> None:
    consent_id = theirs.request("case/1")
    with_evidence(theirs, consent_id, live[1])
    refused(theirs, consent_id, "its evidence is of another consent")


def test_evidence_without_the_witness(theirs: Parties, live: tuple[str, bytes]) -> None:
    good = parse_evidence(live[1])
    proof = parse_proof_file(good.proof)
    note = parse_note(proof.checkpoint)
    unseen = SignedNote(note.text, tuple(line for line in note.signatures if not line.name.startswith("witness")))
    assert len(unseen.signatures) < len(note.signatures)
    forged = Evidence(good.approval, good.opening, ProofFile(proof.index, proof.proof, unseen.encode(), proof.extra).encode())
    consent_id = theirs.granted("case/1")
    with_evidence(theirs, consent_id, forged.encode())
    refused(theirs, consent_id, "lacks the quorum")


def test_an_edited_approval(theirs: Parties, live: tuple[str, bytes]) -> None:
    good = parse_evidence(live[1])
    consent_id = live[0]
    edited = good.approval.replace(b"case/1", b"case/2")
    with_evidence(theirs, consent_id, Evidence(edited, good.opening, good.proof).encode())
    refused(theirs, consent_id, "does not fit", key="case/2")
    refused(theirs, consent_id, "does not fit")
    # Signed anew by a key of the same name, which is not the customer's.
    forged = note_of(parse_note(edited).text, [THIEF])
    with_evidence(theirs, consent_id, Evidence(forged, good.opening, good.proof).encode())
    refused(theirs, consent_id, "none of the customer's keys", key="case/2")
    with_evidence(theirs, consent_id, live[1])
    assert read(mint(theirs, consent_id), theirs.bucket, "case/1") == b"case/1"


def test_a_row_that_says_more_than_was_signed(theirs: Parties, live: tuple[str, bytes]) -> None:
    consent_id = live[0]
    request = theirs.shown(consent_id)["request"]
    rewrite(theirs, consent_id, lambda row: replace(row, request=row.request.replace("case/1", "case/2")))
    refused(theirs, consent_id, "is about other objects", key="case/2")
    rewrite(theirs, consent_id, lambda row: replace(row, request=request))


def test_another_person(theirs: Parties, live: tuple[str, bytes]) -> None:
    refused(theirs, live[0], "is another person's", person="john.doe")


def test_another_operator_gets_no_credentials(theirs: Parties, live: tuple[str, bytes]) -> None:
    with inside(theirs.service) as deployment:
        made = asyncio.run(deployment.accounts.create_operator())
    other = Keys(made.access_key_id, made.secret_access_key)
    status, fault = theirs.ask("POST", f"/{live[0]}/credentials", keys=other)
    assert (status, fault["code"]) == (403, "AccessDenied")
    assert "Only the operator who asked" in fault["message"]
    principals = [line.opening.principal for line in theirs.lines(live[0], kind="consent.credentials") if line.opening]
    assert principals == [f"operator/{other.access_key_id}"]


def test_t36_replayed_and_edited_approvals_are_not_taken(theirs: Parties) -> None:
    earlier, later = theirs.request("case/1"), theirs.request("case/1")
    note = note_of(theirs.approval(earlier).text, theirs.signers)
    attempts = {
        "is of another request": theirs.call("PUT", f"{later}/approval", note),
        "does not fit": theirs.call("PUT", f"{earlier}/approval", note.replace(b"T-4711", b"T-4712")),
        "none of the customer": theirs.put_note(earlier, theirs.approval(earlier).text, [THIEF]),
        "a threshold of 2": theirs.put_note(earlier, theirs.approval(earlier, threshold=2).text, theirs.signers),
    }
    wider = replace(parse_request(theirs.shown(earlier)["request"]), max_reads=9)
    attempts["another request than this"] = theirs.put_note(earlier, theirs.approval(earlier, request=wider).text, theirs.signers)
    for why, answer in attempts.items():
        assert (answer.status, answer.code) == (403, "AccessDenied"), why
        assert why in answer.body.decode()
    malformed = theirs.call("PUT", f"{earlier}/approval", b"yes")
    assert (malformed.status, malformed.code) == (400, "InvalidRequest")
    assert theirs.shown(earlier)["state"] == theirs.shown(later)["state"] == "requested"
    kinds = told(theirs, earlier, at_least=6)
    assert kinds.count(("consent.approve", 403)) == 4
    assert kinds.count(("consent.approve", 400)) == 1
    # The refusals have changed nothing.
    assert theirs.call("PUT", f"{earlier}/approval", note).status == 200


def test_denials_of_others_are_not_taken(theirs: Parties) -> None:
    consent_id, other = theirs.request("case/1"), theirs.request("case/1")
    denied = theirs.deny(other)
    assert denied.status == 200
    note = theirs.call("GET", f"{other}/denial").body
    answer = theirs.call("PUT", f"{consent_id}/denial", note)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert theirs.call("PUT", f"{consent_id}/denial", note_of(parse_note(note).text, [THIEF])).status == 403
    assert theirs.shown(consent_id)["state"] == "requested"


def test_what_is_no_document_is_not_put(theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    for name in ("evidence", "request", "report"):
        assert theirs.call("PUT", f"{consent_id}/{name}", b"x").status == 404
    assert theirs.call("PUT", "0000000000000000/approval", b"x").status == 404
    assert theirs.call("GET", f"{consent_id}/nonsense").status == 404


@pytest.mark.parametrize("text", [b"", b"threshold 1\n", b"key x\n", b"threshold 2\nkey " + str(SIGNERS[0].verifier).encode()])
def test_keys_that_cannot_be_read_change_nothing(theirs: Parties, text: bytes) -> None:
    before = theirs.call("GET", "keys").body
    answer = theirs.call("PUT", "keys", text)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert theirs.call("GET", "keys").body == before


def test_t36_a_foreign_account(theirs: Parties, service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    with parties(service, tmp_path_factory.mktemp("foreign")) as others:
        others.s3.put_object(Bucket=others.bucket, Key="k", Body=b"theirs")
        # One account consents to what is another's.
        consent_id = theirs.granted(objects=[f"s3://{others.bucket}/k"])
        with pytest.raises(ClientError, match="is about other objects"):
            read(theirs.engineer(consent_id), others.bucket, "k")
        # Nor does an account decide on another's requests, or see them.
        wanted = others.request("k")
        for method, path, body in (
            ("GET", wanted, b""),
            ("GET", "", b""),
            ("PUT", f"{wanted}/denial", b""),
            ("PUT", "keys", theirs.call("GET", "keys").body),
        ):
            answer = others.call(method, path, body, keys=theirs.keys)
            assert (answer.status, answer.code) == (403, "AccessDenied")
        assert theirs.call("GET", wanted).status == 404
        assert others.shown(wanted)["state"] == "requested"


def test_a_policy_of_the_bucket_that_denies_still_denies(theirs: Parties) -> None:
    consent_id = theirs.granted("case/2")
    s3 = theirs.engineer(consent_id)
    assert read(s3, theirs.bucket, "case/2") == b"case/2"
    statement = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":'
        f'"arn:aws:s3:::{theirs.bucket}/case/2",'
        '"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:siegel:::support/*"}}}]}'
    )
    theirs.s3.put_bucket_policy(Bucket=theirs.bucket, Policy=statement)
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/2")
    line = theirs.lines(consent_id, kind="object.read", at_least=2)[1]
    assert line.opening is not None
    # It was not permitted, and the entry names nothing that would have done so.
    assert (line.leaf.facts.status, line.opening.permit) == (403, "")
    assert read(theirs.s3, theirs.bucket, "case/2") == b"case/2"
    theirs.s3.delete_bucket_policy(Bucket=theirs.bucket)
    assert read(s3, theirs.bucket, "case/2") == b"case/2"
