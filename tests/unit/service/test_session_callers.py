"""Whose sessions are whose: by the unique id, in the account that gave them."""

import pytest
from msgspec.structs import replace
from tests.unit.service.test_principals import BOB, OTHER, OWN, READER, FixedClock, change, put

from siegel.domain.errors import InvalidTokenError
from siegel.domain.sessions import Session, SessionOf
from siegel.drivers.meta.memory import MemoryStore
from siegel.service.identities.entities import EntityWriter
from siegel.service.session_callers import session_caller

OF_BOB = Session(account_id=OWN, session_of=SessionOf.USER, name="bob", unique_id=BOB.unique_id)
KEY_ID = "SGS" + "A" * 17


@pytest.fixture
def store():
    made = MemoryStore(FixedClock())
    put(made, BOB, READER)
    return made


def test_a_users_session_is_his_under_any_name(store):
    change(store, lambda tx: EntityWriter(tx, OWN).rename(BOB, replace(BOB, name="robert")))
    put(store, replace(BOB, unique_id="SGU" + "C" * 18))
    caller = session_caller(store.reader, OF_BOB, KEY_ID)
    assert (caller.name, caller.principal_id, caller.is_temporary) == ("robert", BOB.unique_id, True)


@pytest.mark.parametrize(
    "session",
    [
        replace(OF_BOB, unique_id="SGU" + "X" * 18),
        replace(OF_BOB, unique_id=""),
        replace(OF_BOB, unique_id=READER.unique_id),
        replace(OF_BOB, account_id=OTHER),
    ],
)
def test_a_session_of_nobody_here_opens_nothing(store, session):
    with pytest.raises(InvalidTokenError):
        session_caller(store.reader, session, KEY_ID)
