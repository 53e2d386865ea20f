"""Handlers of Object Lock: a bucket's default, a version's retention and legal hold."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from siegel.domain.entry import Entry
from siegel.domain.errors import (
    InvalidBucketStateError,
    InvalidRequestError,
    NoSuchObjectLockConfigurationError,
    ObjectLockConfigurationNotFoundError,
)
from siegel.domain.objects import Bucket, Lock, ObjectVersion, Versioning
from siegel.domain.ports import Writer
from siegel.domain.records import Kind
from siegel.domain.retention import RETENTION_MODES, ObjectLock
from siegel.s3wire.body import BodyPlan
from siegel.s3wire.conditionkeys import Values
from siegel.s3wire.locks import (
    asks_for_bypass,
    hold_keys,
    lock_headers,
    parse_legal_hold,
    parse_object_lock,
    parse_retention,
    render_legal_hold,
    render_object_lock,
    render_retention,
    retention_keys,
)
from siegel.s3wire.refusals import refuse_unsupported
from siegel.service.amend import MakeEntry
from siegel.service.locks import missing_lock
from siegel.service.opened import version_text
from siegel.service.versions import Target
from siegel.web.call import Call, UseCases, is_permitted, permit
from siegel.web.configurations import answer_xml, read_body
from siegel.web.decided import find_decided, require_decided_on
from siegel.web.exchange import Exchange, HeaderList
from siegel.web.gate import NO_VALUES

_BYPASS_ACTION: Final = "s3:BypassGovernanceRetention"


def _decide(cases: UseCases, call: Call, others: Mapping[str, Values]) -> Call:
    """Return the call with its permit, now that its body has said what is to become of the lock. Raises AccessDeniedError."""
    request = call.request
    version_id = request.query.get("versionId")
    permitted = permit(cases, call, call.route.action, object_key=request.object_key, version_id=version_id, others=others)
    return replace(call, permits=(permitted,))


def require_digest(plan: BodyPlan, target: Target, *, is_locked: bool) -> None:
    """Raise InvalidRequestError if what is to be locked comes without a Content-MD5 or a checksum."""
    by_default = target.object_lock is not None and target.object_lock.mode
    if (is_locked or by_default) and not plan.has_integrity:
        raise InvalidRequestError(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        )


def target_of(
    cases: UseCases, call: Call, object_key: str, version_id: str | None, *, others: Mapping[str, Values] = NO_VALUES
) -> Target:
    """Return the target of a request that may bypass GOVERNANCE: if it asks for that, and its caller may, to this version.

    `others` are the condition keys that stand in no header.
    """
    bypass = asks_for_bypass(call.request.headers) and is_permitted(
        cases, call, _BYPASS_ACTION, object_key, version_id, others=others
    )
    return cases.putter.target(call.bucket, may_bypass=bypass)


def shown_lock(cases: UseCases, call: Call, version: ObjectVersion) -> HeaderList:
    """Return the headers that show a version's lock, as far as the caller may see it."""
    if not version.lock:
        return []
    version_id = call.request.query.get("versionId")
    return lock_headers(
        version.lock,
        version.retain_until_ms,
        retention=is_permitted(cases, call, "s3:GetObjectRetention", version.object_key, version_id),
        hold=is_permitted(cases, call, "s3:GetObjectLegalHold", version.object_key, version_id),
    )


def _object_lock(cases: UseCases, bucket: Bucket) -> ObjectLock | None:
    return cases.directory.document(bucket, Kind.OBJECT_LOCK, ObjectLock)


async def get_object_lock(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectLockConfiguration."""
    found = _object_lock(cases, call.bucket)
    if found is None:
        raise ObjectLockConfigurationNotFoundError(fields={"BucketName": call.bucket.name})
    await answer_xml(cases, call, exchange, render_object_lock(found))


def _require_versioning(_tx: Writer, bucket: Bucket) -> None:
    if bucket.versioning is not Versioning.ENABLED:
        raise InvalidBucketStateError("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")


async def put_object_lock(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObjectLockConfiguration: switch Object Lock on for a bucket that keeps versions, or change its default."""
    refuse_unsupported(call.request.headers)
    wanted = parse_object_lock(await read_body(cases, call, exchange))
    target = cases.putter.target(call.bucket)
    await cases.configurations.put(target, Kind.OBJECT_LOCK, wanted, call.trail.entry(200), _require_versioning)
    await exchange.answer(200)


def _find_locked(cases: UseCases, call: Call) -> ObjectVersion:
    """Return the version that the request names. Raises InvalidRequestError in a bucket that locks nothing."""
    if _object_lock(cases, call.bucket) is None:
        raise missing_lock()
    return find_decided(cases, call, with_body=False)


async def get_object_retention(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectRetention."""
    version = _find_locked(cases, call)
    if not version.lock & RETENTION_MODES:
        raise NoSuchObjectLockConfigurationError
    await answer_xml(cases, call, exchange, render_retention(version.lock, version.retain_until_ms), version_text(version))


async def put_object_retention(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObjectRetention."""
    request = call.request
    refuse_unsupported(request.headers)
    wish = parse_retention(await read_body(cases, call, exchange))
    others = retention_keys(wish, cases.clock.now_ms())
    decided = _decide(cases, call, others)
    version_id = request.query.get("versionId")
    target = target_of(cases, call, request.object_key, version_id, others=others)
    await cases.amender.set_retention(target, request.object_key, version_id, wish, _entry_of(decided, 200))
    await exchange.answer(200)


async def get_object_legal_hold(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """GetObjectLegalHold."""
    version = _find_locked(cases, call)
    if not version.lock:
        raise NoSuchObjectLockConfigurationError
    xml = render_legal_hold(is_set=bool(version.lock & Lock.HOLD))
    await answer_xml(cases, call, exchange, xml, version_text(version))


async def put_object_legal_hold(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """PutObjectLegalHold."""
    request = call.request
    refuse_unsupported(request.headers)
    is_set = parse_legal_hold(await read_body(cases, call, exchange))
    decided = _decide(cases, call, hold_keys(is_set=is_set))
    target = cases.putter.target(call.bucket)
    version_id = request.query.get("versionId")
    await cases.amender.set_hold(target, request.object_key, version_id, _entry_of(decided, 200), is_set=is_set)
    await exchange.answer(200)


def _entry_of(call: Call, status: int) -> MakeEntry:
    def entry(version: ObjectVersion) -> Entry:
        require_decided_on(call.permits, version)
        return call.trail.entry(status, version_id=version_text(version))

    return entry


HANDLERS: Final = {
    "GetObjectLockConfiguration": get_object_lock,
    "PutObjectLockConfiguration": put_object_lock,
    "GetObjectRetention": get_object_retention,
    "PutObjectRetention": put_object_retention,
    "GetObjectLegalHold": get_object_legal_hold,
    "PutObjectLegalHold": put_object_legal_hold,
}
