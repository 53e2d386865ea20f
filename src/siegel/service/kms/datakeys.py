"""Keys of the key service as S3 uses them: to seal the keys of objects, and to open them again.

Every use is decided by the key's policy, its grants and the caller's own policies, as a call of KMS would be; the trail of the
request notes each one, allowed or not, for the journal of the account that owns the key.

Sources: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)"; AWS KMS Developer Guide, "Condition
keys for AWS KMS" (kms:ViaService).
"""

from functools import partial
from typing import Final

from msgspec import Struct

from siegel.access.caller import Caller, CallerKind
from siegel.access.decide import Permit, decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.remembered import NotedKeys
from siegel.domain.entry import NotedUse
from siegel.domain.errors import SealBrokenError, SiegelError
from siegel.domain.objects import Bucket
from siegel.domain.wrapping_keys import KeyState, key_arn
from siegel.envelope.context import Place
from siegel.envelope.objectkeys import (
    EXTERNAL_CUSTODY,
    LOCAL_CUSTODY,
    Flags,
    Wrapped,
    decode_settings,
    join_wrapped,
)
from siegel.kmswire.protocol import SERVICE
from siegel.s3wire.conditionkeys import RequestKeys
from siegel.s3wire.keywish import key_headers, unsigned
from siegel.service.asker import Asker
from siegel.service.kms.custody import (
    OPEN,
    SEAL,
    Custodies,
    Custody,
    KeyUse,
    Layer,
    Lease,
    Protection,
    Rekeying,
    Wrapper,
    check_state,
    missing_key,
)
from siegel.service.kms.key_conditions import OF_EVERY_KEY, SYMMETRIC, KmsKeys, Values, keys_of_context, keys_of_key
from siegel.service.kms.key_rights import REKEYING
from siegel.service.kms.managed import via_service
from siegel.service.kms.use_entries import noted_use, refused_use
from siegel.service.kms.views import REMEMBERED_MAX, KeyDirectory, decide_on_key

# With all keys together: each may keep a caller alive, with the policies of its session.
ADMITTED_MAX: Final = 2_000
# Settings with a longer encryption context are read anew each time: whoever makes many of them fills no memory.
REMEMBERED_BYTES_MAX: Final = 512
_PREFIX: Final = f"{SERVICE}:"
# The same in every request of one caller for one key.
_STABLE: Final = frozenset({"kms:viaservice", "kms:calleraccount", *OF_EVERY_KEY})


class _Ready(Struct, frozen=True):
    """What one more use of a key by the same caller in the same bucket needs; `permit` keeps the caller alive."""

    permit: Permit
    uses: tuple[NotedUse, ...]
    wrapper: Wrapper | None


class DataKeys:
    """Uses keys for S3."""

    def __init__(self, directory: KeyDirectory, custodies: Custodies, region: str) -> None:
        """Find keys in `directory`; `custodies` make and open outer layers."""
        self._directory = directory
        self._custodies = custodies
        self._region = region
        self._via = (via_service(region),)
        self._generation = -1
        self._known: dict[bytes, Protection] = {}
        # Who may use which key without a further look, by caller, permission and key, as of the generation.
        self._admitted: dict[tuple[int, str, str], Permit] = {}
        # What the next use needs of such a one that rested on no call, by the same and the bucket.
        self._ready: dict[tuple[int, str, str, int], _Ready] = {}

    def protection(self, encoded: bytes) -> Protection:
        """Return the key that encoded settings speak of. Raises KeyNotFoundError."""
        generation = self._directory.generation()
        if generation != self._generation or len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
            self._admitted.clear()
            self._ready.clear()
            self._generation = generation
        known = self._known.get(encoded)
        if known is None or self._directory.has_expired(known.view):
            settings = decode_settings(encoded)
            arn = key_arn(self._region, settings.account_id, settings.key_id)
            view = self._directory.find(settings.account_id, settings.key_id)
            if view is None:
                raise missing_key(arn)
            is_usable = view.state is KeyState.ENABLED
            told = key_headers(arn, is_dsse=Flags.DSSE in settings.flags, with_bucket_key=Flags.BUCKET_KEY in settings.flags)
            known = Protection(
                settings=settings,
                encoded=encoded,
                view=view,
                arn=arn,
                custody=EXTERNAL_CUSTODY if view.key.is_external else LOCAL_CUSTODY,
                is_usable=is_usable,
                is_lasting=is_usable and not view.key.expires_at_ms,
                headers=tuple((name.encode(), value.encode()) for name, value in told.items()),
                generation=generation,
            )
            if len(encoded) <= REMEMBERED_BYTES_MAX:
                self._known[encoded] = known
        return known

    async def seal(
        self,
        asker: Asker,
        protection: Protection,
        bucket: Bucket,
        place: Place,
        inner: bytes,
        *,
        bound: bytes,
        nonce: bytes,
        rekeying: Rekeying | None = None,
    ) -> bytes:
        """Return what is stored of an object's keys, whose inner layer is `inner`; `rekeying` takes further rights.

        `bound`: what both layers are bound to; `nonce`: 12 fresh random bytes.

        Raises AccessDeniedError, InvalidArgumentError (nobody signed), KeyDisabledError and its like, and what a custody raises.
        """
        if not self._stands(protection):
            # Something may have changed since the key was named.
            protection = self.protection(protection.encoded)
        use = KeyUse(asker, SEAL, protection, bucket, place, bound)
        call_id = ""
        try:
            permit = self._admit(use, rekeying)
            custody = self._custodies[protection.custody]
            wrapper = custody.wrapper(use)
            if wrapper is None:
                call_id = use.call_id
                outer = await custody.wrap(use, inner, nonce)
            else:
                outer = wrapper.wrap(inner, bound, nonce)
        except SiegelError as error:
            asker.trail.uses += (refused_use(use, error, call_id),)
            raise
        self._note(use, permit, call_id, wrapper)
        return join_wrapped(protection.encoded, outer)

    def seal_again(
        self, asker: Asker, protection: Protection, bucket: Bucket, inner: bytes, *, bound: bytes, nonce: bytes
    ) -> bytes | None:
        """Do what `seal` does, where a caller may do at once what he did before, as `use_again` tells; else return None.

        Raises SealBrokenError.
        """
        if not self._stands(protection):
            return None
        trail = asker.trail
        ready = self._ready.get((id(trail.caller), SEAL, protection.arn, bucket.bucket_id))
        if ready is None or ready.wrapper is None:
            return None
        outer = ready.wrapper.wrap(inner, bound, nonce)
        trail.uses += ready.uses
        return join_wrapped(protection.encoded, outer)

    async def open(
        self, asker: Asker, bucket: Bucket, place: Place, wrapped: Wrapped, *, rekeying: Rekeying | None = None
    ) -> tuple[KeyUse, Lease]:
        """Open the outer layer of an object's keys; return the use that did it, and the inner layer under a lease.

        `rekeying` takes further rights.

        Raises AccessDeniedError, InvalidArgumentError (nobody signed), KeyDisabledError and its like, SealBrokenError, and what a
        custody raises.
        """
        outer = wrapped.outer
        use = KeyUse(asker, OPEN, self.protection(wrapped.settings), bucket, place, wrapped.bound)
        call_id = ""
        try:
            permit = self._admit(use, rekeying)
            custody = self._custody_of(use.protection, outer)
            lease = custody.unwrap_now(use, outer)
            if lease is None:
                call_id = use.call_id
                lease = await custody.unwrap(use, outer)
        except SiegelError as error:
            asker.trail.uses += (refused_use(use, error, call_id),)
            raise
        self._note(use, permit, lease.call_id)
        return use, lease

    def use_again(self, asker: Asker, protection: Protection, bucket: Bucket, place: Place) -> bool:
        """Tell whether a caller may open at once what was opened under `protection` before; if so, the use is noted.

        So it is where nothing has changed since, and no policy asks anything of the request itself. Else `open` decides.
        """
        if not self._stands(protection):
            return False
        trail = asker.trail
        ready = self._ready.get((id(trail.caller), OPEN, protection.arn, bucket.bucket_id))
        if ready is not None:
            trail.uses += ready.uses
            return True
        permit = self._admitted.get((id(trail.caller), OPEN, protection.arn))
        if permit is None:
            return False
        self._note(KeyUse(asker, OPEN, protection, bucket, place, b""), permit, "")
        return True

    def find_kept(self, asker: Asker, bucket: Bucket, place: Place, wrapped: Wrapped) -> tuple[Layer, NotedUse] | None:
        """Return a layer that its custody keeps for a while, and what is to be noted of its use; None where `open` has to decide.

        Raises KeyNotFoundError.
        """
        protection = self.protection(wrapped.settings)
        permit = self._admitted.get((id(asker.trail.caller), OPEN, protection.arn))
        if permit is None or not protection.is_usable:
            return None
        kept = self._custodies[protection.custody].find(asker, bucket, protection, wrapped.outer)
        if kept is None:
            return None
        use = KeyUse(asker, OPEN, protection, bucket, place, wrapped.bound)
        return kept.layer, noted_use(use, kept.call_id, permit=permit.because)

    def _stands(self, protection: Protection) -> bool:
        """Tell whether nothing has changed since a key was found usable; then what is remembered of it stands too."""
        return protection.is_lasting and self._directory.generation() == protection.generation

    def _note(self, use: KeyUse, permit: Permit, call_id: str, wrapper: Wrapper | None = None) -> None:
        """Note a use that was permitted; remember what the next one needs, where it will be permitted as well."""
        uses = (noted_use(use, call_id, permit=permit.because),)
        use.asker.trail.uses += uses
        by = id(use.asker.trail.caller), use.permission, use.protection.arn
        if not call_id and self._admitted.get(by) is permit:
            if len(self._ready) >= ADMITTED_MAX:
                self._ready.clear()
            self._ready[*by, use.bucket.bucket_id] = _Ready(permit, uses, wrapper)

    def _custody_of(self, protection: Protection, outer: bytes) -> Custody:
        if outer[0] != protection.custody:
            raise SealBrokenError("an object is sealed under a key of another custody than its key has")
        return self._custodies[outer[0]]

    def _admit(self, use: KeyUse, rekeying: Rekeying | None) -> Permit:
        """Return the permit. Raises unless the caller may, and the key's state permits it."""
        protection = use.protection
        permit = self._admitted.get((id(use.asker.trail.caller), use.permission, protection.arn)) or self._decide(use)
        if rekeying is not None:
            for permission in REKEYING[use.permission]:
                self._decide(use, permission, rekeying)
        if not protection.is_usable:
            check_state(protection.view, protection.arn)
        return permit

    def _decide(self, use: KeyUse, permission: str = "", rekeying: Rekeying | None = None) -> Permit:
        permission = permission or use.permission
        view, caller, context = use.protection.view, use.caller, use.context()
        if caller.kind is CallerKind.ANONYMOUS:
            raise unsigned()
        operation = permission.removeprefix(_PREFIX)
        keys = NotedKeys(self._keys(use, permission, context, rekeying), _STABLE)
        asked = Asked(permission, use.protection.arn, keys, via_service=True)
        return decide_on_key(caller, asked, view, lambda one: one.fits(operation, context), self._settle)

    def _settle(self, caller: Caller, asked: Asked, side: ResourceSide) -> Permit:
        """Decide, and remember the permit where no policy asked anything of the request itself."""
        permit = decide(caller, asked, side)
        if isinstance(asked.keys, NotedKeys) and not asked.keys.was_asked:
            if len(self._admitted) >= ADMITTED_MAX:
                self._admitted.clear()
            # The permit keeps its caller alive, so that no other can have its id.
            self._admitted[id(caller), asked.action, asked.resource] = permit
        return permit

    def _keys(self, use: KeyUse, permission: str, context: dict[str, str], rekeying: Rekeying | None) -> KmsKeys:
        """Return the condition keys of a use: those of the key and its context, and those of the request to S3."""
        view, asker = use.protection.view, use.asker
        own: dict[str, Values] = {"kms:calleraccount": (use.caller.account_id,), "kms:viaservice": self._via}
        own |= keys_of_key(view.key) | keys_of_context(context)
        if permission != SEAL:
            own["kms:encryptionalgorithm"] = SYMMETRIC
        if rekeying is not None:
            own["kms:reencryptonsamekey"] = ("true" if rekeying.is_same_key else "false",)
        of_request = RequestKeys(
            asker.verified.request,
            asker.verified.claim,
            now_ms=asker.trail.at_ms,
            region=self._region,
            owner=view.account_id,
            existing_tags=dict,
            others={},
        )
        return KmsKeys(own, of_request, partial(self._directory.aliases_of, view))
