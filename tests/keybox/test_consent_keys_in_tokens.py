"""Consent keys in a PKCS#11 token: made there, used there, never read."""

from pathlib import Path

import pytest

from siegel.customer.consent.tokenkey import TokenKey
from siegel.customer.keybox.tokensession import TokenPlace, TokenSession
from siegel.domain.errors import ConfigurationError
from siegel.ledger.keys import parse_verifier
from tests.softhsm import module, write_pin


@pytest.fixture
def session(tmp_path, tokens):
    """Log in to a token that no other test uses."""
    return TokenSession(TokenPlace(Path(module()), "mine", write_pin(tmp_path)))


def test_a_token_signs_texts_with_keys_that_never_leave_it(session):
    made = TokenKey(session, "alice.example").create()
    key = TokenKey(session, "alice.example")
    assert key.verifier == made == parse_verifier(str(made))
    line = key.sign_text("a text\n")
    made.check_text(line, "a text\n")
    assert (line.name, line.key_id) == ("alice.example", made.key_id)
    attribute = session.pkcs11.Attribute
    private = session.use(lambda opened: session.one(opened, "PRIVATE_KEY", "alice.example"))
    assert (private[attribute.SENSITIVE], private[attribute.EXTRACTABLE]) == (True, False)

    with pytest.raises(ConfigurationError, match="has a key called alice"):
        key.create()
    with pytest.raises(ConfigurationError, match="has 0 keys called b"):
        _ = TokenKey(session, "b").verifier
    with pytest.raises(ConfigurationError, match="named like that"):
        TokenKey(session, "two words")
