import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from msgspec.structs import replace

from siegel.domain.errors import InvalidTokenError
from siegel.domain.query_errors import PackedPolicyTooLargeError
from siegel.domain.records import encode_document
from siegel.domain.sessions import Session, SessionOf
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.system import SystemRandomness
from siegel.service.session_tokens import SessionTokens

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/session-token.json").read_text(encoding="utf-8"))
SESSION = Session(
    account_id="111122223333",
    session_of=SessionOf.ROLE,
    name="reader",
    unique_id="SGRABCDEFGHIJKLMNOPQR",
    session_name="ann",
    issued_at_ms=1_700_000_000_000,
    expires_at_ms=1_700_000_900_000,
    policies=(("session policy", "{}"),),
    tags=(("team", "a"),),
    transitive_keys=("team",),
)


def tokens(root_key=bytes(32)):
    return SessionTokens(LocalCustodian(root_key), SystemRandomness())


def test_a_token_comes_back_as_it_was_issued():
    issued = tokens().issue(SESSION)
    assert issued.access_key_id.startswith("SGT")
    assert len(issued.access_key_id) == 20
    assert len(issued.secret_access_key) == 40
    assert tokens().open(issued.access_key_id, issued.session_token) == replace(SESSION, secret=issued.secret_access_key)


def test_no_secret_shows():
    issued = tokens().issue(SESSION)
    shown = f"{issued!r} {issued.session!r}"
    assert issued.secret_access_key not in shown
    assert issued.session_token not in shown


def test_a_token_opens_for_its_own_key_and_deployment_alone():
    issued = tokens().issue(SESSION)
    other = tokens().issue(SESSION)
    with pytest.raises(InvalidTokenError):
        tokens().open(other.access_key_id, issued.session_token)
    with pytest.raises(InvalidTokenError):
        tokens(b"\x01" * 32).open(issued.access_key_id, issued.session_token)


def test_t22_no_changed_token_opens():
    issued = tokens().issue(SESSION)
    token = issued.session_token
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidTokenError):
            tokens().open(issued.access_key_id, changed)


@pytest.mark.parametrize("token", ["", "SGS1", "SGS2AAAA", "SGS1!!!!", "SGS1é", "SGS1" + "A" * 9000, "SGS1A"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(InvalidTokenError):
        tokens().open("SGTAAAAAAAAAAAAAAAAA", token)


def test_what_does_not_fit_into_a_request_is_not_issued():
    with pytest.raises(PackedPolicyTooLargeError):
        tokens().issue(replace(SESSION, policies=(("session policy", "x" * 9000),)))


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["why"])
def test_good_vectors_open(vector):
    made = SessionTokens(LocalCustodian(bytes.fromhex(VECTORS["root_key"])), SystemRandomness())
    assert encode_document(made.open(vector["access_key_id"], vector["token"])).hex() == vector["document"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["why"])
def test_bad_vectors_do_not_open(vector):
    made = SessionTokens(LocalCustodian(bytes.fromhex(VECTORS["root_key"])), SystemRandomness())
    with pytest.raises(InvalidTokenError):
        made.open(vector["access_key_id"], vector["token"])


def test_a_token_is_written_in_one_way_alone():
    issued = tokens().issue(SESSION)
    sealed = urlsafe_b64decode(issued.session_token[4:] + "=" * (-len(issued.session_token[4:]) % 4))
    padded = "SGS1" + urlsafe_b64encode(sealed).decode()
    if padded != issued.session_token:
        with pytest.raises(InvalidTokenError):
            tokens().open(issued.access_key_id, padded)
    with pytest.raises(InvalidTokenError):
        tokens().open(issued.access_key_id, issued.session_token + "\n")
