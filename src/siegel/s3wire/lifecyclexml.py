"""The lifecycle of a bucket in XML: the current form with a Filter, and the older one whose rules have a Prefix of their own.

Sources: Amazon S3 API Reference, PutBucketLifecycleConfiguration, LifecycleRule; User Guide, "Lifecycle configuration elements".
"""

import hashlib
from base64 import b32encode
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import InvalidArgumentError, InvalidRequestError, MalformedXMLError, UnsupportedFeatureError
from siegel.domain.lifecycle import Lifecycle, Rule, RuleFilter
from siegel.domain.limits import (
    LIFECYCLE_DAYS_MAX,
    LIFECYCLE_RULE_ID_CHARS_MAX,
    LIFECYCLE_RULES_MAX,
    LIFECYCLE_VERSIONS_KEPT_MAX,
    OBJECT_BYTES_MAX,
    OBJECT_KEY_BYTES_MAX,
)
from siegel.s3wire.dates import format_http_date, format_iso, parse_date
from siegel.s3wire.tags import check_tags
from siegel.s3wire.xmltext import document, element
from siegel.s3wire.xmltree import Element, add_field, children, flag_of, leaves, name_of, read_tree, text_of

_ROOT: Final = "LifecycleConfiguration"
_DAY_MS: Final = 86_400_000
_NO_TRANSITION: Final = "There is one storage class, STANDARD: objects cannot move to another one."
_DIGITS_MAX: Final = 19

MINIMUM_SIZES_DEFAULT: Final = "all_storage_classes_128K"
MINIMUM_SIZES: Final = frozenset({"varies_by_storage_class", MINIMUM_SIZES_DEFAULT})
"""What a client may say of the smallest object that moves to another storage class."""

MINIMUM_SIZE_HEADER: Final = "x-amz-transition-default-minimum-object-size"


class _Draft(Struct):
    """A rule while its elements are read."""

    rule: Rule
    texts: dict[str, str]
    seen: set[str]


def parse_lifecycle(body: bytes, minimum_size: str | None = None) -> Lifecycle:
    """Return what a PutBucketLifecycleConfiguration asks for; `minimum_size` is the value of its header.

    Raises MalformedXMLError, InvalidRequestError and InvalidArgumentError for rules that cannot be, UnsupportedFeatureError for
    transitions.
    """
    if minimum_size is not None and minimum_size not in MINIMUM_SIZES:
        raise InvalidArgumentError(
            "Invalid default minimum object size.", fields={"ArgumentName": MINIMUM_SIZE_HEADER, "ArgumentValue": minimum_size}
        )
    rules = [_read_rule(item) for item in children(read_tree(body, _ROOT), frozenset({"Rule"}))]
    if not 1 <= len(rules) <= LIFECYCLE_RULES_MAX:
        raise MalformedXMLError(f"A lifecycle has at least one rule, and no more than {LIFECYCLE_RULES_MAX}.")
    rules = [rule if rule.rule_id else replace(rule, rule_id=_name(rule, number)) for number, rule in enumerate(rules)]
    if len({rule.rule_id for rule in rules}) != len(rules):
        raise InvalidArgumentError("Rule ID must be unique. Found same ID for one or more rules")
    if len({rule.filter.is_legacy for rule in rules}) > 1:
        raise InvalidRequestError("Filter element can only be used in Lifecycle V2.")
    return Lifecycle(rules=tuple(rules), minimum_size=minimum_size or "")


def _name(rule: Rule, number: int) -> str:
    """Return an id for a rule that came without one, the same for the same rule in the same place."""
    return b32encode(hashlib.sha256(f"{number} {rule!r}".encode()).digest()[:15]).decode("ascii")


def _read_rule(parent: Element) -> Rule:
    draft = _Draft(Rule("", is_enabled=False, filter=RuleFilter()), {}, set())
    for item in children(parent, _RULE_ELEMENTS):
        name = name_of(item)
        if name in _PARTS:
            if name in draft.seen:
                raise MalformedXMLError(f"{name} is given twice.")
            draft.seen.add(name)
            draft.rule = _PARTS[name](draft.rule, item)
        else:
            add_field(draft.texts, name, text_of(item))
    return _check_rule(draft)


def _check_rule(draft: _Draft) -> Rule:
    rule, texts = draft.rule, draft.texts
    if texts.get("Status") not in {"Enabled", "Disabled"}:
        raise MalformedXMLError("Status is Enabled or Disabled.")
    if ("Prefix" in texts) == ("Filter" in draft.seen):
        raise MalformedXMLError("A rule has a Filter, or in the older form a Prefix.")
    rule_id = texts.get("ID", "")
    if len(rule_id) > LIFECYCLE_RULE_ID_CHARS_MAX:
        raise InvalidArgumentError(f"ID length should not exceed allowed limit of {LIFECYCLE_RULE_ID_CHARS_MAX}")
    if "Prefix" in texts:
        rule = replace(rule, filter=RuleFilter(is_legacy=True, prefix=_prefix(texts["Prefix"])))
    if not draft.seen - {"Filter"}:
        raise InvalidRequestError("At least one action needs to be specified in a rule.")
    _check_actions(rule)
    return replace(rule, rule_id=rule_id, is_enabled=texts["Status"] == "Enabled")


def _check_actions(rule: Rule) -> None:
    """Refuse actions that ask of markers and uploads what only objects have."""
    narrow = rule.filter
    for action, is_there in (
        ("AbortIncompleteMultipartUpload", rule.abort_days > 0),
        ("ExpiredObjectDeleteMarker", rule.expire_markers),
    ):
        if is_there and narrow.tags:
            raise InvalidRequestError(f"{action} cannot be specified with Tags.")
        if is_there and narrow.judges_content:
            raise InvalidRequestError(f"{action} cannot be specified with ObjectSizeGreaterThan or ObjectSizeLessThan.")


def _prefix(text: str) -> str:
    if len(text.encode()) > OBJECT_KEY_BYTES_MAX:
        raise InvalidRequestError(f"The maximum size of a prefix is {OBJECT_KEY_BYTES_MAX}.")
    return text


def _read_filter(rule: Rule, parent: Element) -> Rule:
    inside = list(children(parent, _PREDICATES | {"And"}))
    if len(inside) > 1:
        raise MalformedXMLError("A Filter holds one condition; And holds several.")
    if inside and name_of(inside[0]) == "And":
        inside = list(children(inside[0], _PREDICATES))
        if not inside:
            # Taken for no condition at all, it would let everything expire.
            raise MalformedXMLError("And holds several conditions, not none.")
    texts: dict[str, str] = {}
    tags: dict[str, str] = {}
    for item in inside:
        if name_of(item) == "Tag":
            fields = leaves(item, frozenset({"Key", "Value"}))
            if len(fields) != 2:  # noqa: PLR2004  (a key and a value)
                raise MalformedXMLError("A Tag has a Key and a Value.")
            if fields["Key"] in tags:
                raise InvalidRequestError("Duplicate Tag Keys are not allowed.")
            tags[fields["Key"]] = fields["Value"]
        else:
            add_field(texts, name_of(item), text_of(item))
    check_tags(tags)
    above, below = _size(texts, "ObjectSizeGreaterThan", 0), _size(texts, "ObjectSizeLessThan", 1)
    if above >= 0 and 0 <= below <= above:
        raise InvalidRequestError("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
    narrow = RuleFilter(
        prefix=_prefix(texts.get("Prefix", "")), tags=tuple(tags.items()), size_above_bytes=above, size_below_bytes=below
    )
    return replace(rule, filter=narrow)


def _size(texts: dict[str, str], name: str, least: int) -> int:
    if name not in texts:
        return -1
    size = _whole(texts[name])
    if not least <= size <= OBJECT_BYTES_MAX:
        raise InvalidRequestError(f"'{name}' should be between {least} and {OBJECT_BYTES_MAX}.")
    return size


def _whole(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.removeprefix("-").isdecimal() and len(digits) <= _DIGITS_MAX):
        raise MalformedXMLError("A number is written in digits.")
    return int(digits)


def _count(fields: dict[str, str], name: str, action: str, most: int = LIFECYCLE_DAYS_MAX) -> int:
    """Return a number that must be positive where it is given, 0 where it is not."""
    if name not in fields:
        return 0
    number = _whole(fields[name])
    if not 1 <= number <= most:
        raise InvalidArgumentError(f"'{name}' for {action} action must be a positive integer, of {most} at most")
    return number


def _read_expiration(rule: Rule, parent: Element) -> Rule:
    fields = leaves(parent, frozenset({"Days", "Date", "ExpiredObjectDeleteMarker"}))
    if len(fields) != 1:
        raise MalformedXMLError("An Expiration has Days, a Date or an ExpiredObjectDeleteMarker.")
    days = _count(fields, "Days", "Expiration")
    at_ms = 0
    if "Date" in fields:
        found = parse_date(fields["Date"].strip())
        if found is None:
            raise MalformedXMLError("The Date of an Expiration is in ISO 8601 format.")
        if found % _DAY_MS or found <= 0:
            raise InvalidArgumentError("'Date' must be at midnight GMT")
        at_ms = found
    is_set = "ExpiredObjectDeleteMarker" in fields
    markers = is_set and flag_of("ExpiredObjectDeleteMarker", fields["ExpiredObjectDeleteMarker"])
    return replace(rule, expire_days=days, expire_at_ms=at_ms, expire_markers=markers)


def _read_noncurrent(rule: Rule, parent: Element) -> Rule:
    fields = leaves(parent, frozenset({"NoncurrentDays", "NewerNoncurrentVersions"}))
    if "NoncurrentDays" not in fields:
        raise MalformedXMLError("A NoncurrentVersionExpiration needs its NoncurrentDays.")
    action = "NoncurrentVersionExpiration"
    return replace(
        rule,
        noncurrent_days=_count(fields, "NoncurrentDays", action),
        noncurrent_kept=_count(fields, "NewerNoncurrentVersions", action, LIFECYCLE_VERSIONS_KEPT_MAX),
    )


def _read_abort(rule: Rule, parent: Element) -> Rule:
    fields = leaves(parent, frozenset({"DaysAfterInitiation"}))
    if not fields:
        raise MalformedXMLError("An AbortIncompleteMultipartUpload needs its DaysAfterInitiation.")
    return replace(rule, abort_days=_count(fields, "DaysAfterInitiation", "AbortIncompleteMultipartUpload"))


def _refuse_transition(_rule: Rule, _parent: Element) -> Rule:
    raise UnsupportedFeatureError(_NO_TRANSITION)


_PARTS: Final[dict[str, Callable[[Rule, Element], Rule]]] = {
    "Filter": _read_filter,
    "Expiration": _read_expiration,
    "NoncurrentVersionExpiration": _read_noncurrent,
    "AbortIncompleteMultipartUpload": _read_abort,
    "Transition": _refuse_transition,
    "NoncurrentVersionTransition": _refuse_transition,
}
_RULE_ELEMENTS: Final = frozenset({"ID", "Status", "Prefix", *_PARTS})
_PREDICATES: Final = frozenset({"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"})


def render_lifecycle(lifecycle: Lifecycle) -> bytes:
    """Return the answer of GetBucketLifecycleConfiguration."""
    return document(_ROOT, *[_render_rule(rule) for rule in lifecycle.rules])


def _number(name: str, value: int, nothing: int = 0) -> str:
    return "" if value == nothing else f"<{name}>{value}</{name}>"


def _inside(name: str, *parts: str) -> str:
    text = "".join(parts)
    return f"<{name}>{text}</{name}>" if text else ""


def _render_rule(rule: Rule) -> str:
    date = f"<Date>{format_iso(rule.expire_at_ms)}</Date>" if rule.expire_at_ms else ""
    markers = "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>" if rule.expire_markers else ""
    parts = (
        element("ID", rule.rule_id),
        _render_filter(rule.filter),
        element("Status", "Enabled" if rule.is_enabled else "Disabled"),
        _inside("Expiration", _number("Days", rule.expire_days), date, markers),
        _inside(
            "NoncurrentVersionExpiration",
            _number("NoncurrentDays", rule.noncurrent_days),
            _number("NewerNoncurrentVersions", rule.noncurrent_kept),
        ),
        _inside("AbortIncompleteMultipartUpload", _number("DaysAfterInitiation", rule.abort_days)),
    )
    return f"<Rule>{''.join(parts)}</Rule>"


def _render_filter(narrow: RuleFilter) -> str:
    if narrow.is_legacy:
        return element("Prefix", narrow.prefix)
    conditions = [
        *([element("Prefix", narrow.prefix)] if narrow.prefix else []),
        *(f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>" for key, value in narrow.tags),
        _number("ObjectSizeGreaterThan", narrow.size_above_bytes, -1),
        _number("ObjectSizeLessThan", narrow.size_below_bytes, -1),
    ]
    given = [condition for condition in conditions if condition]
    inside = "".join(given) or element("Prefix", "")
    return f"<Filter>{f'<And>{inside}</And>' if len(given) > 1 else inside}</Filter>"


def expiration_header(at_ms: int, rule_id: str) -> tuple[bytes, bytes]:
    """Return the header that tells when an object expires, and by which rule."""
    value = f'expiry-date="{format_http_date(at_ms)}", rule-id="{quote(rule_id, safe="")}"'
    return b"x-amz-expiration", value.encode()


def abort_headers(at_ms: int, rule_id: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell when an upload is aborted, and by which rule."""
    date = format_http_date(at_ms).encode()
    return [(b"x-amz-abort-date", date), (b"x-amz-abort-rule-id", quote(rule_id, safe="").encode())]
