"""What a key server opened, kept: for whom, for how long, and how it goes."""

import asyncio
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from siegel.access.caller import root_caller
from siegel.domain.configuration import Tagging
from siegel.domain.errors import SealBrokenError, StorageError
from siegel.domain.key_errors import KeyDisabledError, KeyNotFoundError, KeyStateError, KeyTimeoutError
from siegel.domain.key_stores import ConnectionState, KeyServerError, KeyStore, Lapse, OuterLayer, Proxy
from siegel.domain.objects import Bucket
from siegel.domain.time_limits import TIME_LIMIT_TAG
from siegel.domain.wrapping_keys import Material, WrappingKey
from siegel.envelope.context import Place
from siegel.envelope.objectkeys import Flags, Settings
from siegel.service.asker import Asker
from siegel.service.kms import external_custody
from siegel.service.kms.custody import OPEN, Kept, KeyUse, Layer, Protection
from siegel.service.kms.external_custody import ExternalCustody
from siegel.service.kms.views import KeyView
from siegel.service.trail import Trail

OWN, KEY_ID, ARN = "111122223333", "1c9b2f6e-5b0e-4d0a-9a53-0a6f5c0e9d11", "arn:aws:kms:r:111122223333:key/k"
KEY = WrappingKey(key_id=KEY_ID, materials=(Material(1, b"", 1),), key_store_id="cks-1", external_key_id="ext")
STORE = KeyStore(store_id="cks-1", state=ConnectionState.CONNECTED)
INNER = b"inner layer"
LAYER = OuterLayer(b"sealed bytes", bytes(12), bytes(16), b"m")


class Keys:
    """A KeyDirectory whose key a test changes."""

    def __init__(self):
        self.view = KeyView(OWN, KEY, None, (), {}, STORE)
        self.number = 1
        self.fails = False

    def generation(self):
        return self.number

    def find(self, account_id, key_id):
        assert (account_id, key_id) == (OWN, KEY_ID)
        if self.fails:
            raise StorageError("the disk")
        return self.view

    @staticmethod
    def has_expired(view):
        return bool(view.key.expires_at_ms)

    def proxy(self, view):
        if view.store is None or not view.store.is_connected:
            raise KeyServerError(Lapse.STATE, "not connected")
        return Proxy("https://box/kms/xks/v1", "A" * 20, "s" * 43, "")

    def change(self, **fields):
        if self.view is not None:
            self.view = replace(self.view, **fields)
        self.number += 1


class Box:
    """Proxies of which there is one: it opens everything to INNER, or fails as a test wants it."""

    def __init__(self):
        self.asked = []
        self.told = INNER
        self.meanwhile = None

    async def encrypt(self, wrapping, plaintext):
        self.asked.append(wrapping)
        if isinstance(self.told, Exception):
            raise self.told
        assert plaintext == INNER
        return LAYER

    async def decrypt(self, wrapping, layer):
        self.asked.append(wrapping)
        assert layer == LAYER
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


class Stage:
    def __init__(self, limit=None):
        self.keys, self.box = Keys(), Box()
        self.tags = () if limit is None else ((TIME_LIMIT_TAG, limit),)
        self.entries = []
        self.custody = ExternalCustody(self.keys, self, self.box, self)
        trail = Trail(5, "REQUEST", "192.0.2.1")
        trail.caller, trail.kind = root_caller(OWN, "SGL" + "A" * 17), "object.read"
        settings = Settings(OWN, KEY_ID, Flags.NONE, {})
        protection = Protection(
            settings=settings,
            encoded=b"",
            view=self.keys.view,
            arn=ARN,
            custody=2,
            is_usable=True,
            is_lasting=True,
            headers=(),
            generation=self.keys.number,
        )
        bucket = Bucket(bucket_id=7, name="films", account_id=OWN, region="r", created_at_ms=1)
        self.use = KeyUse(Asker(None, trail), OPEN, protection, bucket, Place(OWN, 7, "k", bytes(16)), b"")

    def document(self, bucket, kind, document_type):
        assert (bucket.name, kind, document_type) == ("films", "tagging", Tagging)
        return Tagging(tags=self.tags) if self.tags else None

    async def append(self, entry):
        self.entries.append(entry)

    def find(self, outer):
        return self.custody.find(self.use.asker, self.use.bucket, self.use.protection, outer)

    async def sealed(self):
        """Return an outer layer; it is kept, if it may be."""
        return await self.custody.wrap(self.use, INNER, bytes(12))


@contextmanager
def hurried(monkeypatch, **times):
    for name, value in times.items():
        monkeypatch.setattr(external_custody, name, value)
    yield


def test_what_is_opened_is_kept_for_everybody_until_its_time_is_over():
    async def story():
        stage = Stage("1")
        outer = await stage.sealed()
        assert outer[0] == 2
        assert stage.custody.unwrap_now(stage.use, outer).layer.inner == INNER
        assert len(stage.box.asked) == 1
        await asyncio.sleep(1.05)
        assert stage.custody.unwrap_now(stage.use, outer) is None
        assert (await stage.custody.unwrap(stage.use, outer)).layer.inner == INNER
        assert stage.custody.unwrap_now(stage.use, outer).layer.inner == INNER
        assert INNER.decode() not in repr(stage.custody._kept)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("of_bucket", "of_key", "seconds"),
    [
        (None, None, 60),
        ("5", None, 5),
        (None, "5", 5),
        ("5", "4", 4),
        ("4", "300", 4),
        ("300", None, 300),
        ("3601", None, 3600),
        ("0", "9", 0),
        ("-1", None, 0),
        ("1.5", None, 0),
        ("", None, 0),
        ("٣", None, 0),
        ("9" * 7, None, 0),
    ],
)
def test_the_shortest_time_that_a_tag_says_counts(of_bucket, of_key, seconds):
    async def story():
        stage = Stage(of_bucket)
        if of_key is not None:
            stage.keys.change(key=replace(KEY, tags=(("other", "1"), (TIME_LIMIT_TAG, of_key))))
        assert stage.custody.time_limit_s(stage.use) == seconds

    asyncio.run(story())


def test_a_time_of_nothing_keeps_nothing():
    async def story():
        stage = Stage("0")
        outer = await stage.sealed()
        for _ in range(3):
            assert stage.custody.unwrap_now(stage.use, outer) is None
            await stage.custody.unwrap(stage.use, outer)
        assert len(stage.box.asked) == 4
        assert stage.custody._kept == {}
        # Said later, it counts for what is kept already.
        stage.tags = ()
        stage.keys.change()
        await stage.custody.unwrap(stage.use, outer)
        assert stage.custody.unwrap_now(stage.use, outer) is not None
        stage.tags = ((TIME_LIMIT_TAG, "0"),)
        stage.keys.change()
        assert stage.custody.unwrap_now(stage.use, outer) is None

    asyncio.run(story())


TAKEN_AWAY = {
    "disabled": lambda keys: keys.change(key=replace(KEY, is_enabled=False)),
    "pending deletion": lambda keys: keys.change(key=replace(KEY, deletes_at_ms=9)),
    "disconnected": lambda keys: keys.change(store=replace(STORE, state=ConnectionState.DISCONNECTED)),
    "failed": lambda keys: keys.change(store=replace(STORE, state=ConnectionState.FAILED)),
    "without its store": lambda keys: keys.change(store=None),
    "gone": lambda keys: (setattr(keys, "view", None), keys.change()),
    "unreadable": lambda keys: (setattr(keys, "fails", True), keys.change()),
}


@pytest.mark.parametrize("way", TAKEN_AWAY)
def test_t80_what_is_kept_of_a_key_that_was_taken_away_is_gone_within_a_second(way):
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        lease = stage.custody.unwrap_now(stage.use, outer)
        assert lease.check() is None
        TAKEN_AWAY[way](stage.keys)
        await asyncio.sleep(0.95)
        # Nobody has asked meanwhile.
        assert stage.custody._kept == {}
        with pytest.raises((KeyDisabledError, KeyStateError, KeyNotFoundError, StorageError)):
            lease.check()

    asyncio.run(story())


GIVEN_BACK = {
    "connected": lambda keys: keys.change(store=replace(STORE, renewed_at_ms=1)),
    "enabled": lambda keys: keys.change(key=replace(KEY, enabled_at_ms=1)),
}


@pytest.mark.parametrize("way", GIVEN_BACK)
def test_what_was_kept_before_a_key_was_given_back_is_forgotten_however_soon_that_was(way):
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        lease = stage.custody.unwrap_now(stage.use, outer)
        assert lease.check() is None
        # Nobody asks between the two: all that shows of the first one is that there is a second one.
        GIVEN_BACK[way](stage.keys)
        assert stage.find(outer) is None
        assert len(stage.box.asked) == 1
        await lease.check()
        assert len(stage.box.asked) == 2
        assert lease.check() is None
        stage.keys.change()
        assert lease.check() is None

    asyncio.run(story())


def test_a_stream_whose_key_was_given_back_ends_where_its_server_is_not_there():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        lease = stage.custody.unwrap_now(stage.use, outer)
        stage.box.told = KeyServerError(Lapse.TIMEOUT, "late")
        GIVEN_BACK["connected"](stage.keys)
        with pytest.raises(KeyTimeoutError):
            await lease.check()

    asyncio.run(story())


def test_what_a_use_rests_on_is_the_request_that_the_key_server_was_asked_for():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        later = Trail(6, "LATER", "192.0.2.1")
        later.caller = stage.use.caller
        use = replace(stage.use, asker=Asker(None, later))
        assert stage.custody.unwrap_now(use, outer).call_id == "REQUEST"
        assert (await stage.custody.unwrap(use, outer)).call_id == "LATER"
        assert stage.custody.unwrap_now(stage.use, outer).call_id == "LATER"
        assert stage.entries == []

    asyncio.run(story())


def test_each_renewal_has_an_entry_of_its_own():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        lease = stage.custody.unwrap_now(stage.use, outer)
        GIVEN_BACK["connected"](stage.keys)
        await lease.check()
        (entry,) = stage.entries
        assert (entry.kind, entry.status, entry.reason, entry.request_id, entry.key_call_id, entry.key_ids) == (
            "kms.decrypt", 200, "renewal", "REQUEST", "REQUEST", (KEY_ID,)
        )  # fmt: skip

    asyncio.run(story())


def test_a_renewal_that_is_refused_has_an_entry_too():
    async def story():
        stage = Stage()
        lease = stage.custody.unwrap_now(stage.use, await stage.sealed())
        stage.box.told = KeyServerError(Lapse.ACCESS, "no")
        GIVEN_BACK["connected"](stage.keys)
        with pytest.raises(KeyStateError):
            await lease.check()
        assert [(one.status, one.reason, one.key_call_id) for one in stage.entries] == [
            (400, "KMS.KMSInvalidStateException", "REQUEST")
        ]

    asyncio.run(story())


def test_what_a_server_was_asked_for_before_its_key_was_given_back_is_not_kept():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        stage.box.meanwhile = lambda: GIVEN_BACK["connected"](stage.keys)
        assert (await stage.custody.unwrap(stage.use, outer)).layer.inner == INNER
        assert stage.find(outer) is None

    asyncio.run(story())


def test_what_other_keys_have_is_kept_whatever_changes():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        stage.keys.change()
        assert stage.custody.unwrap_now(stage.use, outer) is not None

    asyncio.run(story())


def test_a_key_that_is_taken_away_while_its_server_is_asked_opens_nothing():
    async def story():
        stage = Stage()
        outer = await stage.sealed()
        stage.box.meanwhile = lambda: stage.keys.change(key=replace(KEY, is_enabled=False))
        with pytest.raises(KeyDisabledError):
            await stage.custody.unwrap(stage.use, outer)
        assert stage.find(outer) is None

    asyncio.run(story())


def test_nothing_is_kept_for_longer_than_it_may_be_used():
    async def story():
        stage = Stage("1")
        await stage.sealed()
        await asyncio.sleep(1 + 2 * external_custody.SWEEP_S + 0.2)
        assert stage.custody._kept == {}

    asyncio.run(story())


def test_what_is_kept_is_bounded_and_does_not_outlast_the_longest_time(monkeypatch):
    async def story():
        stage = Stage("3600")
        long_ago_s = asyncio.get_running_loop().time() - 3600
        for number in range(5):
            stage.custody._keep(stage.use, b"outer %d" % number, Kept(Layer(INNER), stage.use.protection, long_ago_s, "R"), 1)
        assert list(stage.custody._kept) == [b"outer 3", b"outer 4"]
        await asyncio.sleep(0.6)
        assert stage.custody._kept == {}
        assert stage.custody._sweep is None

    monkeypatch.setattr(external_custody, "DATA_KEYS_MAX", 2)
    monkeypatch.setattr(external_custody, "_LIMITS_MAX", 0)
    asyncio.run(story())


@pytest.mark.parametrize(
    ("lapse", "error"),
    [
        (Lapse.TIMEOUT, KeyTimeoutError),
        (Lapse.UNREACHABLE, KeyTimeoutError),
        (Lapse.BUSY, KeyTimeoutError),
        (Lapse.THROTTLED, KeyTimeoutError),
        (Lapse.STATE, KeyStateError),
        (Lapse.ACCESS, KeyStateError),
        (Lapse.CIPHERTEXT, KeyStateError),
        (Lapse.NONSENSE, KeyStateError),
    ],
)
def test_no_answer_is_a_clear_error(lapse, error):
    async def story():
        stage = Stage("0")
        outer = await stage.sealed()
        stage.box.told = KeyServerError(lapse, "no")
        with pytest.raises(error, match="no"):
            await stage.custody.wrap(stage.use, INNER, bytes(12))
        with pytest.raises(error, match="no"):
            await stage.custody.unwrap(stage.use, outer)

    asyncio.run(story())


def test_a_layer_that_is_none_is_not_asked_for():
    async def story():
        stage = Stage()
        with pytest.raises(SealBrokenError):
            await stage.custody.unwrap(stage.use, b"\x02\x01junk")
        assert stage.box.asked == []

    asyncio.run(story())


def test_a_body_that_streams_asks_again_in_time(monkeypatch):
    async def story():
        stage = Stage("0")
        lease = await stage.custody.unwrap(stage.use, await stage.sealed())
        assert len(stage.box.asked) == 2
        assert lease.check() is None
        await asyncio.sleep(0.16)
        await lease.check()
        assert lease.check() is None
        assert len(stage.box.asked) == 3
        # One that is not there is tried until the time is over, and no longer.
        stage.box.told = KeyServerError(Lapse.TIMEOUT, "late")
        await asyncio.sleep(0.16)
        await lease.check()
        assert lease.check() is None
        await asyncio.sleep(0.06)
        with pytest.raises(KeyTimeoutError):
            await lease.check()
        # What it refuses ends the body at once, and so does another layer.
        stage.box.told = KeyServerError(Lapse.STATE, "disabled")
        with pytest.raises(KeyStateError):
            await lease.check()
        stage.box.told = b"another layer"
        with pytest.raises(SealBrokenError):
            await lease.check()

    with hurried(monkeypatch, STREAM_S_MIN=0.2, _RETRY_S=0.03):
        asyncio.run(story())


def test_a_body_that_streams_takes_what_another_request_has_asked_for(monkeypatch):
    async def story():
        stage = Stage("1")
        outer = await stage.sealed()
        lease = stage.custody.unwrap_now(stage.use, outer)
        await asyncio.sleep(0.8)
        await stage.custody.unwrap(stage.use, outer)
        asked = len(stage.box.asked)
        await lease.check()
        assert len(stage.box.asked) == asked

    with hurried(monkeypatch, STREAM_S_MIN=0.2):
        asyncio.run(story())
