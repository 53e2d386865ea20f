"""What a call asks for, as one typed and frozen value: each action has its class, whose fields are its parameters."""

from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from siegel.domain.query_errors import ValidationError
from siegel.iamwire.form import Tree

A = TypeVar("A", bound="Ask")

_SHOWN_CHARS_MAX: Final = 200
# Letters, digits and spaces of all scripts, and these signs.
_TAG_TEXT: Final = r"\A[\w .:/=+\-@\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*\Z"


class Ask(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The base of every action's parameters: a field `user_name` is the parameter `UserName`.

    Optional texts default to "" and optional lists to (): an empty value says the same as none.
    """


class Part(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The base of structures inside parameters."""


class Tag(Part, frozen=True, kw_only=True):
    """One tag."""

    key: Annotated[str, Meta(pattern=_TAG_TEXT, min_length=1, max_length=128)]
    value: Annotated[str, Meta(pattern=_TAG_TEXT, max_length=256)]


def read_ask(ask_type: type[A], tree: dict[str, Tree]) -> A:
    """Return the typed value of a call's parameters. Raises ValidationError, which names the parameter."""
    empty = {name for name in list_names(ask_type) if tree.get(name) == ""}
    given = {name: node for name, node in tree.items() if name not in empty}
    try:
        return msgspec.convert(given, ask_type, strict=False)
    except msgspec.ValidationError as error:
        raise ValidationError(f"1 validation error detected: {_explain(str(error))}") from error


def _explain(message: str) -> str:
    """Say what is wrong with which parameter."""
    problem, _, place = message.partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    return f"{where}: {problem}"[:_SHOWN_CHARS_MAX] if where else problem[:_SHOWN_CHARS_MAX]


@cache
def list_names(ask_type: type[Struct]) -> frozenset[str]:
    """Return the names of the parameters that are lists: clients send an empty list as an empty text."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(ask_type) if _is_list(field.type))


def _is_list(annotation: Any) -> bool:
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_origin(inner) is tuple
