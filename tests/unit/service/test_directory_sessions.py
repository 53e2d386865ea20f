import asyncio

import pytest
from tests.contract.meta_fixtures import ManualClock

from siegel.domain.errors import ExpiredTokenError, InvalidAccessKeyIdError
from siegel.domain.sessions import Session, SessionOf
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.s3wire.claims import Claim
from siegel.service.accounts import Accounts
from siegel.service.directory import Directory
from siegel.service.keys import KeyRing
from siegel.service.session_tokens import SessionTokens


def claim(access_key_id, token):
    return Claim(
        access_key_id=access_key_id,
        date="20261127",
        region="eu-central-1",
        service="s3",
        signed_headers=("host",),
        signature="0",
        timestamp="20261127T000000Z",
        at_ms=0,
        expires_s=None,
        source="header",
        payload_hash="UNSIGNED-PAYLOAD",
        session_token=token,
    )


def test_t08_a_session_ends_to_the_millisecond_however_often_it_was_used():
    clock, custodian, randomness = ManualClock(), LocalCustodian(bytes(32)), SystemRandomness()
    store, ring = MemoryStore(clock), KeyRing(custodian, randomness)
    account_id = asyncio.run(Accounts(store, ring, clock, randomness).create("acme")).account_id
    tokens = SessionTokens(custodian, randomness)
    directory = Directory(store, ring, tokens, clock)
    end_ms = clock.now_ms() + 900_000
    issued = tokens.issue(Session(account_id=account_id, session_of=SessionOf.ROOT, expires_at_ms=end_ms))
    asked = claim(issued.access_key_id, issued.session_token)
    clock.ms = end_ms - 1
    caller = directory.caller(asked)
    assert (caller.account_id, caller.is_temporary) == (account_id, True)
    assert directory.signing_key(asked) == directory.signing_key(asked)
    with pytest.raises(InvalidAccessKeyIdError):
        directory.caller(claim(issued.access_key_id, ""))
    clock.ms = end_ms
    with pytest.raises(ExpiredTokenError):
        directory.caller(asked)
    with pytest.raises(ExpiredTokenError):
        directory.signing_key(asked)
    with pytest.raises(InvalidAccessKeyIdError):
        directory.signing_key(claim(issued.access_key_id, ""))
