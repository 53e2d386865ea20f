"""What S3 remembers of keys: for one generation, until its material expires, and in bounded memory."""

import asyncio
from os import urandom
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from siegel.access.caller import root_caller
from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.remembered import NotedKeys
from siegel.domain.errors import SealBrokenError
from siegel.domain.wrapping_keys import Material, WrappingKey
from siegel.envelope.objectkeys import Flags, Settings, Wrapped, encode_settings, split_wrapped
from siegel.service.asker import Asker
from siegel.service.kms import custody, datakeys
from siegel.service.kms.custody import OPEN, SEAL, Kept, Layer, LocalCustody
from siegel.service.kms.datakeys import REMEMBERED_BYTES_MAX, DataKeys
from siegel.service.kms.views import KeyView
from siegel.service.trail import Trail

OWN = "111122223333"
KEY_ID = "0b1c2d3e-0000-4000-8000-00000000000a"


class Keys:
    """A KeyDirectory of one key."""

    def __init__(self):
        self.number = 2
        self.is_over = False
        self.view = KeyView(OWN, WrappingKey(key_id=KEY_ID), None, (), {})

    def generation(self):
        return self.number

    def find(self, _account_id, _key_id):
        return self.view

    def has_expired(self, _view):
        return self.is_over


def remembered(data_keys, context):
    settings = Settings(OWN, KEY_ID, Flags.NONE, context)
    encoded = encode_settings(settings)
    found = data_keys.protection(encoded)
    assert (found.settings, found.generation) == (settings, 2)
    return data_keys.protection(encoded) is found


def test_a_key_is_remembered_for_a_generation_and_as_long_as_its_material_lasts():
    keys = Keys()
    data_keys = DataKeys(keys, {}, "eu-central-1")
    assert remembered(data_keys, {})
    keys.is_over = True
    assert not remembered(data_keys, {})
    encoded = encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {}))
    keys.is_over, known = False, data_keys.protection(encoded)
    keys.number = 4
    assert data_keys.protection(encoded) is not known


def test_long_encryption_contexts_fill_no_memory():
    data_keys = DataKeys(Keys(), {}, "eu-central-1")
    assert remembered(data_keys, {"department": "ten"})
    assert not remembered(data_keys, {"x": "y" * REMEMBERED_BYTES_MAX})


def test_who_may_is_remembered_for_a_generation_and_within_one_bound_for_all_keys(monkeypatch):
    monkeypatch.setattr(datakeys, "ADMITTED_MAX", 5)
    keys = Keys()
    data_keys, side = DataKeys(keys, {}, "eu-central-1"), ResourceSide(OWN)
    callers = [root_caller(OWN, f"SGL{number:017}") for number in range(4)]
    for number in range(30):
        for caller in callers:
            asked = Asked(OPEN, f"arn:aws:kms:eu-central-1:{OWN}:key/{number}", NotedKeys({}))
            assert data_keys._settle(caller, asked, side) == decide(caller, asked, side)
            assert 0 < len(data_keys._admitted) <= 5
    keys.number = 4
    data_keys.protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {})))
    assert data_keys._admitted == {}


class Again:
    """A key that a caller was let use once, and who asks to use it again."""

    def __init__(self):
        self.keys = Keys()
        self.data_keys = DataKeys(self.keys, {}, "eu-central-1")
        self.caller = root_caller(OWN, "SGL00000000000000001")
        self.protection = self.data_keys.protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {})))
        self.data_keys._settle(self.caller, Asked(OPEN, self.protection.arn, NotedKeys({})), ResourceSide(OWN))
        self.trail = None

    def ask(self, caller=None, protection=None, bucket_id=7):
        self.trail = Trail(1, "REQUEST", "", caller=caller or self.caller)
        bucket = SimpleNamespace(name="b", bucket_id=bucket_id)
        return self.data_keys.use_again(Asker(None, self.trail), protection or self.protection, bucket, None)


def test_who_was_let_use_a_key_may_use_it_again_and_each_use_is_noted():
    again = Again()
    assert again.ask()
    [use] = again.trail.uses
    assert (use.kind, use.account_id, use.key_ids, use.key_call_id) == ("kms.decrypt", OWN, (KEY_ID,), "")
    assert (use.status, use.bucket_id, use.permit) == (200, 7, again.data_keys._admitted.popitem()[1].because)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda again: setattr(again, "caller", root_caller(OWN, "SGL00000000000000001")), id="somebody else"),
        pytest.param(lambda again: setattr(again.keys, "number", 4), id="after a change"),
        pytest.param(
            lambda again: (setattr(again.keys, "number", 4), again.data_keys.protection(again.protection.encoded)),
            id="after a change that was seen",
        ),
        pytest.param(
            lambda again: setattr(again, "protection", replace(again.protection, is_lasting=False)),
            id="of a key that will expire",
        ),
        pytest.param(lambda again: setattr(again, "protection", replace(again.protection, arn="another")), id="of another key"),
    ],
)
def test_every_other_use_has_to_be_decided_and_is_not_noted_here(change):
    again = Again()
    change(again)
    assert not again.ask()
    assert again.trail.uses == ()


@pytest.mark.parametrize(
    ("key", "usable", "lasting"),
    [
        (WrappingKey(key_id=KEY_ID), True, True),
        (WrappingKey(key_id=KEY_ID, expires_at_ms=5), True, False),
        (WrappingKey(key_id=KEY_ID, is_enabled=False), False, False),
    ],
)
def test_a_key_lasts_where_it_is_usable_and_no_time_ends_that(key, usable, lasting):
    keys = Keys()
    keys.view = replace(keys.view, key=key)
    found = DataKeys(keys, {}, "eu-central-1").protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {})))
    assert (found.is_usable, found.is_lasting) == (usable, lasting)


def test_what_is_noted_is_remembered_by_caller_and_bucket_within_a_bound(monkeypatch):
    monkeypatch.setattr(datakeys, "ADMITTED_MAX", 2)
    again = Again()
    for bucket_id in (7, 8, 9, 7):
        assert again.ask(bucket_id=bucket_id)
        [use] = again.trail.uses
        assert use.bucket_id == bucket_id
        assert 0 < len(again.data_keys._ready) <= 2
    again.ask(bucket_id=7)
    assert again.trail.uses[0] is use
    again.keys.number = 4
    again.data_keys.protection(again.protection.encoded)
    assert again.data_keys._ready == {}


class Keeping:
    """A custody that keeps a layer, which REQUEST0 has asked for."""

    def __init__(self):
        self.kept = Kept(Layer(b"inner"), None, 1.0, "REQUEST0")

    def find(self, *_):
        return self.kept


def find_kept(again, custody):
    again.data_keys._custodies = {1: custody}
    trail = Trail(1, "REQUEST", "", caller=again.caller)
    wrapped = Wrapped(again.protection.encoded, b"\1outer", b"")
    found = again.data_keys.find_kept(Asker(None, trail), SimpleNamespace(name="b", bucket_id=7), None, wrapped)
    # Whoever uses it notes it.
    assert trail.uses == ()
    return found


def test_a_kept_layer_is_found_with_what_is_to_be_noted_of_it():
    again, custody = Again(), Keeping()
    layer, use = find_kept(again, custody)
    assert layer is custody.kept.layer
    assert (use.kind, use.account_id, use.key_ids, use.key_call_id) == ("kms.decrypt", OWN, (KEY_ID,), "REQUEST0")


def disable(again):
    again.keys.view = replace(again.keys.view, key=WrappingKey(key_id=KEY_ID, is_enabled=False))
    again.data_keys._known.clear()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda again: again.data_keys._admitted.clear(), id="who may is not decided"),
        pytest.param(lambda again: setattr(again, "caller", root_caller(OWN, "SGL00000000000000001")), id="somebody else asks"),
        pytest.param(lambda again: setattr(again.keys, "number", 4), id="something has changed"),
        pytest.param(disable, id="the key is disabled"),
    ],
)
def test_no_kept_layer_is_found_where_more_has_to_be_decided(change):
    again = Again()
    change(again)
    assert find_kept(again, Keeping()) is None


def test_no_kept_layer_is_found_where_none_is_kept():
    custody = Keeping()
    custody.kept = None
    assert find_kept(Again(), custody) is None


class Sealing:
    """A caller who has sealed once under a key that is held here."""

    def __init__(self):
        self.again = Again()
        self.keys, self.data_keys, self.caller = self.again.keys, self.again.data_keys, self.again.caller
        self.keys.view = KeyView(OWN, WrappingKey(key_id=KEY_ID, materials=(Material(1, b"", 1),)), None, (), {})
        self.keys.material = lambda _view, number: bytes([number]) * 32
        self.local = LocalCustody(self.keys)
        self.data_keys._custodies = {1: self.local}
        self.data_keys._known.clear()
        self.encoded = self.again.protection.encoded
        self.protection = self.data_keys.protection(self.encoded)
        self.data_keys._settle(self.caller, Asked(SEAL, self.protection.arn, NotedKeys({})), ResourceSide(OWN))
        asyncio.run(self.data_keys.seal(*self.asker(), None, b"inner", bound=b"bound", nonce=bytes(12)))

    def asker(self, bucket_id=7, caller=None):
        self.trail = Trail(1, "REQUEST", "", caller=caller or self.caller)
        return Asker(None, self.trail), self.protection, SimpleNamespace(name="b", bucket_id=bucket_id)

    def seal_again(self, **named):
        return self.data_keys.seal_again(*self.asker(**named), b"inner", bound=b"bound", nonce=bytes(12))


def test_who_has_sealed_under_a_key_seals_again_at_once_and_each_use_is_noted():
    sealing = Sealing()
    first = asyncio.run(sealing.data_keys.seal(*sealing.asker(), None, b"inner", bound=b"bound", nonce=bytes(12)))
    assert sealing.seal_again() == first
    [use] = sealing.trail.uses
    assert (use.kind, use.account_id, use.bucket_id, use.key_ids) == ("kms.generate_data_key", OWN, 7, (KEY_ID,))
    settings, outer = split_wrapped(first)
    assert settings == sealing.encoded
    use = SimpleNamespace(protection=sealing.protection, bucket=SimpleNamespace(bucket_id=7), bound=b"bound")
    assert sealing.local.unwrap_now(use, outer).layer.inner == b"inner"


def rotate(sealing):
    sealing.keys.view = KeyView(
        OWN, WrappingKey(key_id=KEY_ID, materials=(Material(1, b"", 1), Material(2, b"", 2))), None, (), {}
    )
    sealing.keys.number = 4


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(rotate, id="newer material"),
        pytest.param(lambda sealing: setattr(sealing, "caller", root_caller(OWN, "SGL00000000000000001")), id="somebody else"),
        pytest.param(lambda sealing: sealing.data_keys._ready.clear(), id="not remembered"),
        pytest.param(
            lambda sealing: setattr(sealing, "protection", replace(sealing.protection, is_lasting=False)), id="a key that ends"
        ),
        pytest.param(lambda sealing: setattr(sealing, "protection", replace(sealing.protection, arn="other")), id="another key"),
    ],
)
def test_all_others_have_their_seal_decided_first(change):
    sealing = Sealing()
    change(sealing)
    assert sealing.seal_again() is None
    assert sealing.trail.uses == ()


def test_in_another_bucket_a_seal_is_made_by_another_key():
    assert Sealing().seal_again(bucket_id=8) is None


def test_a_key_whose_custodian_has_to_be_asked_is_asked_each_time():
    sealing = Sealing()
    (key, ready), *_ = sealing.data_keys._ready.items()
    sealing.data_keys._ready[key] = replace(ready, wrapper=None)
    assert sealing.seal_again() is None


def test_what_keys_derive_for_buckets_is_remembered_for_a_generation_and_within_one_bound_for_all(monkeypatch):
    monkeypatch.setattr(custody, "LAYERS_MAX", 5)
    keys = Keys()
    keys.view = KeyView(OWN, WrappingKey(key_id=KEY_ID, materials=(Material(1, b"", 1),)), None, (), {})
    asked_for = []
    keys.material = lambda _view, number: asked_for.append(number) or bytes(32)
    data_keys, local = DataKeys(keys, {}, "eu-central-1"), LocalCustody(keys)
    for bucket_id in range(20):
        for text in ("one", "two"):
            protection = data_keys.protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {"context": text})))
            use = SimpleNamespace(protection=protection, bucket=SimpleNamespace(bucket_id=bucket_id))
            local._layer(use, b"\1")
        assert 0 < len(local._layers) <= 5
    # Once for each bucket, whatever the encryption context.
    assert len(asked_for) == 20
    keys.number = 4
    use.protection = data_keys.protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {})))
    local._layer(use, b"\1")
    assert len(local._layers) == 1


def test_what_keys_have_opened_is_kept_for_a_generation_within_a_bound_and_for_its_own_place_alone(monkeypatch):
    monkeypatch.setattr(custody, "LAYERS_MAX", 5)
    keys = Keys()
    keys.view = KeyView(OWN, WrappingKey(key_id=KEY_ID, materials=(Material(1, b"", 1),)), None, (), {})
    keys.material = lambda _view, _number: bytes(32)
    data_keys, local = DataKeys(keys, {}, "eu-central-1"), LocalCustody(keys)

    def use_of(bound):
        protection = data_keys.protection(encode_settings(Settings(OWN, KEY_ID, Flags.NONE, {})))
        return SimpleNamespace(protection=protection, bucket=SimpleNamespace(bucket_id=1), bound=bound)

    outers = []
    for number in range(20):
        use = use_of(b"%d" % number)
        outers.append(local.wrapper(use).wrap(b"inner %d" % number, use.bound, urandom(12)))
    for number, outer in enumerate(outers):
        layer = local.unwrap_now(use_of(b"%d" % number), outer).layer
        assert layer.inner == b"inner %d" % number
        assert local.unwrap_now(use_of(b"%d" % number), outer).layer is layer
        assert 0 < len(local._opened) <= 5
        with pytest.raises(SealBrokenError):
            local.unwrap_now(use_of(b"elsewhere"), outer)
    layer.made = "what its holder made of it"
    keys.number = 4
    assert local.unwrap_now(use_of(b"19"), outers[19]).layer.made is None
    assert len(local._opened) == 1
    keys.material = lambda _view, _number: None
    keys.number = 5
    with pytest.raises(SealBrokenError):
        local.unwrap_now(use_of(b"19"), outers[19])
