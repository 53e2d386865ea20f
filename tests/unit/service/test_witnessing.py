"""Witnesses: asked for every new head, believed in nothing but their own signature, and missed when they are silent."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest
from tests.unit.service.ledger_books import ACCOUNT, OTHER, Books

from siegel.domain.entry import Entry
from siegel.domain.errors import InvalidRequestError, StorageError
from siegel.domain.outbound import AddressRefusedError, OutboundAnswer, OutboundError
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind
from siegel.drivers.system import SystemRandomness
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import parse_note
from siegel.ledger.proofs import check_consistency
from siegel.ledger.signed_checkpoints import open_checkpoint
from siegel.ledger.witness_requests import SIZE_CONTENT_TYPE, parse_add_checkpoint
from siegel.service.ledgers import witnessing as module
from siegel.service.ledgers.integrator import HEARTBEAT_MS
from siegel.service.ledgers.keychanges import KeyChanges
from siegel.service.ledgers.policies import WitnessPolicies
from siegel.service.ledgers.showing import WITNESSES_AWAITED_MS
from siegel.service.ledgers.warnings import QUORUM_MISSED_MS, LedgerWarning, put_warning
from siegel.service.ledgers.witnessing import RETRY_MS, WARNING_INTERVAL_MS, Witnessing

ANOTHER = parse_checkpoint("another\n1\n" + "A" * 43 + "=\n")


class FakeWitness:
    """A witness that checks what it is asked, or does what `cheat` says."""

    def __init__(self, name):
        self.key = SignerKey(f"witness.example/{name}", Algorithm.COSIGNATURE, name.encode().ljust(32, b"."))
        self.url = f"https://{name}.example/w"
        self.size, self.root = 0, b""
        self.asked = 0
        self.cheat = None

    def answer(self, body):
        self.asked += 1
        request = parse_add_checkpoint(body)
        checkpoint = parse_checkpoint(parse_note(request.checkpoint).text)
        if self.cheat is not None:
            return self.cheat(checkpoint)
        if request.old_size != self.size:
            return OutboundAnswer(409, (("content-type", SIZE_CONTENT_TYPE),), f"{self.size}\n".encode())
        check_consistency(self.size, self.root, checkpoint.size, checkpoint.root, request.proof)
        self.size, self.root = checkpoint.size, checkpoint.root
        return OutboundAnswer(200, (), self.key.sign(checkpoint, 1_800_000_000).line.encode())


class FakeNetwork:
    """The `Outbound` port to the witnesses there are."""

    def __init__(self, *witnesses):
        self.witnesses = {f"{witness.url}/add-checkpoint": witness for witness in witnesses}

    def check(self, url):
        if "forbidden" in url:
            raise AddressRefusedError("it is forbidden")

    async def fetch(self, call):
        assert call.method == "POST"
        answer = self.witnesses[call.url].answer(call.body)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Story:
    def __init__(self):
        self.books = Books()
        self.one, self.two = FakeWitness("one"), FakeWitness("two")
        self.network = FakeNetwork(self.one, self.two)
        self.policies = WitnessPolicies(self.books.store, self.network, self.books.clock)
        books = self.books
        self.changes = KeyChanges(books.store, books.custodian, books.clock, SystemRandomness())
        self.witnessing = self.new_witnessing()

    def new_witnessing(self):
        return Witnessing(self.books.store, self.network, self.books.clock, self.changes)

    def text(self, quorum):
        lines = [f"witness {name} {each.key.verifier} {each.url}/" for name, each in (("w1", self.one), ("w2", self.two))]
        return "\n".join([*lines, f"group g {quorum} w1 w2", "quorum g", ""]).encode()

    def put(self, text, account_id=ACCOUNT):
        entry = Entry(self.books.clock.ms, "", "ledger.policy.write", account_id, "root", "")
        asyncio.run(self.policies.put(account_id, text, entry))

    def grow(self, count=1):
        self.books.clock.ms += 1000
        self.books.note(count)
        self.books.round()

    def round(self, witnessing=None):
        return asyncio.run((witnessing or self.witnessing).run_once())

    def shown(self):
        """Size of the checkpoint that is shown, and which witnesses have signed it."""
        keys = {each.key.verifier: name for name, each in (("w1", self.one), ("w2", self.two))}
        opened = open_checkpoint(self.books.file("checkpoint"), keys)
        assert len(self.books.checkpoint().signed) == 2, "the log's own signatures are there"
        return opened.checkpoint.size, {keys[verifier] for verifier in opened.signed}


@pytest.fixture
def story():
    made = Story()
    made.put(made.text("all"))
    made.grow(2)
    return made


def test_each_head_is_signed_by_all_with_a_proof_from_the_one_before(story):
    for size in (3, 303, 304):
        assert story.round() == 1
        assert story.shown() == (size, {"w1", "w2"})
        assert story.round() == 0
        story.grow({3: 300, 303: 1}.get(size, 1))
    assert (story.one.asked, story.one.size) == (3, 304)


def test_a_sign_of_life_is_signed_too(story):
    story.round()
    story.books.clock.ms += HEARTBEAT_MS + 1
    story.books.round()
    assert story.round() == 1


def test_after_a_start_the_witness_says_what_it_knows(story):
    story.round()
    story.grow()
    assert story.round(story.new_witnessing()) == 1
    assert story.shown() == (4, {"w1", "w2"})
    assert story.one.asked == 3


def test_until_the_quorum_has_signed_the_head_before_is_shown_and_then_the_newest(story):
    story.round()
    story.two.cheat = lambda _: OutboundError("it is silent")
    story.grow()
    assert story.round() == 0
    assert story.shown() == (3, {"w1", "w2"})
    story.books.clock.ms += WITNESSES_AWAITED_MS
    story.grow()
    story.round()
    assert story.shown() == (5, set())
    story.two.cheat = None
    story.books.clock.ms += RETRY_MS
    assert story.round() == 1
    assert story.shown() == (5, {"w1", "w2"})


def test_a_head_of_an_idle_log_waits_for_its_witnesses_too(story):
    story.round()
    story.books.clock.ms += HEARTBEAT_MS + 1
    story.books.round()
    # The head before is ten minutes old; the new one has not waited for a moment.
    assert story.shown() == (3, {"w1", "w2"})
    story.two.cheat = lambda _: OutboundError("it is silent")
    story.round()
    story.books.clock.ms += WITNESSES_AWAITED_MS - 1
    story.round()
    assert story.shown() == (3, {"w1", "w2"})
    story.books.clock.ms += 1
    story.round()
    assert story.shown() == (3, set())


def test_what_is_shown_never_goes_back(story):
    """A quorum that comes late is of an older head than the one that was shown without it."""
    story.round()
    story.two.cheat = lambda _: OutboundError("it is silent")
    story.grow()
    story.round()
    late = story.books.log()
    lines = [each.key.sign(parse_checkpoint(parse_note(late.checkpoint).text), 1_800_000_000) for each in (story.one, story.two)]
    story.grow()
    story.books.clock.ms += WITNESSES_AWAITED_MS
    story.round()
    assert story.shown() == (5, set())
    note = parse_note(late.checkpoint).with_signatures(*lines).encode()
    store = story.books.store
    assert asyncio.run(store.write(lambda tx: tx.ledgers.put_witnessed(late.log_id, 4, late.signed_at_ms, note), None))
    assert story.shown() == (5, set())
    # The next quorum is of that head or a later one.
    story.two.cheat = None
    story.books.clock.ms += RETRY_MS
    story.round()
    assert story.shown() == (5, {"w1", "w2"})


def test_another_policy_shows_nothing_older(story):
    story.put(b"quorum none\n")
    story.grow()
    assert story.shown() == (5, set())
    story.grow(2)
    story.one.cheat = lambda _: OutboundError("it is silent")
    story.put(story.text("all"))
    size, _ = story.shown()
    story.grow()
    story.round()
    assert story.shown()[0] >= size


def test_nobody_waits_for_the_witnesses_of_others(story):
    """One account's witness drips; the other accounts' heads are signed meanwhile, round after round."""
    tarpit = FakeWitness("tarpit")
    story.network.witnesses[f"{tarpit.url}/add-checkpoint"] = tarpit
    story.books.note(1, OTHER)
    story.books.round()
    story.put(f"witness t {tarpit.key.verifier} {tarpit.url}/\nquorum none\n".encode(), OTHER)

    async def run():
        stuck = asyncio.Event()
        fetch = story.network.fetch

        async def dripping(call):
            if "tarpit" in call.url:
                await stuck.wait()
            return await fetch(call)

        story.network.fetch = dripping
        heads = []
        for _ in range(3):
            begun = await story.witnessing.begin_round()
            await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
            heads.append(story.shown())
            story.books.clock.ms += 1000
            await story.books.store.append(Entry(story.books.clock.ms, "", "k", ACCOUNT, "ann", ""))
            await story.books.steward.run_once()
        # The one that drips is asked once, and goes on when it has answered.
        assert (len(story.witnessing._asking), tarpit.asked) == (1, 0)
        stuck.set()
        await asyncio.gather(*story.witnessing._asking.values())
        assert tarpit.asked == 1
        return heads

    assert asyncio.run(run()) == [(3, {"w1", "w2"}), (4, {"w1", "w2"}), (5, {"w1", "w2"})]


def test_who_waits_for_a_turn_is_asked_for_the_newest_head(story, monkeypatch):
    """A witness that signs an old head would say that nothing had come after it."""
    monkeypatch.setattr(module, "LOGS_AT_ONCE", 1)
    story.witnessing = story.new_witnessing()

    async def run():
        await story.witnessing._slots.acquire()
        (task,) = await story.witnessing.begin_round()
        await asyncio.sleep(0)
        story.books.clock.ms += 1000
        await story.books.store.append(Entry(story.books.clock.ms, "", "k", ACCOUNT, "ann", ""))
        await story.books.steward.run_once()
        story.witnessing._slots.release()
        assert await task

    asyncio.run(run())
    assert story.shown() == (4, {"w1", "w2"})


def test_what_cannot_be_kept_is_told_and_ends_nothing(story, caplog, monkeypatch):
    async def failing(_due):
        raise StorageError("the disk is full")

    monkeypatch.setattr(story.witnessing, "_witness", failing)
    assert story.round() == 0
    assert "could not be kept: the disk is full" in caplog.text


def test_any_is_enough_where_the_policy_says_so(story):
    story.put(story.text("any"))
    story.two.cheat = lambda _: OutboundError("it is silent")
    assert story.round() == 1
    assert story.shown() == (3, {"w1"})


def test_silent_witnesses_are_left_in_peace_for_a_while(story):
    story.one.cheat = story.two.cheat = lambda _: OutboundError("it is silent")
    story.round()
    story.round()
    assert story.one.asked == 1
    story.books.clock.ms += RETRY_MS
    story.round()
    assert story.one.asked == 2


def stranger_line(checkpoint):
    return SignerKey("witness.example/one", Algorithm.COSIGNATURE, b"x" * 32).sign(checkpoint, 1).line.encode()


@pytest.mark.parametrize(
    "cheat",
    [
        lambda story, point: OutboundAnswer(200, (), b""),
        lambda story, point: OutboundAnswer(200, (), b"\xff\xfe"),
        lambda story, point: OutboundAnswer(200, (), stranger_line(point)),
        lambda story, point: OutboundAnswer(200, (), story.one.key.sign(point, 0).line.encode()),
        lambda story, point: OutboundAnswer(200, (), story.one.key.sign(ANOTHER, 9).line.encode()),
        lambda story, point: OutboundAnswer(409, (("content-type", SIZE_CONTENT_TYPE),), b"many\n"),
        lambda story, point: OutboundAnswer(409, (("content-type", SIZE_CONTENT_TYPE),), b"1\n"),
        lambda story, point: OutboundAnswer(409, (), b""),
        lambda story, point: OutboundAnswer(403, (), b""),
        lambda story, point: OutboundAnswer(500, (), b""),
    ],
)  # fmt: skip
def test_a_witness_that_does_not_sign_counts_for_nothing_and_breaks_nothing(story, cheat):
    story.one.cheat = lambda point: cheat(story, point)
    assert story.round() == 0
    assert story.shown() == (3, set())
    story.grow()
    assert story.books.log().head_size == 4


def test_only_the_witness_own_line_is_taken(story):
    def with_more(point):
        own = story.one.key.sign(point, 1_800_000_000).line
        return OutboundAnswer(200, (), (stranger_line(point).decode() + own + stranger_line(point).decode()).encode())

    story.one.cheat = with_more
    assert story.round() == 1
    assert len(parse_note(story.books.log().witnessed).signatures) == 4


def test_a_witness_that_has_seen_more_tells_that_the_store_was_put_back(story, caplog):
    story.one.cheat = lambda _: OutboundAnswer(409, (("content-type", SIZE_CONTENT_TYPE),), b"99\n")
    with caplog.at_level(logging.WARNING):
        assert story.round() == 0
    assert "it has signed 99 entries, and here are 3: the database was put back" in caplog.text


def test_a_day_without_a_quorum_is_told_and_not_too_often(story, caplog):
    story.one.cheat = story.two.cheat = lambda _: OutboundError("it is silent")

    def told():
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            story.round()
        return "for more than a day" in caplog.text

    assert not told()
    assert story.books.reader.warnings() == b""
    story.books.clock.ms += QUORUM_MISSED_MS
    assert told()
    assert not told()
    story.books.clock.ms += WARNING_INTERVAL_MS
    assert told()


def test_a_day_without_a_quorum_is_a_public_warning_until_it_is_there_again(story):
    origin = story.books.log().origin
    story.round()
    story.one.cheat = lambda _: OutboundError("it is silent")
    since_ms = story.books.log().witnessed_at_ms
    story.books.clock.ms = since_ms + QUORUM_MISSED_MS - 1
    story.books.note()
    story.books.round()
    story.round()
    assert story.books.reader.warnings() == story.books.file("warning") == b""
    story.books.clock.ms = since_ms + QUORUM_MISSED_MS
    story.round()
    since = datetime.fromtimestamp(since_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert story.books.reader.warnings().decode() == story.books.file("warning").decode() == f"{origin} {since}\n"
    # It is said once, in the account's own log too, and stays however often heads are tried.
    for _ in range(3):
        story.grow()
        story.round(story.new_witnessing())
    assert story.books.reader.warnings().decode() == f"{origin} {since}\n"
    story.one.cheat = None
    story.grow()
    story.books.clock.ms += RETRY_MS
    assert story.round() == 1
    assert story.books.reader.warnings() == story.books.file("warning") == b""
    story.grow()
    story.round()
    kinds = [leaf.facts.kind for leaf in story.books.leaves()[0]]
    assert [kind for kind in kinds if "witnessed" in kind] == ["ledger.unwitnessed", "ledger.witnessed_again"]


def test_who_wants_no_witness_is_not_warned_of(story):
    story.one.cheat = story.two.cheat = lambda _: OutboundError("it is silent")
    story.books.clock.ms += QUORUM_MISSED_MS
    story.round()
    assert story.books.reader.warnings()
    story.put(b"quorum none\n")
    story.round()
    assert story.books.reader.warnings() == b""
    story.put(story.text("all").replace(b"group g", b"group h").replace(b"quorum g", b"quorum none"))
    story.books.clock.ms += QUORUM_MISSED_MS
    story.books.round()
    story.round()
    assert story.books.reader.warnings() == b""


def test_a_policy_or_log_that_went_leaves_the_warning(story):
    warning = LedgerWarning(origin="siegel.test/gone", since_ms=0)
    for account_id in ("000000000009", ACCOUNT):
        asyncio.run(story.books.store.write(lambda tx, a=account_id: put_warning(tx, a, warning), None))
    story.put(story.text("all"), "000000000009")
    story.round()
    assert story.books.reader.warnings() == b"siegel.test/gone 1970-01-01T00:00:00Z\n"


def test_what_is_remembered_is_bounded(story, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_MAX", 3)
    memory = {}
    for number in range(10):
        module._remember(memory, number, number)
        assert memory[number] == number
        assert len(memory) <= 3
    # Whoever is forgotten is asked for what it knows: one request more, and nothing else.
    for account_id in (f"00000000000{number}" for number in range(4)):
        story.put(story.text("all"), account_id)
        story.books.note(1, account_id)
    story.books.round()
    for each in (story.one, story.two):
        each.cheat = lambda point, each=each: OutboundAnswer(200, (), each.key.sign(point, 1_800_000_000).line.encode())
    for _ in range(3):
        assert story.round() == 5 or story.books.clock.ms
        story.books.clock.ms += HEARTBEAT_MS + 1
        story.books.round()
    assert len(story.witnessing._signed) <= 3
    story.one.cheat = lambda _: OutboundError("it is silent")
    story.books.clock.ms += HEARTBEAT_MS + 1
    story.books.round()
    story.round()
    assert len(story.witnessing._again_at_ms) <= 3
    story.one.cheat = story.two.cheat
    story.one.cheat = lambda point: OutboundAnswer(200, (), story.one.key.sign(point, 1_800_000_000).line.encode())
    story.books.clock.ms += RETRY_MS
    story.round()
    assert story.witnessing._again_at_ms == {}


def test_accounts_without_witnesses_ask_nobody(story):
    story.put(b"quorum none\n")
    story.put(story.text("all"), OTHER)
    assert story.round() == 0
    assert story.one.asked == 0
    assert story.shown() == (3, set())


def test_one_account_more_than_a_page_is_served_too(story, monkeypatch):
    monkeypatch.setattr("siegel.service.ledgers.witnessing.ACCOUNTS_AT_ONCE", 1)
    story.put(b"quorum none\n", "000000000001")
    assert story.round() == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"nothing\n", "line 1 of the policy"),
        (b"witness w %s https://forbidden.example/\nquorum w\n", "it is forbidden"),
        (b"", "has no quorum line"),
    ],
)
def test_a_policy_that_is_not_accepted_is_not_kept(story, text, why):
    before = story.books.file("policy")
    with pytest.raises(InvalidRequestError, match=why):
        story.put(text.replace(b"%s", str(story.one.key.verifier).encode()))
    assert story.books.file("policy") == before


def test_there_are_so_many_witnesses_and_no_more(story):
    lines = [f"witness w{number} {FakeWitness(f'n{number}').key.verifier} https://w.example/" for number in range(17)]
    with pytest.raises(InvalidRequestError, match="more than 16"):
        story.put("\n".join([*lines, "quorum w1", ""]).encode())


def test_without_a_policy_there_is_none(story):
    assert story.books.file("policy", OTHER) is None
    assert story.books.store.reader.records.find(DEPLOYMENT_SCOPE, Kind.LEDGER_POLICY, OTHER) is None
