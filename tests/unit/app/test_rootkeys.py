"""The end of a rotation of the root key: keys that nothing needs any more go, and not a moment earlier."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from siegel.app.config import merge, resolve
from siegel.app.rootkeys import BEGUN, ENDED, forget_retired, rotate
from siegel.app.wiring import create_deployment, open_deployment, root_rotation
from siegel.domain.errors import SealBrokenError
from siegel.service.keys import account_context
from siegel.service.resealing import KEPT_MS


@pytest.fixture
def settings(tmp_path):
    return resolve(merge({}, {}), tmp_path / "data")


@pytest.fixture
def deployment(settings, tmp_path):
    (tmp_path / "data").mkdir()
    made = create_deployment(settings)
    asyncio.run(made.accounts.create("ann"))
    yield made
    made.close()


def later(deployment, ms):
    now_ms = deployment.clock.now_ms()
    return replace(deployment, clock=SimpleNamespace(now_ms=lambda: now_ms + ms))


def account_of(deployment):
    (account,) = deployment.store.reader.identities.list_accounts()
    return account


def test_a_rotation_is_in_the_journal_with_both_places(deployment, settings, tmp_path):
    old, new, resealed = asyncio.run(rotate(deployment, root_rotation(settings, tmp_path / "second.key"), lambda _: None))
    assert (old, new) == ("the file root.key", f"the file {tmp_path / 'second.key'}")
    assert resealed.renewed == 2
    entries = [entry for _, batch in deployment.store.entries(0, 100) for entry in batch]
    assert [(entry.kind, entry.reason) for entry in entries[-2:]] == [(BEGUN, f"{old} -> {new}"), (ENDED, f"{old} -> {new}")]


def test_replaced_keys_are_kept_as_long_as_a_session_may_last_and_then_dropped(deployment, settings, tmp_path):
    custodian, account = deployment.custodian, account_of(deployment)
    context = account_context(account.account_id)
    keys, token = custodian.unwrap(account.sealed_keys, context), custodian.wrap(b"a session", b"c")
    assert not asyncio.run(forget_retired(later(deployment, 2 * KEPT_MS), settings)), "there is none"

    asyncio.run(rotate(deployment, root_rotation(settings, tmp_path / "second.key"), lambda _: None))
    assert not asyncio.run(forget_retired(later(deployment, KEPT_MS - 60_000), settings))
    assert custodian.unwrap(token, b"c") == b"a session"

    # What a process had sealed just before the rotation, and stored behind it, is not lost.
    asyncio.run(deployment.store.write(lambda tx: tx.seals.reseal_account(account.account_id, account.sealed_keys), None))
    assert asyncio.run(forget_retired(later(deployment, KEPT_MS + 60_000), settings))
    assert custodian.retired_at_ms() == 0
    for seen in (custodian, open_deployment(settings).custodian):
        assert seen.unwrap(account_of(deployment).sealed_keys, context) == keys
        with pytest.raises(SealBrokenError):
            seen.unwrap(token, b"c")
