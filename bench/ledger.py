"""What the ledger costs a running service: requests with it against requests that nothing is written down of; its integration."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median, quantiles

from bench.fill import exists, fill, make_bucket
from bench.large import STREAMS, source_file
from bench.load import Table, play, presigned_table, put_table, small_body, write_bodies
from bench.million import LIST_CONNECTIONS
from bench.report import Row
from bench.service import BenchError, Deployment, Running, serving
from bench.signing import Signer
from bench.stage import Plan
from bench.transfer import SharedKeys, download, together, upload
from siegel.domain.entry import Entry
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.head_marks import FileHeadMarks
from siegel.drivers.meta.sqlite import SqliteStore, create_store
from siegel.drivers.system import SystemClock, SystemRandomness
from siegel.service.ledgers.integrator import Integrator

UNJOURNALED = {"PYTHONPATH": str(Path(__file__).with_name("unjournaled"))}
# Large bodies that are overwritten would fill the disk before the hour is over for which they stay. A steward that comes round so
# often works more, so with small ones it keeps its time.
TIDY = {"SIEGEL_GRACE_S": "10", "SIEGEL_STEWARD_INTERVAL_S": "5"}
OBJECTS = 2000
CONNECTIONS = 32
# Large bodies scatter by more than the ledger costs, and take a second or two.
LARGE_TURNS = 6
LARGE_MIB = 64
ENTRIES = 100_000
PER_COMMIT = 64
INTEGRATED_PER_S_MIN = 20_000
ENTRY_BYTES_MAX = 400


def ledger(plan: Plan) -> list[Row]:
    """Return the rows of requests with and without the ledger, and of its integration."""
    return [*_shares(plan), *_integration(plan)]


@dataclass(frozen=True)
class _Workload:
    """What is done with and without the ledger. `measure` returns a rate, and the processor time in us per `of`.

    `turns`: how often in a round.
    """

    name: str
    unit: str
    least: float
    measure: Callable[[Plan, Running, Signer], tuple[float, float]]
    aim: str = ""
    of: str = "request"
    turns: int = 1

    @property
    def is_large(self) -> bool:
        """Whether it is a few large bodies at a time, of which the system may give all connections to one worker."""
        return self.turns > 1


def _small(method: str, size: str, plan: Plan, server: Running, signer: Signer) -> tuple[float, float]:
    keys = _filled(size, server, signer)
    return _played(plan, server, presigned_table(plan.file("ledger.heads"), signer, method, keys))


def _filled(size: str, server: Running, signer: Signer) -> list[str]:
    """Return the keys of small objects that are there."""
    keys = [f"{size}/{index:06d}" for index in range(OBJECTS)]
    if not exists(server, signer, keys[-1]):
        bodies = (small_body(index) if size == "4k" else b"" for index in range(OBJECTS))
        fill(server, signer, list(zip(keys, bodies, strict=True)))
    return keys


def _put(plan: Plan, server: Running, signer: Signer) -> tuple[float, float]:
    bodies = write_bodies(plan.file("bodies"))
    keys = [f"4k/{index:06d}" for index in range(OBJECTS)]
    return _played(plan, server, put_table(plan.file("ledger.heads"), bodies, signer, keys))


def _list(plan: Plan, server: Running, signer: Signer, *, connections: int = CONNECTIONS) -> tuple[float, float]:
    _filled("4k", server, signer)
    queries = [f"list-type=2&start-after=4k%2F{index:06d}" for index in range(OBJECTS // 2)]
    table = presigned_table(plan.file("ledger.heads"), signer, "GET", [""], queries)
    return _played(plan, server, table, connections=connections)


def _played(plan: Plan, server: Running, table: Table, *, connections: int = CONNECTIONS) -> tuple[float, float]:
    play(server, table, connections=connections, seconds=1)
    load = play(server, table, connections=connections, seconds=plan.seconds)
    if load.failures:
        raise BenchError(f"{load.failures} requests failed")
    return load.rate, load.cpu_us


def _put_large(plan: Plan, server: Running, signer: Signer) -> tuple[float, float]:
    keys = [f"64m/{number}" for number in range(STREAMS * plan.large_repeats)]
    return _transferred(server, partial(upload, server, signer, source_file(plan), SharedKeys(keys)), len(keys))


def _get_large(plan: Plan, server: Running, signer: Signer) -> tuple[float, float]:
    keys = [f"64m/{number}" for number in range(STREAMS)] * 2 * plan.large_repeats
    return _transferred(server, partial(download, server, signer, SharedKeys(keys)), len(keys))


def _transferred(server: Running, job: Callable[[], int], bodies: int) -> tuple[float, float]:
    before_s = server.cpu_s()
    rate = together([job] * STREAMS) / 1e6
    return rate, (server.cpu_s() - before_s) * 1e6 / (bodies * LARGE_MIB)


WORKLOADS = (
    _Workload("GET 4 KiB", "/s", 0.65, partial(_small, "GET", "4k"), ", aim 0.80"),
    _Workload("HEAD", "/s", 0.65, partial(_small, "HEAD", "0k"), ", aim 0.80"),
    _Workload("PUT 4 KiB", "/s", 0.90, _put),
    _Workload("LIST 1,000 keys", "/s", 0.97, _list),
    _Workload(f"LIST 1,000 keys, {LIST_CONNECTIONS} connections", "/s", 0.97, partial(_list, connections=LIST_CONNECTIONS)),
    _Workload("PUT 64 MiB", " MB/s", 0.97, _put_large, of="MiB", turns=LARGE_TURNS),
    _Workload("GET 64 MiB", " MB/s", 0.97, _get_large, of="MiB", turns=LARGE_TURNS),
)


def _shares(plan: Plan) -> list[Row]:
    """Measure both in turn while both run: what disturbs the machine for some seconds disturbs both."""
    deployments = {is_on: Deployment.create(plan.folder / f"ledger-{'on' if is_on else 'off'}") for is_on in (True, False)}
    measured: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for number, is_large in product(range(2 * plan.rounds), (False, True)):
        order = (True, False) if number % 2 == 0 else (False, True)
        settings = TIDY if is_large else {}
        with ExitStack() as stack:
            running = {}
            for is_on in order:
                server = deployments[is_on].start(plan.workers, environment=settings if is_on else settings | UNJOURNALED)
                running[is_on] = stack.enter_context(serving(server)), deployments[is_on].signer(server)
                make_bucket(*running[is_on])
            for workload in (one for one in WORKLOADS if one.is_large == is_large):
                for turn in range(workload.turns):
                    for is_on in order if turn % 2 == 0 else order[::-1]:
                        measured.setdefault((workload.name, is_on), []).append(workload.measure(plan, *running[is_on]))
    return [_compared(workload, measured[workload.name, True], measured[workload.name, False]) for workload in WORKLOADS]


def _compared(workload: _Workload, on: list[tuple[float, float]], off: list[tuple[float, float]]) -> Row:
    # Of large bodies the upper quartile: in the rest, more than half of the connections were one worker's.
    level = _upper_quartile if workload.is_large else median
    (rate, bare), (cost, bare_cost) = (
        (of(one[at] for one in on), of(one[at] for one in off)) for at, of in ((0, level), (1, median))
    )
    return Row(
        f"{workload.name}, ledger against nothing written down",
        f"{rate:,.0f}{workload.unit}",
        f"{bare:,.0f}{workload.unit}",
        f"{rate / bare:.2f}",
        f">= {workload.least:.2f}{workload.aim}",
        rate / bare >= workload.least,
        f"{cost:.0f} us of processor per {workload.of}, integration included, against {bare_cost:.0f}",
    )


def _upper_quartile(figures: Iterable[float]) -> float:
    return quantiles(figures, n=4, method="inclusive")[2]


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
