"""What ends while a read is written down: its entry is durable, and nothing of the body leaves."""

import asyncio
from types import SimpleNamespace

import pytest

from siegel.domain.errors import AccessDeniedError
from siegel.domain.key_errors import KeyStateError
from siegel.service.objectkeys import Unwrapped
from siegel.web.consents import note_read


class Consents:
    def __init__(self):
        self.is_live = True

    def require(self, account_id, consent_id, arn):
        assert (account_id, consent_id, arn) == ("111122223333", "c", "arn")
        if not self.is_live:
            raise AccessDeniedError


def cases_of(consents, entries, *, ends):
    async def append(entry):
        entries.append(entry)
        await asyncio.sleep(0)
        consents.is_live = not ends

    return SimpleNamespace(journal=SimpleNamespace(append=append), live_consents=lambda: consents)


def note(consent_id, *, ends):
    entries = []
    caller = SimpleNamespace(account_id="111122223333", consent_id=consent_id, arn="arn")
    cases = cases_of(Consents(), entries, ends=ends)
    trail = SimpleNamespace(uses=("a use",))
    try:
        asyncio.run(note_read(cases, SimpleNamespace(caller=caller, trail=trail), "entry"))
    finally:
        # A refusal that comes now does not tell of the key again: that would be two uses for one call.
        assert (entries, trail.uses) == (["entry"], ())


def test_a_consent_that_is_revoked_meanwhile_gives_nothing():
    with pytest.raises(AccessDeniedError):
        note("c", ends=True)


@pytest.mark.parametrize(("consent_id", "ends"), [("c", False), ("", True)])
def test_who_still_may_is_answered(consent_id, ends):
    note(consent_id, ends=ends)


class Lease:
    def __init__(self, *, ends=False, asks=False):
        self.ends, self.asks, self.asked = ends, asks, 0

    def check(self):
        if self.ends:
            raise KeyStateError("disabled")
        return self._renew() if self.asks else None

    async def _renew(self):
        self.asked += 1


def look(lease):
    asyncio.run(Unwrapped(b"", b"", b"", None, lease).look())


def test_a_key_that_was_disabled_meanwhile_is_seen():
    with pytest.raises(KeyStateError):
        look(Lease(ends=True))


def test_a_key_server_whose_time_is_over_is_asked_again():
    lease = Lease(asks=True)
    look(lease)
    assert lease.asked == 1


def test_a_key_that_may_still_be_used_is_no_hindrance():
    look(Lease())
    look(None)
