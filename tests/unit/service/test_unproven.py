"""Refusals of requests that prove nobody: each has an entry, or is counted by one; nothing signed is ever counted."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.unit.service.ledger_books import ManualClock

from siegel.access.caller import ANONYMOUS, Caller, CallerKind
from siegel.domain.errors import StorageError
from siegel.service import unproven
from siegel.service.trail import Trail
from siegel.service.unproven import (
    COUNTED,
    COUNTING,
    EACH_MAX,
    PREFLIGHTS_COUNTED,
    PREFLIGHTS_COUNTING,
    WINDOW_MS,
    Unproven,
)

ACCOUNT = "111122223333"
SIGNED = Caller(kind=CallerKind.ROOT, account_id=ACCOUNT, arn="arn:aws:iam::111122223333:root")


class Journal:
    """What is durable; `fails` refuses, `gate` lets it take its time."""

    def __init__(self):
        self.entries, self.fails, self.gate = [], False, None

    async def append(self, entry):
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise StorageError("the disk is full")
        self.entries += entry if isinstance(entry, tuple) else (entry,)

    def of(self, kind):
        return [entry for entry in self.entries if entry.kind == kind]


class Door:
    def __init__(self):
        self.clock, self.journal = ManualClock(), Journal()
        self.unproven = Unproven(self.journal, self.clock)
        self.asked = 0

    def trail(self, bucket=1, caller=ANONYMOUS, permit=""):
        self.asked += 1
        trail = Trail(self.clock.ms, f"{self.asked:016X}", "192.0.2.7")
        trail.account_id, trail.bucket, trail.bucket_id = ACCOUNT, f"box-{bucket}", bucket
        trail.caller, trail.kind, trail.permit = caller, "object.read", permit
        return trail

    async def refuse(self, count=1, reason="AccessDenied", status=403, **more):
        trails = [self.trail(**more) for _ in range(count)]
        for trail in trails:
            await self.unproven.append(trail, status, reason)
        return trails


@pytest.fixture
def door():
    return Door()


async def until(condition):
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def story(door, work):
    async def run():
        await work()
        await door.unproven.close()

    asyncio.run(run())


def test_a_few_have_an_entry_each(door):
    async def work():
        trails = await door.refuse(EACH_MAX)
        assert all(trail.has_entry for trail in trails)

    story(door, work)
    assert len(door.journal.entries) == EACH_MAX
    assert door.journal.of(COUNTING) == door.journal.of(COUNTED) == []


def test_a_flood_is_counted_by_its_reasons_and_nothing_is_unsaid(door):
    async def work():
        first = await door.refuse(EACH_MAX + 1)
        rest = [*await door.refuse(1000), *await door.refuse(7, "SignatureDoesNotMatch")]
        assert all(trail.has_entry for trail in first)
        assert not any(trail.has_entry for trail in rest)
        # Another bucket is another place.
        assert (await door.refuse(bucket=2))[0].has_entry

    story(door, work)
    (counting,), (counted,) = door.journal.of(COUNTING), door.journal.of(COUNTED)
    assert (counting.reason, counting.request_id) == ("60 s", f"{EACH_MAX + 1:016X}")
    assert counted.reason == "AccessDenied 1000, SignatureDoesNotMatch 7"
    assert (counted.account_id, counted.bucket, counted.bucket_id, counted.status) == (ACCOUNT, "box-1", 1, 403)
    assert (counted.principal, counted.request_id) == ("anonymous", "")
    own = door.journal.of("object.read")
    assert len(own) + 1007 == door.asked == EACH_MAX + 1 + 1007 + 1


def test_preflights_are_counted_like_refusals_and_apart_from_them(door):
    async def work():
        first = [*await door.refuse(EACH_MAX + 1, "", 200), *await door.refuse(EACH_MAX, "AccessForbidden")]
        assert all(trail.has_entry for trail in first)
        assert not any(trail.has_entry for trail in await door.refuse(500, "", 200))
        assert (await door.refuse(1, "AccessForbidden"))[0].has_entry

    story(door, work)
    (counting,), (counted,) = door.journal.of(PREFLIGHTS_COUNTING), door.journal.of(PREFLIGHTS_COUNTED)
    assert (counting.status, counting.reason) == (200, "60 s")
    assert (counted.status, counted.reason, counted.bucket_id) == (200, "allowed 500", 1)
    assert [entry.reason for entry in door.journal.of(COUNTED)] == ["none"]


VOUCHED_FOR = replace(ANONYMOUS, arn="idp.example:jane", federated_provider="arn:aws:iam::111122223333:oidc-provider/idp.example")


@pytest.mark.parametrize("more", [{"caller": SIGNED}, {"caller": VOUCHED_FOR}, {"permit": "everybody of bucket policy"}])
def test_what_is_signed_or_allowed_is_never_counted(door, more):
    async def work():
        await door.refuse(EACH_MAX + 2)
        assert all(trail.has_entry for trail in await door.refuse(300, **more))

    story(door, work)
    assert len(door.journal.of("object.read")) == EACH_MAX + 1 + 300


def test_what_is_said_of_the_count_has_the_status_of_what_is_counted(door):
    async def work():
        await door.refuse(EACH_MAX + 3, "InvalidIdentityToken", 400)

    story(door, work)
    assert [entry.status for kind in (COUNTING, COUNTED) for entry in door.journal.of(kind)] == [400, 400]


def test_nothing_is_counted_before_it_is_durable_that_there_is_counting(door):
    """So a kill at any moment loses no more than the log says: counts of the minute behind `refused.counting`."""

    async def work():
        await door.refuse(EACH_MAX)
        door.journal.gate = asyncio.Event()
        waiting = [asyncio.create_task(door.refuse()) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        assert len(door.journal.entries) == EACH_MAX
        door.journal.gate.set()
        for (trail,) in await asyncio.gather(*waiting):
            assert trail.has_entry
        door.journal.gate = None
        assert not (await door.refuse())[0].has_entry

    story(door, work)
    assert door.journal.of(COUNTED)[0].reason == "AccessDenied 1"
    # Said once, however many come before that is durable.
    assert len(door.journal.of(COUNTING)) == 1
    kinds = [entry.kind for entry in door.journal.entries]
    assert kinds.index(COUNTING) < kinds.index(COUNTED)


def test_a_minute_that_ends_while_that_is_written_down_has_its_number_too(door):
    """Else the log would say that the process was killed while it counted."""

    async def work():
        await door.refuse(EACH_MAX)
        door.journal.gate = asyncio.Event()
        telling = asyncio.create_task(door.refuse())
        await asyncio.sleep(0)
        (place,) = door.unproven._windows
        door.unproven._begin_to_end(place)
        door.journal.gate.set()
        assert (await telling)[0].has_entry

    story(door, work)
    assert len(door.journal.of(COUNTING)) == 1
    assert [entry.reason for entry in door.journal.of(COUNTED)] == ["none"]


def test_what_cannot_be_written_down_is_refused_and_not_counted(door):
    async def work():
        await door.refuse(EACH_MAX)
        door.journal.fails = True
        for _ in range(3):
            with pytest.raises(StorageError):
                await door.refuse()
        door.journal.fails = False
        assert (await door.refuse())[0].has_entry

    story(door, work)
    assert door.journal.of(COUNTED)[0].reason == "none"


def test_the_minute_ends_by_itself_and_the_next_begins_anew(door, monkeypatch):
    monkeypatch.setattr(unproven, "WINDOW_MS", 50)

    async def work():
        await door.refuse(EACH_MAX + 4)
        await until(lambda: door.journal.of(COUNTED))
        assert (await door.refuse())[0].has_entry
        # A minute in which little came leaves nothing.
        await until(lambda: not door.unproven._windows)

    story(door, work)
    assert [entry.reason for entry in door.journal.of(COUNTED)] == ["AccessDenied 3"]
    assert WINDOW_MS == 60_000


def test_counts_that_cannot_be_written_down_wait_for_the_next_minute(door, monkeypatch, caplog):
    monkeypatch.setattr(unproven, "WINDOW_MS", 50)

    async def work():
        await door.refuse(EACH_MAX + 4)
        door.journal.fails = True
        await until(lambda: "could not be written down, AccessDenied 3" in caplog.text)
        door.journal.fails = False
        await until(lambda: door.journal.of(COUNTED))

    story(door, work)
    assert [entry.reason for entry in door.journal.of(COUNTED)] == ["AccessDenied 3"]


def test_counts_join_those_of_a_minute_that_has_begun(door):
    async def work():
        await door.refuse(EACH_MAX + 4)
        door.journal.fails = True
        door.journal.gate = asyncio.Event()
        (place,) = door.unproven._windows
        door.unproven._begin_to_end(place)
        door.unproven._begin_to_end(place)
        await asyncio.sleep(0)
        door.unproven._window(door.trail(), 403)
        door.journal.gate.set()
        await asyncio.gather(*door.unproven._closing)
        door.journal.fails = False
        # That minute has not said that it counts: what comes in it has entries of its own.
        assert (await door.refuse())[0].has_entry

    story(door, work)
    assert [entry.reason for entry in door.journal.of(COUNTED)] == ["AccessDenied 3"]


def test_a_timer_of_a_minute_that_was_ended_ends_no_later_one(door):
    async def work():
        window = door.unproven._window(door.trail(), 403)
        (place,) = door.unproven._windows
        door.unproven._begin_to_end(place)
        later = door.unproven._window(door.trail(), 403)
        door.unproven._begin_to_end(place, window)
        assert door.unproven._windows == {place: later}

    story(door, work)


def test_places_are_bounded(door, monkeypatch):
    monkeypatch.setattr(unproven, "PLACES_MAX", 1)

    async def work():
        await door.refuse(EACH_MAX + 2)
        assert all(trail.has_entry for trail in await door.refuse(EACH_MAX + 9, bucket=2))

    story(door, work)
    assert len(door.journal.of(COUNTED)) == 1
