"""Requests to servers that others name, as values, and what may come of them instead of an answer."""

from collections.abc import Sequence

from msgspec import Struct

from siegel.domain.errors import SiegelError


class OutboundError(SiegelError):
    """A server that somebody named cannot be reached, takes too long, or answers what is not HTTP, too much, or a redirect."""


class AddressRefusedError(OutboundError):
    """An URL leads to an address that nobody outside may make this deployment connect to; the message names it."""


class OutboundTimeoutError(OutboundError):
    """A call took longer than it may."""


class OutboundTlsError(OutboundError):
    """No connection could be made that proves who is on the other side."""


class Trust(Struct, frozen=True):
    """Whom to believe on the other side, and who to be there.

    `ca_pem`: the only authorities that are believed, empty for those of the system. `certificate_file`: a PEM file with the
    certificate and the private key to show, empty for none.
    """

    ca_pem: str = ""
    certificate_file: str = ""


class OutboundCall(Struct, frozen=True, kw_only=True):
    """One request. It has `timeout_s` altogether, from the look-up of the name to the last byte of the answer.

    A `body` is sent with its length; `answer_bytes_max` limits the body of the answer.
    """

    url: str
    method: str = "GET"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    timeout_s: float
    answer_bytes_max: int
    trust: Trust = Trust()


class OutboundAnswer(Struct, frozen=True):
    """The whole answer. Names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
