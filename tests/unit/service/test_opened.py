"""A version that is read again is not opened again, as long as nothing of its row, its bucket's keys or its layer has changed."""

import asyncio
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.contract.meta_fixtures import ManualClock, a_bucket, a_version, write

from siegel.domain.errors import InvalidRequestError, SealBrokenError
from siegel.domain.objects import Storage
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.system import SystemRandomness
from siegel.envelope.objectkeys import join_wrapped
from siegel.envelope.record import RecordKey
from siegel.envelope.segment import seal_segment
from siegel.service import get, opened
from siegel.service.get import Getter
from siegel.service.heads import Head, seal_head
from siegel.service.keys import BucketKeys, KeyRing
from siegel.service.kms.custody import Layer
from siegel.service.objectkeys import ObjectKeys

BUCKET = replace(a_bucket(), bucket_id=1)
BODY = bytes(range(200))
HEAD = Head("etag", "CRC32", "FULL_OBJECT", "AAAAAA==", ((b"content-type", b"text/plain"),))
SETTINGS = b"settings"


class Scene:
    """An object of one kind, and the use cases over it. The key service's part is a layer that is handed out when asked for."""

    def __init__(self, kind="sse-s3", head=HEAD):
        self.random = SystemRandomness()
        self.store = MemoryStore(ManualClock())
        self.ring = KeyRing(LocalCustodian(bytes(32), self.random), self.random)
        self.keys = BucketKeys(RecordKey(bytes(32)), RecordKey(bytes(31) + b"1"))
        self.kind, self.head = kind, head
        self.customer_key = bytes(32) if kind == "sse-c" else None
        self.layer, self.asked, self.is_lasting = None, [], False
        # Whom the key service lets use again what a lasting lease has opened.
        self.used_again, self.may_use_again = [], True
        # Whether a custody keeps the layer for a while, and whoever asks may use it.
        self.keeps = False
        self.getter = Getter(self.store, None, self, ObjectKeys(self.ring, self), None, keeping=None)
        self.put()

    def keys_of(self, _bucket):
        return self.keys

    async def open(self, asker, _bucket, place, wrapped, *, rekeying):
        self.asked.append((asker, place, wrapped, rekeying))
        lease = SimpleNamespace(layer=self.layer, is_lasting=self.is_lasting, distrust=lambda error: None)
        return SimpleNamespace(protection="protection"), lease

    def use_again(self, asker, protection, bucket, place):
        self.used_again.append((asker, protection, bucket, place))
        return self.may_use_again

    def find_kept(self, asker, bucket, place, wrapped):
        assert (bucket, wrapped.settings, place.object_key) == (BUCKET, SETTINGS, "k")
        return (self.layer, "use") if self.keeps else None

    def put(self):
        if self.kind == "kms":
            draft, _ = self.ring.draft_under(self.keys, BUCKET, "k", SETTINGS)
            wrapped, self.layer = join_wrapped(SETTINGS, b"\1outer"), Layer(draft.wrapped_key)
        else:
            draft = self.ring.draft(self.keys, BUCKET, "k", self.customer_key)
            wrapped = draft.wrapped_key
        version = replace(
            a_version("k", data_id=draft.data_id, mode=draft.mode, size_bytes=len(BODY)),
            version_id=draft.place.version_id,
            wrapped_key=wrapped,
            storage=Storage.INLINE,
        )
        sealed_head = seal_head(draft.head_key(self.keys), draft.place, version, self.head, draft.head_nonce)
        body = seal_segment(draft.data_key, draft.place, draft.data_id, 0, salt=draft.salt, plaintext=BODY)
        write(self.store, lambda tx: tx.objects.insert(replace(version, sealed_head=sealed_head), body))
        # What is asked for once is not remembered.
        self.getter.find(BUCKET, "k", None)

    def read(self, customer_key=None):
        version = self.getter.find(BUCKET, "k", None)
        self.trail = SimpleNamespace(uses=())
        asker = SimpleNamespace(customer_key=self.customer_key if customer_key is None else customer_key, trail=self.trail)
        made = asyncio.run(self.getter.open(BUCKET, version, asker))
        assert made.inline_bytes() == BODY
        assert made.head == self.head
        assert dict(made.headers)[b"etag"] == b'"etag"'
        return made


@pytest.fixture
def derivations(monkeypatch):
    """What is opened or derived, in order."""
    seen = []

    def counted(module, name):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **named: seen.append(name) or real(*args, **named))

    counted(get, "open_head")
    counted(get, "open_own_head")
    counted(get, "split_lease")
    counted(opened, "SmallSegment")
    return seen


def test_an_object_under_the_accounts_own_key_is_opened_once(derivations):
    scene = Scene()
    first = scene.read()
    assert scene.read() is first
    assert derivations == ["open_head", "SmallSegment"]


def test_it_is_opened_anew_once_its_key_has_changed(derivations):
    scene = Scene()
    first = scene.read()
    scene.put()
    assert scene.read().version.version_id != first.version.version_id
    assert derivations == ["open_head", "SmallSegment"] * 2


def test_it_is_opened_anew_by_other_keys_of_its_bucket(derivations):
    scene = Scene()
    scene.read()
    scene.keys = replace(scene.keys)
    scene.read()
    assert derivations == ["open_head", "SmallSegment"] * 2
    scene.keys = BucketKeys(scene.keys.metadata, scene.keys.wrapping)
    with pytest.raises(SealBrokenError):
        scene.read()


@pytest.mark.parametrize("kind", ["sse-s3", "kms"])
def test_a_customers_key_that_does_not_belong_is_refused_however_often_it_was_read(kind):
    scene = Scene(kind)
    scene.read()
    with pytest.raises(InvalidRequestError):
        scene.read(bytes(32))


def test_an_object_under_its_customers_key_is_opened_by_that_key_each_time(derivations):
    scene = Scene("sse-c")
    assert scene.read() is not scene.read()
    assert derivations == ["open_own_head", "SmallSegment"] * 2
    scene.customer_key = None
    with pytest.raises(InvalidRequestError):
        scene.read()
    memo = scene.getter._recent.memo(scene.getter.find(BUCKET, "k", None), BUCKET.account_id)
    assert memo.opened is None
    assert memo.place.object_key == "k"


def test_under_a_key_of_a_key_server_each_use_is_asked_for_and_what_its_layer_gave_is_opened_once(derivations):
    scene = Scene("kms")
    first, second = scene.read(), scene.read()
    assert len(scene.asked) == 2
    assert derivations == ["split_lease", "open_own_head", "SmallSegment"]
    assert first.unwrapped.data_key == second.unwrapped.data_key
    # Nobody can take the key away while it is opened: it needs no lease.
    assert (first.unwrapped.lease, second.unwrapped.lease) == (None, None)
    # Nothing of it outlasts the layer.
    memo = scene.getter._recent.memo(first.version, BUCKET.account_id)
    assert memo.opened is None
    scene.layer = Layer(scene.layer.inner)
    scene.read()
    assert derivations == ["split_lease", "open_own_head", "SmallSegment"] * 2


def test_what_a_kept_layer_gave_is_there_for_who_may_use_it_and_the_use_is_noted(derivations):
    scene = Scene("kms")
    scene.keeps = True
    first = scene.read()
    assert (len(scene.asked), scene.trail.uses) == (1, ())
    assert scene.read() is first
    assert (len(scene.asked), scene.trail.uses) == (1, ("use",))
    assert derivations == ["split_lease", "open_own_head", "SmallSegment"]
    # It is in the layer alone.
    assert scene.getter._recent.memo(first.version, BUCKET.account_id).opened is None
    scene.layer = Layer(scene.layer.inner)
    assert scene.read() is not first
    assert (len(scene.asked), scene.trail.uses) == (2, ())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda scene: setattr(scene, "keeps", False), id="nothing is kept, or somebody else asks"),
        pytest.param(lambda scene: setattr(scene, "keys", replace(scene.keys)), id="other keys of the bucket"),
        pytest.param(lambda scene: scene.getter._recent._kept.clear(), id="the row was read again"),
        pytest.param(lambda scene: setattr(scene.layer, "made", None), id="the layer has lost it"),
    ],
)
def test_otherwise_a_kept_layer_is_asked_for_as_any_other(change):
    scene = Scene("kms")
    scene.keeps = True
    scene.read()
    change(scene)
    scene.read()
    assert (len(scene.asked), scene.trail.uses) == (2, ())


def test_under_a_key_that_is_held_here_it_is_opened_once_for_all_who_may_use_it_again(derivations):
    scene = Scene("kms")
    scene.is_lasting = True
    first = scene.read()
    assert scene.used_again == []
    assert scene.read() is first
    [(_, protection, bucket, place)] = scene.used_again
    assert (protection, bucket, place) == ("protection", BUCKET, first.place)
    assert len(scene.asked) == 1
    assert derivations == ["split_lease", "open_own_head", "SmallSegment"]


def test_who_may_not_use_it_again_is_decided_on_anew_and_what_was_opened_is_let_go():
    scene = Scene("kms")
    scene.is_lasting = True
    first = scene.read()
    scene.may_use_again, scene.is_lasting = False, False
    scene.read()
    assert len(scene.asked) == 2
    assert scene.getter._recent.memo(first.version, BUCKET.account_id).opened is None


def test_a_layer_that_comes_again_for_another_object_opens_it_not():
    scene = Scene("kms")
    scene.read()
    layer = scene.layer
    scene.put()
    scene.layer = layer
    with pytest.raises(SealBrokenError):
        scene.read()


def test_a_layer_keeps_no_large_head(derivations):
    scene = Scene("kms", replace(HEAD, headers=((b"x-amz-meta-a", b"a" * 2000),)))
    scene.read()
    scene.read()
    assert derivations == ["split_lease", "open_own_head", "SmallSegment"] * 2
    assert scene.layer.made is None


def test_nothing_of_the_keys_is_shown():
    scene = Scene("kms")
    made = scene.read()
    secret = made.unwrapped.data_key
    for shown in (repr(scene.layer), repr(scene.layer.made), repr(made)):
        assert repr(secret) not in shown
