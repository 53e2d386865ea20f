"""The SQLite store between processes and over their deaths: one writer at a time, nothing acknowledged is lost."""

import asyncio
import signal
import sys

import pytest
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_version, entry, start_writer, write

from siegel.domain.configuration import OwnershipControls, PublicAccessBlock
from siegel.domain.errors import ConfigurationError, SiegelError, StorageError
from siegel.domain.objects import Lock
from siegel.domain.records import Kind, bucket_scope, decode_document
from siegel.drivers.meta import sqlite_schema
from siegel.drivers.meta.sqlite import create_store, open_store
from siegel.drivers.meta.sqlite_connection import PAGE_BYTES, connect, require_sqlite
from siegel.service.recent import RecentObjects

KEY = bytes(range(32))


@pytest.fixture
def directory(tmp_path):
    create_store(tmp_path, KEY, ManualClock()).close()
    return tmp_path


def open_here(directory):
    return open_store(directory, KEY, ManualClock())


def kept_names(store):
    return {version.object_key for version in store.reader.objects.scan_current(BUCKET, "", None, 100_000)} - {"counter"}


def journaled_names(store):
    return [kept.request_id for _, batch in store.entries(0, 100_000) for kept in batch]


def counted(store):
    return int(store.reader.objects.find_current(BUCKET, "counter", with_body=True).body)


# Several processes.


def test_two_processes_write_at_once_and_lose_nothing(directory):
    writers = [start_writer(directory, name, 150) for name in ("left", "right")]
    acknowledged = [name for writer in writers for name in writer.communicate(timeout=60)[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0]
    store = open_here(directory)
    assert len(acknowledged) == 300
    assert kept_names(store) == set(acknowledged)
    assert sorted(journaled_names(store)) == sorted(acknowledged)
    assert counted(store) == 300
    store.close()


def test_an_acknowledged_write_is_seen_at_once_by_another_process(directory):
    ours = open_here(directory)
    writer = start_writer(directory, "other", 200)
    for line in writer.stdout:
        assert ours.reader.objects.find_current(BUCKET, line.strip()) is not None
    writer.stdout.close()
    assert writer.wait(60) == 0
    ours.close()


def test_a_killed_process_takes_nothing_acknowledged_along_and_leaves_no_half_request(directory):
    survivor = start_writer(directory, "survivor", 300)
    victim = start_writer(directory, "victim", 100_000)
    acknowledged = [victim.stdout.readline().strip() for _ in range(120)]
    victim.kill()
    acknowledged += victim.communicate()[0].split("\n")[:-1]
    acknowledged += survivor.communicate(timeout=60)[0].split()
    assert survivor.returncode == 0
    store = open_here(directory)
    names = kept_names(store)
    assert set(acknowledged) <= names
    # Object, counter and entry of each request are there together, acknowledged or not.
    assert sorted(journaled_names(store)) == sorted(names)
    assert counted(store) == len(names)
    write(store, lambda writer: writer.objects.insert(a_version("after", 1), b""))
    store.close()


def test_two_stores_of_one_process_share_the_generation(directory):
    left, right = open_here(directory), open_here(directory)
    before = right.generation()
    write(left, lambda writer: writer.invalidate())
    assert left.generation() == right.generation() != before
    left.close()
    right.close()


def test_a_process_that_dies_between_commit_and_count_leaves_nobody_trusting_their_memory(directory):
    store = open_here(directory)
    before = store.generation()
    generation = directory / "generation"
    generation.write_bytes((int.from_bytes(generation.read_bytes(), sys.byteorder) | 1).to_bytes(8, sys.byteorder))
    assert len({before, store.generation(), store.generation(), store.generation()}) == 4
    write(store, lambda writer: None)
    assert store.generation() == store.generation() == before + 2
    store.close()


# What is remembered of objects.


def remembered(store):
    """Return a function that reads `counter` as a worker does, from memory where that stands; and what counts real reads."""
    reads = []

    class Objects:
        def find_current(self, *args, **named):
            reads.append(args)
            return store.reader.objects.find_current(*args, **named)

    recent = RecentObjects(Objects(), store.object_changes)
    return lambda: recent.find(BUCKET, "counter", with_body=True), reads


def fresh_counter(store):
    return store.reader.objects.find_current(BUCKET, "counter", with_body=True)


@pytest.mark.parametrize("moment", ["meta.before_commit", "meta.after_commit"])
def test_a_writer_that_dies_around_its_commit_leaves_nobody_with_an_old_object(directory, moment):
    store = open_here(directory)
    find, reads = remembered(store)
    write(store, lambda writer: writer.objects.insert(a_version("counter"), b"0"))
    for batch in 1, 2, 3:
        before = find()
        victim = start_writer(directory, f"victim{batch}", 1000, f"{moment}:{batch}")
        victim.communicate(timeout=60)
        assert victim.returncode == -signal.SIGKILL
        assert find() == fresh_counter(store)
        changed = moment == "meta.after_commit" or batch > 1
        assert (find().version_id != before.version_id) == changed
        # The next transaction, whatever it is about, settles what the dead one left: then it is remembered again.
        write(store, lambda writer: None, entry())
        assert find() == fresh_counter(store)
        reads.clear()
        find()
        assert reads == []
    store.close()


def test_an_acknowledged_write_of_another_process_is_never_hidden_by_memory(directory):
    store = open_here(directory)
    find, _ = remembered(store)
    write(store, lambda writer: writer.objects.insert(a_version("counter"), b"0"))
    writer = start_writer(directory, "other", 200)
    for acknowledged, _line in enumerate(writer.stdout, 1):
        assert int(find().body) >= acknowledged
    writer.stdout.close()
    assert writer.wait(60) == 0
    assert int(find().body) == 200
    store.close()


def test_a_map_that_lost_its_count_in_a_loss_of_power_is_trusted_again(directory):
    store = open_here(directory)
    for number in range(20):
        write(store, lambda writer, number=number: writer.objects.insert(a_version("counter", number), b"0"))
    store.close()
    stale = bytearray((directory / "changes").read_bytes())
    stale[:8] = bytes(8)
    (directory / "changes").write_bytes(stale)
    store = open_here(directory)
    find, reads = remembered(store)
    write(store, lambda writer: None, entry())
    assert find() == find() == find() == fresh_counter(store)
    assert len(reads) == 2
    store.close()


def test_a_missing_map_is_made_anew(directory):
    (directory / "changes").unlink()
    store = open_here(directory)
    find, reads = remembered(store)
    write(store, lambda writer: writer.objects.insert(a_version("counter"), b"0"))
    assert find() == find() == find() == fresh_counter(store)
    assert len(reads) == 2
    store.close()


def test_a_damaged_map_is_named(directory):
    (directory / "changes").write_bytes(b"\xff" * 8 * 100)
    with pytest.raises(StorageError, match="changes is damaged: it holds no data, remove it"):
        open_here(directory)


# Opening.


def test_the_right_key_opens_what_was_kept(directory):
    store = open_here(directory)
    write(store, lambda writer: writer.objects.insert(a_version(), b"body"), entry())
    store.close()
    store = open_here(directory)
    assert store.reader.objects.find_current(BUCKET, "a", with_body=True).body == b"body"
    assert journaled_names(store) == ["r1"]
    store.close()


def test_a_wrong_key_is_named(directory):
    with pytest.raises(ConfigurationError, match="wrong root key"):
        open_store(directory, bytes(32), ManualClock())


def test_a_key_of_a_wrong_size_is_named(directory):
    with pytest.raises(ConfigurationError, match="31 bytes, 32 are needed"):
        open_store(directory, bytes(31), ManualClock())


def test_a_missing_database_is_not_made_by_opening(tmp_path):
    with pytest.raises(ConfigurationError, match="initialised"):
        open_store(tmp_path, KEY, ManualClock())
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_not_made_over_another(directory):
    with pytest.raises(ConfigurationError, match="exists already"):
        create_store(directory, KEY, ManualClock())


def test_a_store_cannot_be_made_in_a_missing_directory(tmp_path):
    with pytest.raises(StorageError):
        create_store(tmp_path / "missing", KEY, ManualClock())


def test_a_newer_schema_is_refused(directory):
    connection = connect(directory / "siegel.db", KEY, cache_kib=100)
    connection.pragma("user_version", len(sqlite_schema.STEPS) + 1)
    connection.close()
    with pytest.raises(ConfigurationError, match="newer release"):
        open_here(directory)


def test_an_older_schema_is_brought_up_to_date(directory, monkeypatch):
    store = open_here(directory)
    write(store, lambda writer: writer.objects.insert(a_version(), b"body"))
    store.close()
    steps = (*sqlite_schema.STEPS, "CREATE TABLE addition (id INTEGER PRIMARY KEY)")
    monkeypatch.setattr("siegel.drivers.meta.sqlite.STEPS", steps)
    store = open_here(directory)
    assert store.reader.objects.find_current(BUCKET, "a") is not None
    store.close()
    connection = connect(directory / "siegel.db", KEY, cache_kib=100)
    assert connection.pragma("user_version") == len(steps)
    assert connection.table_exists("main", "addition")
    connection.close()


def test_a_database_of_the_first_release_is_brought_up_with_what_it_holds(tmp_path):
    (tmp_path / "siegel.db").touch()
    connection = connect(tmp_path / "siegel.db", KEY, cache_kib=100)
    sqlite_schema.migrate(connection, sqlite_schema.STEPS[:1])
    connection.execute("INSERT INTO credential VALUES ('SGL1', 'root', '1', 5, x'00')")
    connection.execute("INSERT INTO bucket VALUES (7, 'box', '1', 'r', 5, 'Enabled', NULL)")
    for table, marker in ("object", ""), ("past", "0, "):
        connection.execute(
            f"INSERT INTO {table} VALUES (7, x'61', {marker}x'01', 1, 0, 0, 5, 1, 1, 0, x'', 0, '', x'', x'', x'74')"
        )
    connection.execute("INSERT INTO upload VALUES ('u', 7, x'61', x'01', 5, 1, x'', x'', x'', '', '')")
    connection.close()
    store = open_here(tmp_path)
    reader = store.reader
    scope = bucket_scope(reader.buckets.find("box").bucket_id)
    block = decode_document(reader.records.find(scope, Kind.PUBLIC_ACCESS_BLOCK), PublicAccessBlock)
    ownership = decode_document(reader.records.find(scope, Kind.OWNERSHIP_CONTROLS), OwnershipControls)
    assert (block, ownership) == (PublicAccessBlock(), OwnershipControls())
    key = reader.identities.find_credential("SGL1")
    assert key.is_active
    assert key.user_name == ""
    current = reader.objects.find_current(7, "a")
    assert (current.sealed_tags, current.lock, current.retain_until_ms) == (b"t", Lock.NONE, 0)
    assert reader.uploads.find("u").lock is Lock.NONE
    store.close()


def test_a_step_that_fails_changes_nothing(directory, monkeypatch):
    monkeypatch.setattr("siegel.drivers.meta.sqlite.STEPS", (*sqlite_schema.STEPS, "CREATE TABLE addition (id)", "not SQL"))
    with pytest.raises(StorageError):
        open_here(directory)
    monkeypatch.undo()
    open_here(directory).close()


def test_another_processs_migration_meanwhile_is_noticed(directory):
    connection = connect(directory / "siegel.db", KEY, cache_kib=100)
    connection.pragma("user_version", 99)
    with pytest.raises(ConfigurationError, match="newer release"):
        sqlite_schema.migrate(connection, sqlite_schema.STEPS)
    connection.close()


@pytest.mark.parametrize(
    ("version", "cipher", "message"),
    [("3.51.2", "2.0", "3.51.3 or newer"), ("3.40.1", "2.0", "too old"), ("3.54.0", None, "apsw-sqlite3mc")],
)
def test_a_sqlite_that_will_not_do_is_named(version, cipher, message):
    with pytest.raises(ConfigurationError, match=message):
        require_sqlite(version, cipher)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.0", "4.0"])
def test_a_sqlite_that_will_do_is_taken(version):
    require_sqlite(version, "2.0")


@pytest.mark.parametrize("name", ["commit.lock", "generation", "changes"])
def test_t56_a_link_in_place_of_a_file_of_ours_is_not_followed(directory, tmp_path_factory, name):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "target"
    elsewhere.write_bytes(b"untouched")
    (directory / name).unlink()
    (directory / name).symlink_to(elsewhere)
    with pytest.raises(StorageError):
        open_here(directory)
    assert elsewhere.read_bytes() == b"untouched"


# What is on the disk.


def test_the_database_is_for_its_owner_alone(directory):
    store = open_here(directory)
    write(store, lambda writer: writer.objects.insert(a_version(), b"body"))
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
    store.close()


def test_no_name_and_no_body_is_on_the_disk_in_clear(directory):
    store = open_here(directory)
    canary = "canary-0123456789-canary"
    write(store, lambda w: w.objects.insert(a_version(canary, etag=canary), canary.encode() * 500), entry(object_key=canary))
    in_log = [path.read_bytes() for path in directory.iterdir()]
    store.close()
    in_database = [path.read_bytes() for path in directory.iterdir()]
    assert max(map(len, in_log)) > 10_000
    assert not any(canary[:12].encode() in data for data in in_log + in_database)


def everything(store):
    """All that the store holds, by every way of asking."""
    found = store.reader.objects.scan_versions(BUCKET, "", None, None, 1000)
    bodies = [store.reader.objects.find_version(BUCKET, v.object_key, v.version_id, with_body=True).body for v in found]
    return found, bodies, store.reader.objects.scan_current(BUCKET, "", None, 1000), store.entries(0, 1000)


def test_a_changed_page_is_an_error_and_never_other_data(directory):
    store = open_here(directory)

    async def fill():
        for batch in range(4):
            await asyncio.gather(
                *(
                    store.write(lambda w, n=n: w.objects.insert(a_version(f"k{n % 20}", n), b"%d" % n * 500), entry(str(n)))
                    for n in range(batch * 10, batch * 10 + 10)
                )
            )

    asyncio.run(fill())
    truth = everything(store)
    store.close()
    path = directory / "siegel.db"
    whole = path.read_bytes()
    refused = 0
    for place in range(1, len(whole), 1009):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            store = open_here(directory)
        except SiegelError:
            refused += 1
            continue
        try:
            assert everything(store) == truth
        except StorageError:
            refused += 1
        store.close()
        for leftover in ("siegel.db-wal", "siegel.db-shm"):
            (directory / leftover).unlink(missing_ok=True)
    # Pages of the indices, of free space and of the schema's unread tables are not asked for by `everything`.
    assert refused > 10


def test_swapped_pages_are_an_error(directory):
    store = open_here(directory)
    for number in range(40):
        write(store, lambda w, n=number: w.objects.insert(a_version(f"k{n:02}", n), b"%d" % n * 2000))
    truth = everything(store)
    store.close()
    path = directory / "siegel.db"
    whole = path.read_bytes()
    pages = [whole[at : at + PAGE_BYTES] for at in range(0, len(whole), PAGE_BYTES)]
    pages[-1], pages[-2] = pages[-2], pages[-1]
    path.write_bytes(b"".join(pages))
    store = open_here(directory)
    with pytest.raises(StorageError):
        assert everything(store) == truth
    store.close()


def test_a_torn_log_loses_only_what_was_not_acknowledged(directory):
    """A log that ends in the middle of a batch, as a power failure leaves it, is read up to the last whole batch."""
    store = open_here(directory)
    for number in range(5):
        write(store, lambda w, n=number: w.objects.insert(a_version(f"k{n}", n), b"x" * 5000))
    snapshot = {name: (directory / name).read_bytes() for name in ("siegel.db", "siegel.db-wal")}
    store.close()
    for name, data in snapshot.items():
        (directory / name).write_bytes(data[:-100] if name.endswith("wal") else data)
    store = open_here(directory)
    assert [v.object_key for v in store.reader.objects.scan_current(BUCKET, "", None, 10)] == ["k0", "k1", "k2", "k3"]
    write(store, lambda w: w.objects.insert(a_version("k4", 4), b"again"))
    store.close()


def test_the_log_is_folded_in_while_others_read_all_the_time(directory, monkeypatch):
    monkeypatch.setattr("siegel.drivers.meta.sqlite_engine.CHECKPOINT_PAGES", 50)
    monkeypatch.setattr("siegel.drivers.meta.sqlite_engine.CHECKPOINT_AGAIN_PAGES", 20)
    store = open_here(directory)
    largest = 0
    for number in range(200):
        write(store, lambda w, n=number: w.objects.insert(a_version(f"k{n}", n), b"x" * 20_000))
        store.reader.objects.find_current(BUCKET, f"k{number // 2}", with_body=True)
        largest = max(largest, (directory / "siegel.db-wal").stat().st_size)
    store.close()
    assert largest < 120 * 4200
    assert not (directory / "siegel.db-wal").exists()


@pytest.mark.parametrize("name", ["by its id", "the null version"])
def test_a_version_that_becomes_the_current_one_is_seen_at_every_moment(directory, name):
    reader, writer = open_here(directory), open_here(directory)
    kept = write(writer, lambda tx: tx.objects.insert(a_version(number=1, is_null=name != "by its id"), b"kept"))
    newest = write(writer, lambda tx: tx.objects.insert(a_version(number=2), b"newest"))
    statements = reader.reader.objects._statements
    read, happened = statements.rows, []

    def read_and_change(*args):
        rows = read(*args)
        if not happened:
            happened.append(write(writer, lambda tx: tx.objects.remove(newest, [])))
        return rows

    statements.rows = read_and_change
    wanted = kept.version_id if name == "by its id" else None
    found = reader.reader.objects.find_version(BUCKET, kept.object_key, wanted, with_body=True)
    assert found is not None
    assert (found.version_id, found.body) == (kept.version_id, b"kept")
    assert happened
    reader.close()
    writer.close()
