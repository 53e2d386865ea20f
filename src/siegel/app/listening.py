"""Servers that the customer runs: one process, one event loop, one port, until SIGTERM or Ctrl-C."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.app.http import Application, HttpServer
from siegel.app.process import settle_memory
from siegel.app.settings import Address, parse_address
from siegel.app.sockets import reserve
from siegel.app.tls import check_authority, check_pair
from siegel.app.tlsfront import INNER, TlsFront, client_context
from siegel.domain.errors import ConfigurationError

# Requests in flight were cut off.
EXIT_CUT: Final = 1


class Listening(Struct, frozen=True):
    """Where and how a server listens.

    `client_ca`: only clients with a certificate of this authority are let in; with `client_names`, only those whose certificate
    has one of these names.
    """

    address: Address
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    client_names: tuple[str, ...] = ()


def read_listen(text: str) -> Address:
    """Return the address that `--listen` says. Raises ConfigurationError."""
    try:
        return parse_address(text)
    except ValueError as error:
        raise ConfigurationError(f"--listen: {error}") from None


def check_listening(listening: Listening) -> None:
    """Check certificates before anything begins. Raises ConfigurationError."""
    if (listening.tls_cert is None) != (listening.tls_key is None):
        raise ConfigurationError("--tls-cert and --tls-key go together")
    if listening.tls_cert and listening.tls_key:
        check_pair(str(listening.tls_cert), str(listening.tls_key))
    if listening.client_ca is None:
        if listening.client_names:
            raise ConfigurationError("--client-name needs --client-ca: without an authority a name is only said")
        return
    if listening.tls_cert is None:
        raise ConfigurationError("--client-ca needs --tls-cert and --tls-key")
    check_authority(str(listening.client_ca))


def reserve_address(address: Address) -> Address:
    """Keep a port for this process, to its end, and return it. Raises ConfigurationError."""
    try:
        reserved = reserve(address)
    except OSError as error:
        raise ConfigurationError(f"the port {address} cannot be used: {error.strerror}\ntry: --listen {address.host}:0") from None
    port = reserved.getsockname()[1]
    # The open descriptor is what keeps the port.
    reserved.detach()
    return Address(address.host, port)


async def serve_application(application: Application, address: Address, listening: Listening, name: str) -> None:
    """Serve until told to stop; print `ready NAME=URL` once it listens."""
    front = _front(listening)
    if front is None:
        server = HttpServer(
            application,
            address,
            tls_cert=_text(listening.tls_cert),
            tls_key=_text(listening.tls_key),
            client_ca=_text(listening.client_ca),
        )
    else:
        server = HttpServer(front.guarding(application), INNER)
        await front.begin(address, server.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    settle_memory()
    url = f"{'https' if listening.tls_cert else 'http'}://{address}"
    asyncio.get_running_loop().call_soon(_announce, f"ready {name}={url}\n".encode())
    await server.run()
    if front is not None:
        await front.end()


def _announce(line: bytes) -> None:
    # Where nobody can read it, clients are served all the same.
    with suppress(OSError):
        os.write(sys.stdout.fileno(), line)


def _front(listening: Listening) -> TlsFront | None:
    """Return what stands in front of a server that looks at the names of its clients."""
    if not (listening.client_names and listening.tls_cert and listening.tls_key and listening.client_ca):
        return None
    return TlsFront(client_context(listening.tls_cert, listening.tls_key, listening.client_ca), listening.client_names)


def _stop(server: HttpServer) -> None:
    """Let requests in flight finish; told so a second time, end at once: whatever was answered is durable."""
    if server.interrupt_signal:
        os._exit(EXIT_CUT)
    end: Callable[[], None] = server.stop
    end()


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
