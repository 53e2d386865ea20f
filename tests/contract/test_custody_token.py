"""The custodian of a root key in a PKCS#11 token keeps the port's promises; what is wrong with a token is told in plain words."""

import sys

import pkcs11
import pytest
from tests.contract.custody_suite import SECRET, KeyCustodianContract
from tests.softhsm import module, write_pin

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.drivers.custody.finder import RootFinder
from siegel.drivers.custody.keeper import ChestCustodian
from siegel.drivers.custody.roots import TokenPlace
from siegel.drivers.custody.rotation import create_chest
from siegel.drivers.custody.token import TokenRoot

pytestmark = pytest.mark.usefixtures("tokens")


@pytest.fixture
def place(tmp_path, request):
    return TokenPlace(module=module(), token="first", key=request.node.name, pin_file=str(write_pin(tmp_path)))


class TestTokenCustodian(KeyCustodianContract):
    def make_custodian(self, tmp_path, name):
        directory = tmp_path / name
        pin = tmp_path / "pin" if (tmp_path / "pin").exists() else write_pin(tmp_path)
        # The folder's whole name: the token outlives one test.
        place = TokenPlace(module=module(), token="first", key=str(directory), pin_file=str(pin))
        if not directory.exists():
            directory.mkdir()
            create_chest(directory, TokenRoot(place, is_made=True))
        return ChestCustodian(directory, RootFinder(directory, place, None))


def test_what_a_root_key_seals_it_opens_for_the_same_context_alone(place):
    root = TokenRoot(place, is_made=True)
    sealed = root.seal(SECRET, b"context")
    assert SECRET not in sealed
    assert TokenRoot(place).open(sealed, b"context") == SECRET
    for broken, context in ((sealed, b"other"), (sealed[:-1], b"context"), (b"\2" + sealed[1:], b"context"), (b"", b"context")):
        with pytest.raises(SealBrokenError):
            root.open(broken, context)


def test_another_key_of_the_same_token_opens_nothing(place):
    other = TokenPlace(module=place.module, token="second", key=place.key, pin_file=place.pin_file)
    one, two = TokenRoot(place, is_made=True), TokenRoot(other, is_made=True)
    assert one.root_id != two.root_id
    with pytest.raises(SealBrokenError):
        two.open(one.seal(SECRET, b"context"), b"context")


def test_a_key_is_made_once(place):
    assert TokenRoot(place, is_made=True).root_id == TokenRoot(place, is_made=True).root_id


def test_the_key_cannot_leave_the_token(place):
    TokenRoot(place, is_made=True)
    with pkcs11.lib(place.module).get_token(token_label="first").open(user_pin="4711") as session:
        key = session.get_key(label=place.key)
        assert key[pkcs11.Attribute.SENSITIVE]
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]


def test_a_pin_from_the_environment(place, monkeypatch):
    bare = TokenPlace(module=place.module, token=place.token, key=place.key)
    with pytest.raises(ConfigurationError, match="wants a PIN"):
        TokenRoot(bare, is_made=True)
    monkeypatch.setenv("SIEGEL_PKCS11_PIN", "4711")
    assert TokenRoot(bare, is_made=True).root_id == TokenRoot(place).root_id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"module": "/nowhere/pkcs11.so"}, "module /nowhere/pkcs11.so is missing"),
        ({"module": "/etc/passwd"}, "cannot be used"),
        ({"token": "third"}, "no token called third"),
        ({"token": "twice"}, "several tokens called twice"),
        ({"key": "other"}, "no AES key called other"),
        ({"pin_file": "/nowhere/pin"}, "PIN file /nowhere/pin is missing"),
    ],
)
def test_what_is_missing_is_told(place, change, message):
    fields = {name: getattr(place, name) for name in place.__struct_fields__}
    with pytest.raises(ConfigurationError, match=message):
        TokenRoot(TokenPlace(**{**fields, **change}))


class Busy:
    """A module that others log in to: it does not see its token, or not whole, until it has begun anew so many times."""

    def __init__(self, inner, times, error):
        self.inner, self.left, self.error = inner, times, error
        self.looks = 0

    def reinitialize(self):
        self.inner.reinitialize()
        self.left -= 1

    def get_token(self, **which):
        self.looks += 1
        if self.left > 0:
            raise self.error
        return self.inner.get_token(**which)


@pytest.mark.parametrize("error", [pkcs11.NoSuchToken, pkcs11.GeneralError, pkcs11.UserPinNotInitialized])
def test_a_token_that_another_process_logs_in_to_is_looked_for_again(place, monkeypatch, error):
    root_id = TokenRoot(place, is_made=True).root_id
    busy = Busy(pkcs11.lib(place.module), 3, error)
    monkeypatch.setattr(pkcs11, "lib", lambda so: busy)
    assert TokenRoot(place).root_id == root_id
    assert busy.looks == 4


@pytest.mark.parametrize(
    ("error", "message"),
    [(pkcs11.NoSuchToken, "knows no token called first"), (pkcs11.GeneralError, "cannot be used: GeneralError")],
)
def test_a_token_that_does_not_come_back_is_told_in_the_end(place, monkeypatch, error, message):
    busy = Busy(pkcs11.lib(place.module), 100, error)
    monkeypatch.setattr(pkcs11, "lib", lambda so: busy)
    with pytest.raises(ConfigurationError, match=message):
        TokenRoot(place)


def test_a_wrong_pin_is_never_tried_again(place, tmp_path, monkeypatch):
    busy = Busy(pkcs11.lib(place.module), 0, None)
    monkeypatch.setattr(pkcs11, "lib", lambda so: busy)
    write_pin(tmp_path, "0815")
    with pytest.raises(ConfigurationError, match="PIN"):
        TokenRoot(place)
    assert busy.looks == 1


@pytest.mark.parametrize("pin", ["0815", "", "x" * 300])
def test_a_wrong_pin_is_told_and_not_shown(place, tmp_path, pin):
    write_pin(tmp_path, pin)
    with pytest.raises(ConfigurationError) as caught:
        TokenRoot(place)
    assert "PIN" in str(caught.value)
    assert not pin or pin not in str(caught.value)


def test_a_pin_file_that_others_may_read_is_refused(place, tmp_path):
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        TokenRoot(place)


def test_a_pin_file_that_is_no_text_is_refused(place, tmp_path):
    (tmp_path / "pin").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="holds no text"):
        TokenRoot(place)


def test_a_key_name_that_fits_two_keys_is_refused(place):
    TokenRoot(place, is_made=True)
    with pkcs11.lib(place.module).get_token(token_label="first").open(rw=True, user_pin="4711") as session:
        session.generate_key(pkcs11.KeyType.AES, 256, label=place.key, store=True)
    with pytest.raises(ConfigurationError, match="2 keys called"):
        TokenRoot(place)


class OddToken:
    """A token in a state that SoftHSM does not know: it locks no PIN and loses no session."""

    def __init__(self, token, flags=0, errors=()):
        self.flags = flags
        self._token = token
        self._errors = list(errors)

    def open(self, **options):
        if self._errors:
            raise self._errors.pop(0)
        return self._token.open(**options)


@pytest.fixture
def odd(place, monkeypatch):
    """Make the token of `place` odd."""
    TokenRoot(place, is_made=True)

    def make(**state):
        token = OddToken(pkcs11.lib(place.module).get_token(token_label="first"), **state)
        monkeypatch.setattr(TokenRoot, "_find_token", lambda _: token)

    return make


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"flags": pkcs11.TokenFlag.USER_PIN_LOCKED}, "locked: its security officer"),
        ({"flags": pkcs11.TokenFlag.USER_PIN_FINAL_TRY}, "one more wrong PIN would lock"),
        ({"errors": [pkcs11.PinLocked()]}, "locked: its security officer"),
        ({"errors": [pkcs11.SessionHandleInvalid(), pkcs11.DeviceRemoved()]}, "is lost: DeviceRemoved"),
        ({"errors": [pkcs11.DeviceError()]}, "refuses: DeviceError"),
    ],
)
def test_a_token_that_refuses_says_why(place, odd, state, message):
    odd(**state)
    with pytest.raises(ConfigurationError, match=message):
        TokenRoot(place)


@pytest.mark.parametrize(
    "error", [pkcs11.SessionHandleInvalid, pkcs11.SessionClosed, pkcs11.DeviceRemoved, pkcs11.UserNotLoggedIn]
)
def test_a_lost_session_is_opened_again(place, odd, error):
    odd(errors=[error()])
    assert TokenRoot(place).root_id


def test_without_the_library_the_way_out_is_told(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'siegel\[pkcs11\]'"):
        TokenRoot(place)
