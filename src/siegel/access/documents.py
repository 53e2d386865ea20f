"""Policy documents as JSON: nothing twice, nothing unknown, nothing that is no text where text must stand.

Source: RFC 8259; AWS IAM User Guide, "Grammar of the IAM JSON policy language".
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from siegel.domain.errors import PolicyError

_TRUTH: Final = {True: "true", False: "false"}


class Number(str):
    """A number as it is written: the language compares some values as text."""

    __slots__ = ()


def load_document(text: str) -> dict[str, Any]:
    """Return the object that a text means. Raises PolicyError."""
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise PolicyError("Policies must be valid JSON: half a surrogate pair") from error
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"Policies must be valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise PolicyError("Policies must be JSON objects")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise PolicyError(f'Policies must be valid JSON: "{name}" stands twice in one object')
        found[name] = value
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def check_elements(found: Mapping[str, Any], known: set[str], place: str) -> None:
    """Raise PolicyError for an element that has no place there."""
    for name in found:
        if name not in known:
            raise PolicyError(f'{place}: unknown element "{name}"')


def read_texts(value: object, place: str, *, any_scalar: bool = False) -> tuple[str, ...]:
    """Return the strings of a string or a list of them; `any_scalar` takes numbers and truth values too. Raises PolicyError."""
    values = value if isinstance(value, list) else [value]
    if not values:
        raise PolicyError(f"{place}: the list is empty")
    return tuple(_read_text(one, place, any_scalar=any_scalar) for one in values)


def _read_text(value: object, place: str, *, any_scalar: bool) -> str:
    if any_scalar and isinstance(value, bool):
        return _TRUTH[value]
    if not isinstance(value, str) or (isinstance(value, Number) and not any_scalar):
        raise PolicyError(f"{place}: must be a string or a list of strings")
    return str(value)


def read_object(value: object, place: str) -> Mapping[str, Any]:
    """Return a JSON object that has members. Raises PolicyError."""
    if not isinstance(value, dict) or not value:
        raise PolicyError(f"{place}: must be an object with members")
    return value
