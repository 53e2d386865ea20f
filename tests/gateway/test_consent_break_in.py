"""Whoever has database and root key puts other keys and witnesses into the rows.

He is stopped, unless he writes an approval into the customer's own log as well: then he is found.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from siegel.domain.consents import ConsentKeyFile, ConsentState
from siegel.domain.entry import Entry
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, encode_document
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.consent_evidence import APPROVED, Evidence
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consents import Approval
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.proof_files import ProofFile
from siegel.ledger.signed_checkpoints import sign_checkpoint
from siegel.service.ledgers.entries import make_leaf
from siegel.service.ledgers.policies import LedgerPolicy
from siegel.service.ledgers.secrets import open_secrets
from tests.ledger.witnessing import Serving

from .consenting import Parties, note_of, parties
from .service import Service
from .test_consent_audit import audited, found
from .test_consent_commands import home_of
from .test_consent_forgeries import THIEF, inside, mint, refused, rewrite
from .test_consents import read
from .test_witnesses import policy_of, witness_of

WITNESS = SignerKey("witness.example/thief", Algorithm.COSIGNATURE, b"w" * 32)
KEYS = ConsentKeys(1, (THIEF.verifier,))
FORGED = "00000000000000AA"


def evidence(theirs: Parties, approval: Approval, note: bytes) -> tuple[bytes, bytes]:
    """A policy that the thief's witness satisfies, and evidence in a tree that nobody saw, under the log's own keys."""
    now_s = int(time.time())
    made = Entry(
        now_s * 1000,
        FORGED,
        APPROVED,
        theirs.account_id,
        f"arn:aws:iam::{theirs.account_id}:root",
        "",
        permit="root of the account",
        manifest=approval.digest,
        consent_id=approval.request.consent_id,
    )
    entry, opening = make_leaf(made, now_s * 1000, bytes(32))
    with inside(theirs.service) as deployment:
        log = deployment.store.reader.ledgers.find(theirs.account_id)
        assert log is not None
        signers = open_secrets(deployment.custodian, log.origin, log.sealed_secrets).signers
    head = sign_checkpoint(Checkpoint(approval.request.origin, 1, leaf_hash(entry)), (*signers, WITNESS), now_s)
    policy = "".join(f"log {one.verifier}\n" for one in signers) + f"witness w {WITNESS.verifier}\nquorum w\n"
    return policy.encode(), Evidence(note, opening, ProofFile(0, (), head, entry).encode()).encode()


def write(theirs: Parties, documents: dict[str, Document]) -> None:
    """Write rows as the database's owner does: no entry tells of it."""
    with inside(theirs.service) as deployment:

        async def work() -> None:
            for name, document in documents.items():
                stored = encode_document(document)
                await deployment.store.write(
                    lambda tx, name=name, kind=document.kind, stored=stored: tx.records.put(DEPLOYMENT_SCOPE, kind, name, stored),
                    None,
                )

        asyncio.run(work())


def test_a_tree_that_nobody_saw_lets_nobody_in(service: Service, tmp_path: Path) -> None:
    with parties(service, tmp_path / "witness") as theirs:
        theirs.s3.put_object(Bucket=theirs.bucket, Key="case/1", Body=b"content")
        consent_id = theirs.request("case/1")
        approval = theirs.approval(consent_id)
        note = note_of(approval.text, [THIEF])
        policy, proof = evidence(theirs, approval, note)
        write(theirs, {theirs.account_id: ConsentKeyFile(text=KEYS.encode())})
        write(theirs, {theirs.account_id: LedgerPolicy(text=policy)})
        forge(theirs, consent_id, state=ConsentState.ACTIVE, approval=note, approved_by=FORGED, evidence=proof)
        refused(theirs, consent_id, "the account's log has another entry there")


def test_an_approval_in_the_journal_lets_the_thief_in_and_the_audit_finds_him(service: Service, tmp_path: Path) -> None:
    with parties(service, tmp_path / "witness") as theirs:
        theirs.s3.put_object(Bucket=theirs.bucket, Key="case/1", Body=b"content")
        home = home_of(theirs, tmp_path / "home")
        (home.folder / "fixture.keys").write_bytes(theirs.call("GET", "keys").body)
        home.run("consent", "keys", "put", "audits", "fixture.keys")
        # It waits until the witness has signed a head, which comes a moment after the policy.
        home.run("audit", "put-policy", "audits")
        assert audited(home, "sync")["holds"]

        # Keys, a witness that serves, and an approval of his own: the service itself makes the evidence of that.
        place = witness_of(tmp_path, theirs.auditor, "thief")
        with Serving(place) as witness:
            consent_id = theirs.request("case/1")
            approval = theirs.approval(consent_id)
            policy = policy_of(theirs.auditor, {place: witness.url.geturl()}, "1")
            write(theirs, {theirs.account_id: ConsentKeyFile(text=KEYS.encode())})
            write(theirs, {theirs.account_id: LedgerPolicy(text=policy)})
            note_down(theirs, approval)
            forge(
                theirs,
                consent_id,
                state=ConsentState.APPROVED,
                approval=note_of(approval.text, [THIEF]),
                approved_by=FORGED,
            )
            theirs.await_state(consent_id, "active")
            assert read(mint(theirs, consent_id), theirs.bucket, "case/1") == b"content"

        # He puts all back as it was.
        write(theirs, {theirs.account_id: ConsentKeyFile(text=(home.folder / "fixture.keys").read_bytes())})
        write(theirs, {theirs.account_id: LedgerPolicy(text=theirs.policy)})
        theirs.lines(consent_id, kind="object.read")
        messages = found(audited(home, "sync", code=3))
        assert any(f"the ledger says that the consent {consent_id} was approved, and you did not" in each for each in messages)
        assert any(f"object.read under the consent {consent_id}, which you did not give" in each for each in messages)


def forge(theirs: Parties, consent_id: str, **changes: Any) -> None:
    rewrite(theirs, consent_id, lambda row: replace(row, **changes))


def note_down(theirs: Parties, approval: Approval) -> None:
    """Write an entry into the journal that tells of an approval by the account's root."""
    entry = Entry(
        int(time.time() * 1000),
        FORGED,
        APPROVED,
        theirs.account_id,
        f"arn:aws:iam::{theirs.account_id}:root",
        "",
        manifest=approval.digest,
        consent_id=approval.request.consent_id,
    )
    with inside(theirs.service) as deployment:
        asyncio.run(deployment.store.append(entry))
