"""Object Lock on the wire: the headers of writes, the XML of a version's lock, and that of a bucket's default.

Sources: Amazon S3 API Reference, PutObject, PutObjectRetention, PutObjectLegalHold, PutObjectLockConfiguration; User Guide,
"Locking objects with Object Lock".
"""

from collections.abc import Mapping
from typing import Final

from siegel.domain.errors import InvalidArgumentError, InvalidRetentionPeriodError, MalformedXMLError
from siegel.domain.limits import RETENTION_DAYS_MAX, RETENTION_YEARS_MAX
from siegel.domain.objects import Lock
from siegel.domain.retention import NO_LOCK, RETENTION_MODES, LockWish, ObjectLock
from siegel.s3wire.dates import format_iso, parse_date
from siegel.s3wire.xmltext import document
from siegel.s3wire.xmltree import Element, add_field, children, doubled, leaves, name_of, read_tree, text_of

MODE_HEADER: Final = "x-amz-object-lock-mode"
UNTIL_HEADER: Final = "x-amz-object-lock-retain-until-date"
HOLD_HEADER: Final = "x-amz-object-lock-legal-hold"
BYPASS_HEADER: Final = "x-amz-bypass-governance-retention"
ENABLED_HEADER: Final = "x-amz-bucket-object-lock-enabled"

WRITE_HEADERS: Final = frozenset({MODE_HEADER, UNTIL_HEADER, HOLD_HEADER})
"""What the writes that make a version understand."""

CREATION_HEADERS: Final = frozenset({ENABLED_HEADER})
"""What CreateBucket understands."""

LOCK_KEYS: Final = frozenset(
    {
        "s3:object-lock-mode",
        "s3:object-lock-retain-until-date",
        "s3:object-lock-remaining-retention-days",
        "s3:object-lock-legal-hold",
    }
)
"""The condition keys that tell of a wished lock."""

DAY_MS: Final = 86_400_000
_MODES: Final = {"GOVERNANCE": Lock.GOVERNANCE, "COMPLIANCE": Lock.COMPLIANCE}
_MODE_NAMES: Final = {lock.value: name for name, lock in _MODES.items()}
_NUMBER_CHARS_MAX: Final = 10


def parse_lock_headers(headers: Mapping[str, str]) -> LockWish:
    """Return how a PutObject, CopyObject or CreateMultipartUpload wants its version locked. Raises InvalidArgumentError."""
    mode, until, hold = headers.get(MODE_HEADER), headers.get(UNTIL_HEADER), headers.get(HOLD_HEADER)
    if mode is None and until is None and hold is None:
        return NO_LOCK
    if (mode is None) != (until is None):
        raise InvalidArgumentError(f"{UNTIL_HEADER} and {MODE_HEADER} must both be supplied")
    if hold not in {None, "ON", "OFF"}:
        raise _bad(HOLD_HEADER, hold or "", "Legal Hold must be either of 'ON' or 'OFF'")
    if mode is None or until is None:
        return LockWish(hold=hold == "ON")
    if mode not in _MODES:
        raise _bad(MODE_HEADER, mode, "Unknown wormMode directive.")
    until_ms = parse_date(until)
    if until_ms is None:
        raise _bad(UNTIL_HEADER, until, "The retain until date must be provided in ISO 8601 format")
    return LockWish(_MODES[mode], until_ms, hold == "ON")


def _bad(header: str, value: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, fields={"ArgumentName": header, "ArgumentValue": value})


def lock_headers(lock: Lock, retain_until_ms: int, *, retention: bool, hold: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers that show a version's lock: its `retention` and its `hold`, if the reader may see them."""
    shown: list[tuple[bytes, bytes]] = []
    mode = lock & RETENTION_MODES
    if mode and retention:
        shown.append((MODE_HEADER.encode(), _MODE_NAMES[mode.value].encode()))
        shown.append((UNTIL_HEADER.encode(), format_iso(retain_until_ms).encode()))
    if lock & Lock.HOLD and hold:
        shown.append((HOLD_HEADER.encode(), b"ON"))
    return shown


def retention_keys(wish: LockWish, now_ms: int) -> dict[str, tuple[str, ...]]:
    """Return what a wished retention says to a policy: condition keys by their names in lower case."""
    if not wish.mode:
        return {}
    return {
        "s3:object-lock-mode": (_MODE_NAMES[wish.mode.value],),
        "s3:object-lock-retain-until-date": (format_iso(wish.retain_until_ms),),
        "s3:object-lock-remaining-retention-days": (str(-(-(wish.retain_until_ms - now_ms) // DAY_MS)),),
    }


def hold_keys(*, is_set: bool) -> dict[str, tuple[str, ...]]:
    """Return what a wished legal hold says to a policy."""
    return {"s3:object-lock-legal-hold": ("ON" if is_set else "OFF",)}


def lock_keys(headers: Mapping[str, str], now_ms: int) -> dict[str, tuple[str, ...]]:
    """Return what the lock that a write wishes for its version says to a policy. Raises InvalidArgumentError."""
    wish = parse_lock_headers(headers)
    keys = retention_keys(wish, now_ms)
    return keys | hold_keys(is_set=wish.hold) if HOLD_HEADER in headers else keys


def asks_for_bypass(headers: Mapping[str, str]) -> bool:
    """Tell whether a request wants to bypass GOVERNANCE, for which it needs the permission as well."""
    return headers.get(BYPASS_HEADER, "").lower() == "true"


def asks_for_lock(headers: Mapping[str, str]) -> bool:
    """Tell whether a CreateBucket wants a bucket whose versions can be locked. Raises InvalidArgumentError."""
    wanted = headers.get(ENABLED_HEADER, "false")
    if wanted.lower() not in {"true", "false"}:
        raise _bad(ENABLED_HEADER, wanted, f"{ENABLED_HEADER} is true or false.")
    return wanted.lower() == "true"


def parse_retention(body: bytes) -> LockWish:
    """Return the retention of a PutObjectRetention; an empty one takes it off. Raises MalformedXMLError."""
    fields = leaves(read_tree(body, "Retention"), frozenset({"Mode", "RetainUntilDate"}))
    if not fields:
        return NO_LOCK
    until_ms = parse_date(fields.get("RetainUntilDate", "").strip())
    if until_ms is None:
        raise MalformedXMLError("A retention needs its RetainUntilDate, in ISO 8601 format.")
    return LockWish(_mode(fields.get("Mode")), until_ms)


def render_retention(lock: Lock, retain_until_ms: int) -> bytes:
    """Return the answer of GetObjectRetention."""
    mode = _MODE_NAMES[(lock & RETENTION_MODES).value]
    return document("Retention", f"<Mode>{mode}</Mode><RetainUntilDate>{format_iso(retain_until_ms)}</RetainUntilDate>")


def parse_legal_hold(body: bytes) -> bool:
    """Return whether a PutObjectLegalHold sets the hold. Raises MalformedXMLError."""
    status = leaves(read_tree(body, "LegalHold"), frozenset({"Status"})).get("Status")
    if status not in {"ON", "OFF"}:
        raise MalformedXMLError("The Status of a legal hold is ON or OFF.")
    return status == "ON"


def render_legal_hold(*, is_set: bool) -> bytes:
    """Return the answer of GetObjectLegalHold."""
    return document("LegalHold", f"<Status>{'ON' if is_set else 'OFF'}</Status>")


def parse_object_lock(body: bytes) -> ObjectLock:
    """Return what a PutObjectLockConfiguration asks for. Raises MalformedXMLError, InvalidRetentionPeriodError."""
    fields: dict[str, str] = {}
    rule: ObjectLock | None = None
    for element in children(read_tree(body, "ObjectLockConfiguration"), frozenset({"ObjectLockEnabled", "Rule"})):
        if name_of(element) == "ObjectLockEnabled":
            add_field(fields, "ObjectLockEnabled", text_of(element))
        elif rule is not None:
            raise doubled("Rule")
        else:
            rule = _parse_rule(element)
    if fields.get("ObjectLockEnabled") != "Enabled":
        raise MalformedXMLError("ObjectLockEnabled is Enabled: Object Lock cannot be switched off.")
    return rule or ObjectLock()


def _parse_rule(rule: Element) -> ObjectLock:
    inside = list(children(rule, frozenset({"DefaultRetention"})))
    if len(inside) != 1:
        raise MalformedXMLError("A Rule has one DefaultRetention.")
    fields = leaves(inside[0], frozenset({"Mode", "Days", "Years"}))
    mode = _mode(fields.get("Mode"))
    if ("Days" in fields) == ("Years" in fields):
        raise MalformedXMLError("A DefaultRetention is of Days or of Years.")
    if "Days" in fields:
        return ObjectLock(mode=mode.value, days=_period(fields["Days"], RETENTION_DAYS_MAX))
    return ObjectLock(mode=mode.value, years=_period(fields["Years"], RETENTION_YEARS_MAX))


def _mode(text: str | None) -> Lock:
    if text not in _MODES:
        raise MalformedXMLError("Mode is GOVERNANCE or COMPLIANCE.")
    return _MODES[text]


def _period(text: str, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.removeprefix("-").isdecimal() and len(digits) <= _NUMBER_CHARS_MAX):
        raise MalformedXMLError("A retention period is a whole number.")
    if not 1 <= int(digits) <= most:
        raise InvalidRetentionPeriodError
    return int(digits)


def render_object_lock(lock: ObjectLock) -> bytes:
    """Return the answer of GetObjectLockConfiguration."""
    rule = ""
    if lock.mode:
        period = f"<Days>{lock.days}</Days>" if lock.days else f"<Years>{lock.years}</Years>"
        retention = f"<Mode>{_MODE_NAMES[lock.mode]}</Mode>{period}"
        rule = f"<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"
    return document("ObjectLockConfiguration", f"<ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}")
