"""`python -m bench`: measure the workloads and print the table of results."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import auditing, decisions, disk, keyserver, large, ledger, localkey, memory, million, report, sealing, small
from bench.fill import make_bucket
from bench.flames import profile
from bench.report import Row
from bench.service import BenchError, Deployment, serving, start_floor
from bench.stage import MIB, Plan, Stage

# Workloads that run beside the floor, on one deployment; and those that start their own.
STAGED: dict[str, Callable[[Stage], list[Row]]] = {
    "get4k": small.get4k,
    "put4k": small.put4k,
    "head": small.head,
    "put64m": large.put64m,
    "get64m": large.get64m,
}
ALONE: dict[str, Callable[[Plan], list[Row]]] = {
    "decisions": decisions.decisions,
    "audit": auditing.auditing,
    "keyserver": keyserver.keyserver,
    "localkey": localkey.local_key,
    "seal": sealing.sealing,
    "ledger": ledger.ledger,
    "syncs": small.puts_per_sync,
    "list": million.listing,
    "growth": million.growth,
    "memory": memory.memory,
    "start": million.start,
}


def main() -> int:
    """Run what the command line asks for; return the exit code: 0, or 1 when a measurement could not be made."""
    options = _options()
    plan = _plan(options)
    plan.folder.mkdir(parents=True, exist_ok=True)
    names = options.rows.split(",") if options.rows else [*STAGED, *ALONE]
    unknown = set(names) - {*STAGED, *ALONE}
    if unknown:
        print(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join([*STAGED, *ALONE])}", file=sys.stderr)
        return 252
    try:
        if options.profile:
            profile(plan, names if options.rows else ["get4k", "put4k", "head"])
            return 0
        rows = measure(plan, names)
        where = report.machine(plan.folder, disk.sync_latency_us(plan.folder))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    page = report.document(rows, where, plan.workers)
    print("\n" + page)
    if options.write:
        report.PAGE.parent.mkdir(parents=True, exist_ok=True)
        report.PAGE.write_text(page, encoding="utf-8")
    return 0


def measure(plan: Plan, names: list[str]) -> list[Row]:
    """Measure the named rows, in the order of the table."""
    rows: list[Row] = []
    staged = [name for name in STAGED if name in names]
    if staged:
        deployment = Deployment.create(plan.folder / "small")
        with serving(deployment.start(plan.workers)) as ours, serving(start_floor(plan.workers)) as floor:
            stage = Stage(plan, ours, floor, deployment.signer(ours))
            make_bucket(ours, stage.signer)
            for name in staged:
                _note(rows, name, partial(STAGED[name], stage))
    for name, work in ALONE.items():
        if name in names:
            _note(rows, name, partial(work, plan))
    return rows


def _note(rows: list[Row], name: str, work: Callable[[], list[Row]]) -> None:
    print(f"{name} ...", flush=True)
    for row in work():
        rows.append(row)
        print("  " + " | ".join(cell for cell in row.cells() if cell), flush=True)
        if row.detail:
            print(f"    {row.detail}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", help=f"measure only these, by comma: {','.join([*STAGED, *ALONE])}")
    parser.add_argument("--quick", action="store_true", help="one short round of everything, with a small bucket: a smoke test")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per workload (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round of small requests (default %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="workers of service and floor (default: cores)")
    parser.add_argument("--scale", type=int, default=1_000_000, help="objects of the large bucket (default %(default)s)")
    parser.add_argument("--memory-mib", type=int, default=5120, help="size of the slow transfers (default %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=Path("build/bench"), help="folder for data, kept between runs (default %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="write the page docs/reference/performance.md")
    parser.add_argument("--profile", action="store_true", help="no table: profile one worker with py-spy under the chosen rows")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = Plan(
        options.data.resolve(),
        workers=options.workers,
        rounds=options.rounds,
        seconds=options.seconds,
        million=options.scale,
        memory_bytes=options.memory_mib * MIB,
    )
    if options.quick:
        plan = replace(
            plan, rounds=1, seconds=1, objects=2000, urls=4000, puts=10_000, million=5000, large_repeats=1, memory_bytes=128 * MIB
        )
    return plan


if __name__ == "__main__":
    sys.exit(main())
