"""What a lifecycle means for one object, version or upload: whether a rule is about it, and when its time is up.

Days are counted as S3 counts them: from the time of the object, rounded up to the next midnight UTC. A deployment for tests may
have shorter days; then everything is counted in those.

Source: Amazon S3 User Guide, "Lifecycle configuration elements", "Expiring objects".
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.domain.objects import ObjectVersion

Tags = Callable[[], dict[str, str]]
"""Opens the tags of the version in question, when a rule asks for them."""


class Calendar(Struct, frozen=True):
    """How long a day is."""

    day_ms: int

    def due_ms(self, from_ms: int, days: int) -> int:
        """Return the midnight at which `days` are over that began at `from_ms`."""
        return -(-(from_ms + days * self.day_ms) // self.day_ms) * self.day_ms


class Expiry(Struct, frozen=True):
    """When a rule ends something, and which."""

    at_ms: int
    rule: Rule


class Deed(StrEnum):
    """What a lifecycle does; the values are the kinds of its journal entries."""

    EXPIRE = "lifecycle.expire"  # a current object: as if it were deleted without a version id
    REMOVE = "lifecycle.remove_version"  # a noncurrent version or marker, for good
    CLEAR = "lifecycle.remove_marker"  # a delete marker that nothing is under
    ABORT = "lifecycle.abort_upload"


class Standing(Struct, frozen=True):
    """Where a version stands among those of its key: `index` 0 is the newest, `newer` the next newer one, `newest` that one."""

    index: int
    newer: ObjectVersion | None
    newest: ObjectVersion | None
    is_alone: bool


class Due(Struct, frozen=True):
    """A version whose time is up by a rule."""

    deed: Deed
    rule: Rule
    version: ObjectVersion
    standing: Standing


def holds_for_version(narrow: RuleFilter, version: ObjectVersion, tags: Tags) -> bool:
    """Whether a rule is about a version. Delete markers have neither tags nor a size."""
    if not version.object_key.startswith(narrow.prefix):
        return False
    if not narrow.judges_content:
        return True
    if version.is_marker or version.size_bytes <= narrow.size_above_bytes:
        return False
    if 0 <= narrow.size_below_bytes <= version.size_bytes:
        return False
    if not narrow.tags:
        return True
    found = tags()
    return all(found.get(key) == value for key, value in narrow.tags)


def _expiries(lifecycle: Lifecycle, version: ObjectVersion, tags: Tags, calendar: Calendar) -> Iterator[Expiry]:
    for rule in lifecycle.rules:
        if not rule.is_enabled or not (rule.expire_days or rule.expire_at_ms):
            continue
        if holds_for_version(rule.filter, version, tags):
            by_days = calendar.due_ms(version.modified_at_ms, rule.expire_days) if rule.expire_days else 0
            yield Expiry(by_days or rule.expire_at_ms, rule)


def expiry_of(lifecycle: Lifecycle, version: ObjectVersion, tags: Tags, calendar: Calendar) -> Expiry | None:
    """Return when a current object expires, and by which rule; None if by none. Raises what opening the tags raises."""
    return min(_expiries(lifecycle, version, tags, calendar), key=lambda expiry: expiry.at_ms, default=None)


def abort_of(lifecycle: Lifecycle, object_key: str, initiated_at_ms: int, calendar: Calendar) -> Expiry | None:
    """Return when an upload in progress is aborted, and by which rule; None if by none."""
    found = [
        Expiry(calendar.due_ms(initiated_at_ms, rule.abort_days), rule)
        for rule in lifecycle.rules
        if rule.is_enabled and rule.abort_days and object_key.startswith(rule.filter.prefix)
    ]
    return min(found, key=lambda expiry: expiry.at_ms, default=None)


def judge(
    lifecycle: Lifecycle, version: ObjectVersion, standing: Standing, tags: Tags, *, now_ms: int, calendar: Calendar
) -> Due | None:
    """Return what is due to a version, None if nothing is. Raises what opening the tags raises."""
    if standing.newer is not None:
        return _judge_noncurrent(lifecycle, version, standing, tags, now_ms=now_ms, calendar=calendar)
    expiry = expiry_of(lifecycle, version, tags, calendar)
    is_due = expiry is not None and expiry.at_ms <= now_ms
    if not version.is_marker:
        return Due(Deed.EXPIRE, expiry.rule, version, standing) if expiry is not None and is_due else None
    if not standing.is_alone:
        return None
    if expiry is not None and is_due:
        return Due(Deed.CLEAR, expiry.rule, version, standing)
    for rule in lifecycle.rules:
        if rule.is_enabled and rule.expire_markers and holds_for_version(rule.filter, version, tags):
            return Due(Deed.CLEAR, rule, version, standing)
    return None


def _judge_noncurrent(
    lifecycle: Lifecycle, version: ObjectVersion, standing: Standing, tags: Tags, *, now_ms: int, calendar: Calendar
) -> Due | None:
    for rule in lifecycle.rules:
        if not rule.is_enabled or not rule.noncurrent_days or standing.index <= rule.noncurrent_kept or standing.newer is None:
            continue
        # A version is noncurrent since the next newer one was made.
        if calendar.due_ms(standing.newer.modified_at_ms, rule.noncurrent_days) > now_ms:
            continue
        if holds_for_version(rule.filter, version, tags):
            return Due(Deed.REMOVE, rule, version, standing)
    return None


def prefix_of_all(lifecycle: Lifecycle) -> str:
    """Return the prefix that everything begins with which an enabled rule is about."""
    prefixes = [rule.filter.prefix for rule in lifecycle.rules if rule.is_enabled]
    if not prefixes:
        return ""
    low, high = min(prefixes), max(prefixes)
    length = next((at for at, (left, right) in enumerate(zip(low, high, strict=False)) if left != right), len(low))
    return low[:length]
