"""Results as a table: medians of the rounds, ratios to the floors, and what is asked of them."""

import os
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import Load

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "performance.md"


@dataclass(frozen=True)
class Row:
    """One measured workload. `value` and `floor` are texts with their units; `met` is None where nothing is asked."""

    workload: str
    value: str
    floor: str
    ratio: str
    asked: str
    met: bool | None
    detail: str = ""

    def cells(self) -> list[str]:
        """Return the cells of the table's line."""
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return [self.workload, self.value, self.floor, self.ratio, self.asked, verdict]


def compared(workload: str, floors: list[Load], ours: list[Load], at_least: float, aim: float | None = None) -> Row:
    """Return the row of a workload whose rate must reach a share of its floor's."""
    mine, bare = median(load.rate for load in ours), median(load.rate for load in floors)
    asked = f">= {at_least:.2f} N" + (f", aim {aim:.2f}" if aim else "")
    cost = median(load.cpu_us for load in floors)
    detail = f"{of_loads(ours)}; the floor takes {cost:.0f} us of processor"
    return Row(workload, f"{mine:,.0f}/s", f"N {bare:,.0f}/s", f"{mine / bare:.2f}", asked, mine / bare >= at_least, detail)


def of_loads(loads: list[Load]) -> str:
    """Return the medians of latency and processor time, and the spread of the rates."""
    rates = sorted(load.rate for load in loads)
    return (
        f"p50 {median(load.p50_ms for load in loads):.2f} ms, p99 {median(load.p99_ms for load in loads):.2f} ms, "
        f"{median(load.cpu_us for load in loads):.0f} us of processor per request, "
        f"rounds {rates[0]:,.0f} to {rates[-1]:,.0f}/s, {sum(load.failures for load in loads)} failures"
    )


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table, followed by their details."""
    lines = ["| Workload | Measured | Floor | Ratio | Asked | |", "|---|---|---|---|---|---|"]
    rows = list(rows)
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    details = [f"- {row.workload}: {row.detail}" for row in rows if row.detail]
    return "\n".join([*lines, "", *details])


def machine(folder: Path, sync_us: float) -> str:
    """Describe the machine: processor, memory, kernel, Python, the data directory's file system and its sync latency."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB of memory, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {_file_system(folder)}, 4 KiB write and fdatasync {sync_us:.0f} us"
    )


def _file_system(folder: Path) -> str:
    best, kind = "", "unknown file system"
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, name = line.split()[:3]
        if str(folder.resolve()).startswith(mount) and len(mount) > len(best):
            best, kind = mount, name
    return kind


def document(rows: list[Row], where: str, workers: int) -> str:
    """Return the page of results."""
    command = "python -m bench " + " ".join(sys.argv[1:])
    return f"""# Performance

Measured by `{command.strip()}` on {time.strftime("%Y-%m-%d", time.gmtime())}, {workers} workers,
the load maker on the same machine.

Machine: {where}.

{table(rows)}

## How to read it

- Every figure is the median of the rounds; floor and service take turns, in reversed order every other round.
- What the ledger costs large bodies is the upper quartile of the runs: in the others more than half of the four connections
  were one worker's, which scatters by more than it costs.
- N is a bare ASGI application on the same HTTP server with as many workers, which answers the same bytes without
  authentication, database or sealing. D is a sequential write and fsync of the same bytes, M is MD5 of them.
- Small requests are made by wrk with a table of distinct signed requests: presigned URLs for GET and HEAD, signed headers with
  the SHA-256 of the body for PUT. HEAD asks for empty objects, because wrk waits for the body that a HEAD's Content-Length names.
- Large bodies are sent and received by one process per connection. Uploads leave the body's hash out of the signature.
- Memory is the proportional set size of all processes of the service together.
- Run it yourself: `make bench`. Figures of another machine differ; the ratios are what to compare.
"""
