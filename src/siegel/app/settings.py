"""What the processes of one deployment are told: the configuration, resolved.

`config.py` reads and checks what an operator wrote; this value is what came out, and travels to the processes as JSON over their
standard input. So they need no configuration library, and all of them see the same settings.
"""

import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

PORT_MAX = 65_535


class Address(Struct, frozen=True):
    """A TCP address. `str()` writes it as in an URL."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TokenKey(Struct, frozen=True, kw_only=True):
    """A root key in a PKCS#11 token: the module's library, the labels of token and key, the file of the PIN."""

    module: str
    token: str
    key: str
    pin_file: str | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """The resolved settings of a deployment. Paths are absolute; the meaning of each is told in `config.py`."""

    directory: str
    region: str
    s3: Address
    admin: Address
    workers: int
    tls_cert: str | None
    tls_key: str | None
    domains: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    outbound_allow: tuple[str, ...]
    key_server_cert: str | None
    root_key_file: str
    sse_c_default: Literal["blocked", "allowed"]
    sse_c_over_http: bool
    grace_s: float
    steward_interval_s: float
    lifecycle_day_s: float
    stop_grace_s: float
    log_level: str
    root_token_key: TokenKey | None = None
    pkcs11_pin_file: str | None = None

    @property
    def lifecycle_day_ms(self) -> int:
        """The length of a lifecycle's day in milliseconds."""
        return max(round(self.lifecycle_day_s * 1000), 1)

    @property
    def scheme(self) -> str:
        """How clients speak to the S3 port: `http` or `https`."""
        return "https" if self.tls_cert else "http"


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`; an IPv6 host stands in brackets. Raises ValueError with the sentence to show."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    well_formed = colon and host and (bracketed or ":" not in host) and port.isascii() and port.isdigit()
    if not well_formed or int(port) > PORT_MAX:
        raise ValueError(f"{text!r} is not HOST:PORT with a port from 0 to {PORT_MAX}")
    return Address(host, int(port))


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def default_root_key_file(directory: Path) -> Path:
    """Return where the root key rests if nothing else is said."""
    return directory / "root.key"
