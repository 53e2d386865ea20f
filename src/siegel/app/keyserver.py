"""The process of the customer's key server."""

import sys
from typing import Final

import uvloop

from siegel.app import logs
from siegel.app.listening import Listening, check_listening, reserve_address, serve_application
from siegel.app.process import SWITCH_INTERVAL_S
from siegel.app.settings import Address
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.folder import LOG_NAME, OpenBox, locked
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.server import KeyServer
from siegel.customer.keybox.token import Token
from siegel.customer.keybox.uses import DONE, Use, system_ms
from siegel.domain.moments import encode_time_ms

LOCK_NAME: Final = "serve.lock"


def serve_box(box: OpenBox, listening: Listening, token: Token | None = None) -> None:
    """Serve until told to stop. Raises ConfigurationError for whatever is wrong, before it says that it is ready."""
    check_listening(listening)
    logs.configure("keybox", "info")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with locked(box.folder / LOCK_NAME, refusal=f"another key server runs on {box.folder}"):
        desk = Desk(box, token)
        address = reserve_address(listening.address)
        uvloop.run(_serve(box, desk, address, listening))


async def _serve(box: OpenBox, desk: Desk, address: Address, listening: Listening) -> None:
    logbook = Logbook(LogFile(box.folder / LOG_NAME))
    try:
        await logbook.append(_line("box.start"))
        await serve_application(KeyServer(desk, logbook), address, listening, "keybox")
        await logbook.append(_line("box.stop"))
    finally:
        logbook.close()


def _line(operation: str) -> bytes:
    return Use(encode_time_ms(system_ms()), operation, DONE).entry()
