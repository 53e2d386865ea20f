"""Group commit by itself: who waits with whom, and what happens when its parts fail in ways a database seldom does."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from siegel.domain.entry import Entry
from siegel.domain.errors import StorageError
from siegel.drivers.meta import group_commit
from siegel.drivers.meta.group_commit import GroupCommit
from siegel.drivers.meta.process_lock import ProcessLock

ENTRY = Entry(0, "r", "GetObject", "1", "root", "box")


class FakeEngine:
    """A transaction is a list of what its changes returned; `batches` are those that were committed."""

    def __init__(self):
        self.batches = []
        self.recorded = []
        self.checkpoints = 0
        self.checkpoint_due = False
        self.fail = {}
        self.gate = threading.Event()
        self.gate.set()
        self.open = None

    def _may_fail(self, step):
        error = self.fail.pop(step, None)
        if error is not None:
            raise error

    def begin(self):
        self._may_fail("begin")
        self.open = []

    def apply(self, change, entry):
        try:
            result = change(self)
        except MemoryError:
            self.open = None
            raise
        self.open.append(result)
        return result, entry

    def is_open(self):
        return self.open is not None

    def record(self, entries):
        self._may_fail("record")
        self.recorded.append(len(entries))

    def commit(self):
        assert self.gate.wait(10)
        self._may_fail("commit")
        self.batches.append(self.open)
        self.open = None

    def rollback(self):
        self.open = None

    def is_checkpoint_due(self):
        return self.checkpoint_due

    def checkpoint(self):
        assert self.gate.wait(10)
        self.checkpoints += 1


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def lock(tmp_path):
    made = ProcessLock(tmp_path / "lock")
    yield made
    made.close()


@pytest.fixture
def group(engine, lock):
    made = GroupCommit(engine, lock)
    yield made
    engine.gate.set()
    made.close()


async def turns_of_the_loop():
    """Let the event loop go round until a batch has begun."""
    for _ in range(3):
        await asyncio.sleep(0)


def value(number):
    return lambda writer: number


async def several(group, numbers):
    return await asyncio.gather(*(group.submit(value(n), ENTRY) for n in numbers), return_exceptions=True)


def test_all_that_one_turn_of_the_loop_asks_for_is_one_batch(group, engine):
    assert asyncio.run(several(group, range(10))) == list(range(10))
    assert engine.batches == [list(range(10))]
    assert (group.commits, group.changes, group.entries) == (1, 10, 10)


def test_what_comes_during_a_commit_is_the_next_batch(group, engine):
    async def story():
        engine.gate.clear()
        first = group.submit(value(1), None)
        await turns_of_the_loop()
        rest = [group.submit(value(n), None) for n in (2, 3)]
        await turns_of_the_loop()
        assert not first.done()
        engine.gate.set()
        assert await asyncio.gather(first, *rest) == [1, 2, 3]

    asyncio.run(story())
    assert engine.batches == [[1], [2, 3]]


def test_a_batch_has_a_limit(group, engine, monkeypatch):
    monkeypatch.setattr(group_commit, "BATCH_CHANGES_MAX", 4)
    monkeypatch.setattr(group_commit, "BATCH_ENTRIES_MAX", 6)
    assert asyncio.run(several(group, range(10))) == list(range(10))
    assert [len(batch) for batch in engine.batches] == [4, 4, 2]

    async def entries_alone():
        await asyncio.gather(*(group.submit(None, ENTRY) for _ in range(10)))

    asyncio.run(entries_alone())
    assert engine.recorded[-2:] == [6, 4]


def test_a_batch_waits_shorter_after_each_wait_in_vain_and_longest_where_all_came(group, engine, monkeypatch):
    # Whoever was answered is expected for as long as this test takes.
    monkeypatch.setattr(group_commit, "time", SimpleNamespace(monotonic=lambda: 0.0))
    waits = []

    async def story():
        loop = asyncio.get_running_loop()

        def call_later(delay_s, *step):
            waits.append(delay_s)
            return asyncio.BaseEventLoop.call_later(loop, delay_s, *step)

        monkeypatch.setattr(loop, "call_later", call_later)
        for _ in range(4):
            await several(group, range(3))
            await group.submit(value(3), ENTRY)
        await several(group, range(3))
        first = group.submit(value(0), ENTRY)
        await turns_of_the_loop()
        assert not engine.open
        await asyncio.gather(first, several(group, range(1, 3)))
        await group.submit(value(3), ENTRY)

    asyncio.run(story())
    assert [len(batch) for batch in engine.batches] == [3, 1, 3, 1, 3, 1, 3, 1, 3, 3, 1]
    longest, shortest = group_commit.GATHER_S_MAX, group_commit.GATHER_S_MIN
    assert waits == [longest, longest / 2, shortest, shortest, shortest, longest]


def test_clients_are_expected_from_when_their_answers_are_made(group, engine, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr(group_commit, "time", SimpleNamespace(monotonic=lambda: now_s))

    async def answered(number):
        nonlocal now_s
        await group.submit(value(number), ENTRY)
        # A long answer: nobody can ask again while it is made.
        now_s += 10 * group_commit.GATHER_S_MAX

    async def story():
        await asyncio.gather(*(answered(n) for n in range(3)))
        first = group.submit(value(0), ENTRY)
        await turns_of_the_loop()
        assert not engine.open
        await asyncio.gather(first, several(group, range(1, 3)))

    asyncio.run(story())
    assert [len(batch) for batch in engine.batches] == [3, 3]


def test_a_batch_without_entries_has_no_journal_row(group, engine):
    async def story():
        return await group.submit(value(1), None)

    asyncio.run(story())
    assert engine.recorded == []


@pytest.mark.parametrize("step", ["begin", "record", "commit"])
@pytest.mark.parametrize("error", [StorageError("refused"), ZeroDivisionError("surprise")])
def test_a_failure_of_any_step_fails_this_batch_and_not_the_next(group, engine, lock, step, error):
    engine.fail[step] = error
    results = asyncio.run(several(group, range(3)))
    assert all(type(result) is StorageError for result in results)
    assert error.args[0] in str(results[0])
    assert len(set(map(id, results))) == 3
    assert group.commits == 0
    assert asyncio.run(several(group, range(3))) == [0, 1, 2]
    assert lock.try_acquire()
    lock.release()


def test_many_failing_batches_follow_each_other(group, engine, monkeypatch):
    monkeypatch.setattr(group_commit, "BATCH_CHANGES_MAX", 1)

    def refuse():
        raise StorageError("always")

    monkeypatch.setattr(engine, "begin", refuse)
    results = asyncio.run(several(group, range(500)))
    assert {type(result) for result in results} == {StorageError}


def test_a_change_that_takes_the_transaction_along_fails_the_batch(group, engine):
    def lose(writer):
        raise MemoryError

    async def story():
        return await asyncio.gather(
            group.submit(value(1), None), group.submit(lose, None), group.submit(value(2), None), return_exceptions=True
        )

    assert {type(result) for result in asyncio.run(story())} == {StorageError}
    assert engine.batches == []


def test_a_batch_of_refusals_alone_is_not_committed(group, engine):
    def refuse(writer):
        raise KeyError

    async def story():
        return await asyncio.gather(*(group.submit(refuse, ENTRY) for _ in range(3)), return_exceptions=True)

    assert {type(result) for result in asyncio.run(story())} == {KeyError}
    assert engine.batches == []


def test_a_refusal_waits_for_the_commit_it_rests_on(group, engine):
    def refuse(writer):
        raise KeyError

    async def story():
        engine.fail["commit"] = StorageError("disk")
        return await asyncio.gather(group.submit(value(1), None), group.submit(refuse, None), return_exceptions=True)

    assert {type(result) for result in asyncio.run(story())} == {StorageError}


def test_a_change_that_stops_an_iteration_is_an_error_for_its_caller_alone(group):
    async def story():
        return await asyncio.gather(
            group.submit(lambda writer: next(iter(())), None), group.submit(value(1), None), return_exceptions=True
        )

    stopped, one = asyncio.run(story())
    assert isinstance(stopped, RuntimeError)
    assert one == 1


def test_those_who_have_gone_before_the_batch_are_left_out(group, engine):
    async def story():
        gone = [group.submit(value(n), None) for n in range(3)]
        for future in gone:
            future.cancel()
        await turns_of_the_loop()
        stays = group.submit(value(9), None)
        gone_too = group.submit(value(10), None)
        gone_too.cancel()
        return await stays

    assert asyncio.run(story()) == 9
    assert engine.batches == [[9]]


def test_those_who_go_during_the_commit_harm_nobody(group, engine):
    async def story():
        engine.gate.clear()
        gone, stays = group.submit(value(1), None), group.submit(value(2), None)
        await turns_of_the_loop()
        gone.cancel()
        engine.gate.set()
        return await stays

    assert asyncio.run(story()) == 2
    assert engine.batches == [[1, 2]]


def test_a_lock_held_elsewhere_is_waited_for(group, engine, tmp_path):
    other = ProcessLock(tmp_path / "lock")
    assert other.try_acquire()

    async def story():
        waiting = group.submit(value(1), None)
        await turns_of_the_loop()
        assert not waiting.done()
        more = group.submit(value(2), None)
        other.release()
        return await asyncio.gather(waiting, more)

    assert asyncio.run(story()) == [1, 2]
    assert engine.batches == [[1, 2]]
    other.close()


def test_a_checkpoint_holds_back_the_next_batch_and_not_the_answer(group, engine):
    async def story():
        engine.checkpoint_due = True
        assert await group.submit(value(1), None) == 1
        engine.checkpoint_due = False
        assert await group.submit(value(2), None) == 2

    asyncio.run(story())
    assert engine.checkpoints == 1
    assert engine.batches == [[1], [2]]


def test_an_event_loop_may_end_while_a_commit_runs(group, engine, lock):
    async def leave_early():
        engine.gate.clear()
        group.submit(value(1), None)
        await turns_of_the_loop()
        group.submit(value(2), None)

    asyncio.run(leave_early())
    engine.gate.set()
    assert asyncio.run(several(group, [3])) == [3]
    assert engine.batches == [[1], [3]]
    assert lock.try_acquire()
    lock.release()


def test_an_event_loop_may_end_while_it_waits_for_the_lock(group, engine, tmp_path):
    other = ProcessLock(tmp_path / "lock")
    assert other.try_acquire()

    async def leave_early():
        group.submit(value(1), None)
        await turns_of_the_loop()

    asyncio.run(leave_early())
    other.release()
    assert asyncio.run(several(group, [2])) == [2]
    assert engine.batches == [[2]]
    other.close()


def test_closing_finishes_the_commit_and_refuses_the_rest(group, engine):
    async def story():
        engine.gate.clear()
        begun = group.submit(value(1), None)
        await turns_of_the_loop()
        queued = group.submit(value(2), None)
        engine.gate.set()
        group.close()
        with pytest.raises(StorageError, match="closed"):
            group.submit(value(3), None)
        return await asyncio.gather(begun, queued, return_exceptions=True)

    first, second = asyncio.run(story())
    assert first == 1
    assert isinstance(second, StorageError)
    assert engine.batches == [[1]]


def test_closing_before_the_batch_began_refuses_it(group, engine):
    async def story():
        waiting = group.submit(value(1), None)
        group.close()
        return await asyncio.gather(waiting, return_exceptions=True)

    (refused,) = asyncio.run(story())
    assert isinstance(refused, StorageError)
    assert engine.batches == []


def test_closing_while_waiting_for_the_lock_refuses_what_waited(group, engine, tmp_path):
    other = ProcessLock(tmp_path / "lock")
    assert other.try_acquire()

    async def story():
        waiting = group.submit(value(1), None)
        await turns_of_the_loop()
        other.release()
        group.close()
        return await asyncio.gather(waiting, return_exceptions=True)

    (refused,) = asyncio.run(story())
    assert isinstance(refused, StorageError)
    other.close()


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        ProcessLock(tmp_path / "missing" / "lock")
