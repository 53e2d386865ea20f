"""What readers remember and hold is never older than the database, whoever writes, is undone, or dies at whatever moment."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from siegel.drivers.meta.entry_files import EntryFiles
from siegel.drivers.meta.generation import Generation
from siegel.drivers.meta.object_changes import SharedObjectChanges
from siegel.drivers.meta.sqlite import CHANGES_NAME, DATABASE_NAME, GENERATION_NAME, create_store
from siegel.drivers.meta.sqlite_connection import connect
from siegel.drivers.meta.sqlite_engine import SqliteEngine
from siegel.drivers.meta.sqlite_session import SqliteSession
from siegel.drivers.meta.sqlite_snapshot import HeldStatements
from siegel.drivers.meta.sqlite_statements import Statements
from siegel.service.recent import RecentObjects
from tests.contract.meta_fixtures import BUCKET, ManualClock, a_marker, a_version, entry, newest_of, write

KEY = bytes(32)
NAMES = ["a", "b"]
KINDS = ["put", "put", "amend", "amend", "amend", "mark", "remove"]
ENDINGS = ["commit", "commit", "commit", "rollback", "die before", "die after"]
WRITERS = 2
READERS = 3

names = st.sampled_from(NAMES)
writers = st.integers(0, WRITERS - 1)


class DiedError(Exception):
    """A process ends here: nothing of it runs any more."""


class Process:
    """What one process has of a store: what writes, what reads and holds, what reads the truth; its maps, its memory."""

    def __init__(self, directory):
        self._path, self._clock = directory / DATABASE_NAME, ManualClock()
        self.generation = Generation(directory / GENERATION_NAME)
        self.changes = SharedObjectChanges(directory / CHANGES_NAME)
        self.connection = self._connect()
        self.statements = HeldStatements(self.connection, self.changes)
        self.session = SqliteSession(self.statements, self._clock, self.generation, self.changes)
        self.fresh = self._connect()
        self.truth = SqliteSession(Statements(self.fresh), self._clock, self.generation, self.changes)
        self.recent = RecentObjects(self.session.objects, self.changes, 20_000)
        self.files = EntryFiles(directory, KEY, self._clock)
        self.engine = SqliteEngine(self._connect, self._clock, self.generation, self.changes, self.files)

    def _connect(self):
        return connect(self._path, KEY, cache_kib=100)

    def die(self):
        """End it as a kill does: what was open is gone, and nothing is counted any more."""
        connection, self.engine._connection = self.engine._connection, None
        connection.close(True)
        self.close()

    def close(self):
        self.engine.close()
        self.statements.release()
        self.connection.close()
        self.fresh.close()
        self.generation.close()
        self.changes.close()
        self.files.close()


class RememberedObjects(RuleBasedStateMachine):
    """Writers take turns under the lock, as the port says; readers read at every moment between their steps."""

    number = 0

    @initialize()
    def start(self):
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name)
        store = create_store(self.directory, KEY, ManualClock())
        for name in NAMES:
            write(store, lambda tx, name=name: tx.objects.insert(a_version(name, 1_000), b"first"))
        store.close()
        self.processes = [Process(self.directory) for _ in range(max(WRITERS, READERS))]
        self.open = None

    def teardown(self):
        if hasattr(self, "processes"):
            for process in self.processes:
                process.close()
            self.folder.cleanup()
            self.loop.close()

    @precondition(lambda self: self.open is None)
    @rule(writer=writers)
    def begin(self, writer):
        self.processes[writer].engine.begin()
        self.open = writer

    @precondition(lambda self: self.open is not None)
    @rule(name=names, what=st.sampled_from(KINDS), is_refused=st.sampled_from([False, False, False, True]))
    def change(self, name, what, is_refused):
        self.number += 1
        number = self.number

        def change(tx):
            newest = newest_of(tx.objects, BUCKET, name)
            if what == "put":
                tx.objects.insert(a_version(name, number), b"%d" % number)
            elif what == "mark":
                tx.objects.insert(a_marker(name, number), None)
            elif newest is not None and what == "remove":
                tx.objects.remove(newest, [])
            elif newest is not None:
                tx.objects.amend(newest, b"amended %d" % number)
            if is_refused:
                raise DiedError

        with suppress(DiedError):
            self.processes[self.open].engine.apply(change, None)

    @precondition(lambda self: self.open is not None)
    @rule(how=st.sampled_from(ENDINGS))
    def end(self, how):
        writer, process = self.open, self.processes[self.open]
        if how == "commit":
            process.engine.commit()
        elif how == "rollback":
            process.engine.rollback()
        else:
            if how == "die after":
                process.engine._connection.execute("COMMIT")
            process.die()
            self.read(but=writer)
            self.processes[writer] = Process(self.directory)
        self.open = None

    @precondition(lambda self: self.number % 7 == 6)
    @rule(count=st.integers(0, 200))
    def lose_power(self, count):
        """Everything ends, and of the map some pages come back as they were long before."""
        if self.open is not None:
            self.end("rollback")
        for process in self.processes:
            process.close()
        path = self.directory / CHANGES_NAME
        stale = bytearray(path.read_bytes())
        stale[:8] = max(0, int.from_bytes(stale[:8], "little") - count).to_bytes(8, "little")
        path.write_bytes(stale)
        self.processes = [Process(self.directory) for _ in self.processes]

    @invariant()
    def everybody_reads_what_is_committed(self):
        if hasattr(self, "processes"):
            self.read()

    @precondition(lambda self: self.open is None)
    @rule(writer=writers)
    def add_to_the_journal(self, writer):
        """What happens all the time, and ends nothing that is held."""
        engine = self.processes[writer].engine
        engine.begin()
        engine.record([entry()])
        engine.commit()

    def read(self, but=None):
        # Only where an event loop runs is anything held.
        self.loop.run_until_complete(self.read_all(but))

    async def read_all(self, but):
        for number, process in enumerate(self.processes):
            if number != but:
                for name in NAMES:
                    truth = process.truth.objects.find_current(BUCKET, name, with_body=True)
                    assert process.session.objects.find_current(BUCKET, name, with_body=True) == truth
                    assert process.recent.find(BUCKET, name, with_body=True) == truth


TestRememberedObjects = RememberedObjects.TestCase
TestRememberedObjects.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
