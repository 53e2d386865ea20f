"""The Condition element: every test of it must hold.

A test compares the values of one condition key with the policy's values. Without a set operator any of the request's values may
match (none may, for a negated operator); ForAllValues asks it of every value and holds where there is none, ForAnyValue asks it
of at least one. What cannot be told never matches; under a negated operator it then counts against the request: the test fails
in an Allow and holds in a Deny.

Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators", "Set operators for multivalued context keys".
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from operator import eq
from typing import Final, TypeAlias

from msgspec import Struct

from siegel.access.comparisons import RELATIONS, Relation, compare, in_network, read_truth
from siegel.access.condition_keys import ConditionKeys, is_key_form
from siegel.access.wildcards import (
    Atoms,
    Matcher,
    arn_matcher,
    bind,
    equals,
    equals_ignoring_case,
    has_variables,
    like,
    matcher,
)
from siegel.domain.errors import PolicyError


class Quantifier(StrEnum):
    """How many of the request's values must pass."""

    ALL = "ForAllValues"
    ANY = "ForAnyValue"


ReadText: TypeAlias = Callable[..., Atoms]


class Operator(Struct, frozen=True):
    """A condition operator without prefix and suffix. `read` makes a matcher of a policy's value and a reader of texts."""

    read: Callable[[str, ReadText], Matcher]
    is_negated: bool = False


def _string_equals(text: str, read_text: ReadText) -> Matcher:
    return matcher(read_text(text, wildcards=False), equals)


def _string_equals_ignoring_case(text: str, read_text: ReadText) -> Matcher:
    return matcher(read_text(text, wildcards=False), equals_ignoring_case)


def _string_like(text: str, read_text: ReadText) -> Matcher:
    return matcher(read_text(text), like)


def _arn(text: str, read_text: ReadText) -> Matcher:
    found = arn_matcher(read_text(text))
    if found is None:
        raise PolicyError(f'"{text}" is not an ARN')
    return found


def _truth(text: str, read_text: ReadText) -> Matcher:
    atoms = read_text(text, wildcards=False)
    if not has_variables(atoms):
        return compare("Bool", eq, text)

    def match(value: str, keys: ConditionKeys) -> bool | None:
        given, bound = read_truth(value), bind(atoms, keys)
        asked = None if bound is None else read_truth("".join(map(str, bound)))
        return None if given is None or asked is None else given is asked

    return match


def _compared(family: str, relation: Relation) -> Callable[[str, ReadText], Matcher]:
    return lambda text, _read_text: compare(family, relation, text)


def _network(text: str, _read_text: ReadText) -> Matcher:
    return in_network(text)


OPERATORS: Final[Mapping[str, Operator]] = {
    "StringEquals": Operator(_string_equals),
    "StringNotEquals": Operator(_string_equals, is_negated=True),
    "StringEqualsIgnoreCase": Operator(_string_equals_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_string_equals_ignoring_case, is_negated=True),
    "StringLike": Operator(_string_like),
    "StringNotLike": Operator(_string_like, is_negated=True),
    **{f"{family}{name}": Operator(_compared(family, by)) for family in ("Numeric", "Date") for name, by in RELATIONS.items()},
    **{f"{family}NotEquals": Operator(_compared(family, eq), is_negated=True) for family in ("Numeric", "Date")},
    "Bool": Operator(_truth),
    "BinaryEquals": Operator(_compared("Binary", eq)),
    "IpAddress": Operator(_network),
    "NotIpAddress": Operator(_network, is_negated=True),
    "ArnEquals": Operator(_arn),
    "ArnLike": Operator(_arn),
    "ArnNotEquals": Operator(_arn, is_negated=True),
    "ArnNotLike": Operator(_arn, is_negated=True),
}
NULL: Final = "Null"
_IF_EXISTS: Final = "IfExists"


class Condition(Struct, frozen=True):
    """One test of one key. `written` are the policy's values; `in_doubt` is what a negated test says when it cannot be told."""

    key: str
    operator: str
    written: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    quantifier: Quantifier | None
    is_negated: bool
    if_exists: bool
    in_doubt: bool

    def holds(self, keys: ConditionKeys) -> bool:
        """Tell whether the request passes."""
        values = keys.get(self.key)
        if self.operator == NULL:
            return any(read_truth(text) is _is_null(values) for text in self.written)
        if not values and self.if_exists:
            return True
        if self.quantifier is None:
            tested = (self._passes(value, keys) for value in values or ())
            return all(tested) if self.is_negated else any(tested)
        if _is_null(values):
            return self.quantifier is Quantifier.ALL
        tested = (self._passes(value, keys) for value in values or ())
        return all(tested) if self.quantifier is Quantifier.ALL else any(tested)

    def _passes(self, value: str, keys: ConditionKeys) -> bool:
        if not self.is_negated:
            return any(match(value, keys) for match in self.matchers)
        results = [match(value, keys) for match in self.matchers]
        return True not in results and (None not in results or self.in_doubt)


def _is_null(values: tuple[str, ...] | None) -> bool:
    """Tell whether a key is absent, or has nothing but empty values."""
    return not any(values or ())


def read_condition(operator: str, key: str, values: tuple[str, ...], read_text: ReadText, *, in_doubt: bool) -> Condition:
    """Return the test that a policy writes as `{operator: {key: values}}`.

    Raises PolicyError for an operator, key or value that the language does not know.
    """
    if not is_key_form(key):
        raise PolicyError(f'"{key}" is not a condition key')
    prefix, colon, name = operator.rpartition(":")
    if operator == NULL:
        if any(read_truth(value) is None for value in values):
            raise PolicyError('a value of Null is "true" or "false"')
        return Condition(key.lower(), NULL, values, (), None, is_negated=False, if_exists=False, in_doubt=in_doubt)
    base = name.removesuffix(_IF_EXISTS)
    known = OPERATORS.get(base)
    if known is None or (colon and prefix not in set(Quantifier)):
        raise PolicyError("unknown condition operator")
    return Condition(
        key.lower(),
        base,
        values,
        tuple(known.read(value, read_text) for value in values),
        Quantifier(prefix) if colon else None,
        is_negated=known.is_negated,
        if_exists=name != base,
        in_doubt=in_doubt,
    )
