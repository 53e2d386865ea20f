"""The meaning of public: does a statement grant something to more than fixed principals or fixed surroundings?

Every Allow is public until it names fixed principals, or one of its tests must hold for fixed values of a key that tells callers
apart. A value with a wildcard or a variable is not fixed, nor is a very wide network.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
"""

import re
from typing import Final

from siegel.access.comparisons import read_network
from siegel.access.conditions import Condition, Quantifier
from siegel.access.statement import Effect, Statement

_FIXING_KEYS: Final = frozenset(
    f"aws:{name}"
    for name in (
        *("principalaccount", "principalarn", "principalorgid", "principalorgpaths", "userid"),
        *("sourcearn", "sourcevpc", "sourcevpce", "sourceowner", "sourceaccount", "sourceorgid"),
    )
) | {"s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:dataaccesspointarn", "s3:dataaccesspointaccount"}
_FIXING_OPERATORS: Final = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_ACCESS_POINTS: Final = re.compile(r"arn:aws:s3:[a-z0-9-]+:[0-9]{12}:accesspoint/[^$?]*")
_PREFIX_MIN: Final = {4: 8, 6: 32}


def grants_to_public(statement: Statement) -> bool:
    """Tell whether a statement of a resource's policy grants something to the public."""
    if statement.effect is Effect.DENY:
        return False
    principals = statement.principals
    if not (statement.except_principals or principals.everyone or principals.federated):
        return False
    return not any(_fixes(condition) for condition in statement.conditions)


def _fixes(condition: Condition) -> bool:
    """Tell whether a test fails for everybody but a fixed set."""
    if condition.if_exists or condition.quantifier is Quantifier.ALL:
        return False
    if condition.key == "aws:sourceip":
        return condition.operator == "IpAddress" and all(_is_narrow(text) for text in condition.written)
    if condition.key not in _FIXING_KEYS or condition.operator not in _FIXING_OPERATORS:
        return False
    return all(_is_fixed(condition.key, text) for text in condition.written)


def _is_fixed(key: str, text: str) -> bool:
    if key == "s3:dataaccesspointarn" and _ACCESS_POINTS.fullmatch(text):
        return True
    return not any(mark in text for mark in ("*", "?", "${"))


def _is_narrow(text: str) -> bool:
    network = read_network(text)
    return network is not None and network.prefixlen >= _PREFIX_MIN[network.version]
