"""Two stewards on one database, each a process of its own, one of them killed between its check and its store: one tree."""

import asyncio
import os
import subprocess
import sys

import pytest

from siegel.app.config import load_config, resolve
from siegel.app.ledgers import LedgerKeeper
from siegel.app.wiring import open_deployment
from siegel.domain.entry import Entry
from siegel.domain.faultpoints import VARIABLE
from siegel.ledger.checkpoints import parse_checkpoint
from siegel.ledger.entry_heads import read_entry_head
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.notes import parse_note
from siegel.service.ledgers.files import read_entries
from tests.process.running import initialise, wait_until

ENTRIES = 120
STEWARD = """
import asyncio, pathlib, sys
from siegel.app.config import load_config, resolve
from siegel.app.ledgers import LedgerKeeper
from siegel.app.wiring import open_deployment
directory = pathlib.Path(sys.argv[1])
settings = resolve(load_config(directory, {}), directory)
deployment = open_deployment(settings)
keeper = LedgerKeeper(deployment, settings)
async def run():
    while not (directory.parent / "stop").exists():
        await keeper.run_once()
        await asyncio.sleep(0.01)
asyncio.run(run())
deployment.close()
"""


@pytest.mark.parametrize("point", ["ledger.before_append", "ledger.before_head"])
def test_two_stewards_and_a_death_between_check_and_store(tmp_path, point):
    directory = tmp_path / "data"
    account_id = initialise(directory)["account"]["account_id"]
    settings = resolve(load_config(directory, {}), directory)

    def steward(**more):
        return subprocess.Popen([sys.executable, "-c", STEWARD, str(directory)], env=os.environ | more)

    stewards = [steward(), steward(**{VARIABLE: f"{point}:3"})]
    deployment = open_deployment(settings)

    async def write():
        for number in range(ENTRIES):
            entry = Entry(deployment.clock.now_ms(), f"{number + 1:016X}", "object.read", account_id, "ann", "box")
            await deployment.store.append(entry)
            await asyncio.sleep(0.02)

    def log():
        return deployment.store.reader.ledgers.find(account_id)

    try:
        asyncio.run(write())
        wait_until(lambda: stewards[1].poll() is not None, 60)
        assert stewards[1].returncode == -9
        stewards.append(steward())
        asyncio.run(write())
        wait_until(lambda: not deployment.store.oldest(9, 9) and log().head_size == log().size, 60)
        (tmp_path / "stop").touch()
        assert [each.wait(60) for each in stewards] == [0, -9, 0]
        # One more round, by a steward that knows nothing yet: what is stored is what was signed.
        keeper = LedgerKeeper(deployment, settings)
        asyncio.run(keeper.run_once())
        assert keeper.finding == "ok"
        signed = parse_checkpoint(parse_note(log().checkpoint).text)
        entries = read_entries(deployment.store.reader.ledgers, log().log_id, 0, signed.size)
        assert grow(Frontier(), entries).frontier.root == signed.root
        found = [head.request_id for head in map(read_entry_head, entries) if head is not None]
        assert sorted(name for name in found if int(name or "0", 16) in range(1, ENTRIES + 1)) == sorted(
            [f"{number + 1:016X}" for number in range(ENTRIES)] * 2
        )
    finally:
        for each in stewards:
            each.kill()
            each.wait()
        deployment.close()
