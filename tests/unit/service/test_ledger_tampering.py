"""1,000 kinds x places of tampering with a ledger as it is stored: rows, entries, openings, tiles, heads. All are found.

Each is found by the customer's auditor, who has verified the ledger before, or by the service itself, which then signs no
further head; a copy of the database from before is found by both.
"""

import copy

import pytest
from msgspec.structs import replace
from tests.unit.service.ledger_books import ACCOUNT, OTHER, Books

from siegel.customer.audit.book import initialise
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.findings import Report
from siegel.customer.audit.openings import check_openings
from siegel.customer.audit.sync import sync
from siegel.customer.audit.walk import audit
from siegel.domain.errors import SiegelError
from siegel.ledger.bundles import encode_bundle, entries_of

PATIENT = Promise(10**9, 10**9)


class Served:
    """The ledger as its account reads it from the service. What the service cannot read, it does not answer."""

    def __init__(self, books):
        self.books = books

    def get(self, path):
        return self.books.file(path)


class Stored:
    """A ledger of some runs and tiles beside another account's, and an auditor who has verified it."""

    def __init__(self, folder):
        self.books = Books()
        for count in (3, 200, 250, 147):
            self.books.note(count)
            self.books.note(2, OTHER)
            self.books.round()
            self.books.clock.ms += 1000
        vkeys = self.books.file("vkeys").decode().split()
        policy = "".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n"
        self.book = initialise(folder, "x", policy.encode(), PATIENT)
        assert sync(self.book, Served(self.books), self.now_s).report.findings == []
        self.trust = self.book.trust(self.book.mirror)
        before = self.book.before(self.trust)
        self.before = type(before)(before.checkpoint, before.signed_at_s)

    @property
    def now_s(self):
        return self.books.clock.ms // 1000

    def auditor_finds(self, books):
        try:
            report: Report = audit(Served(books), self.trust, self.before, self.now_s)
            check_openings(Served(books), 0, report)
        except SiegelError:
            return True
        return not report.holds() or report.unnamed > 0

    @staticmethod
    def service_finds(books):
        books = copy.deepcopy(books)
        books.note(1)
        try:
            return ACCOUNT in books.round(books.new_steward()).standing
        except SiegelError:
            return True


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Stored(tmp_path_factory.mktemp("audits") / "a")


def bent(data, place):
    return data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]


def places(data, count):
    return range(0, len(data), max(len(data) // count, 1))


def of_rows(books, log):
    """What can be done to the row of the log."""
    other = books.log(OTHER)
    for field in ("size", "head_size"):
        for value in (0, 1, 255, 256, log.size - 1, log.size + 1, log.size * 2):
            yield f"row {field} {value}", replace(log, **{field: value})
    for field in ("root", "checkpoint", "sealed_secrets", "origin", "account_id"):
        yield f"row {field} of another", replace(log, **{field: getattr(other, field)})
    for field in ("root", "checkpoint", "sealed_secrets"):
        data = getattr(log, field)
        for place in places(data, 60):
            yield f"row {field} bent at {place}", replace(log, **{field: bent(data, place)})
        for size in {0, 1, len(data) // 2, len(data) - 1}:
            yield f"row {field} cut to {size}", replace(log, **{field: data[:size]})


def of_runs(runs, foreign):
    """What can be done to a run: which row takes the place of which, None for none."""
    for run in runs:
        name = f"run {run.first}"
        yield f"{name} gone", run, None
        for field in ("first", "count"):
            for change in (-1, 1, 256):
                yield f"{name} {field} {change}", run, replace(run, **{field: max(getattr(run, field) + change, 0)})
        for field in ("entries", "sealed_openings"):
            data = getattr(run, field)
            for place in places(data, 40):
                yield f"{name} {field} bent at {place}", run, replace(run, **{field: bent(data, place)})
            for size in {0, 1, 2, len(data) // 2, len(data) - 1}:
                yield f"{name} {field} cut to {size}", run, replace(run, **{field: data[:size]})
            for other in (*runs, foreign):
                if other is not run:
                    yield f"{name} {field} of {other.first}", run, replace(run, **{field: getattr(other, field)})
        yield from of_entries(name, run)


def of_entries(name, run):
    each = entries_of(run.entries)
    for number in places(each, 12):
        before, one, after = each[:number], each[number], each[number + 1 :]
        other = each[(number + 1) % len(each)]
        changes = {
            "dropped": [*before, *after],
            "emptied": [*before, b"", *after],
            "dated back": [*before, one[:1] + bytes(8) + one[9:], *after],
            "of another request": [*before, one[:9] + bytes(8) + one[17:], *after],
            "doubled": [*before, one, one, *after],
            "exchanged": [*before, other, *after],
            "lengthened": [*before, one + b"\0", *after],
        }
        for what, changed in changes.items():
            if changed != each:
                yield f"{name} entry {number} {what}", run, replace(run, entries=encode_bundle(changed), count=len(changed))


def of_tiles(log_id, tiles):
    """What can be done to a tile above the entries."""
    for level, index, data in tiles:
        name = f"tile {level}/{index}"
        yield f"{name} gone", (log_id, level, index), None
        for place in range(len(data)):
            yield f"{name} bent at {place}", (log_id, level, index), bent(data, place)
        for size in (0, 1, 31, len(data) - 32, len(data) - 1):
            yield f"{name} cut to {size}", (log_id, level, index), data[:size]


def tampered(stored):
    """Yield what was done, and the books after it."""
    books = stored.books
    log = books.log()
    runs = books.store.reader.ledgers.runs(log.log_id, 0, log.size)
    (foreign, *_) = books.store.reader.ledgers.runs(books.log(OTHER).log_id, 0, 9)

    def copied():
        changed = copy.deepcopy(books)
        return changed, changed.store._tables

    for what, row in of_rows(books, log):
        changed, tables = copied()
        tables.logs.put((log.log_id,), row)
        yield what, changed
    for what, run, row in (one for one in of_runs(runs, foreign) if one[2] != one[1]):
        changed, tables = copied()
        tables.runs.remove((run.log_id, run.first))
        if row is not None:
            tables.runs.put((row.log_id, row.first), row)
        yield what, changed
    tiles = [(level, index, books.store.reader.ledgers.tile(log.log_id, level, index)) for level in (1,) for index in (0,)]
    assert all(data for *_, data in tiles)
    for what, place, data in of_tiles(log.log_id, tiles):
        changed, tables = copied()
        tables.tiles.remove(place)
        if data is not None:
            tables.tiles.put(place, data)
        yield what, changed


def test_a_thousand_ways_of_tampering_with_what_is_stored_are_all_found(stored):
    assert not stored.auditor_finds(stored.books)
    assert not stored.service_finds(stored.books)
    tried = {"auditor": 0, "service": 0}
    for what, books in tampered(stored):
        if stored.auditor_finds(books):
            tried["auditor"] += 1
        else:
            # What is shown to nobody, or what is needed for no signature that an auditor demands, the service itself finds.
            assert stored.service_finds(books), what
            tried["service"] += 1
    assert sum(tried.values()) >= 1000, tried
    assert tried["auditor"] >= 1000, tried


@pytest.mark.parametrize("count", [1, 300])
def test_a_database_that_was_put_back_is_found_by_both(stored, count):
    """The whole database of before, every row of it as it was: nothing in it is wrong, only old."""
    books = copy.deepcopy(stored.books)
    older = copy.deepcopy(books.store)
    books.note(count)
    books.round()
    report = audit(Served(books), stored.trust, stored.before, stored.now_s)
    assert report.holds()
    newest = type(stored.before)(_checkpoint(books), stored.before.signed_at_s)
    books.store = older
    books.reader._reader, books.reader._ledgers = older.reader, older.reader.ledgers
    assert not audit(Served(books), stored.trust, newest, stored.now_s).holds()
    books.note(1)
    assert "put back" in books.round(books.new_steward()).standing[ACCOUNT]


def _checkpoint(books):
    return books.checkpoint().checkpoint
