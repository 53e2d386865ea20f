"""Who is at the other end of a connection: the socket's peer, or whom a configured proxy says it speaks for.

Headers about that are believed of configured proxies alone; from anybody else they mean nothing.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

Headers = Iterable[tuple[bytes, bytes]]


class Peer(Struct, frozen=True):
    """The client's address and the scheme by which it came; "" where the server did not tell the address."""

    address: str
    scheme: str


class Proxies:
    """The networks of the proxies that are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Take networks in CIDR form. Raises ValueError for what is none."""
        self._networks = [ip_network(text) for text in networks]

    def peer(self, address: str, scheme: str, headers: Headers) -> Peer:
        """Return the client: going backwards through X-Forwarded-For, the first address that is no proxy's."""
        if not self._networks or not self._is_proxy(address):
            return Peer(address, scheme)
        forwarded: list[str] = []
        for name, value in headers:
            if name == b"x-forwarded-for":
                forwarded += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-proto" and value in {b"http", b"https"}:
                scheme = value.decode()
        for hop in reversed(forwarded):
            known = _parse(hop.strip())
            if known is None:
                break
            address = str(known)
            if not self._is_proxy(address):
                break
        return Peer(address, scheme)

    def _is_proxy(self, address: str) -> bool:
        known = _parse(address)
        return known is not None and any(_holds(network, known) for network in self._networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _holds(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    return address.version == network.version and address in network
