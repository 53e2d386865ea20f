"""Counts and sizes over a store in memory: what is in the sums, and that no name is in what operators see."""

import asyncio
import json

import pytest
from tests.contract.meta_fixtures import a_bucket, a_marker, a_part, a_version, an_upload, identifier, write
from tests.unit.service.ledger_books import ACCOUNT, OTHER, Books

from siegel.domain.consents import Operator
from siegel.domain.errors import StorageError
from siegel.domain.objects import Account
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import parse_note
from siegel.service import sizes as module
from siegel.service.sizes import TOTAL, Overview, Sizes, SizeSteward, find_sizes

OPERATOR = Operator("operator/one", "00000000000000AA", "192.0.2.1")


class Place(Books):
    """Two accounts, the first of which has what `fill` puts there."""

    def __init__(self):
        super().__init__()
        for account_id, name in ((ACCOUNT, "secret-customer"), (OTHER, "other-customer")):
            account = Account(account_id=account_id, name=name, created_at_ms=1, sealed_keys=b"")
            write(self.store, lambda tx, account=account: tx.identities.insert_account(account))
        self.sizes = SizeSteward(self.store, self.clock)
        self.overview = Overview(self.store, self.store, self.clock)

    def bucket(self, name, account_id=ACCOUNT):
        return write(self.store, lambda tx: tx.buckets.insert(a_bucket(name, account_id))).bucket_id

    def insert(self, *versions):
        for version in versions:
            write(self.store, lambda tx, version=version: tx.objects.insert(version, None))

    def count(self):
        return asyncio.run(self.sizes.run_once())

    def shown(self, after=""):
        return asyncio.run(self.overview.list(after, OPERATOR, "admin.sizes.list"))


@pytest.fixture
def place():
    return Place()


def test_versions_count_markers_do_not_and_current_ones_are_objects(place, monkeypatch):
    # Pages so short that each border between two of them is met.
    monkeypatch.setattr(module, "ROWS_PER_SLICE", 2)
    film, empty = place.bucket("secret-film"), place.bucket("secret-empty")
    assert film != empty
    place.insert(
        a_version("a", 1, bucket_id=film, size_bytes=1),
        a_version("a", 2, bucket_id=film, size_bytes=10),
        a_version("a", 3, bucket_id=film, size_bytes=100),
        a_version("b", 4, bucket_id=film, size_bytes=1000),
        a_marker("b", 5, bucket_id=film),
        a_marker("c", 6, bucket_id=film),
        a_version("d", 7, bucket_id=film, size_bytes=10_000),
    )
    assert place.count() == find_sizes(place.store.reader, TOTAL)
    found = find_sizes(place.store.reader, ACCOUNT)
    assert found == Sizes(counted_at_ms=place.clock.ms, buckets=2, objects=2, versions=5, size_bytes=11_111)
    assert find_sizes(place.store.reader, OTHER) == Sizes(counted_at_ms=place.clock.ms)


def test_parts_of_uploads_in_progress_count_apart(place, monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_SLICE", 2)
    box = place.bucket("box")
    for number in range(3):
        upload_id = f"u{number}"
        write(place.store, lambda tx, upload_id=upload_id: tx.uploads.insert(an_upload(upload_id, "a", bucket_id=box)))
        for part in range(1, 4):
            one = a_part(upload_id, part, blob=10 * number + part)
            write(place.store, lambda tx, one=one: tx.uploads.put_part(one))
    size_bytes = a_part().size_bytes
    place.count()
    found = find_sizes(place.store.reader, ACCOUNT)
    assert (found.uploads, found.uploaded_bytes, found.versions) == (3, 9 * size_bytes, 0)


def test_the_total_is_of_all_accounts_and_their_logs(place):
    place.insert(a_version("a", 1, bucket_id=place.bucket("one"), size_bytes=3))
    place.insert(a_version("a", 2, bucket_id=place.bucket("two", OTHER), size_bytes=4, data_id=identifier(2)))
    place.note(account_id=ACCOUNT)
    place.note(account_id=OTHER)
    place.round()
    total = place.count()
    assert (total.buckets, total.objects, total.size_bytes, total.entries) == (2, 2, 7, 2)
    shown = place.shown()
    assert shown["total"]["size_bytes"] == 7
    assert [each["sizes"]["size_bytes"] for each in shown["accounts"]] == [3, 4]


def test_before_the_first_count_nothing_is_said_rather_than_nothing_stored(place):
    place.bucket("box")
    shown = place.shown()
    assert shown["total"] is None
    assert [(each["sizes"], each["ledger"]) for each in shown["accounts"]] == [(None, None)] * 2
    place.count()
    counted_at = place.shown()["accounts"][0]["sizes"]["counted_at"]
    place.clock.ms += 3_600_000
    assert place.shown()["accounts"][0]["sizes"]["counted_at"] == counted_at == "2027-01-15T08:00:00Z"


def test_no_name_of_a_customer_is_shown(place):
    place.insert(a_version("secret-key", 1, bucket_id=place.bucket("secret-bucket")))
    place.note(account_id=ACCOUNT, object_key="secret-key", bucket="secret-bucket", principal="secret-person")
    place.round()
    place.count()
    assert "secret" not in json.dumps(place.shown())


def test_heads_and_who_has_signed_them(place):
    place.note(account_id=ACCOUNT)
    place.round()
    log = place.store.reader.ledgers.find(ACCOUNT)
    head = {"entries": 1, "signed_at": "2027-01-15T08:00:00Z"}
    assert place.shown()["accounts"][0]["ledger"] == {"origin": log.origin, "head": head, "witnessed": None}
    lines = [SignerKey(f"w{number}.example", Algorithm.ED25519, bytes([number]) * 32).sign_text("x") for number in (2, 1)]
    note = parse_note(log.checkpoint).with_signatures(*lines).encode()
    write(place.store, lambda tx: tx.ledgers.put_witnessed(log.log_id, 1, log.signed_at_ms, note))
    witnessed = place.shown()["accounts"][0]["ledger"]["witnessed"]
    assert witnessed == {**head, "witnesses": ["w1.example", "w2.example"]}


def test_accounts_come_in_pages_and_each_page_is_an_entry_of_the_deployment(place, monkeypatch):
    monkeypatch.setattr(module, "ACCOUNTS_PER_PAGE", 1)
    first = place.shown()
    assert ([each["account_id"] for each in first["accounts"]], first["next"]) == ([ACCOUNT], ACCOUNT)
    second = place.shown(first["next"])
    assert ([each["account_id"] for each in second["accounts"]], second["next"]) == ([OTHER], "")
    entries = [entry for _, batch in place.store.entries(0, 10) for entry in batch]
    assert [(entry.kind, entry.account_id, entry.principal, entry.source) for entry in entries] == [
        ("admin.sizes.list", "", "operator/one", "192.0.2.1")
    ] * 2


def test_sums_rest_as_the_page_says_and_damage_is_no_zero(place):
    place.bucket("box")
    place.clock.ms = 5
    place.count()
    stored = place.store.reader.records.find(DEPLOYMENT_SCOPE, Kind.SIZES, ACCOUNT)
    assert stored.hex() == "9901050100000000" + "0000"
    write(place.store, lambda tx: tx.records.put(DEPLOYMENT_SCOPE, Kind.SIZES, ACCOUNT, stored[:-1]))
    with pytest.raises(StorageError):
        place.shown()
