"""The policy document of a form: what its signer lets others upload.

A policy covers every field of the form: one that no condition names is refused, so that nothing rides along. Names count in any
case, values exactly. The bucket is always that of the URL, whatever the form says.

Sources: Amazon S3 API Reference, "POST Policy" (conditions, matching, escaping) and "Creating an HTML form".
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.browser_errors import InvalidPolicyDocumentError
from siegel.domain.errors import AccessDeniedError
from siegel.domain.limits import PUT_BYTES_MAX
from siegel.s3wire.dates import parse_date

_EXEMPT: Final = frozenset({"file", "policy", "x-amz-signature"})
_IGNORED_PREFIX: Final = "x-ignore-"
_RANGE: Final = "content-length-range"
_RANGE_PARTS: Final = 3
_TYPE_FIELD: Final = "content-type"
_SIZE_DIGITS_MAX: Final = 19


class Condition(Struct, frozen=True):
    """What a field must be: exactly `value`, or text that begins with it. `field` is in lower case."""

    field: str
    value: str
    is_prefix: bool

    def holds(self, given: str | None) -> bool:
        """Whether a field of this text satisfies the condition; one that is not there satisfies none."""
        if given is None:
            return False
        if not self.is_prefix:
            return given == self.value
        if self.field == _TYPE_FIELD:
            return all(part.strip().startswith(self.value) for part in given.split(","))
        return given.startswith(self.value)

    @property
    def text(self) -> str:
        """The condition as a policy writes it."""
        return json.dumps(["starts-with" if self.is_prefix else "eq", f"${self.field}", self.value], ensure_ascii=False)


class FormPolicy(Struct, frozen=True):
    """A policy document. The file may have `bytes_min` to `bytes_max` bytes."""

    expires_at_ms: int
    conditions: tuple[Condition, ...]
    bytes_min: int
    bytes_max: int

    def check(self, fields: Mapping[str, str], bucket: str, now_ms: int) -> None:
        """Accept a form of these fields for `bucket`. Raises AccessDeniedError, which names what does not hold."""
        if now_ms > self.expires_at_ms:
            raise _denied("Policy expired.")
        given = {**fields, "bucket": bucket}
        if fields.get("bucket", bucket) != bucket:
            raise _denied("The field bucket is not the bucket of the URL.")
        for condition in self.conditions:
            if not condition.holds(given.get(condition.field)):
                raise _denied(f"Policy Condition failed: {condition.text}")
        covered = {condition.field for condition in self.conditions} | _EXEMPT
        extra = [name for name in given if name not in covered and not name.startswith(_IGNORED_PREFIX)]
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)}")


def _denied(reason: str) -> AccessDeniedError:
    return AccessDeniedError(f"Invalid according to Policy: {reason}")


def parse_form_policy(text: str) -> FormPolicy:
    """Read the base64 of a policy document. Raises InvalidPolicyDocumentError."""
    try:
        document = json.loads(b64decode("".join(text.split()), validate=True).decode(), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON, or not in base64.") from None
    if not isinstance(document, dict):
        raise _invalid("It is a JSON object.")
    for name in ("expiration", "conditions"):
        if name not in document:
            raise _invalid(f"Policy missing {name}.")
    if len(document) > 2:  # noqa: PLR2004  (these two)
        raise _invalid("A policy has an expiration and conditions, and nothing else.")
    expiration = document["expiration"]
    expires_at_ms = parse_date(expiration) if isinstance(expiration, str) and expiration[:1].isdigit() else None
    if expires_at_ms is None:
        raise _invalid("Invalid 'expiration' value: a time is written like 2026-11-27T12:00:00.000Z.")
    return _read_conditions(expires_at_ms, document["conditions"])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _read_conditions(expires_at_ms: int, items: object) -> FormPolicy:
    if not isinstance(items, list):
        raise _invalid("The conditions are a list.")
    conditions: list[Condition] = []
    bytes_min, bytes_max = 0, PUT_BYTES_MAX
    for item in items:
        if isinstance(item, dict):
            conditions.append(_simple(item))
        elif isinstance(item, list) and item and isinstance(item[0], str):
            if item[0].lower() == _RANGE:
                low, high = _read_range(item)
                bytes_min, bytes_max = max(bytes_min, low), min(bytes_max, high)
            else:
                conditions.append(_match(item))
        else:
            raise _invalid("A condition is an object, or a list that begins with its operator.")
    return FormPolicy(expires_at_ms, tuple(conditions), bytes_min, bytes_max)


def _simple(item: dict[str, object]) -> Condition:
    if len(item) != 1:
        raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
    ((field, value),) = item.items()
    if not isinstance(value, str):
        raise _invalid("Invalid Simple-Condition: value must be a string.")
    return Condition(field.lower(), _unescape(value), is_prefix=False)


def _match(item: list[object]) -> Condition:
    match item:
        case [str(operator), str(field), str(value)] if operator.lower() in {"eq", "starts-with"} and field.startswith("$"):
            return Condition(field[1:].lower(), _unescape(value), is_prefix=operator.lower() != "eq")
        case _:
            raise _invalid('Invalid condition: it is ["eq" or "starts-with", "$field", "value"].')


def _read_range(item: list[object]) -> tuple[int, int]:
    sizes = [_size(value) for value in item[1:]]
    if len(item) != _RANGE_PARTS or sizes[0] > sizes[1]:
        raise _invalid(f"Invalid {_RANGE}: it has a least and a greatest size.")
    return sizes[0], sizes[1]


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _SIZE_DIGITS_MAX:
        return int(value)
    raise _invalid(f"Invalid {_RANGE}: a size is a number of bytes.")


def _unescape(value: str) -> str:
    # A dollar sign is written with a backslash, since a bare one begins the name of a field.
    return value.replace("\\$", "$")


def _invalid(reason: str) -> InvalidPolicyDocumentError:
    return InvalidPolicyDocumentError(f"Invalid Policy: {reason}")
