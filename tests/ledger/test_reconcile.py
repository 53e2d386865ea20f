"""`siegel audit reconcile` as it is run: pages for people, JSON for programs, and what it refuses."""

import json
import time

import pytest

from tests.ledger.witnessing import siegel
from tests.unit.customer.two_books import KEY, OTHER, Story, arn, name_of


@pytest.fixture
def story(tmp_path):
    made = Story(tmp_path, began_ms=int(time.time() * 1000) - 600_000)
    made.write()
    made.read(call=made.read())
    return made


def reconcile(story, *words):
    ended = siegel("audit", "reconcile", story.desk.book.folder, *words)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def test_books_that_balance_and_books_that_do_not(story):
    story.publish()
    own = ("--keybox", story.folder / "box", "--receipts", story.folder / "receipts.jsonl")
    ended = reconcile(story, *own)
    assert (ended.returncode, ended.stdout.partition(":")[0], ended.stderr) == (0, "BALANCES", "")
    again = reconcile(story, *own)
    assert (again.returncode, again.stdout, "there is nothing to compare" in again.stderr) == (2, "", True)
    stray = story.begin()
    story.line(stray, "decrypt")
    story.publish()
    ended = reconcile(story, *own)
    assert ended.returncode == 1
    assert ended.stdout.startswith("DOES NOT BALANCE: the books differ in 1 place.")
    assert "line: 4" in ended.stdout
    ended = reconcile(story, *own, "--from", "2000-01-01", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["balances"], told["counts"]["unwraps"]) == (1, False, 3)
    assert [one["evidence"]["request"] for one in told["mismatches"]] == [stray]
    # The interval before, by its end; and receipts alone, in which nothing is amiss.
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(story.now_ms // 1000 - 60))
    assert reconcile(story, *own, "--from", "2000-01-01T00:00:00Z", "--to", until).returncode == 0
    ended = reconcile(story, *own[2:], "--from", "2000-01-01", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["counts"]["receipts"]) == (0, 2)


def test_what_is_granted_is_the_customers_word(story):
    story.read(call=name_of(story.number - 1), later_ms=40_000)
    story.publish()
    own = ("--keybox", story.folder / "box", "--from", "2000-01-01")
    assert reconcile(story, *own).returncode == 0
    assert reconcile(story, *own, "--lease-s", "10").returncode == 1
    assert reconcile(story, *own, "--lease-s", "10", "--lease", "photos=60", "--lease", "other=0").returncode == 0
    assert reconcile(story, *own, "--lease-s", "10", "--clock-s", "60").returncode == 0


def test_a_key_server_of_two_accounts(story, tmp_path):
    other = Story(tmp_path / "other", began_ms=int(time.time() * 1000) - 600_000, origin="store.example/ledger/444455556666")
    other.lines, other.number = story.lines, other.number + (1 << 33)
    other.write(("reels", "one.mp4", "v1"))
    story.publish()
    other.publish()
    own = ("--keybox", story.folder / "box", "--json")
    told = json.loads(reconcile(story, other.desk.book.folder, *own).stdout)
    assert (told["balances"], told["said"], told["counts"]["wraps"]) == (True, [], 2)
    alone = json.loads(reconcile(story, *own, "--from", "2000-01-01").stdout)
    assert (alone["balances"], "for the account 444455556666, whose ledger is not here" in str(alone["said"])) == (True, True)


def test_the_uses_of_a_key_are_shown_whichever_entry_tells_of_them(story):
    lease = story.read(call=story.read())
    story.carries = False
    alone = story.read()
    story.read(("photos", "other", "v2"), call=story.write(("photos", "other", "v2"), key=OTHER))
    story.publish()

    def shown(*words):
        ended = siegel("audit", "show", story.desk.book.folder, *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()

    (line,) = shown("--request", lease)
    assert line.endswith(f"opened with key {KEY}, asked for in {name_of(int(lease, 16) - 1)}")
    assert [line.endswith("from 192.0.2.7") for line in shown("--request", alone)] == [True, True]
    assert shown()[0].endswith(f"sealed with key {KEY}, asked for in {story.entries[0]['request']}")
    kinds = ["object.write", *["object.read"] * 4, "kms.decrypt", "kms.decrypt"]
    assert [json.loads(line)["kind"] for line in shown("--key", arn(KEY), "--json")] == kinds
    assert [json.loads(line)["kind"] for line in shown("--key", f"{OTHER[:8]}*", "--json")] == ["kms.generate_data_key"]
    assert shown("--key", "nothing") == []


def test_a_ledger_that_cannot_be_compared_differs_in_nothing(story):
    """Whoever runs it by a timer tells the two apart by the exit status."""
    story.publish()
    own = ("--keybox", story.folder / "box")
    assert reconcile(story, *own).returncode == 0
    ended = reconcile(story, *own, "--from", "2999-01-01")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "the ledger that is here goes no further" in ended.stderr
    (story.desk.book.folder / "ledger" / "tile" / "entries" / "000.p" / "3").write_bytes(b"\xff")
    ended = reconcile(story, *own, "--from", "2000-01-01")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "try: siegel audit verify" in ended.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "--keybox DIR"),
        (("--keybox", "nowhere"), "nowhere cannot be read"),
        (("--keybox", ".", "--from", "yesterday"), "'yesterday' is no time"),
        (("--keybox", ".", "--lease", "photos"), "is no lease of a bucket"),
        (("--keybox", ".", "--lease", "photos=3601"), "is no lease of a bucket"),
        (("--keybox", ".", "--lease", "=1"), "is no lease of a bucket"),
    ],
)
def test_what_cannot_be_meant_is_refused(story, words, problem):
    story.publish()
    ended = reconcile(story, *words)
    assert ended.returncode == 253
    assert problem in ended.stderr


def test_a_watch_compares_them_too(story):
    story.line(story.begin(), "decrypt")
    story.publish()
    ended = siegel("audit", "watch", story.desk.book.folder, "--once", "--keybox", story.folder / "box")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "NEW  books: missing: a data key of photos/film.mp4 was unwrapped" in ended.stdout


def test_a_watch_whose_books_cannot_be_read_says_that_and_accuses_nobody(story):
    story.publish()
    for _ in range(2):
        ended = siegel("audit", "watch", story.desk.book.folder, "--once", "--keybox", story.folder / "nope")
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert "NOT CHECKED: " in ended.stdout
        assert "nope cannot be read" in ended.stdout
    # What is against the ledger counts for more.
    story.now_ms += 7_200_000
    (story.desk.book.folder / "audit.toml").write_text(f'from = "{story.desk.ledger}"\nmax_age_s = 1\n')
    ended = siegel("audit", "watch", story.desk.book.folder, "--once", "--keybox", story.folder / "nope")
    assert (ended.returncode, "findings stand" in ended.stdout) == (3, True)


def test_a_book_that_is_named_twice_is_refused(story):
    story.publish()
    box = ("--keybox", story.folder / "box")
    ended = reconcile(story, *box, *box)
    assert (ended.returncode, ended.stdout, "is named twice" in ended.stderr) == (253, "", True)
