"""Which addresses this deployment connects to when somebody else names them: identity providers, key servers, webhooks.

Whoever may name an URL could otherwise make the service speak to the machine that it runs on, to its neighbours, or to the
metadata service of a cloud. The table is our own: the standard library's answers have changed from release to release, and were
wrong in some (CVE-2024-4032).

Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890, 4291, 6052, 4380, 3056; URL Standard, "ends in a
number".
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from msgspec import Struct

from siegel.domain.limits import OUTBOUND_ADDRESSES_MAX, OUTBOUND_URL_CHARS_MAX
from siegel.domain.outbound import AddressRefusedError

Address: TypeAlias = IPv4Address | IPv6Address

PORT_MAX: Final = 65_535

_IPV4_DENIED: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, and the unspecified address
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared, behind a carrier's translation
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # a sink for reverse names
        "192.52.193.0/24",  # multicast by relays
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # a sink for reverse names
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# All that is not global unicast is denied by being outside of it: loopback, unspecified, forms of IPv4 addresses (mapped,
# compatible, NAT64), unique local, link-local, site-local, multicast.
_IPV6_UNICAST: Final = IPv6Network("2000::/3")
_IPV6_DENIED: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them: it carries IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: it carries IPv4 addresses
        "2620:4f:8000::/48",  # a sink for reverse names
        "3fff::/20",  # documentation
    )
)

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<target>/[\x21\x22\x24-\x5b\x5d-\x7e]*)?",
    re.ASCII,
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Endpoint(Struct, frozen=True):
    """Where an URL leads: `host` in lower case, an IPv6 address without brackets, and what to ask for there (`target`)."""

    is_tls: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header holds them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(is_tls=self.is_tls) else f"{host}:{self.port}"


@lru_cache(maxsize=1024)
def parse_endpoint(url: str) -> Endpoint:
    """Read an URL of HTTP or HTTPS. Raises AddressRefusedError for any other, and for addresses in disguise (`0177.1`)."""
    found = _URL.fullmatch(url) if len(url) <= OUTBOUND_URL_CHARS_MAX else None
    if found is None:
        raise AddressRefusedError("an URL is https://HOST, maybe with a port, a path and a query, and nothing else")
    is_tls = found["scheme"] == "https"
    port = int(found["port"] or _default_port(is_tls=is_tls))
    if not 0 < port <= PORT_MAX:
        raise AddressRefusedError(f"{port} is no port")
    return Endpoint(is_tls, _read_host(found["ipv6"], found["name"]), port, found["target"] or "/")


def _default_port(*, is_tls: bool) -> int:
    return 443 if is_tls else 80


def _read_host(ipv6: str | None, name: str | None) -> str:
    host = (ipv6 or name or "").lower()
    try:
        if ipv6 is not None:
            return str(IPv6Address(ipv6))
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return str(IPv4Address(host))
    except ValueError:
        raise AddressRefusedError(f"{host} is not an address in its plain form") from None
    if not _NAME.fullmatch(host):
        raise AddressRefusedError(f"{host} is not the name of a host")
    return host


class Allowed(Struct, frozen=True):
    """What the operator lets others name all the same: hosts or addresses with their ports, and whole networks."""

    endpoints: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def permits(self, endpoint: Endpoint, address: Address) -> bool:
        """Tell whether the list names this address, or the host that it was found under."""
        named = {(endpoint.host, endpoint.port), (str(address), endpoint.port)}
        return not named.isdisjoint(self.endpoints) or any(address in network for network in self.networks)


def parse_allowed(entries: Sequence[str]) -> Allowed:
    """Read a list of `HOST:PORT` and networks such as `10.1.0.0/16`. Raises ValueError with the sentence to show."""
    endpoints: set[tuple[str, int]] = set()
    networks: list[IPv4Network | IPv6Network] = []
    for entry in entries:
        if "/" in entry:
            networks.append(ip_network(entry))
            continue
        try:
            endpoint = parse_endpoint(f"https://{entry}")
        except AddressRefusedError as error:
            raise ValueError(f"{entry!r} is neither HOST:PORT nor a network: {error}") from None
        if not entry.endswith(f":{endpoint.port}"):
            raise ValueError(f"{entry!r} is neither HOST:PORT nor a network: name the port")
        endpoints.add((endpoint.host, endpoint.port))
    return Allowed(frozenset(endpoints), tuple(networks))


def is_denied(address: Address) -> bool:
    """Tell whether an address is anything but a public one of a single machine."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _IPV4_DENIED)
    return address not in _IPV6_UNICAST or any(address in network for network in _IPV6_DENIED)


def check_addresses(endpoint: Endpoint, addresses: Sequence[Address], allowed: Allowed) -> None:
    """Raise AddressRefusedError unless each address of a host may be connected to: one that may not condemns the name.

    Plain HTTP is for what the operator has allowed.
    """
    if not 0 < len(addresses) <= OUTBOUND_ADDRESSES_MAX:
        raise AddressRefusedError(f"{endpoint.host} has no address, or more than {OUTBOUND_ADDRESSES_MAX}")
    for address in addresses:
        if allowed.permits(endpoint, address):
            continue
        if is_denied(address):
            raise AddressRefusedError(f"{endpoint.host} leads to an address that this deployment does not connect to")
        if not endpoint.is_tls:
            raise AddressRefusedError(f"{endpoint.host} is asked over https only")


def check_url(url: str, allowed: Allowed) -> None:
    """Raise AddressRefusedError for an URL that could never be asked, as far as its text tells: names are looked up later."""
    endpoint = parse_endpoint(url)
    try:
        check_addresses(endpoint, [ip_address(endpoint.host)], allowed)
    except ValueError:
        if not endpoint.is_tls and (endpoint.host, endpoint.port) not in allowed.endpoints and not allowed.networks:
            raise AddressRefusedError(f"{endpoint.host} is asked over https only") from None
