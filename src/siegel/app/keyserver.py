"""The process of the customer's key server: one event loop, until SIGTERM or Ctrl-C."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvloop
from msgspec import Struct

from siegel.app import logs
from siegel.app.http import HttpServer
from siegel.app.process import settle_memory
from siegel.app.settings import Address
from siegel.app.sockets import reserve
from siegel.app.tls import check_authority, check_pair
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.folder import LOG_NAME, OpenBox, locked
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.server import KeyServer
from siegel.customer.keybox.uses import DONE, Use, system_ms, time_of
from siegel.domain.errors import ConfigurationError

LOCK_NAME: Final = "serve.lock"
# Calls in flight were cut off.
EXIT_CUT: Final = 1
# The log's thread gets the interpreter back this soon, so that a sync is not followed by a wait.
SWITCH_INTERVAL_S: Final = 0.0002


class Listening(Struct, frozen=True):
    """Where and how the key server listens. `client_ca`: only clients with a certificate of this authority are let in."""

    address: Address
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None


def serve_box(box: OpenBox, listening: Listening) -> None:
    """Serve until told to stop. Raises ConfigurationError for whatever is wrong, before it says that it is ready."""
    _check(listening)
    logs.configure("keybox", "info")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with locked(box.folder / LOCK_NAME, refusal=f"another key server runs on {box.folder}"):
        desk = Desk(box)
        address = _reserve(listening.address)
        uvloop.run(_serve(box, desk, address, listening))


async def _serve(box: OpenBox, desk: Desk, address: Address, listening: Listening) -> None:
    logbook = Logbook(LogFile(box.folder / LOG_NAME))
    try:
        await logbook.append(_line("box.start"))
        server = HttpServer(
            KeyServer(desk, logbook),
            address,
            tls_cert=_text(listening.tls_cert),
            tls_key=_text(listening.tls_key),
            client_ca=_text(listening.client_ca),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _stop, server)
        settle_memory()
        asyncio.get_running_loop().call_soon(_announce, f"{'https' if listening.tls_cert else 'http'}://{address}")
        await server.run()
        await logbook.append(_line("box.stop"))
    finally:
        logbook.close()


def _stop(server: HttpServer) -> None:
    """Let calls in flight finish; told so a second time, end at once: whatever was answered is durable."""
    if server.interrupt_signal:
        os._exit(EXIT_CUT)
    end: Callable[[], None] = server.stop
    end()


def _line(operation: str) -> bytes:
    return Use(time_of(system_ms()), operation, DONE).entry()


def _announce(url: str) -> None:
    os.write(sys.stdout.fileno(), f"ready keybox={url}\n".encode())


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def _reserve(address: Address) -> Address:
    try:
        reserved = reserve(address)
    except OSError as error:
        raise ConfigurationError(f"the port {address} cannot be used: {error.strerror}\ntry: --listen {address.host}:0") from None
    port = reserved.getsockname()[1]
    # The open descriptor keeps the port for this process, to its end.
    reserved.detach()
    return Address(address.host, port)


def _check(listening: Listening) -> None:
    if (listening.tls_cert is None) != (listening.tls_key is None):
        raise ConfigurationError("--tls-cert and --tls-key go together")
    if listening.tls_cert and listening.tls_key:
        check_pair(str(listening.tls_cert), str(listening.tls_key))
    if listening.client_ca is None:
        return
    if listening.tls_cert is None:
        raise ConfigurationError("--client-ca needs --tls-cert and --tls-key")
    check_authority(str(listening.client_ca))
