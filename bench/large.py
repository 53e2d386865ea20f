"""Large objects: PUT and GET of 64 MiB over four connections."""

import random
from functools import partial
from pathlib import Path
from statistics import median

from bench import disk
from bench.fill import exists
from bench.report import Row
from bench.service import Running
from bench.stage import MIB, Plan, Stage, check_get
from bench.transfer import SharedKeys, download, together, upload

LARGE_BYTES = 64 * MIB
STREAMS = 4
# Rounds of downloads to one round of others. In one round of eight the kernel gives all four connections to one worker, of the
# floor as of the service; a round takes a second, so the median is of many.
DOWNLOADS_PER_ROUND = 3


def source_file(plan: Plan) -> Path:
    """Return a file of 64 MiB, made once."""
    path = plan.file("large.source")
    if not path.exists():
        path.write_bytes(random.Random(3).randbytes(LARGE_BYTES))
    return path


def put64m(stage: Stage) -> list[Row]:
    """PUT of 64 MiB over four connections, against the slower of disk and MD5."""
    plan, source = stage.plan, source_file(stage.plan)
    data = memoryview(source.read_bytes())
    files = STREAMS * plan.large_repeats
    figures: dict[str, list[float]] = {"D": [], "M": [], "M of all cores": [], "ours": []}

    def floors() -> None:
        figures["D"].append(disk.write_and_sync(plan.folder, data, files))
        figures["M"].append(disk.md5(data, 1))
        figures["M of all cores"].append(disk.md5(data, files))

    def ours() -> None:
        keys = SharedKeys([f"64m/{slot}-{n}" for n in range(plan.large_repeats) for slot in range(STREAMS)])
        figures["ours"].append(together([partial(upload, stage.ours, stage.signer, source, keys)] * STREAMS))

    together([partial(upload, stage.ours, stage.signer, source, ["64m/warm"])])
    for number in range(plan.rounds):
        for step in (floors, ours) if number % 2 == 0 else (ours, floors):
            step()
    medians = {name: median(values) / 1e6 for name, values in figures.items()}
    name = min(("D", "M"), key=lambda choice: medians[choice])
    ratio = medians["ours"] / medians[name]
    floor = f"D {medians['D']:,.0f} MB/s, M {medians['M']:,.0f} MB/s"
    detail = (
        "D and M take the same bytes one after the other; "
        f"{files} hashes in threads on all cores, which nothing that also receives, seals and stores can reach, "
        f"do {medians['M of all cores']:,.0f} MB/s (service: {medians['ours'] / medians['M of all cores']:.2f} of it)"
    )
    value = f"{medians['ours']:,.0f} MB/s"
    return [Row("PUT 64 MiB, 4 connections", value, floor, f"{ratio:.2f} of {name}", ">= 0.80", ratio >= 0.8, detail)]


def get64m(stage: Stage) -> list[Row]:
    """GET of 64 MiB over four connections, warm."""
    plan, source = stage.plan, source_file(stage.plan)
    keys = [f"64m/{slot}-0" for slot in range(STREAMS)]
    for key in keys:
        if not exists(stage.ours, stage.signer, key):
            together([partial(upload, stage.ours, stage.signer, source, [key])])
    check_get(stage, keys[1], source.read_bytes())

    def run(server: Running) -> float:
        wanted = SharedKeys(keys * 2 * plan.large_repeats)
        return together([partial(download, server, stage.signer, wanted)] * STREAMS) / 1e6

    run(stage.floor)
    figures: dict[int, list[float]] = {stage.floor.port: [], stage.ours.port: []}
    for number in range(DOWNLOADS_PER_ROUND * plan.rounds):
        pair = (stage.floor, stage.ours)
        for server in pair if number % 2 == 0 else pair[::-1]:
            figures[server.port].append(run(server))
    bare, mine = median(figures[stage.floor.port]), median(figures[stage.ours.port])
    value, floor = f"{mine:,.0f} MB/s", f"N {bare:,.0f} MB/s"
    return [Row("GET 64 MiB, warm, 4 connections", value, floor, f"{mine / bare:.2f}", ">= 0.60 N", mine / bare >= 0.6)]
