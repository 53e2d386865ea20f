"""The process of a witness."""

import sys
from typing import Final

import uvloop

from siegel.app import logs
from siegel.app.listening import Listening, check_listening, reserve_address, serve_application
from siegel.app.process import SWITCH_INTERVAL_S
from siegel.app.settings import Address
from siegel.customer.keybox.folder import locked
from siegel.customer.witness.folder import WitnessFolder
from siegel.customer.witness.server import Witness, WitnessServer

LOCK_NAME: Final = "serve.lock"


def serve_witness(folder: WitnessFolder, listening: Listening) -> None:
    """Serve until told to stop. Raises ConfigurationError for whatever is wrong, before it says that it is ready."""
    check_listening(listening)
    logs.configure("witness", "info")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with locked(folder.path / LOCK_NAME, refusal=f"another witness runs on {folder.path}"):
        # A file that cannot be read is said now, not at the first request.
        folder.logs()
        uvloop.run(_serve(folder, reserve_address(listening.address), listening))


async def _serve(folder: WitnessFolder, address: Address, listening: Listening) -> None:
    server = WitnessServer(Witness(folder))
    try:
        await serve_application(server, address, listening, "witness")
    finally:
        server.close()
