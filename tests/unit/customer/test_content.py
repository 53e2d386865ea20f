import pytest

from siegel.customer.keybox import content as contents
from siegel.customer.keybox.content import Content, Credential, Face, Key
from siegel.domain.errors import ConfigurationError

KEY = Key("id-1", "main", 5, b"m" * 32)
XKS = Credential(Face.XKS, "A" * 24, "secret-1", 5)
KMS = Credential(Face.KMS, "B" * 24, "secret-2", 5)
CONTENT = Content(
    box_id="box", created_at_ms=5, uri_prefix="", signing_seed=bytes(32), probe=bytes(32), keys=(KEY,), credentials=(XKS, KMS)
)


def test_no_text_form_shows_a_secret():
    shown = f"{CONTENT!r} {CONTENT} {KEY!r} {XKS!r} {CONTENT.keys} {CONTENT.credentials}"
    for secret in ("mmmm", "secret-1", "secret-2"):
        assert secret not in shown
    assert "main" in repr(KEY)
    assert "disabled" in repr(CONTENT.with_state(KEY, is_enabled=False).keys[0])


def test_keys_are_found_by_id_and_name():
    assert CONTENT.find("id-1") is KEY
    assert CONTENT.find("main") is KEY
    with pytest.raises(ConfigurationError, match="is not in this box"):
        CONTENT.find("nothing")


def test_states():
    other = Key("id-2", "second", 6, b"n" * 32)
    disabled = CONTENT.with_key(other).with_state(KEY, is_enabled=False)
    assert [key.is_enabled for key in disabled.keys] == [False, True]
    assert disabled.with_state(KEY, is_enabled=True).keys == (KEY, other)


def test_a_destroyed_key_leaves_a_memory_and_its_id_is_never_used_again():
    gone = CONTENT.without_key(KEY, 9)
    assert gone.keys == ()
    assert gone.destroyed[0].destroyed_at_ms == 9
    with pytest.raises(ConfigurationError, match="was destroyed"):
        gone.find("id-1")
    with pytest.raises(ConfigurationError, match="already"):
        gone.with_key(Key("id-3", "id-1", 9, b""))


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a" * 65, "ä"])
def test_names_that_are_none(name):
    with pytest.raises(ConfigurationError, match="is no name"):
        CONTENT.with_key(Key("id-2", name, 5, b""))


@pytest.mark.parametrize("name", ["main", "id-1"])
def test_names_that_are_taken(name):
    with pytest.raises(ConfigurationError, match="already"):
        CONTENT.with_key(Key("id-2", name, 5, b""))


def test_a_box_that_is_full(monkeypatch):
    monkeypatch.setattr(contents, "KEYS_MAX", 1)
    with pytest.raises(ConfigurationError, match="at most 1 keys"):
        CONTENT.with_key(Key("id-2", "second", 5, b""))


def test_credentials():
    fresh = Credential(Face.XKS, "C" * 24, "secret-3", 6)
    two = CONTENT.with_credential(fresh)
    assert two.credentials_by_id[Face.XKS, "C" * 24] is fresh
    assert (Face.KMS, "C" * 24) not in two.credentials_by_id
    with pytest.raises(ConfigurationError, match="two credentials are valid already"):
        two.with_credential(Credential(Face.XKS, "D" * 24, "x", 7))
    assert two.without_credential("A" * 24).credentials == (KMS, fresh)
    with pytest.raises(ConfigurationError, match="no credential"):
        two.without_credential("Z" * 24)
    with pytest.raises(ConfigurationError, match="the last credential of its face"):
        two.without_credential("B" * 24)
