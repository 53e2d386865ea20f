"""Evidence that was made anew: the earliest that holds says since when an approval was public, by the policies of its time."""

import shutil

import pytest
from tests.unit.customer.ledgers import WITNESSES, publish
from tests.unit.customer.stories import ID, VIDEO, Story, found
from tests.unit.ledger.consenting import AT_S
from tests.unit.ledger.log import Log, log_keys, policy_text, witness_key

from siegel.customer.audit.book import Book
from siegel.customer.audit.former import note_policy
from siegel.customer.audit.verify import verify
from siegel.domain.errors import ConfigurationError


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path).add("object.write", 0, bucket="film", key=VIDEO, bucket_id=1).asked()


BEFORE = "it was used before your witnesses had seen its approval"


def test_evidence_that_was_made_anew_accuses_nobody_of_what_he_did_before(story):
    story.approved().used(62).used(100).used(200)
    first, second, third = (story.evidence(at_s) for at_s in (80, 150, 190))
    assert found(story.proven(first, second, third).report()) == [f"object.read under the consent {ID}: {BEFORE}"]
    again = verify(Book(story.desk.book.folder), AT_S + 40_000)
    assert (len(found(again)), again.findings[0].evidence["entry"]) == (1, 3)


@pytest.mark.parametrize("made", ["nothing", "another", "none before", "of a stranger"])
def test_evidence_of_before_counts_if_it_holds(story, made):
    story.approved().used(100).used(200)
    last = story.evidence(150)
    other = Story(story.desk.ledger.parent / "other").approved(60)
    earlier = {
        "nothing": b"",
        "another": other.evidence(),
        "none before": last,
        "of a stranger": story.evidence(keys=log_keys(number=7)),
    }[made]
    (told,) = found(story.proven(earlier, last).report())
    assert BEFORE in told
    assert ("there is evidence of before, which does not hold" in told) == (made in {"another", "of a stranger"})


def test_junk_before_evidence_that_holds_does_no_harm(story):
    story.approved().used(100).used(200)
    assert found(story.proven(b"junk", story.evidence(), story.evidence(150)).report()) == []


def test_evidence_of_a_quorum_that_was_smaller_counts_where_it_was_enough(tmp_path):
    story = Story(tmp_path).add("object.write", 0, bucket="film", key=VIDEO, bucket_id=1).asked()
    policy = story.desk.book.folder / "policy"
    small = policy_text("all", log=log_keys(), witnesses=WITNESSES[:1])
    policy.write_bytes(small)
    story.approved().used(100)
    assert found(story.report(head_at_s=110)) == []
    # The customer demands both witnesses from now on, and so does his account.
    policy.write_bytes(story.desk.policy)
    story.used(200).proven(story.evidence(witnesses=WITNESSES[:1]), story.evidence(150))
    assert found(story.report(head_at_s=210)) == []
    assert [path.read_bytes() for path in sorted((policy.parent / "policies").iterdir())] == [small, story.desk.policy]
    assert found(verify(Book(policy.parent), AT_S + 210)) == []
    # Who knows the policy of now alone has its word for nothing else, and is told what he would have to know.
    shutil.rmtree(policy.parent / "policies")
    (told,) = found(verify(Book(policy.parent), AT_S + 210))
    assert f"{BEFORE}; there is evidence of before, which does not hold: " in told
    # The policy of before counts for what was signed while it did.
    for since_s, text in ((AT_S - 100, small), (AT_S + 40, story.desk.policy)):
        note_policy(policy.parent, text, since_s)
    assert found(verify(Book(policy.parent), AT_S + 210)) == [told]


def test_a_policy_that_names_the_keys_of_now_is_led_to_by_the_one_before(story):
    old, new = log_keys(), log_keys(number=1)
    story.approved().used(100)
    assert story.report(head_at_s=105).holds()
    story.handed_over(old, new)
    # A third witness comes, which has signed no hand-over; the keys are those of now.
    third = [*WITNESSES, witness_key(2)]
    (story.desk.book.folder / "policy").write_bytes(policy_text("all", log=new, witnesses=third))
    story.used(120).proven(story.evidence(), story.evidence(115, third, new)).publish()
    publish(Log(story.entries, new), story.desk.ledger, at_s=AT_S + 125, witnesses=third)
    assert found(story.desk.sync(AT_S + 125).report) == []
    # One that names the old keys does not get over the hand-over, and is told of it.
    (story.desk.book.folder / "policy").write_bytes(policy_text("all", log=old, witnesses=third))
    with pytest.raises(ConfigurationError, match="siegel audit keys shows them"):
        story.desk.sync(AT_S + 125)


def test_a_policy_of_before_that_is_none_is_named(story):
    story.approved().used(100)
    assert story.report(head_at_s=110).holds()
    (path,) = (story.desk.book.folder / "policies").iterdir()
    path.write_bytes(b"nonsense")
    with pytest.raises(ConfigurationError, match=f"{path.name}: line 1 of the policy"):
        verify(Book(story.desk.book.folder), AT_S + 110)
