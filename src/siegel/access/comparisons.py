"""Comparing values by type: what a policy's value and a request's value mean as number, date, truth value, bytes or address.

A value of the policy is read once, and refused if it is not of its operator's type; a value of the request that is not of that
type cannot be compared (None). Addresses are compared as numbers; one of IPv4 that is written as IPv6 (`::ffff:...`) is of IPv4.

Sources: AWS IAM User Guide, "IAM JSON policy elements: Condition operators"; W3C note "Date and Time Formats"; RFC 4632, 4291.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any, Final, TypeAlias

from siegel.access.condition_keys import ConditionKeys
from siegel.access.wildcards import Matcher
from siegel.domain.errors import PolicyError

Relation: TypeAlias = Callable[[Any, Any], bool]
RELATIONS: Final[dict[str, Relation]] = {
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DATE: Final = re.compile(
    r"(?P<year>[0-9]{4})(-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2})"
    r"(T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(Z|(?P<sign>[+-])(?P<ahead_h>[01][0-9]|2[0-3]):(?P<ahead_m>[0-5][0-9])))?)?)?"
)
_NO_COUNTS: Final = frozenset({"sign", "fraction"})
_NETWORK: Final = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")
# One caller's address is asked for again and again, and reading it is the dearest part of a test.
ADDRESSES_REMEMBERED_MAX: Final = 4096
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAPPED_BITS: Final = 96


def read_number(text: str) -> Decimal | None:
    """Return a decimal number, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def read_date(text: str) -> Decimal | None:
    """Return the seconds since 1970 that a W3C date or a number of seconds means, or None. Four digits are a year."""
    found = _DATE.fullmatch(text)
    if found is None:
        return read_number(text)
    part = {name: int(value) for name, value in found.groupdict().items() if value is not None and name not in _NO_COUNTS}
    try:
        moment = datetime(
            part["year"],
            part.get("month", 1),
            part.get("day", 1),
            part.get("hour", 0),
            part.get("minute", 0),
            part.get("second", 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    ahead = timedelta(hours=part.get("ahead_h", 0), minutes=part.get("ahead_m", 0))
    seconds = int((moment - _EPOCH) / timedelta(seconds=1)) - int(ahead / timedelta(seconds=-1 if found["sign"] == "-" else 1))
    return seconds + Decimal(f"0.{found['fraction'] or 0}")


def read_truth(text: str) -> bool | None:
    """Return what `true` or `false`, in any case, means, or None."""
    return {"true": True, "false": False}.get(text.lower())


def read_bytes(text: str) -> bytes | None:
    """Return what base64 text means, or None."""
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None


def read_network(text: str) -> IPv4Network | IPv6Network | None:
    """Return the network that an address or CIDR block means, or None. Bits beyond the prefix are ignored."""
    if not _NETWORK.fullmatch(text):
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


@lru_cache(maxsize=ADDRESSES_REMEMBERED_MAX)
def read_address(text: str) -> tuple[int, int] | None:
    """Return IP version and number of an address, or None."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return (6, int(address)) if mapped is None else (4, int(mapped))
    return 4, int(address)


READERS: Final[dict[str, Callable[[str], Any]]] = {
    "Numeric": read_number,
    "Date": read_date,
    "Bool": read_truth,
    "Binary": read_bytes,
}


def compare(family: str, relation: Relation, text: str) -> Matcher:
    """Return a matcher for values that stand in `relation` to the policy's value `text`. Raises PolicyError."""
    read = READERS[family]
    asked = read(text)
    if asked is None:
        raise PolicyError(f'"{text}" is not a value for {family} operators')

    def match(value: str, _keys: ConditionKeys) -> bool | None:
        given = read(value)
        return None if given is None else relation(given, asked)

    return match


def in_network(text: str) -> Matcher:
    """Return a matcher for addresses of a network. Raises PolicyError."""
    network = read_network(text)
    if network is None:
        raise PolicyError(f'"{text}" is not an IP address or CIDR block')
    version, start, mask = network.version, int(network.network_address), int(network.netmask)

    def match(value: str, _keys: ConditionKeys) -> bool | None:
        address = read_address(value)
        return None if address is None else address[0] == version and address[1] & mask == start

    return match
