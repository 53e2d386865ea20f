"""Parameters of the query protocol: a form's names and values, and the tree of lists and structures that they spell.

`Tags.member.1.Key=a&Tags.member.1.Value=b` is one list with one structure. Nothing may be said twice, left open or out of order.

Source: AWS query protocol (Smithy, "AWS Query protocol": `awsQuery`, query key resolution); URL Standard,
"application/x-www-form-urlencoded parsing".
"""

import re
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from siegel.domain.limits import QUERY_PARAMETERS_MAX
from siegel.domain.query_errors import ValidationError

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"

_HALF_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NAME: Final = re.compile(r"[A-Za-z0-9]{1,64}(\.[A-Za-z0-9]{1,64}){0,7}")
_MEMBER: Final = "member"
_SHOWN_CHARS_MAX: Final = 64


def read_form(raw: bytes) -> dict[str, str]:
    """Return the decoded parameters of a form, in its order.

    Raises ValidationError for a name twice, an escape cut short, bytes that are no UTF-8, or more than QUERY_PARAMETERS_MAX.
    """
    pairs = [pair for pair in raw.split(b"&") if pair]
    if len(pairs) > QUERY_PARAMETERS_MAX:
        raise ValidationError(f"A request has at most {QUERY_PARAMETERS_MAX} parameters.")
    parameters: dict[str, str] = {}
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name = _decode(raw_name)
        if name in parameters:
            raise ValidationError(f"The parameter {name[:_SHOWN_CHARS_MAX]} may appear only once.")
        parameters[name] = _decode(raw_value)
    return parameters


def _decode(raw: bytes) -> str:
    if _HALF_ESCAPE.search(raw):
        raise ValidationError("A percent sign in a form begins an escape of two hexadecimal digits.")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise ValidationError("The parameters of a request are UTF-8.") from error


def read_tree(parameters: dict[str, str]) -> dict[str, Tree]:
    """Return the structure that dotted names spell. Raises ValidationError for names that contradict each other."""
    root: dict[str, Tree] = {}
    for name, value in parameters.items():
        if not _NAME.fullmatch(name):
            raise ValidationError(f"{name[:_SHOWN_CHARS_MAX]} is no name of a parameter.")
        *steps, last = name.split(".")
        node: Tree = root
        for step in steps:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node
        if not isinstance(node, dict) or last in node:
            raise ValidationError(f"The parameter {name} contradicts another one.")
        node[last] = value
    return {name: _read_lists(name, node) for name, node in root.items()}


def _read_lists(name: str, node: Tree) -> Tree:
    if not isinstance(node, dict):
        return node
    members = node.get(_MEMBER)
    if members is None:
        return {step: _read_lists(f"{name}.{step}", inner) for step, inner in node.items()}
    numbers = [str(number) for number in range(1, len(members) + 1)]
    if len(node) > 1 or not isinstance(members, dict) or members.keys() != set(numbers):
        raise ValidationError(f"The members of the list {name} are not numbered from 1 on.")
    return [_read_lists(f"{name}.{_MEMBER}.{number}", members[number]) for number in numbers]
