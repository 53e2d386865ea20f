"""Patterns of the policy language: text with wildcards and variables, read once into atoms.

`*` stands for any text, `/` included, and `?` for one character. A variable's value is literal: a `*` in it is a star, and a `:`
in it never ends a part of an ARN. Matching looks for each run of fixed text at its first place, so no pattern makes it slow.

Source: AWS IAM User Guide, "IAM JSON policy elements: Resource", "Variables and tags", "Condition operators" (ARN operators).
"""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct

from siegel.access.condition_keys import ConditionKeys, is_key_form
from siegel.domain.errors import PolicyError

ARN_PARTS: Final = 6
_VARIABLE: Final = re.compile(r"\$\{(?:(?P<mark>[*?$])|(?P<name>[^,'{}$*?]+)(?:,\s*'(?P<default>[^'{}]*)'\s*)?)\}")


class Wildcard(Enum):
    """What stands for text that is not fixed."""

    ONE = "?"
    MANY = "*"


class Variable(Struct, frozen=True):
    """A condition key whose only value takes this place; `default` if the request has none."""

    name: str
    default: str | None


Atom: TypeAlias = str | Wildcard | Variable
Atoms: TypeAlias = tuple[Atom, ...]
Test: TypeAlias = Callable[[str], bool]
# None: it cannot be told, because a variable has no value, or the request's value is not of the operator's type.
Matcher: TypeAlias = Callable[[str, ConditionKeys], bool | None]


def read_atoms(text: str, *, wildcards: bool = True, variables: bool = True) -> Atoms:
    """Return what `text` consists of. Raises PolicyError for a `${` that opens no variable."""
    atoms: list[Atom] = []
    at = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        atoms += _read_wildcards(_fixed(text[at : found.start()]), wildcards=wildcards)
        atoms.append(found["mark"] or _read_variable(found["name"], found["default"], text))
        at = found.end()
    rest = text[at:]
    return (*atoms, *_read_wildcards(_fixed(rest) if variables else rest, wildcards=wildcards))


def _fixed(text: str) -> str:
    if "${" in text:
        raise PolicyError(f'"{text}" opens a variable with ${{ that is not well-formed')
    return text


def _read_variable(name: str, default: str | None, text: str) -> Variable:
    name = name.strip()
    if not is_key_form(name):
        raise PolicyError(f'"{text}" names a variable that is no condition key: {name}')
    return Variable(name.lower(), default)


def _read_wildcards(text: str, *, wildcards: bool) -> list[Atom]:
    if not wildcards:
        return [text] if text else []
    return [Wildcard(piece) if piece in {"*", "?"} else piece for piece in re.split(r"([*?])", text) if piece]


def has_wildcards(atoms: Iterable[Atom]) -> bool:
    """Tell whether the atoms fit more than one text, variables apart."""
    return any(isinstance(atom, Wildcard) for atom in atoms)


def has_variables(atoms: Iterable[Atom]) -> bool:
    """Tell whether the atoms mean another text for another request."""
    return any(isinstance(atom, Variable) for atom in atoms)


def bind(atoms: Atoms, keys: ConditionKeys) -> Atoms | None:
    """Put the request's values in the variables' places; None if one has neither exactly one value nor a default."""
    bound: list[Atom] = []
    for atom in atoms:
        if not isinstance(atom, Variable):
            bound.append(atom)
            continue
        values = keys.get(atom.name) or (() if atom.default is None else (atom.default,))
        if len(values) != 1:
            return None
        bound.append(values[0])
    return tuple(bound)


def matcher(atoms: Atoms, build: Callable[[Atoms], Test]) -> Matcher:
    """Return a matcher whose test is built once, or for every request where there are variables."""
    if not has_variables(atoms):
        fixed = build(atoms)
        return lambda value, _keys: fixed(value)

    def match(value: str, keys: ConditionKeys) -> bool | None:
        bound = bind(atoms, keys)
        return None if bound is None else build(bound)(value)

    return match


def equals(atoms: Atoms) -> Test:
    """Return a test for exactly this text; the atoms hold no wildcards."""
    text = _text(atoms)
    return lambda value: value == text


def equals_ignoring_case(atoms: Atoms) -> Test:
    """Return a test for this text in any case; the atoms hold no wildcards."""
    text = _text(atoms).casefold()
    return lambda value: value.casefold() == text


def _text(atoms: Atoms) -> str:
    return "".join(str(atom) for atom in atoms)


class Run(Struct, frozen=True):
    """Text between two `*`: fixed pieces at their offsets, any character elsewhere. `text` is set if all of it is fixed."""

    length: int
    pieces: tuple[tuple[int, str], ...]
    text: str | None

    def fits(self, value: str, at: int) -> bool:
        """Tell whether the run stands in `value` at this place."""
        if self.text is not None:
            return value.startswith(self.text, at)
        return at + self.length <= len(value) and all(value.startswith(piece, at + offset) for offset, piece in self.pieces)

    def find(self, value: str, start: int, end: int) -> int:
        """Return the first place from `start` on where the run ends before `end`, or -1."""
        if self.text is not None:
            return value.find(self.text, start, end)
        if self.length > end - start:
            return -1
        # Each character is looked at once (Baeza-Yates and Gonnet's Shift-And), however many pieces there are: the policy is one
        # party's, and the time is everybody's. Bit n of `begun` says that the first n + 1 places of the run end here.
        places, anywhere = self._places()
        begun, whole = 0, 1 << (self.length - 1)
        for at in range(start, end):
            begun = (begun << 1 | 1) & places.get(value[at], anywhere)
            if begun & whole:
                return at - self.length + 1
        return -1

    def _places(self) -> tuple[dict[str, int], int]:
        """Return as bits where in the run each of its characters may stand, and where any other may."""
        fixed = [(offset + index, char) for offset, piece in self.pieces for index, char in enumerate(piece)]
        anywhere = (1 << self.length) - 1 - sum(1 << place for place, _ in fixed)
        places: dict[str, int] = {}
        for place, char in fixed:
            places[char] = places.get(char, anywhere) | 1 << place
        return places, anywhere


def like(atoms: Atoms) -> Test:
    """Return a test for text that fits the wildcards."""
    if not has_wildcards(atoms):
        return equals(atoms)
    first, *others = _runs(atoms)
    if not others:
        return lambda value: len(value) == first.length and first.fits(value, 0)
    *middle, last = others
    if not middle and not last.length:
        return lambda value: first.fits(value, 0)

    def test(value: str) -> bool:
        at, end = first.length, len(value) - last.length
        if at > end or not first.fits(value, 0) or not last.fits(value, end):
            return False
        for run in middle:
            at = run.find(value, at, end)
            if at < 0:
                return False
            at += run.length
        return True

    return test


def _runs(atoms: Atoms) -> list[Run]:
    runs: list[list[Atom]] = [[]]
    for atom in atoms:
        if atom is Wildcard.MANY:
            runs.append([])
        else:
            runs[-1].append(atom)
    return [_run(run) for run in runs]


def _run(atoms: list[Atom]) -> Run:
    length, pieces = 0, list[tuple[int, str]]()
    for atom in atoms:
        if isinstance(atom, str):
            pieces.append((length, atom))
            length += len(atom)
        else:
            length += 1
    is_fixed = sum(len(piece) for _, piece in pieces) == length
    return Run(length, tuple(pieces), "".join(piece for _, piece in pieces) if is_fixed else None)


def split_arn(atoms: Atoms) -> list[Atoms] | None:
    """Return the six parts of an ARN's pattern, the last of which may hold colons; None if it is no ARN."""
    parts: list[list[Atom]] = [[]]
    for atom in atoms:
        if not isinstance(atom, str):
            parts[-1].append(atom)
            continue
        head, *rest = atom.split(":", ARN_PARTS - len(parts))
        parts[-1].append(head)
        parts += [[text] for text in rest]
    if len(parts) != ARN_PARTS or parts[0] != ["arn"]:
        return None
    return [tuple(atom for atom in part if atom != "") for part in parts]


def arn_matcher(atoms: Atoms) -> Matcher | None:
    """Return a matcher that compares ARNs part by part; `*` alone fits everything. None if the pattern is no ARN."""
    if atoms == (Wildcard.MANY,):
        return lambda _value, _keys: True
    parts = split_arn(atoms)
    if parts is None:
        return None
    name = matcher(parts[-1], like)
    if all(isinstance(atom, str) for part in parts[:-1] for atom in part):
        prefix = ":".join(_text(part) for part in parts[:-1]) + ":"
        cut = len(prefix)
        return lambda value, keys: value.startswith(prefix) and name(value[cut:], keys)
    matchers = [*(matcher(part, like) for part in parts[:-1]), name]

    def match(value: str, keys: ConditionKeys) -> bool | None:
        texts = value.split(":", ARN_PARTS - 1)
        if len(texts) != ARN_PARTS:
            return False
        results = [part(text, keys) for part, text in zip(matchers, texts, strict=True)]
        return False if False in results else None if None in results else True

    return match
