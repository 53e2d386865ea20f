"""Consents over a store in memory: the steward's evidence, what time ends, and what other keys of the log or the customer do."""

import asyncio
import logging

import pytest
from msgspec.structs import replace
from tests.unit.ledger.consenting import approval_entry
from tests.unit.service.ledger_books import ACCOUNT
from tests.unit.service.test_keychanges import Change

from siegel.access.caller import Caller, CallerKind
from siegel.access.consent import Use
from siegel.domain.consents import AccessWanted, ConsentKeyFile, ConsentState, NoSuchConsentError, Operator, support_arn
from siegel.domain.errors import AccessDeniedError, InvalidRequestError
from siegel.domain.objects import Account
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, encode_document
from siegel.drivers.system import SystemRandomness
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.consent_evidence import Evidence, parse_evidence, split_evidence, verify_evidence
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.consents import Approval, parse_request
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import SignedNote
from siegel.ledger.policies import read_policy
from siegel.ledger.proof_files import ProofFile
from siegel.ledger.signed_checkpoints import sign_checkpoint
from siegel.service.consents import steward as module
from siegel.service.consents.book import count_open, find_consent, put_consent
from siegel.service.consents.customer import Consents, Decision
from siegel.service.consents.live import LiveConsents
from siegel.service.consents.steward import ConsentSteward
from siegel.service.consents.support import Support
from siegel.service.ledgers.policies import LedgerPolicy
from siegel.service.ledgers.secrets import open_secrets
from siegel.service.session_tokens import SessionTokens
from siegel.service.trail import Trail

SIGNERS = [SignerKey(f"c{number}.example", Algorithm.ED25519, bytes([number + 1]) * 32) for number in range(2)]
OPERATOR = Operator("operator/one", "00000000000000AA")
WANTED = AccessWanted(
    account=ACCOUNT,
    objects=["s3://film/a"],
    actions=["read"],
    cause="review",
    ticket="T",
    reason="r",
    person="jane",
    employer="e",
    country="DE",
)
READ = Use("GetObject", ACCOUNT, "film", "a")


class Scene(Change):
    """An account with two witnesses and a consent key, an operator, and the processes that have a part in it."""

    def __init__(self):
        super().__init__()
        books = self.books
        identities = Account(account_id=ACCOUNT, name="them", created_at_ms=1, sealed_keys=b"")
        asyncio.run(books.store.write(lambda tx: tx.identities.insert_account(identities), None))
        self.customer = Consents(books.store, books.clock)
        self.live = self.new_worker()
        tokens = SessionTokens(books.custodian, SystemRandomness())
        self.support = Support(books.store, books.store, tokens, self.live, clock=books.clock, randomness=SystemRandomness())
        self.steward = ConsentSteward(books.store, books.custodian, books.clock)
        self.put_keys(SIGNERS[:1])

    def new_worker(self):
        return LiveConsents(self.books.store, self.books.custodian, self.books.clock)

    def put_keys(self, signers):
        text = ConsentKeys(1, tuple(one.verifier for one in signers)).encode()
        asyncio.run(self.customer.put_keys(ACCOUNT, text, lambda digest: self.trail("consent.keys").entry(204, manifest=digest)))

    def trail(self, kind=""):
        self.books.asked += 1
        trail = Trail(self.books.clock.ms, f"{self.books.asked:016X}", "::1")
        trail.kind, trail.account_id = kind, ACCOUNT
        return trail

    def ask(self, **changes):
        shown = asyncio.run(self.support.request(replace(WANTED, **changes), OPERATOR))
        return shown["consent_id"]

    def approve(self, consent_id, signers=SIGNERS[:1], **changes):
        request = parse_request(self.row(consent_id).request)
        given = {"expires_s": request.expires_s, "scope": request.scope, **changes}
        approval = Approval(request=request, decided_at_s=request.requested_at_s, threshold=1, **given)
        note = SignedNote(approval.text, tuple(one.sign_text(approval.text) for one in signers)).encode()
        return asyncio.run(self.customer.decide(ACCOUNT, consent_id, Decision.APPROVAL, note, self.trail()))

    def row(self, consent_id):
        return find_consent(self.books.store.reader, ACCOUNT, consent_id)

    def rewrite(self, consent_id, **changes):
        asyncio.run(
            self.books.store.write(lambda tx: put_consent(tx, replace(find_consent(tx, ACCOUNT, consent_id), **changes)), None)
        )

    def pass_by(self, seconds=1, rounds=3):
        for _ in range(rounds):
            self.books.clock.ms += seconds * 1000
            self.turn()
            asyncio.run(self.steward.run_once())

    def granted(self, **changes):
        consent_id = self.ask(**changes)
        self.approve(consent_id)
        self.pass_by()
        assert self.row(consent_id).state is ConsentState.ACTIVE
        return consent_id

    def use(self, consent_id, use=READ, person="jane", worker=None):
        trail = self.trail("object.read")
        arn = support_arn(consent_id, person)
        trail.caller = Caller(kind=CallerKind.SUPPORT, account_id=ACCOUNT, arn=arn, consent_id=consent_id)
        asyncio.run((worker or self.live).admit(trail, use))
        return trail

    def kinds(self, consent_id):
        leaves, _ = self.books.leaves_beside_hand_overs()
        return [leaf.facts.kind for leaf in leaves if leaf.facts.consent_id == consent_id]


@pytest.fixture
def scene():
    return Scene()


def test_from_request_to_use(scene):
    consent_id = scene.ask()
    assert scene.approve(consent_id)["state"] == ConsentState.APPROVED
    with pytest.raises(AccessDeniedError, match="is approved, not active"):
        scene.use(consent_id)
    scene.pass_by()
    trail = scene.use(consent_id)
    assert (trail.consent_id, trail.consent["consentAction"]) == (consent_id, "read")
    scene.pass_by()
    assert scene.kinds(consent_id) == ["consent.request", "consent.approve", "consent.activate"]
    assert (scene.row(consent_id).uses, scene.row(consent_id).reads) == (1, 1)


def test_the_evidence_is_what_the_customer_can_check(scene):
    consent_id = scene.granted()
    keys = parse_consent_keys(scene.customer.keys(ACCOUNT))
    text = scene.books.file("policy") + "".join(f"log {vkey}\n" for vkey in scene.vkeys()).encode()
    assert verify_evidence(scene.row(consent_id).evidence, keys, read_policy(text)).approval.request.consent_id == consent_id


def test_every_worker_verifies_for_itself_and_remembers(scene, monkeypatch):
    consent_id = scene.granted()
    verified = []
    monkeypatch.setattr(
        "siegel.service.consents.trust.verify_evidence", lambda *args: verified.append(1) or verify_evidence(*args)
    )
    worker = scene.new_worker()
    for _ in range(3):
        scene.use(consent_id, worker=worker)
    assert verified == [1]
    monkeypatch.setattr("siegel.service.consents.live.REMEMBERED_MAX", 0)
    other = scene.new_worker()
    for _ in range(2):
        scene.use(consent_id, worker=other)
    assert verified == [1, 1]


def test_a_log_with_new_keys_proves_its_consents_anew(scene):
    consent_id = scene.granted()
    before = scene.row(consent_id).evidence
    scene.begin()
    for _ in range(4):
        scene.known |= set(scene.vkeys())
        scene.pass_by()
    assert scene.vkeys() != scene.old
    assert scene.row(consent_id).evidence != before
    # What was evidence before tells since when it was, to whoever reads the ledger's files.
    assert scene.row(consent_id).earlier_evidence[0] == before
    earlier = split_evidence(scene.books.file(f"consents/{consent_id}/earlier"))
    assert tuple(earlier) == scene.row(consent_id).earlier_evidence
    # A worker that has seen nothing of it believes the new keys alone.
    scene.use(consent_id, worker=scene.new_worker())
    assert scene.kinds(consent_id).count("consent.activate") == 1


def test_of_evidence_that_is_made_anew_again_and_again_the_oldest_is_kept(scene, monkeypatch):
    monkeypatch.setattr(module, "EARLIER_MAX", 2)
    consent_id = scene.granted()
    evidence = [scene.row(consent_id).evidence]
    for _ in range(4):
        # As if the keys had changed: what is there holds no longer.
        broken = evidence[-1].replace(b"proof: ", b"proof: AAAA", 1)
        scene.rewrite(consent_id, evidence=broken)
        evidence[-1] = broken
        scene.pass_by()
        evidence.append(scene.row(consent_id).evidence)
    assert scene.row(consent_id).earlier_evidence == tuple(evidence[:2])


def test_nothing_becomes_active_before_its_time(scene):
    begins_s = scene.books.clock.ms // 1000 + 600
    consent_id = scene.ask(not_before=f"2027-01-15T08:{(begins_s - 1_800_000_000) // 60:02}:00Z")
    scene.approve(consent_id)
    scene.pass_by()
    assert scene.row(consent_id).state is ConsentState.APPROVED
    assert scene.row(consent_id).evidence
    scene.pass_by(seconds=300)
    assert scene.row(consent_id).state is ConsentState.ACTIVE
    scene.use(consent_id)


def test_time_ends_what_nobody_has_ended(scene):
    silent, granted = scene.ask(), scene.granted()
    request = parse_request(scene.row(granted).request)
    scene.books.clock.ms = request.expires_s * 1000
    with pytest.raises(AccessDeniedError, match="has expired"):
        scene.use(granted)
    scene.pass_by()
    assert scene.row(silent).state is ConsentState.LAPSED
    assert scene.row(granted).state is ConsentState.EXPIRED
    assert scene.kinds(silent) == ["consent.request", "consent.lapse"]
    assert scene.kinds(granted)[-1] == "consent.expire"
    assert count_open(scene.books.store.reader, ACCOUNT, 9) == 0


@pytest.mark.parametrize(("while_opening", "while_sending", "left"), [(None, 1, [0, 1]), (1, None, [0])])
def test_no_further_piece_is_opened_once_it_has_ended_and_none_leaves(scene, while_opening, while_sending, left):
    """A client may take its time over a piece, and a key server may be asked for the next one."""
    consent_id = scene.granted()
    expires_ms = parse_request(scene.row(consent_id).request).expires_s * 1000
    opened, found = [], []

    def end_if(it_is):
        scene.books.clock.ms = expires_ms if it_is else scene.books.clock.ms

    async def pieces():
        for number in range(4):
            opened.append(number)
            end_if(number == while_opening)
            yield number

    async def sent():
        trail = scene.trail()
        arn = support_arn(consent_id, "jane")
        trail.caller = Caller(kind=CallerKind.SUPPORT, account_id=ACCOUNT, arn=arn, consent_id=consent_id)
        async for piece in scene.live.watch(trail, pieces()):
            found.append(piece)
            end_if(piece == while_sending)

    with pytest.raises(AccessDeniedError, match="has expired"):
        asyncio.run(sent())
    assert (found, opened) == (left, [0, 1])


def test_what_was_granted_for_less_time_ends_earlier(scene):
    consent_id = scene.ask()
    request = parse_request(scene.row(consent_id).request)
    scene.approve(consent_id, expires_s=request.not_before_s + 60)
    scene.pass_by()
    scene.use(consent_id)
    scene.books.clock.ms = (request.not_before_s + 60) * 1000
    with pytest.raises(AccessDeniedError, match="has expired"):
        scene.use(consent_id)
    scene.pass_by()
    assert scene.row(consent_id).state is ConsentState.EXPIRED


def test_a_steward_goes_on_where_another_was_killed(scene):
    consent_id = scene.ask()
    scene.approve(consent_id)
    for _ in range(4):
        scene.steward = ConsentSteward(scene.books.store, scene.books.custodian, scene.books.clock)
        scene.pass_by(rounds=1)
    scene.use(consent_id)


def test_no_two_consents_have_one_id(scene, monkeypatch):
    monkeypatch.setattr(SystemRandomness, "bytes", lambda _self, count: bytes(count))
    consent_id = scene.ask()
    with pytest.raises(InvalidRequestError, match="is taken"):
        scene.ask()
    scene.books.clock.ms += 1000
    assert scene.ask() > consent_id


def test_two_stewards_write_each_step_once(scene):
    consent_id = scene.ask()
    scene.approve(consent_id)
    other = ConsentSteward(scene.books.store, scene.books.custodian, scene.books.clock)
    for _ in range(3):
        scene.pass_by(rounds=1)
        asyncio.run(other.run_once())
    scene.books.clock.ms += 86_400_000
    asyncio.run(asyncio.wait_for(both(scene.steward, other), 60))
    scene.pass_by()
    assert [scene.kinds(consent_id).count(f"consent.{step}") for step in ("activate", "expire")] == [1, 1]


async def both(one, other):
    await asyncio.gather(one.run_once(), other.run_once())


def test_an_entry_far_into_the_log_is_found(scene, monkeypatch):
    monkeypatch.setattr(module, "SEARCHED_AT_ONCE", 3)
    scene.books.note(10)
    consent_id = scene.ask()
    scene.approve(consent_id)
    scene.books.note(10)
    scene.pass_by(rounds=4)
    assert scene.row(consent_id).state is ConsentState.ACTIVE


def test_what_is_wrong_with_one_is_told_once_and_holds_up_nobody(scene, caplog):
    caplog.set_level(logging.WARNING)
    broken, good = scene.ask(), scene.ask()
    scene.approve(broken)
    scene.rewrite(broken, approval=b"nothing")
    scene.approve(good)
    scene.pass_by()
    assert scene.row(good).state is ConsentState.ACTIVE
    assert len([record for record in caplog.records if broken in record.getMessage()]) == 1


def test_other_keys_of_the_customer_end_it(scene):
    consent_id = scene.granted()
    scene.put_keys(SIGNERS[1:])
    with pytest.raises(AccessDeniedError, match="none of the customer's keys"):
        scene.use(consent_id)
    scene.pass_by()
    assert scene.row(consent_id).state is ConsentState.ACTIVE


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"evidence": b""}, "is not proven"),
        ({"state": ConsentState.REVOKED}, "is revoked, not active"),
        ({"revocation": b"x"}, "is revoked, not active"),
    ],
)
def test_rows_that_let_nobody_in(scene, changes, why):
    consent_id = scene.granted()
    scene.rewrite(consent_id, **changes)
    with pytest.raises(AccessDeniedError, match=why):
        scene.use(consent_id)


@pytest.mark.parametrize(
    ("use", "person", "why"),
    [
        (replace(READ, object_key="b"), "jane", "is about other objects"),
        (replace(READ, account_id="999900001111"), "jane", "is about other objects"),
        (replace(READ, operation="DeleteObject"), "jane", "permits no DeleteObject"),
        (READ, "john", "is another person's"),
    ],
)
def test_uses_that_are_refused_and_do_not_count(scene, use, person, why):
    consent_id = scene.granted()
    with pytest.raises(AccessDeniedError, match=why):
        scene.use(consent_id, use, person)
    assert scene.row(consent_id).uses == 0


def test_a_body_ends_between_two_pieces(scene):
    consent_id = scene.granted()
    trail = scene.use(consent_id)

    async def pieces():
        for piece in (b"a", b"b", b"c"):
            yield piece

    async def read():
        got = []
        async for piece in scene.live.watch(trail, pieces()):
            got.append(piece)
            if piece == b"b":
                await scene.customer.decide(ACCOUNT, consent_id, Decision.REVOCATION, b"", scene.trail())
        return got

    with pytest.raises(AccessDeniedError, match="is revoked, not active"):
        asyncio.run(read())


def test_a_body_ends_when_time_is_up(scene):
    consent_id = scene.granted()
    trail = scene.use(consent_id)
    scene.books.clock.ms = parse_request(scene.row(consent_id).request).expires_s * 1000

    async def pieces():
        yield b"a"

    async def read():
        return [piece async for piece in scene.live.watch(trail, pieces())]

    with pytest.raises(AccessDeniedError, match="has expired"):
        asyncio.run(read())


def test_documents_are_files_of_the_ledger(scene):
    consent_id, other = scene.granted(), scene.ask()
    assert scene.books.file("consents/index").decode().split() == sorted([consent_id, other])
    assert scene.books.file(f"consents/{consent_id}/evidence") == scene.row(consent_id).evidence
    for path in (f"consents/{other}/evidence", f"consents/{other}/x", "consents/0/request", "consents/x"):
        assert scene.books.file(path) is None
    with pytest.raises(NoSuchConsentError):
        scene.customer.document(ACCOUNT, other, "evidence")


class Thief:
    """Who writes any row, and has made consent keys, a witness and, if need be, a log of his own."""

    def __init__(self, scene, consent_id):
        self.scene, self.consent_id = scene, consent_id
        self.witness = SignerKey("witness.example/thief", Algorithm.COSIGNATURE, b"w" * 32)
        self.signer = SignerKey("thief.example", Algorithm.ED25519, b"t" * 32)

    def evidence(self, log_keys):
        """The evidence of an approval that stands in a tree which nobody was shown."""
        request = parse_request(self.scene.row(self.consent_id).request)
        approval = Approval(
            request=request, decided_at_s=request.requested_at_s, threshold=1, expires_s=request.expires_s, scope=request.scope
        )
        note = SignedNote(approval.text, (self.signer.sign_text(approval.text),)).encode()
        entry, opening = approval_entry(approval, asked_at_ms=request.requested_at_s * 1000)
        head = sign_checkpoint(Checkpoint(request.origin, 1, leaf_hash(entry)), (*log_keys, self.witness), 1_800_000_000)
        return Evidence(note, opening, ProofFile(0, (), head, entry).encode()).encode()

    def write_rows(self, log_keys):
        """Put all that the service believes into its place."""
        policy = "".join(f"log {key.verifier}\n" for key in log_keys) + f"witness w {self.witness.verifier}\nquorum w\n"
        keys = ConsentKeyFile(text=ConsentKeys(1, (self.signer.verifier,)).encode())

        def change(tx):
            tx.records.put(DEPLOYMENT_SCOPE, Kind.CONSENT_KEYS, ACCOUNT, encode_document(keys))
            tx.records.put(DEPLOYMENT_SCOPE, Kind.LEDGER_POLICY, ACCOUNT, encode_document(LedgerPolicy(text=policy.encode())))

        asyncio.run(self.scene.books.store.write(change, None))
        evidence = self.evidence(log_keys)
        note = parse_evidence(evidence).approval
        verify_evidence(evidence, parse_consent_keys(keys.text), read_policy(policy.encode()))
        self.scene.rewrite(self.consent_id, state=ConsentState.ACTIVE, approval=note, approved_by="0" * 16, evidence=evidence)


def test_rows_of_a_thief_with_a_log_of_his_own(scene):
    thief = Thief(scene, scene.ask())
    thief.write_rows([SignerKey(f"siegel.test/{ACCOUNT}", Algorithm.ED25519, b"l" * 32)])
    with pytest.raises(AccessDeniedError, match="no trusted key of the log"):
        scene.use(thief.consent_id)


def test_rows_of_a_thief_who_has_the_keys_of_the_log(scene):
    scene.pass_by()
    thief = Thief(scene, scene.ask())
    log = scene.books.log()
    thief.write_rows(open_secrets(scene.books.custodian, log.origin, log.sealed_secrets).signers)
    with pytest.raises(AccessDeniedError, match="the account's log has another entry there"):
        scene.use(thief.consent_id)
