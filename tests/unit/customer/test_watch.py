"""Whoever watches a ledger is told of each thing once, of whatever did not reach him again, and that all is well again."""

import json
from contextlib import nullcontext

import pytest
from tests.unit.customer.ledgers import BEGAN_S, NOW_S, Desk, entries, entry, log_of, publish_openings
from tests.unit.customer.two_books import Story
from tests.unit.ledger.log import Log

from siegel.customer.audit.accounts import Wanted
from siegel.customer.audit.book import Book
from siegel.customer.audit.notices import CommandChannel, MailChannel, Notice, NoticeError, WebhookChannel
from siegel.customer.audit.sources import FolderSource, SourceError
from siegel.customer.audit.watch import WAITING_MAX, Comparing, Watch
from siegel.domain.errors import ConfigurationError


class Channel:
    """Takes notices, or does not."""

    name = "test"

    def __init__(self):
        self.taken = []
        self.problem = ""

    def send(self, notice):
        if self.problem:
            raise NoticeError(self.problem)
        self.taken.append(notice)

    @property
    def told(self):
        told = [(notice.event, notice.check) for notice in self.taken]
        self.taken = []
        return told


class Away:
    """A provider that does not answer."""

    def get(self, path):
        raise SourceError(f"nobody gives {path}")


class Stage:
    """A desk, a channel, and a clock that is set by hand."""

    def __init__(self, folder):
        self.desk = Desk(folder)
        self.channel = Channel()
        self.source = FolderSource(self.desk.ledger)
        self.now_s = NOW_S
        self.begin()

    def begin(self, **more):
        """Begin to watch, as after a restart."""
        settings = {"verify_every_s": 86_400, "now_s": lambda: self.now_s} | more
        self.watch = Watch(self.desk.book.folder, lambda _place: nullcontext(self.source), [self.channel], **settings)

    def round(self, later_s=60):
        self.now_s += later_s
        return self.watch.round()


@pytest.fixture
def stage(tmp_path):
    found = Stage(tmp_path)
    found.desk.publish(log_of(300))
    return found


def test_the_providers_warning_is_told_once_for_each_change_and_is_no_finding(stage):
    place = stage.desk.ledger / "warning"
    first, second = "2027-01-14T07:00:00Z", "2027-01-14T09:00:00Z"

    def warned(since):
        place.write_text(since and f"store.example/ledger/111122223333 {since}\n")
        done = stage.round()
        assert (done.holds, done.standing) == (True, 0)
        return [(notice.event, notice.evidence) for notice in done.notices]

    assert warned("") == []
    assert warned(first) == [("warning", {"since": first})]
    stage.begin()
    assert warned(first) == []
    assert warned(second) == [("warning", {"since": second})]
    # What cannot be looked at has not ended.
    stage.source, away = Away(), stage.source
    assert [notice.event for notice in stage.round().notices] == ["finding"]
    stage.source = away
    assert [notice.event for notice in stage.round().notices] == ["well"]
    assert warned("") == [("warning-over", {"was since": second})]
    assert warned("") == []
    assert [event for event, _ in stage.channel.told] == ["warning", "warning", "finding", "well", "warning-over"]


def test_nobody_is_told_of_a_ledger_that_holds(stage):
    done = stage.round()
    assert (done.holds, done.could_check, done.report.size, stage.channel.told) == (True, True, 300, [])
    stage.desk.publish(log_of(600))
    assert (stage.round().report.size, stage.channel.told) == (600, [])


def test_a_provider_that_is_away_is_told_once_and_so_is_its_return(stage):
    stage.round()
    stage.source = Away()
    done = stage.round()
    assert (done.could_check, done.holds, stage.channel.told) == (False, False, [("finding", "provider")])
    stage.round()
    stage.begin()
    stage.round()
    assert stage.channel.told == []
    stage.source = FolderSource(stage.desk.ledger)
    assert stage.round().could_check
    (well,) = stage.channel.taken
    assert (well.event, well.evidence["was"], well.evidence["since"]) == ("well", "provider", "2027-01-15T08:02:00Z")
    assert stage.round().holds
    stage.channel.taken = []
    stage.source = Away()
    stage.round()
    assert stage.channel.told == [("finding", "provider")]


def test_a_head_that_gets_old_is_told_once(stage):
    stage.round()
    assert not stage.round(later_s=3600).holds
    assert not stage.round().holds
    assert stage.channel.told == [("finding", "freshness")]
    # An hour without an answer on top of it: both stand, and only when both are over all is well.
    stage.source = Away()
    stage.round()
    assert stage.channel.told == [("finding", "provider")]
    stage.source = FolderSource(stage.desk.ledger)
    stage.round()
    assert stage.channel.told == []
    stage.desk.publish(log_of(310), at_s=stage.now_s)
    stage.round()
    assert stage.channel.told == [("well", "all")]


def test_a_quorum_that_is_missing_is_told(stage):
    stage.round()
    stage.desk.publish(log_of(310), witnesses=[])
    stage.round()
    stage.desk.publish(log_of(320), witnesses=[])
    stage.round()
    assert stage.channel.told == [("finding", "quorum")]


def test_a_history_that_is_another_one_is_told_once_however_it_grows(stage):
    stage.round()
    for size in (310, 320, 330):
        stage.desk.publish(Log([*entries(100), entry(100, request=4711), *entries(size - 101, 101)]))
        done = stage.round()
        assert not done.holds
    whole, named = stage.channel.taken
    assert [(told.event, told.check) for told in (whole, named)] == [("finding", "entries"), ("finding", "consistency")]
    assert named.evidence["entry"] == 100
    assert all("evidence" in told.evidence["kept in"] for told in (whole, named))
    stage.channel.taken = []
    stage.desk.publish(log_of(330))
    stage.round()
    assert stage.channel.told == [("well", "all")]


def test_what_could_not_be_looked_at_is_not_over(stage):
    stage.round()
    stage.desk.publish(Log([*entries(100), entry(100, request=4711), *entries(250, 101)]))
    stage.round()
    assert stage.channel.told == [("finding", "entries"), ("finding", "consistency")]
    # A head that nobody has signed: no entry is looked at.
    (stage.desk.ledger / "checkpoint").write_bytes(b"nonsense")
    stage.round()
    assert stage.channel.told == [("finding", "signature")]
    stage.desk.publish(Log([*entries(100), entry(100, request=4711), *entries(250, 101)]))
    stage.round()
    assert stage.channel.told == []
    stage.desk.publish(log_of(360))
    stage.round()
    assert stage.channel.told == [("well", "all")]


def test_an_entry_that_was_dated_back_is_told_once_for_ever(stage):
    stage.round()
    held_back = entry(300, at_s=BEGAN_S)
    stage.desk.publish(Log([*entries(300), held_back, *entries(20, 301)]))
    assert not stage.round().holds
    (told,) = stage.channel.taken
    assert (told.check, told.evidence["entry"]) == ("dates", 300)
    stage.channel.taken = []
    # The next sync looks behind it, the verification of the whole mirror at it again; neither tells it anew, nor that it is over.
    stage.begin(verify_every_s=0)
    for _ in range(3):
        assert stage.round().holds
    assert stage.channel.told == []


def test_a_mirror_that_was_changed_is_told_until_it_is_mended(stage):
    publish_openings(log_of(300), stage.desk.ledger)
    stage.round()
    path = stage.desk.book.folder / "ledger" / "tile" / "entries" / "000"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"access 7", b"access 8", 1))
    assert stage.round().holds
    assert not stage.round(later_s=86_400).holds
    told = {(one.check, one.message.partition(":")[0]) for one in stage.channel.taken}
    assert told >= {("tiles", "in the mirror on this machine"), ("consistency", "in the mirror on this machine")}
    stage.channel.taken = []
    assert not stage.round().holds
    assert stage.channel.told == []
    path.write_bytes(whole)
    publish_openings(log_of(310), stage.desk.ledger)
    stage.desk.publish(log_of(310), at_s=stage.now_s)
    stage.round()
    assert stage.channel.told == [("well", "all")]


def test_what_did_not_arrive_is_sent_again_in_order_after_a_restart_too(stage):
    stage.channel.problem = "the line is dead"
    stage.desk.publish(log_of(300), witnesses=[])
    done = stage.round(later_s=3600)
    assert (done.undelivered, done.waiting, done.could_check) == (["test: the line is dead"], 2, False)
    assert "test: the line is dead" in stage.round().undelivered
    stage.channel.problem = ""
    stage.begin()
    done = stage.round()
    assert (done.undelivered, done.waiting) == ([], 0)
    assert stage.channel.told == [("finding", "quorum"), ("finding", "freshness")]


def test_a_channel_that_is_gone_keeps_what_waits_for_it(stage):
    stage.channel.problem = "the line is dead"
    stage.source = Away()
    stage.round()
    state = json.loads((stage.desk.book.folder / "watch.json").read_text())
    (waiting,) = state["waiting"]
    state["waiting"] = [waiting | {"channel": "mail"}] * WAITING_MAX
    (stage.desk.book.folder / "watch.json").write_text(json.dumps(state))
    stage.channel.problem = ""
    stage.begin()
    stage.source = FolderSource(stage.desk.ledger)
    done = stage.round()
    assert (done.waiting, len(done.undelivered)) == (WAITING_MAX, 1)
    assert "is left out: Nothing stands" in done.undelivered[0]


def test_what_this_machine_cannot_check_is_told(stage):
    stage.round()
    (stage.desk.book.folder / "last").write_bytes(b"bent")
    done = stage.round()
    assert "is damaged" in done.problem
    assert stage.channel.told == [("finding", "here")]
    with Book(stage.desk.book.folder).changing():
        assert "another audit runs" in stage.round().problem
    assert stage.channel.told == []


def test_differences_of_the_books_are_told_once(tmp_path):
    story = Story(tmp_path)
    story.write()
    story.read()
    story.publish()
    channel = Channel()
    wanted = Wanted(logs=[tmp_path / "box"], receipts=[tmp_path / "receipts.jsonl"])

    def watching():
        source = FolderSource(story.desk.ledger)
        return Watch(
            story.desk.book.folder, lambda _place: nullcontext(source), [channel], verify_every_s=86_400,
            comparing=Comparing(wanted, 3600), now_s=lambda: story.now_ms / 1000 + 1,
        )  # fmt: skip

    assert watching().round().holds
    stray = story.begin()
    story.line(stray, "decrypt")
    story.read()
    # Not yet: the hour is not over.
    story.publish()
    assert watching().round().holds
    story.publish(end_ms=3_600_000)
    done = watching().round()
    (told,) = channel.taken
    assert (told.check, told.evidence["request"], told.message.partition(":")[0]) == ("books", stray, "missing")
    assert not done.holds
    story.publish(end_ms=3_600_000)
    assert watching().round().holds
    assert len(channel.taken) == 1
    # A book that cannot be read is a finding that passes.
    (tmp_path / "box" / "log.jsonl").rename(tmp_path / "away")
    story.publish_ledger(end_ms=3_600_000)
    watching().round()
    assert "cannot be compared here" in channel.taken[-1].message
    (tmp_path / "away").rename(tmp_path / "box" / "log.jsonl")
    watching().round()
    assert channel.taken[-1].event == "well"


def test_a_ledger_that_has_not_grown_is_compared_with_nothing(tmp_path):
    story = Story(tmp_path)
    story.read()
    story.publish()
    watch = Watch(
        story.desk.book.folder, lambda _place: nullcontext(FolderSource(story.desk.ledger)), [], verify_every_s=86_400,
        comparing=Comparing(Wanted(logs=[tmp_path / "box"]), 1), now_s=lambda: story.now_ms / 1000 + 1,
    )  # fmt: skip
    assert watch.round().holds
    story.now_ms += 5000
    assert watch.round().holds


def test_a_state_that_is_damaged_is_refused(stage):
    for text in ("{", '{"standing": 1}'):
        (stage.desk.book.folder / "watch.json").write_text(text)
        with pytest.raises(ConfigurationError, match="is damaged"):
            stage.begin()


NOTICE = Notice(
    notice_id="0f", at="2027-01-15T08:00:00Z", event="finding", check="dates", ledger="a\nb", message="m", evidence={"entry": 7}
)


def test_a_notice_is_one_line_of_json_and_a_page_for_people():
    assert json.loads(NOTICE.encode())["format"] == "siegel audit notice v1"
    assert NOTICE.subject() == "[siegel audit] dates does not hold: a b"
    assert "  entry: 7\n" in NOTICE.text()


@pytest.mark.parametrize(
    "make",
    [
        lambda: CommandChannel("say 'it"),
        lambda: CommandChannel(" "),
        lambda: WebhookChannel("http://hooks.example/1"),
        lambda: WebhookChannel("https://me:secret@hooks.example/1"),
        lambda: WebhookChannel("ftp://hooks.example/1"),
        lambda: WebhookChannel("https://hooks.example:99999/1"),
        lambda: WebhookChannel("https://hooks.example/1", authority="/nowhere"),
        lambda: MailChannel("localhost", "a@b.example", ("c@d.example",)),
        lambda: MailChannel("localhost:smtp", "a@b.example", ("c@d.example",)),
        lambda: MailChannel("localhost:25", "a@b.example", ("nobody",)),
        lambda: MailChannel("localhost:25", "a@b.example\nBcc: e@f.example", ("c@d.example",)),
    ],
)
def test_ways_that_cannot_work_are_refused_at_once(make):
    with pytest.raises(ConfigurationError) as refused:
        make()
    assert "secret" not in str(refused.value)


def test_a_command_that_is_not_there_delivers_nothing(tmp_path):
    with pytest.raises(NoticeError, match="did not run to its end"):
        CommandChannel(str(tmp_path / "nothing")).send(NOTICE)
