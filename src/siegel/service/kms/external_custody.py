"""Custody of keys in external key stores, on behalf of S3: the key server is asked, and what it opened is kept for so long.

What is kept is the layer below, which nobody opens without this deployment's keys. It is kept in memory alone, no longer than
the tags of bucket and key allow, and goes as soon as the key may not be used any more: at the next request for it, and
SWEEP_S later at the latest.
"""

import asyncio
import hmac
import math
from collections.abc import Awaitable
from typing import Final

from msgspec.structs import replace

from siegel.domain.configuration import Tagging
from siegel.domain.errors import S3Error, SealBrokenError, SiegelError, StorageError
from siegel.domain.key_errors import KeyStateError, KeyTimeoutError
from siegel.domain.key_stores import KeyServerError
from siegel.domain.limits import DATA_KEY_S_DEFAULT, DATA_KEYS_MAX
from siegel.domain.objects import Bucket
from siegel.domain.ports import Journal
from siegel.domain.records import Kind
from siegel.domain.time_limits import TIME_LIMIT_TAG, read_time_limit
from siegel.domain.wrapping_keys import KeyState
from siegel.envelope.objectkeys import EXTERNAL_CUSTODY
from siegel.envelope.outerlayer import decode_layer, encode_layer
from siegel.kmswire.xks import render_aad
from siegel.s3wire.names import encode_version_id
from siegel.service.asker import Asker
from siegel.service.directory import Directory
from siegel.service.kms.custody import Kept, KeyUse, Layer, Lease, Protection, check_state, current_view
from siegel.service.kms.lapses import PASSING
from siegel.service.kms.proxies import Proxies, Wrapping
from siegel.service.kms.use_entries import RENEWAL, noted_use, refused_use
from siegel.service.kms.views import KeyDirectory, KeyView

SWEEP_S: Final = 0.5
STREAM_S_MIN: Final = 5.0
"""A body that streams longer than this asks again, also where no data key is kept."""
_RETRY_S: Final = 1.0
_EARLY: Final = 0.75
_LIMITS_MAX: Final = 10_000
_PREFIX: Final = "kms:"


class ExternalCustody:
    """Keys that key servers hold. One per event loop."""

    def __init__(self, directory: KeyDirectory, documents: Directory, proxies: Proxies, journal: Journal) -> None:
        """Find keys in `directory` and tags of buckets in `documents`; ask by `proxies`.

        `journal` gets the entries of what is asked after the entry of its request.
        """
        self._directory = directory
        self._documents = documents
        self._proxies = proxies
        self._journal = journal
        self._kept: dict[bytes, Kept] = {}
        self._limits: dict[tuple[int, str], float] = {}
        self._generation = directory.generation()
        self._sweep: asyncio.TimerHandle | None = None

    def wrapper(self, _use: KeyUse) -> None:
        """Return None: a key server has to be asked."""

    async def wrap(self, use: KeyUse, inner: bytes, _nonce: bytes) -> bytes:
        """Return the outer layer, opened again and compared by the key server, which chooses its own nonce."""
        at_s, generation = _now_s(), self._directory.generation()
        try:
            layer = await self._proxies.encrypt(self._wrapping(use), inner)
        except KeyServerError as error:
            raise _s3_error(error) from error
        outer = bytes((EXTERNAL_CUSTODY,)) + encode_layer(layer)
        self._keep(use, outer, Kept(Layer(inner), use.protection, at_s, use.call_id), generation)
        return outer

    def unwrap_now(self, use: KeyUse, outer: bytes) -> Lease | None:
        """Return a layer that is still kept."""
        kept = self.find(use.asker, use.bucket, use.protection, outer)
        return None if kept is None else ExternalLease(kept, self._directory, self, use, outer)

    async def unwrap(self, use: KeyUse, outer: bytes) -> Lease:
        """Ask the key server."""
        return ExternalLease(await self.ask(use, outer), self._directory, self, use, outer)

    def find(self, asker: Asker, bucket: Bucket, protection: Protection, outer: bytes) -> Kept | None:
        """Return a layer that is kept, and may still be used without asking."""
        self._refresh()
        # Under a consent the key server sees every use: what it opened for others does not count.
        kept = None if asker.trail.consent_id else self._kept.get(outer)
        if kept is None or _now_s() - kept.asked_at_s >= self._limit_s(bucket, protection):
            return None
        return kept

    async def ask(self, use: KeyUse, outer: bytes) -> Kept:
        """Ask the key server to open a layer. Raises KeyTimeoutError, KeyStateError and its like, SealBrokenError."""
        at_s, generation = _now_s(), self._directory.generation()
        try:
            inner = await self._proxies.decrypt(self._wrapping(use), decode_layer(outer[1:]))
        except KeyServerError as error:
            raise _s3_error(error) from error
        kept = Kept(Layer(inner), use.protection, at_s, use.call_id)
        self._keep(use, outer, kept, generation)
        return kept

    async def ask_again(self, use: KeyUse, outer: bytes) -> Kept:
        """As `ask`, while a body streams. The entry is durable on return, also that of a refusal. Raises StorageError too."""
        try:
            kept = await self.ask(use, outer)
        except SiegelError as error:
            await self._journal.append(use.asker.trail.entry_of_use(refused_use(use, error, use.call_id)))
            raise
        await self._journal.append(use.asker.trail.entry_of_use(noted_use(use, use.call_id, reason=RENEWAL)))
        return kept

    def forget(self, outer: bytes) -> None:
        """Keep a layer no more."""
        self._kept.pop(outer, None)

    def time_limit_s(self, use: KeyUse) -> float:
        """Return for how long a layer may be used without asking again: the shortest time that a tag says, else the default."""
        self._refresh()
        return self._limit_s(use.bucket, use.protection)

    def _limit_s(self, bucket: Bucket, protection: Protection) -> float:
        place = bucket.bucket_id, protection.arn
        known = self._limits.get(place)
        if known is None:
            bucket_tags = self._documents.document(bucket, Kind.TAGGING, Tagging) or Tagging()
            tags = (*bucket_tags.tags, *current_view(self._directory, protection).key.tags)
            said = (read_time_limit(value) for name, value in tags if name == TIME_LIMIT_TAG)
            if len(self._limits) >= _LIMITS_MAX:
                self._limits.clear()
            known = self._limits[place] = min(said, default=DATA_KEY_S_DEFAULT)
        return known

    def _keep(self, use: KeyUse, outer: bytes, kept: Kept, generation: int) -> None:
        """Keep a layer, unless it may not be kept, or was asked for before its key was given back.

        Raises what `check_state` raises if the key was taken away meanwhile.
        """
        if self._directory.generation() != generation:
            view = current_view(self._directory, use.protection)
            check_state(view, use.protection.arn)
            if view.spell != use.protection.view.spell:
                return
        limit_s = self.time_limit_s(use)
        if not limit_s or use.asker.trail.consent_id:
            return
        self._kept.pop(outer, None)
        while len(self._kept) >= DATA_KEYS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[outer] = replace(kept, limit_s=limit_s)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep_up)

    def _refresh(self) -> None:
        """After any change, forget what belongs to keys that were taken away, also where they were given back since."""
        generation = self._directory.generation()
        if generation == self._generation:
            return
        self._limits.clear()
        arns = {kept.protection.arn: kept.protection for kept in self._kept.values()}
        spells = {arn: _usable_spell(self._directory, protection) for arn, protection in arns.items()}
        self._kept = {
            outer: kept for outer, kept in self._kept.items() if kept.protection.view.spell == spells[kept.protection.arn]
        }
        self._generation = generation

    def _sweep_up(self) -> None:
        """Forget what is over, whoever asks for it or not; where that cannot be told, everything."""
        self._sweep = None
        try:
            self._refresh()
        except StorageError:
            self._kept.clear()
        now_s = _now_s()
        self._kept = {outer: kept for outer, kept in self._kept.items() if now_s - kept.asked_at_s < kept.limit_s}
        if self._kept:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep_up)

    def _wrapping(self, use: KeyUse) -> Wrapping:
        view, place, trail = current_view(self._directory, use.protection), use.place, use.asker.trail
        aad = render_aad(
            {
                "account": place.account_id,
                "bucket": use.bucket.name,
                "key": place.object_key,
                "version": encode_version_id(place.version_id),
            }
        )
        metadata = {
            "awsPrincipalArn": use.caller.arn,
            "kmsKeyArn": use.protection.arn,
            "kmsOperation": use.permission.removeprefix(_PREFIX),
            "kmsRequestId": trail.request_id,
            "kmsViaService": "s3",
            "person": use.caller.arn,
            "reason": trail.kind,
            **trail.consent,
        }
        return Wrapping(self._directory.proxy(view), view.key.external_key_id, aad, metadata)


class ExternalLease(Lease):
    """An opened layer that the key server has to open again after a time, if a body streams for so long."""

    __slots__ = ("_asked_at_s", "_custody", "_next_try_at_s", "_outer", "_spell", "_use")

    is_lasting = False

    def __init__(self, kept: Kept, directory: KeyDirectory, custody: ExternalCustody, use: KeyUse, outer: bytes) -> None:
        super().__init__(kept.layer, use.protection, directory, kept.call_id)
        self._custody = custody
        self._use = use
        self._outer = outer
        self._spell = use.protection.view.spell
        self._asked_at_s = kept.asked_at_s
        # Small objects never look: what this depends on is looked up at the first check.
        self._next_try_at_s = 0.0

    def check(self) -> Awaitable[None] | None:
        """Raise what `check_state` raises; return what has to be waited for once it is time to ask again."""
        super().check()
        if not self._next_try_at_s:
            self._extend(self._asked_at_s)
        return self._renew() if _now_s() >= self._next_try_at_s else None

    def distrust(self, error: SealBrokenError) -> None:
        """Raise KeyStateError: what a key server has once encrypted, and opens now, is the same."""
        self._custody.forget(self._outer)
        raise KeyStateError("What the external key store proxy has decrypted is not what it was given to encrypt.") from error

    def _look(self, view: KeyView) -> None:
        super()._look(view)
        if view.spell != self._spell:
            # Taken away and given back meanwhile: the key server is asked before the next byte, whatever time is left.
            self._asked_at_s = self._next_try_at_s = -math.inf
            self._spell = view.spell

    async def _renew(self) -> None:
        """Ask again. A key server that is not there is tried until the time is over; one that refuses ends the body at once."""
        until_s = self._asked_at_s + self._limit_s()
        kept = self._custody.find(self._use.asker, self._use.bucket, self._use.protection, self._outer)
        try:
            if kept is None or kept.asked_at_s <= self._asked_at_s:
                kept = await self._custody.ask_again(self._use, self._outer)
        except KeyTimeoutError:
            now_s = _now_s()
            if now_s >= until_s:
                raise
            self._next_try_at_s = min(now_s + _RETRY_S, until_s)
            return
        if not hmac.compare_digest(kept.layer.inner, self.layer.inner):
            raise SealBrokenError("a key server has opened a layer to something else than before")
        self._extend(kept.asked_at_s)

    def _extend(self, asked_at_s: float) -> None:
        self._asked_at_s = asked_at_s
        self._next_try_at_s = asked_at_s + self._limit_s() * _EARLY

    def _limit_s(self) -> float:
        return max(self._custody.time_limit_s(self._use), STREAM_S_MIN)


def _usable_spell(directory: KeyDirectory, protection: Protection) -> tuple[int, int] | None:
    """Return since when a key may be used, None if it may not."""
    view = directory.find(protection.settings.account_id, protection.settings.key_id)
    return view.spell if view is not None and view.state is KeyState.ENABLED else None


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _s3_error(error: KeyServerError) -> S3Error:
    return KeyTimeoutError(error.text) if error.lapse in PASSING else KeyStateError(error.text)
