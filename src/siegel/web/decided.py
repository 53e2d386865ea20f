"""What was decided by the tags of a version holds for that version: another may have become the current one since."""

from collections.abc import Iterable
from typing import Final

from siegel.access.decide import Permit
from siegel.domain.errors import ConditionalRequestConflictError
from siegel.domain.objects import ObjectVersion
from siegel.service.versions import Deleted
from siegel.web.call import Call, UseCases

# So often a read is decided on anew before its client is told to try again.
_LOOKS_MAX: Final = 8


def find_decided(cases: UseCases, call: Call, *, with_body: bool = True) -> ObjectVersion:
    """Return the version that a read is about, once it is decided on.

    Raises what `Getter.find` raises, AccessDeniedError, ConditionalRequestConflictError where versions come and go all the time.
    """
    request, permits = call.request, call.permits
    for _ in range(_LOOKS_MAX):
        version = cases.getter.find(call.bucket, request.object_key, request.query.get("versionId"), with_body=with_body)
        if _is_decided_on(permits, version):
            return version
        permits = cases.gate.admit(call.verified, call.caller, call.route, call.bucket)
    raise ConditionalRequestConflictError


def require_decided_on(permits: Iterable[Permit], version: ObjectVersion) -> None:
    """Raise ConditionalRequestConflictError if the tags of another version had a part in a permit."""
    if not _is_decided_on(permits, version):
        raise ConditionalRequestConflictError


def require_decided_on_removed(permits: Iterable[Permit], done: Deleted) -> None:
    """Do the same for what a delete has removed; a marker that it has made was never decided on."""
    if done.version is not None and not done.made_marker:
        require_decided_on(permits, done.version)


def _is_decided_on(permits: Iterable[Permit], version: ObjectVersion) -> bool:
    for permitted in permits:  # noqa: SIM110 - this is the way of every read, and a generator costs three times as much
        if permitted.tags_of is not None and permitted.tags_of != version.version_id:
            return False
    return True
