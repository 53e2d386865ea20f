"""`siegel clock`: the clock that locks and lifecycles go by. Works beside the running service."""

import asyncio

from siegel.app.commands.options import AsJson, Data
from siegel.app.config import load_config, resolve
from siegel.app.doctor import span
from siegel.app.output import print_json, print_text
from siegel.app.wiring import open_deployment


def confirm(*, data: Data, json: AsJson = False) -> None:
    """Take the machine's time of day for true; the help text is in `cli.py`."""
    deployment = open_deployment(resolve(load_config(data, {}), data))

    async def work() -> int:
        try:
            return await deployment.lock_time.confirm()
        finally:
            deployment.close()

    lag_ms = asyncio.run(work())
    if json:
        print_json({"lag_ended_ms": lag_ms})
    else:
        print_text(f"The lock clock shows the time of day again; it was {span(lag_ms)}. The journal has an entry of this.")
