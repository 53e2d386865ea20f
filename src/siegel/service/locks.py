"""What locks a version, and what a lock forbids. Every removal of a version asks here, whoever wants it.

Sources: Amazon S3 User Guide, "Locking objects with Object Lock", "Object Lock considerations".
"""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import AccessDeniedError, InvalidArgumentError, InvalidRequestError
from siegel.domain.limits import RETENTION_YEARS_MAX
from siegel.domain.objects import Lock, ObjectVersion
from siegel.domain.ports import Reader
from siegel.domain.records import Kind, bucket_scope, decode_document
from siegel.domain.retention import RETENTION_MODES, LockWish, ObjectLock
from siegel.service.lockclock import DAY_MS

_SECOND_MS: Final = 1000
_LEAP_DAY: Final = (2, 29)


class Guard(Struct, frozen=True):
    """What the locks of a request's moment are judged by.

    `lock_ms` is the lock clock's time, `reference_ms` the time that a new retention counts from. `may_bypass`: the caller may end
    GOVERNANCE early, and asks for it.
    """

    lock_ms: int
    reference_ms: int
    may_bypass: bool = False

    def is_retained(self, version: ObjectVersion) -> bool:
        """Whether the version's retention has not ended yet."""
        return bool(version.lock & RETENTION_MODES) and version.retain_until_ms > self.lock_ms

    def forbids(self, version: ObjectVersion) -> bool:
        """Whether the version must not be removed."""
        if version.lock & Lock.HOLD:
            return True
        if not self.is_retained(version):
            return False
        return bool(version.lock & Lock.COMPLIANCE) or not self.may_bypass

    def check_removal(self, version: ObjectVersion) -> None:
        """Raise AccessDeniedError if the version must not be removed."""
        if self.forbids(version):
            raise AccessDeniedError("Access Denied because object protected by object lock.")


def object_lock_of(reader: Reader, bucket_id: int) -> ObjectLock | None:
    """Return how a bucket locks its versions, None where it does not. Raises StorageError if what is stored is damaged."""
    stored = reader.records.find(bucket_scope(bucket_id), Kind.OBJECT_LOCK)
    return None if stored is None else decode_document(stored, ObjectLock)


def missing_lock() -> InvalidRequestError:
    """Return the refusal of a lock where the bucket has none."""
    return InvalidRequestError("Bucket is missing Object Lock Configuration")


def check_wish(wish: LockWish, reference_ms: int) -> None:
    """Raise InvalidArgumentError unless the retention that a request wants ends in the future, and within a lifetime."""
    if wish.mode is Lock.NONE:
        return
    if wish.retain_until_ms <= reference_ms:
        raise InvalidArgumentError("The retain until date must be in the future!")
    if wish.retain_until_ms > _years_later(reference_ms, RETENTION_YEARS_MAX):
        raise InvalidArgumentError(f"The retain until date must be within {RETENTION_YEARS_MAX} years.")


def with_lock(version: ObjectVersion, rule: ObjectLock | None, reference_ms: int) -> ObjectVersion:
    """Return a new version with the bucket's default, unless it has a retention of its own or is a marker.

    Raises InvalidRequestError if it is locked in a bucket that locks nothing.
    """
    if rule is None:
        if version.lock:
            raise missing_lock()
        return version
    if not rule.mode or version.is_marker or version.lock & RETENTION_MODES:
        return version
    until_ms = reference_ms + rule.days * DAY_MS if rule.days else _years_later(reference_ms, rule.years)
    # Whole seconds, as clients see them: what they read and put again must not be earlier than what is stored.
    until_ms = -(-until_ms // _SECOND_MS) * _SECOND_MS
    return replace(version, lock=version.lock | Lock(rule.mode), retain_until_ms=until_ms)


def _years_later(at_ms: int, years: int) -> int:
    seconds, rest_ms = divmod(at_ms, _SECOND_MS)
    moment = datetime.fromtimestamp(seconds, UTC)
    if (moment.month, moment.day) == _LEAP_DAY:
        moment = moment.replace(month=3, day=1)
    return int(moment.replace(year=moment.year + years).timestamp()) * _SECOND_MS + rest_ms


def retained(version: ObjectVersion, wish: LockWish, guard: Guard) -> ObjectVersion:
    """Return the version with another retention; a wish without a mode takes it off.

    Raises AccessDeniedError where that would shorten what is not to be shortened: COMPLIANCE for everybody, GOVERNANCE and the
    change of a mode for whoever may not bypass it. InvalidArgumentError for an end that is not in the future.
    """
    check_wish(wish, guard.reference_ms)
    if guard.is_retained(version):
        longer = wish.retain_until_ms >= version.retain_until_ms and wish.mode is version.lock & RETENTION_MODES
        bypassed = guard.may_bypass and not version.lock & Lock.COMPLIANCE
        if not longer and not bypassed:
            raise AccessDeniedError("Access Denied because object protected by object lock.")
    return replace(version, lock=(version.lock & Lock.HOLD) | wish.mode, retain_until_ms=wish.retain_until_ms)


def held(version: ObjectVersion, *, is_set: bool) -> ObjectVersion:
    """Return the version with its legal hold set or taken off; its retention stays."""
    lock = version.lock | Lock.HOLD if is_set else version.lock & ~Lock.HOLD
    return replace(version, lock=lock)
