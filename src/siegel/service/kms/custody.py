"""Custody of keys on behalf of S3: who holds the outer layer's key, and for how long an opened layer may be used.

A key that this deployment holds opens at once. Other custodians may have to be asked; what they opened may be kept for a while.
"""

from collections.abc import Awaitable, Mapping
from typing import Final, Protocol

from msgspec import Struct

from siegel.access.caller import Caller
from siegel.domain.errors import S3Error, SealBrokenError
from siegel.domain.key_errors import KeyDisabledError, KeyNotFoundError, KeyStateError
from siegel.domain.objects import Bucket
from siegel.domain.wrapping_keys import KeyState
from siegel.envelope.context import Place
from siegel.envelope.derive import Label, derive_bucket_key
from siegel.envelope.objectkeys import EXTERNAL_CUSTODY, Flags, Settings, encode_number, seal_local, split_local
from siegel.envelope.record import RecordKey
from siegel.service.asker import Asker
from siegel.service.kms.views import KeyDirectory, KeyView

SEAL: Final = "kms:GenerateDataKey"
OPEN: Final = "kms:Decrypt"
LAYERS_MAX: Final = 10_000
ARN_OF_CONTEXT: Final = "aws:s3:arn"
"""The pair that S3 adds to every encryption context: what is sealed, or with a bucket key its bucket."""


class Protection(Struct, frozen=True, kw_only=True):
    """A key and how it seals; `encoded` are the settings in the form that seals are bound to.

    `custody` is the number of who holds it, as outer layers name it; `headers` tell of it in answers, ready to be sent.
    `is_usable`: the key's state permits its use; `is_lasting`: until somebody changes something, and no time ends it. All of this
    is true for one `generation`.
    """

    settings: Settings
    encoded: bytes
    view: KeyView
    arn: str
    custody: int
    is_usable: bool
    is_lasting: bool
    headers: tuple[tuple[bytes, bytes], ...]
    generation: int


class Rekeying(Struct, frozen=True):
    """An object that is there gets another key, or `is_same_key`: the newest material of the one that it has."""

    is_same_key: bool


class KeyUse(Struct, frozen=True, gc=False):
    """One use of a key for one request. `permission` is SEAL or OPEN; `bound` is what the layers are bound to."""

    asker: Asker
    permission: str
    protection: Protection
    bucket: Bucket
    place: Place
    bound: bytes

    @property
    def call_id(self) -> str:
        """What a key server knows this use by if it is asked for it; empty where the key is held here."""
        return self.asker.trail.request_id if self.protection.custody == EXTERNAL_CUSTODY else ""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.asker.trail.caller

    def context(self) -> dict[str, str]:
        """Return the whole encryption context."""
        settings, arn = self.protection.settings, f"arn:aws:s3:::{self.bucket.name}"
        if not settings.flags & Flags.BUCKET_KEY:
            arn = f"{arn}/{self.place.object_key}"
        return {**settings.context, ARN_OF_CONTEXT: arn}


class Layer:
    """An opened layer. `made` is what whoever used it has made of its keys: it goes when the layer goes."""

    __slots__ = ("inner", "made")

    def __init__(self, inner: bytes) -> None:
        self.inner = inner
        self.made: object = None

    def __repr__(self) -> str:
        """Show nothing of the keys."""
        return "Layer()"


class Kept(Struct, frozen=True):
    """A layer that a question of `asked_at_s`, on the event loop's clock, has opened; it is kept for `limit_s`.

    `call_id`: the request for which that was asked.
    """

    layer: Layer
    protection: Protection
    asked_at_s: float
    call_id: str
    limit_s: float = 0.0

    def __repr__(self) -> str:
        return f"Kept({self.protection.arn})"


class Lease:
    """An opened layer, and whether it may still be used: by default for as long as its key may.

    `call_id`: the request for which a key server opened it, empty where none was asked.
    """

    __slots__ = ("_directory", "_generation", "_protection", "call_id", "layer")

    is_lasting = True
    """Whether no other custodian has a part in it: then it is as good for further requests as for its own."""

    def __init__(self, layer: Layer, protection: Protection, directory: KeyDirectory, call_id: str = "") -> None:
        self.layer = layer
        self.call_id = call_id
        self._protection = protection
        self._directory = directory
        self._generation = protection.generation

    def check(self) -> Awaitable[None] | None:
        """Raise what `check_state` raises, once the key may not be used any more. Cheap: asked before each slab of a body.

        Where a custodian has to be asked again, return what has to be waited for before the slab; it may raise S3Error.
        """
        generation = self._directory.generation()
        if generation != self._generation or self._directory.has_expired(self._protection.view):
            self._look(current_view(self._directory, self._protection))
            self._generation = generation
        return None

    def distrust(self, error: SealBrokenError) -> None:
        """Keep what was opened no more, since it is not the inner layer; raise S3Error if it came from elsewhere."""

    def _look(self, view: KeyView) -> None:
        """Raise what `check_state` raises, after any change of anything."""
        check_state(view, self._protection.arn)

    def __repr__(self) -> str:
        return f"Lease({self._protection.arn})"


class Wrapper:
    """Makes outer layers for one bucket under one material of a key that this deployment holds."""

    __slots__ = ("_layer", "_number")

    def __init__(self, layer: RecordKey, number: bytes) -> None:
        self._layer = layer
        self._number = number

    def wrap(self, inner: bytes, bound: bytes, nonce: bytes) -> bytes:
        """Return the outer layer, opened again and compared. `nonce`: 12 fresh random bytes. Raises SealBrokenError."""
        return seal_local(self._layer, self._number, inner, bound, nonce)


class Custody(Protocol):
    """Who makes outer layers and opens them. Rights and the key's state are decided before; each layer names its custody."""

    def wrapper(self, use: KeyUse) -> Wrapper | None:
        """Return what makes outer layers at once, until anything changes; None where each has to be waited for."""
        ...

    async def wrap(self, use: KeyUse, inner: bytes, nonce: bytes) -> bytes:
        """Return the outer layer, opened again and compared. `nonce`: 12 fresh random bytes. Raises S3Error."""
        ...

    def unwrap_now(self, use: KeyUse, outer: bytes) -> Lease | None:
        """Return the inner layer; None where it has to be waited for. Raises S3Error, SealBrokenError."""
        ...

    async def unwrap(self, use: KeyUse, outer: bytes) -> Lease:
        """Return the inner layer. Raises S3Error, SealBrokenError."""
        ...

    def find(self, asker: Asker, bucket: Bucket, protection: Protection, outer: bytes) -> Kept | None:
        """Return an opened layer that is kept for a while and may still be used; None where there is none of that kind."""
        ...


Custodies = Mapping[int, Custody]
"""Custodies by the byte that their layers begin with."""


class LocalCustody:
    """Keys that this deployment holds."""

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory
        # What keys have derived for buckets, by key, bucket and material, as of one generation.
        self._generation = -1
        self._layers: dict[tuple[str, int, bytes], RecordKey] = {}
        # What they have opened, by what it is bound to and the outer layer.
        self._opened: dict[tuple[bytes, bytes], Layer] = {}

    def wrapper(self, use: KeyUse) -> Wrapper:
        """Return what makes outer layers under the key's newest material."""
        number = encode_number(use.protection.view.key.materials[-1].number)
        return Wrapper(self._layer(use, number), number)

    async def wrap(self, use: KeyUse, inner: bytes, nonce: bytes) -> bytes:
        """Return the outer layer under the key's newest material."""
        return self.wrapper(use).wrap(inner, use.bound, nonce)

    def unwrap_now(self, use: KeyUse, outer: bytes) -> Lease:
        """Return the inner layer."""
        self._refresh(use)
        place = use.bound, outer
        known = self._opened.get(place)
        if known is None:
            number, sealed = split_local(outer)
            known = Layer(self._layer(use, number).open(sealed, use.bound))
            if len(self._opened) >= LAYERS_MAX:
                self._opened.clear()
            self._opened[place] = known
        return Lease(known, use.protection, self._directory)

    async def unwrap(self, use: KeyUse, outer: bytes) -> Lease:
        """Return the inner layer."""
        return self.unwrap_now(use, outer)

    def find(self, _asker: Asker, _bucket: Bucket, _protection: Protection, _outer: bytes) -> None:
        """Return None: what is opened here is good for as long as its key (`Lease.is_lasting`)."""

    def _refresh(self, use: KeyUse) -> None:
        """After any change of keys, forget what they have opened: they may not be there any more."""
        if use.protection.generation > self._generation:
            self._layers.clear()
            self._opened.clear()
            self._generation = use.protection.generation

    def _layer(self, use: KeyUse, number: bytes) -> RecordKey:
        """Return the key that a material of the key has for the bucket. Raises SealBrokenError."""
        protection = use.protection
        self._refresh(use)
        bucket_id = use.bucket.bucket_id
        place = protection.arn, bucket_id, number
        known = self._layers.get(place)
        if known is not None:
            return known
        material = self._directory.material(protection.view, int.from_bytes(number, "big"))
        if material is None:
            raise SealBrokenError("an object is sealed under a material that its key does not have")
        if len(self._layers) >= LAYERS_MAX:
            self._layers.clear()
        made = self._layers[place] = RecordKey(derive_bucket_key(material, Label.KEY_SERVICE_BUCKET, bucket_id))
        return made


def current_view(directory: KeyDirectory, protection: Protection) -> KeyView:
    """Return the key as it is now. Raises KeyNotFoundError."""
    view = directory.find(protection.settings.account_id, protection.settings.key_id)
    if view is None:
        raise missing_key(protection.arn)
    return view


def missing_key(arn: str) -> KeyNotFoundError:
    """Return the refusal of a key that is not there."""
    return KeyNotFoundError(f"Key '{arn}' does not exist")


def check_state(view: KeyView, arn: str) -> None:
    """Raise KeyDisabledError, KeyStateError unless a key may be used in its state."""
    state = view.state
    if state is KeyState.ENABLED:
        return
    refusal: S3Error = KeyDisabledError(f"{arn} is disabled.")
    if state is KeyState.PENDING_DELETION:
        refusal = KeyStateError(f"{arn} is pending deletion.")
    elif state is KeyState.PENDING_IMPORT:
        refusal = KeyStateError(f"{arn} is pending import: it has no key material.")
    elif state is KeyState.UNAVAILABLE:
        refusal = KeyStateError(f"{arn} is unavailable: its key store is not connected.")
    raise refusal
