"""The monitor: operators who keep to a consent are told of as such, and each way of not doing so is found."""

import os
import shutil
from contextlib import nullcontext
from hashlib import sha256
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.unit.customer.ledgers import WITNESSES, publish
from tests.unit.customer.stories import ALICE, ALL, ID, OPERATOR, PERSON, VIDEO, Story, found
from tests.unit.ledger.consenting import APPROVAL, AT_S, KEYS, REQUEST, SIGNERS, approval_note
from tests.unit.ledger.log import ORIGIN, Log, log_keys

from siegel.customer.audit import consents
from siegel.customer.audit.book import Book
from siegel.customer.audit.consents import consent_path
from siegel.customer.audit.findings import Name, Report, summary
from siegel.customer.audit.monitor import Monitor
from siegel.customer.audit.openings import Line
from siegel.customer.audit.sources import FolderSource, SourceError
from siegel.customer.audit.sync import sync
from siegel.customer.audit.verify import verify
from siegel.customer.audit.watch import Watch
from siegel.customer.consent.pins import Pin, Pins, pin
from siegel.customer.consent.revocations import note_revoked, read_revoked
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.ledger.consent_evidence import Evidence
from siegel.ledger.consent_scope import Scope
from siegel.ledger.consents import Action
from siegel.ledger.leaves import Opening, decode_leaf
from siegel.ledger.notes import NOTE_BYTES_MAX


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path).add("object.write", 0, bucket="film", key=VIDEO, bucket_id=1).asked()


def test_who_keeps_to_a_consent_is_told_of_and_nothing_is_wrong(story, tmp_path):
    story.approved().used(100).used(101, "object.head").used(102, "bucket.list", key="täglich/").used(103, status=403)
    story.used(104, "kms.decrypt", key="arn:aws:kms:eu-central-1:111122223333:key/1").used(105, "object.read", status=206)
    story.add("consent.revoke", 200, content=bytes(32), consent_id=ID).used(200.9, "object.head")
    story.add("admin.accounts.list", 300, OPERATOR).add("consent.close", 301, OPERATOR, consent_id=ID)
    report = story.report()
    assert found(report) == []
    (told,) = report.consents
    assert (told.consent_id, told.person, told.uses, told.reads, told.refused) == (ID, REQUEST.person, 5, 2, 1)
    page = summary(report)
    assert page.startswith("HOLDS")
    assert f"operators      {REQUEST.person}, consent {ID}: 5 accesses, 2 of them reads; 1 refused" in page
    again = verify(Book(story.desk.book.folder), AT_S + 40_000)
    assert (found(again), again.consents) == ([], report.consents)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"key": "case 7/other.mp4"}, "it is about other objects"),
        ({"bucket": "other"}, "it is about other objects"),
        ({"kind": "bucket.list", "key": ""}, "it is about other objects"),
        ({"kind": "kms.decrypt", "bucket": "other"}, "it is about other objects"),
        ({"kind": "kms.generate_data_key"}, "no consent permits that"),
        ({"kind": "kms.schedule_key_deletion"}, "no consent permits that"),
        ({"principal": PERSON.replace("jane", "john")}, f"it is for {REQUEST.person}"),
        ({"principal": ALICE}, f"it is for {REQUEST.person}"),
        ({"kind": "object.delete"}, "no consent permits that"),
        ({"kind": "object.write"}, "no consent permits that"),
        ({"at_s": 28_801.001}, "it was used after 2027-01-15T16:00:00Z, when it had expired"),
        ({"at_s": 28_811, "kind": "kms.decrypt"}, "it was used after 2027-01-15T16:00:00Z, when it had expired"),
    ],
)
def test_what_goes_beyond_a_consent_is_found(story, how, why):
    report = story.approved().used(**how).report()
    kind = how.get("kind", "object.read")
    assert found(report) == [f"{kind} under the consent {ID}: {why}"]
    (finding,) = report.findings
    assert (finding.evidence["entry"], finding.evidence["request"]) == (3, f"{4:016X}")
    assert summary(report).startswith("OPERATOR ACCESS")


def test_actions_that_were_not_granted_are_found(tmp_path):
    approval = replace(ALL, request=replace(ALL.request, actions=(Action.HEAD,)))
    story = Story(tmp_path, approval).asked().approved()
    story.used(100, "object.head").used(101).used(102, "bucket.list", key="täglich/").used(103, "kms.decrypt", key="arn")
    assert [each.rpartition("permit to ")[2] for each in found(story.report())] == ["read", "list"]


def test_a_narrowed_consent_is_as_narrow_as_it_was_signed(tmp_path):
    approval = replace(ALL, expires_s=AT_S + 600, scope=(Scope("film", "täglich/1.log"),))
    story = Story(tmp_path, approval).asked().approved()
    story.used(100, key="täglich/1.log").used(101).used(601, key="täglich/1.log").used(601.001, key="täglich/1.log")
    assert [each.partition(": ")[2] for each in found(story.report())] == [
        "it is about other objects",
        "it was used after 2027-01-15T08:10:00Z, when it had expired",
    ]


def test_more_reads_than_were_granted_are_found(tmp_path):
    story = Story(tmp_path, APPROVAL).asked().approved()
    for number in range(5):
        story.used(100 + number)
    assert [each[-27:] for each in found(story.report())] == ["reads, and this is number 4", "reads, and this is number 5"]


def test_use_after_revocation_and_before_approval_is_found(story):
    story.used(50).approved(witnessed_at_s=90).used(70).add("consent.revoke", 200, consent_id=ID)
    story.used(201).used(201.001).used(205, status=403)
    assert [each.partition(": ")[2] for each in found(story.report())] == [
        "it was used before its approval was in the ledger",
        "it was used before your witnesses had seen its approval",
        "it was used after 2027-01-15T08:03:20Z, when it was revoked",
    ]


def test_use_before_its_time_is_found(tmp_path):
    approval = replace(ALL, request=replace(ALL.request, not_before_s=AT_S + 1000))
    story = Story(tmp_path, approval).asked().approved().used(999.999).used(1000)
    assert [each.partition(": ")[2] for each in found(story.report())] == [
        "it was used before 2027-01-15T08:16:40Z, when it began"
    ]


def test_an_operator_without_any_consent_is_found(story):
    story.add("object.read", 100, OPERATOR, "film", VIDEO, bucket_id=1)
    story.add("object.read", 101, "ARN:aws:siegel:::support/x/y", "film", VIDEO, bucket_id=1)
    story.add("object.read", 102, OPERATOR, "film", VIDEO, status=403, bucket_id=1)
    # Content under the name of something harmless.
    story.add("admin.accounts.list", 103, OPERATOR, "film", VIDEO)
    assert found(story.report()) == [
        "somebody of the provider's did object.read without any consent",
        "somebody of the provider's did object.read without any consent",
        "somebody of the provider's did admin.accounts.list without any consent",
    ]


def test_a_consent_that_nobody_gave_is_found(story):
    story.used(100)
    del story.documents[ID, "request"]
    assert found(story.report()) == [f"object.read under the consent {ID}, which you did not give: nothing of it is shown"]


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (approval_note(ALL, SIGNERS[:1]), "1 of the customer's keys have signed the approval, and 2 have to"),
        (approval_note(ALL, SIGNERS[1:2] * 2), "1 of the customer's keys have signed the approval, and 2 have to"),
        (b"nonsense\n\n\xe2\x80\x94 a AAAAAAA=\n", "access approval"),
    ],
)
def test_an_approval_that_is_in_the_provider_s_database_alone_is_found(story, note, why):
    story.approved(note=note).used(100)
    told = found(story.report())
    assert len(told) == 2
    assert all(why in each for each in told), told
    assert told[0].startswith(f"the ledger says that the consent {ID} was approved, and you did not")


def test_evidence_of_another_consent_or_another_ledger_does_not_count(story, tmp_path):
    other = replace(ALL, request=replace(ALL.request, consent_id="0" * 16))
    elsewhere = Story(tmp_path / "elsewhere", other)
    elsewhere.approved(note=approval_note(other), consent_id="0" * 16)
    index, at_s = elsewhere.evidence_of
    proof = Log(elsewhere.entries).proof_file(index, elsewhere.entries[index], witnesses=WITNESSES, at_s=AT_S + at_s)
    story.used(100)
    story.documents[ID, "evidence"] = Evidence(approval_note(other), elsewhere.openings[index], proof).encode()
    (told,) = found(story.report())
    assert "it is about another entry 0 than this ledger has" in told


def test_an_approval_without_evidence_was_never_in_force(story):
    story.approved().used(100)
    story.evidence_of = None
    assert [each.partition(": ")[2] for each in found(story.report())] == [
        "it was used before your witnesses had seen its approval"
    ]


def test_another_approval_than_the_ledger_tells_of_is_found(story):
    narrow = replace(ALL, expires_s=AT_S + 600)
    story.approved(note=approval_note(narrow)).used(100)
    story.evidence_of = None
    told = found(story.report())
    assert told[0] == f"another approval of the consent {ID} than yours"
    assert "before its approval was in the ledger" in told[1]


def test_an_approval_that_is_not_in_the_ledger_is_found_once_it_should_be_there(story):
    story.documents[ID, "approval"] = approval_note(ALL)
    assert found(story.report()) == []
    mirrored = story.desk.book.folder / "ledger" / consent_path(ID, "approval")
    os.utime(mirrored, (AT_S + 100, AT_S + 100))
    assert found(verify(Book(story.desk.book.folder), AT_S + 40_000)) == [
        f"the approval of the consent {ID} is not in the ledger"
    ]


def test_without_pinned_keys_nobody_can_have_consented(tmp_path):
    story = Story(tmp_path, keys=None).asked().approved().used(100)
    told = found(story.report())
    assert ["no consent keys are pinned here" in each for each in told] == [True, True]


def test_keys_of_somebody_else_in_the_account_are_found(story):
    story.add("consent.keys", 50, content=sha256(KEYS.encode()).digest(), status=204)
    story.add("consent.keys", 55, content=bytes(32), status=204)
    assert found(story.report()) == ["consent keys were put into the account that you have not pinned here"]


def test_approvals_are_judged_by_the_keys_of_their_time(story):
    pin(story.desk.book.folder, replace(KEYS, keys=KEYS.keys[2:], threshold=1).encode(), AT_S + 3600)
    story.approved().used(100)
    assert found(story.report()) == []


def test_a_key_that_was_given_up_signs_nothing_that_was_decided_before(tmp_path):
    """Whoever has stolen it, and dates the approval back, needs a ledger that does too."""
    story = Story(tmp_path, keys=None)
    pin(story.desk.book.folder, KEYS.encode(), AT_S - 3600)
    pin(story.desk.book.folder, replace(KEYS, keys=KEYS.keys[2:], threshold=1).encode(), AT_S + 100)
    story.asked(2000).approved(2001, witnessed_at_s=2003).used(2100)
    told = found(story.report())
    assert told[0].startswith(f"the ledger says that the consent {ID} was approved, and you did not: its evidence does not hold")
    assert told[1].startswith(f"object.read under the consent {ID}, which you did not give")


def test_entries_whose_names_are_hidden_are_told_of(story):
    story.add("object.read", 55, OPERATOR, "film", VIDEO, bucket_id=1).approved().used(110).add("object.read", 120)
    (hidden, used) = sorted(found(story.report(hidden={2, 4})))
    assert "who it was, and what was looked at, is not shown" in hidden
    assert used == "their names are not shown, and the account did not erase them"


@pytest.mark.parametrize("known", [True, False])
def test_names_that_are_hidden_among_others_are_told_of_without_a_pinned_key_too(story, known):
    """Whoever shows some names and not those of his operators hides them, whoever audits."""
    shutil.rmtree(story.desk.book.folder / "consent-keys")
    story.add("object.read", 55)
    count = len(story.entries)
    if known:
        assert found(story.report(head_at_s=60)) == []
    story.add("object.read", 100, OPERATOR, "film", VIDEO, bucket_id=1)
    report = story.report(hidden={count})
    assert found(report) == ["their names are not shown, and the account did not erase them"]
    assert "FAIL  Nobody of the provider's came" in summary(report)


def test_where_no_name_was_ever_shown_nothing_is_said_of_persons(story):
    shutil.rmtree(story.desk.book.folder / "consent-keys")
    story.add("object.read", 55)
    report = story.report(hidden=range(len(story.entries)))
    assert found(report) == []
    assert "-     Nobody of the provider's came" in summary(report)


def test_names_that_the_account_erased_are_no_fault_without_a_pinned_key(story):
    shutil.rmtree(story.desk.book.folder / "consent-keys")
    story.add("object.read", 100, bucket="film", key=VIDEO, bucket_id=1)
    story.add("ledger.opening.erase", 110, key=f"opening/{len(story.entries) - 1}", status=204)
    report = story.report(hidden={len(story.entries) - 2})
    assert found(report) == []
    assert "ok    Nobody of the provider's came" in summary(report)


def test_names_that_the_account_erased_are_not(story):
    story.add("object.read", 100, bucket="film", key=VIDEO, bucket_id=1)
    story.add("ledger.opening.erase", 110, key="opening/2", status=204)
    assert found(story.report(hidden={2})) == []


def test_however_many_names_the_account_erased_the_next_one_that_is_hidden_is_told_of():
    erased = 100_001
    leaf = decode_leaf(Story.entry_of("object.read"))
    erasing = decode_leaf(Story.entry_of("ledger.opening.erase"))
    report = Report(origin=ORIGIN, size=2 * erased + 1)
    monitor = Monitor(report, SimpleNamespace(ids=[]), Pins((Pin(0, KEYS, KEYS.encode()),)), {}, 10)
    for index in range(erased):
        monitor.look(Line(index, leaf))
    for index in range(erased):
        opening = Opening(b"", ALICE, "", "", "", f"opening/{index}")
        monitor.look(Line(erased + index, erasing, opening))
    monitor.look(Line(2 * erased, leaf))
    monitor.finish(lambda _: None, 0)
    (finding,) = report.findings
    assert finding.message.startswith("of 1 entries nobody can say")
    assert finding.evidence == {"first": 2 * erased, "last": 2 * erased}


@pytest.mark.parametrize(
    "principal", ["steward", "", "anonymous", "arn:aws:iam::444455556666:root", "arn:aws:iam::1111222233334:x"]
)
def test_names_that_nobody_of_the_account_s_erased_are(story, principal):
    story.add("object.read", 100, OPERATOR, "film", VIDEO, bucket_id=1)
    story.add("ledger.opening.erase", 110, principal, key="opening/2", status=204)
    assert len(found(story.report(hidden={2}))) == 1


def test_names_that_an_operator_erased_are_and_he_was_not_to(story):
    story.add("object.read", 100, OPERATOR, "film", VIDEO, bucket_id=1)
    story.add("ledger.opening.erase", 110, OPERATOR, key="opening/2", status=204)
    told = found(story.report(hidden={2}))
    assert len(told) == 2
    assert told[0] == "somebody of the provider's did ledger.opening.erase without any consent"


@pytest.mark.parametrize("known", [0, 4])
def test_names_that_the_account_is_erasing_are_waited_for(story, known):
    story.approved().add("object.read", 100, bucket="film", key=VIDEO, bucket_id=1)
    if known:
        assert found(story.report(head_at_s=101)) == []
    story.add("object.read", 110, bucket="film", key=VIDEO, bucket_id=1)
    story.publish(hidden={4}, head_at_s=111)
    waited = []

    def erase(delay_s):
        waited.append(delay_s)
        story.add("ledger.opening.erase", 111, key="opening/4", status=204)
        story.publish(hidden={4}, head_at_s=113)

    assert found(story.desk.sync(AT_S + 111, erase).report) == []
    assert waited == [10]
    # Nobody erases this one.
    story.add("object.read", 120, bucket="film", key=VIDEO, bucket_id=1)
    story.publish(hidden={4, 6}, head_at_s=121)
    (told,) = found(story.desk.sync(AT_S + 121, waited.append).report)
    assert told == "their names are not shown, and the account did not erase them"
    assert waited == [10, 10]
    # What was kept while it was not known is kept no more; what was found is kept once.
    assert len(list((story.desk.book.folder / "evidence").iterdir())) == 1


def test_what_was_approved_since_the_last_audit_is_known(story):
    assert found(story.report(head_at_s=50)) == []
    story.add("object.read", 55, bucket="film", key=VIDEO, bucket_id=1).approved().used(100)
    assert found(story.report(head_at_s=110)) == []


def hiding(story):
    """Hide a name of a ledger that was looked at before; return the folder of evidence."""
    assert found(story.approved().report(head_at_s=99)) == []
    story.add("object.read", 100, bucket="film", key=VIDEO, bucket_id=1).publish(hidden={3}, head_at_s=101)
    return story.desk.book.folder / "evidence"


def test_a_head_that_was_shown_with_names_missing_is_not_taken_back(story):
    evidence = hiding(story)

    def roll_back(_delay_s):
        # Another history, signed by the same keys and witnesses.
        story.entries[2] = Story.entry_of("object.write")
        story.publish(head_at_s=103)

    report = story.desk.sync(AT_S + 101, roll_back).report
    assert not report.holds(Name.CONSISTENCY)
    assert {"checkpoint", "last"} <= {path.name for path in max(evidence.iterdir()).iterdir()}


def test_who_gives_nothing_any_more_has_explained_nothing(story):
    evidence = hiding(story)

    class Silenced:
        """A store that goes away when it was seen once."""

        is_silent = False

        def get(self, path):
            if self.is_silent:
                raise SourceError("no answer")
            return FolderSource(story.desk.ledger).get(path)

        def fall_silent(self, _delay_s):
            self.is_silent = True

    remote = Silenced()
    synced = sync(Book(story.desk.book.folder), remote, AT_S + 101, wait=remote.fall_silent)
    (told,) = found(synced.report)
    assert told == "their names are not shown, and the account did not erase them"
    assert [synced.evidence] == list(evidence.iterdir())
    # The head is in the mirror, as any that is whole.
    assert found(verify(Book(story.desk.book.folder), AT_S + 120)) == [told]


def test_what_was_approved_before_the_last_audit_counts_in_the_next_one(tmp_path):
    story = Story(tmp_path, APPROVAL).asked().approved().used(100).used(101)
    assert found(story.report(head_at_s=150)) == []
    story.used(200).used(201).add("consent.revoke", 300, consent_id=ID)
    assert [each[-27:] for each in found(story.report(head_at_s=350))] == ["reads, and this is number 4"]
    story.used(400, "object.head")
    (told,) = found(story.report(head_at_s=450))
    assert "when it was revoked" in told
    story.add("object.read", 50_000, bucket="film", key=VIDEO, bucket_id=1)
    assert found(story.report(head_at_s=50_001)) == []


def test_a_request_that_is_shown_with_another_end_hides_no_revocation(tmp_path):
    story = Story(tmp_path).asked().approved().used(100)
    story.documents[ID, "request"] = replace(REQUEST, answer_by_s=AT_S + 10, expires_s=AT_S + 20).text.encode()
    assert found(story.report(head_at_s=150)) == []
    story.add("consent.revoke", 300, consent_id=ID)
    assert found(story.report(head_at_s=350)) == []
    story.used(400)
    (told,) = found(story.report(head_at_s=450))
    assert "when it was revoked" in told


def test_a_revocation_that_the_provider_took_and_did_not_write_down_is_found(story):
    story.approved().used(100)
    note_revoked(story.desk.book.folder, ID, AT_S + 200)
    assert found(story.report(head_at_s=205)) == []
    story.used(209).used(300)
    (unheard, used) = sorted(found(story.report(head_at_s=350)), reverse=True)
    assert unheard == f"you revoked the consent {ID} at 2027-01-15T08:03:20Z, and the ledger does not tell of it"
    assert "it was used after 2027-01-15T08:03:20Z, when you revoked it, and nothing of that was in the ledger" in used
    assert len(found(verify(Book(story.desk.book.folder), AT_S + 350))) == 2


def test_a_revocation_that_is_written_down_is_not_missed_later(story):
    story.approved().used(100).add("consent.revoke", 200, consent_id=ID)
    note_revoked(story.desk.book.folder, ID, AT_S + 200)
    note_revoked(story.desk.book.folder, ID, AT_S + 150)
    assert read_revoked(story.desk.book.folder) == {ID: AT_S + 200}
    assert found(story.report(head_at_s=250)) == []
    # Long after its end nobody looks back as far as its approval.
    story.add("object.read", 50_000, bucket="film", key=VIDEO, bucket_id=1)
    assert found(story.report(head_at_s=50_001)) == []


def test_what_was_revoked_and_cannot_be_read_is_named(story):
    place = story.desk.book.folder / "revoked" / ID
    place.parent.mkdir()
    place.write_text("yesterday\n")
    with pytest.raises(ConfigurationError, match=rf"revoked/{ID}: a time is written as"):
        story.report()
    place.unlink()
    place.mkdir()
    with pytest.raises(ConfigurationError, match=rf"revoked/{ID} cannot be read: Is a directory"):
        story.report()
    place.rmdir()
    place.parent.rmdir()
    place.parent.touch()
    with pytest.raises(ConfigurationError, match="revoked cannot be read: Not a directory"):
        story.report()
    with pytest.raises(StorageError, match="cannot be written"):
        note_revoked(story.desk.book.folder, ID, AT_S)


def test_a_consent_of_before_a_hand_over_counts_after_it(story):
    old, new = log_keys(), log_keys(number=1)
    story.approved().used(100)
    assert story.report(head_at_s=105).holds()
    story.handed_over(old, new)
    story.used(120).used(121, key="case 8/other.mp4")
    story.publish()
    publish(Log(story.entries, new), story.desk.ledger, at_s=AT_S + 125)
    report = story.desk.sync(AT_S + 125).report
    assert report.hand_overs == 1
    assert [each.partition(": ")[2] for each in found(report)] == ["it is about other objects"]
    assert [each.partition(": ")[2] for each in found(verify(Book(story.desk.book.folder), AT_S + 125))] == [
        "it is about other objects"
    ]
    # A second audit begins behind the hand-over, and knows the consent all the same.
    story.used(130)
    story.publish()
    publish(Log(story.entries, new), story.desk.ledger, at_s=AT_S + 135)
    assert found(story.desk.sync(AT_S + 135).report) == []


def test_a_consent_that_was_seen_once_is_not_forgotten(story):
    story.approved().used(100)
    assert found(story.report(head_at_s=110)) == []
    story.documents.clear()
    story.evidence_of = None
    story.used(130)
    assert found(story.report()) == []


class Mailbox:
    """Takes every notice."""

    name = "test"

    def __init__(self):
        self.taken = []

    def send(self, notice):
        self.taken.append(notice)


def test_a_request_that_waits_is_told_of_until_it_is_answered_or_lapses(story):
    story.publish(head_at_s=100)
    mailbox, folder, now_s = Mailbox(), story.desk.book.folder, [AT_S + 100]
    source = FolderSource(story.desk.ledger)
    watch = Watch(folder, lambda _place: nullcontext(source), [mailbox], verify_every_s=10**9, now_s=lambda: now_s[0])
    done = watch.round()
    (asked,) = done.report.asked
    assert (asked.consent_id, asked.person, asked.answer_by_s) == (ID, REQUEST.person, REQUEST.answer_by_s)
    assert (done.holds, [notice.event for notice in mailbox.taken]) == (True, ["request"])
    assert REQUEST.reason in mailbox.taken[0].message
    assert "asks for access" in mailbox.taken[0].subject()
    assert f"asked for      {REQUEST.person} asks for access" in summary(done.report)
    # Once, however often it is seen.
    assert (watch.round().notices, len(mailbox.taken)) == ([], 1)
    now_s[0] = REQUEST.answer_by_s
    assert watch.round().report.asked == []
    story.approved(110)
    assert story.report(head_at_s=120).asked == []


@pytest.mark.parametrize("name", ["denial", "report"])
def test_what_was_answered_waits_no_more(story, name):
    story.documents[ID, name] = b"whatever it says"
    story.publish(head_at_s=100)
    assert story.desk.sync(AT_S + 100).report.asked == []


class Counting(FolderSource):
    """A provider that counts what it is asked for."""

    def __init__(self, folder):
        super().__init__(folder)
        self.paths = []

    def get(self, path):
        self.paths.append(path)
        return super().get(path)


def test_made_up_ids_and_endless_documents_cost_little(story, monkeypatch):
    monkeypatch.setattr(consents, "NEW_MAX", 10)
    story.approved().used(100).publish()
    many = [f"{number:016x}" for number in range(1000)]
    story.put("consents/index", "".join(f"{each}\n" for each in [*many, ID]).encode())
    story.put(consent_path(ID, "report"), bytes(NOTE_BYTES_MAX + 1))
    remote = Counting(story.desk.ledger)
    report = sync(Book(story.desk.book.folder), remote, AT_S + 40_000).report
    assert found(report) == []
    asked = [path for path in remote.paths if path.startswith("consents/")]
    assert len(asked) == 1 + 10 + 6
    mirror = story.desk.book.folder / "ledger"
    assert (mirror / "consents" / "index").read_text() == f"{ID}\n"
    assert not (mirror / consent_path(ID, "report")).exists()
    # What is over for long is not asked for again.
    later = AT_S + 30 * 24 * 3600
    story.put("consents/index", f"{ID}\n".encode())
    remote.paths.clear()
    sync(Book(story.desk.book.folder), remote, later)
    assert [path for path in remote.paths if path.startswith("consents/")] == ["consents/index"]


def test_a_list_of_consents_that_is_damaged_here_is_told_with_the_way_out(story):
    story.approved().used(100)
    assert story.report().holds()
    index = story.desk.book.folder / "ledger" / "consents" / "index"
    index.write_text("junk")
    for look in (story.report, lambda: verify(Book(story.desk.book.folder), AT_S + 40_000)):
        with pytest.raises(SourceError, match=r"the mirror is damaged: .*\ntry: remove consents/index in the mirror"):
            look()
    index.unlink()
    assert story.report().holds()


def test_a_list_of_consents_that_is_none_is_no_ledger(story):
    story.publish()
    story.put("consents/index", b"../../etc/passwd\n")
    with pytest.raises(SourceError, match="no list"):
        story.desk.sync(AT_S + 40_000)
