"""A worker process: the S3 gateway on the embedded server, in one event loop."""

import asyncio
import signal
import sys

from siegel.app.assembly import build_s3
from siegel.app.http import HttpServer
from siegel.app.lifeline import Lifeline
from siegel.app.orders import Orders, ServiceState
from siegel.app.process import SWITCH_INTERVAL_S, keep_to_core, report_ready_soon, run, settle_memory
from siegel.app.wiring import open_deployment


def main(orders: Orders) -> None:
    """Serve S3 by these orders, until SIGTERM."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    run(serve, orders)


async def serve(lifeline: Lifeline, orders: Orders) -> None:
    """Serve until told to stop; return when the last request in flight is answered."""
    settings = orders.settings
    lifeline.watch(_ignore)
    keep_to_core(int(orders.name.rpartition("-")[2]), settings.workers)
    deployment = open_deployment(settings)
    try:
        application = build_s3(deployment, settings)
        server = HttpServer(application, orders.s3, tls_cert=settings.tls_cert, tls_key=settings.tls_key)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        settle_memory()
        report_ready_soon()
        await server.run()
        await application.close()
    finally:
        deployment.close()


def _ignore(_state: ServiceState) -> None:
    """Workers do not ask how the others are."""
