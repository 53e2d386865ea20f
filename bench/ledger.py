"""What the ledger costs a running service: reads with it against reads that nothing is written down of; and its integration."""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.fill import exists, fill, make_bucket
from bench.load import Load, presigned_table, small_body
from bench.load import play as play_table
from bench.report import Row
from bench.service import Deployment, serving
from bench.stage import Plan
from siegel.domain.entry import Entry
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.head_marks import FileHeadMarks
from siegel.drivers.meta.sqlite import SqliteStore, create_store
from siegel.drivers.system import SystemClock, SystemRandomness
from siegel.service.ledgers.integrator import Integrator

UNJOURNALED = {"PYTHONPATH": str(Path(__file__).with_name("unjournaled"))}
OBJECTS = 2000
SHARE_MIN, SHARE_AIM = 0.65, 0.80
ENTRIES = 100_000
PER_COMMIT = 64
INTEGRATED_PER_S_MIN = 20_000
ENTRY_BYTES_MAX = 400


def ledger(plan: Plan) -> list[Row]:
    """Return the rows of reads with and without the ledger, and of its integration."""
    return [*_reads(plan), *_integration(plan)]


def _reads(plan: Plan) -> list[Row]:
    deployment = Deployment.create(plan.folder / "ledger")
    loads: dict[tuple[str, bool], list[Load]] = {}
    for number in range(2 * plan.rounds):
        # As A B B A, so that a machine that grows slower does so for both.
        is_on = number % 4 in {0, 3}
        with serving(deployment.start(plan.workers, environment={} if is_on else UNJOURNALED)) as server:
            signer = deployment.signer(server)
            make_bucket(server, signer)
            for method, size in (("GET", "4k"), ("HEAD", "0k")):
                keys = [f"{size}/{index:06d}" for index in range(OBJECTS)]
                if not exists(server, signer, keys[-1]):
                    bodies = (small_body(index) if size == "4k" else b"" for index in range(OBJECTS))
                    fill(server, signer, list(zip(keys, bodies, strict=True)))
                table = presigned_table(plan.file("ledger.heads"), signer, method, keys)
                play_table(server, table, seconds=1)
                loads.setdefault((method, is_on), []).append(play_table(server, table, seconds=plan.seconds))
    return [_compared(method, loads[method, True], loads[method, False]) for method in ("GET", "HEAD")]


def _compared(method: str, on: list[Load], off: list[Load]) -> Row:
    rate, bare = median(load.rate for load in on), median(load.rate for load in off)
    cost, bare_cost = median(load.cpu_us for load in on), median(load.cpu_us for load in off)
    return Row(
        f"{method}{' 4 KiB' if method == 'GET' else ''}, ledger against nothing written down",
        f"{rate:,.0f}/s",
        f"{bare:,.0f}/s",
        f"{rate / bare:.2f}",
        f">= {SHARE_MIN:.2f}, aim {SHARE_AIM:.2f}",
        rate / bare >= SHARE_MIN,
        f"{cost:.0f} us of processor per request, integration included, against {bare_cost:.0f}",
    )


def _integration(plan: Plan) -> list[Row]:
    folder = Path(tempfile.mkdtemp(dir=plan.folder))
    store = create_store(folder, os.urandom(32), SystemClock())
    try:
        cpu_s, entry_bytes = asyncio.run(_integrate(store, folder))
    finally:
        store.close()
        shutil.rmtree(folder)
    rate = ENTRIES / cpu_s
    return [
        Row(
            "Ledger, entries from journal to signed head",
            f"{rate:,.0f}/CPU s",
            "",
            "",
            f">= {INTEGRATED_PER_S_MIN:,}/s",
            rate >= INTEGRATED_PER_S_MIN,
        ),
        Row(
            "Ledger, an entry with its opening",
            f"{entry_bytes:.0f} bytes",
            "",
            "",
            f"<= {ENTRY_BYTES_MAX} bytes",
            entry_bytes <= ENTRY_BYTES_MAX,
        ),
    ]


async def _integrate(store: SqliteStore, folder: Path) -> tuple[float, float]:
    """Return the processor seconds that integration takes, and the size of an entry with its opening."""
    for first in range(0, ENTRIES, PER_COMMIT):
        numbers = range(first, min(first + PER_COMMIT, ENTRIES))
        await asyncio.gather(*(store.append(_entry(number)) for number in numbers))
    integrator = Integrator(
        store,
        LocalCustodian(os.urandom(32)),
        clock=SystemClock(),
        randomness=SystemRandomness(),
        marks=FileHeadMarks(folder / "heads"),
        host="bench.example",
    )
    began_s = time.process_time()
    while (await integrator.run_once()).entries:
        pass
    cpu_s = time.process_time() - began_s
    log = store.reader.ledgers.find(_entry(0).account_id)
    if log is None or log.head_size != ENTRIES:
        raise AssertionError("not all entries are under the head")
    runs = store.reader.ledgers.runs(log.log_id, 0, ENTRIES)
    return cpu_s, sum(len(run.entries) + len(run.sealed_openings) for run in runs) / ENTRIES


def _entry(number: int) -> Entry:
    return Entry(
        at_ms=1_800_000_000_000,
        request_id=f"{number + 1:016X}",
        kind="object.read",
        account_id="111122223333",
        principal="arn:aws:iam::111122223333:user/alice",
        bucket="company-documents",
        object_key=f"reports/2026/november/summary-{number:06d}.pdf",
        version_id="null",
        source="192.0.2.17",
        bucket_id=12,
        permit="Readers of policy team-read",
    )
