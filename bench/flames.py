"""Where the time goes: one worker under py-spy while a workload runs."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import large
from bench.fill import fill, make_bucket
from bench.load import Table, play, presigned_table, put_table, small_body, write_bodies
from bench.service import BenchError, Deployment, Running, serving
from bench.stage import Plan
from bench.transfer import download, together, upload


def profile(plan: Plan, names: list[str]) -> None:
    """Write a flame graph (SVG) and the raw stack counts of one worker, busy threads only, for each workload in `names`."""
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise BenchError("py-spy is not installed: `.venv/bin/python -m pip install py-spy`")
    deployment = Deployment.create(plan.folder / "small")
    with serving(deployment.start(1)) as ours:
        signer = deployment.signer(ours)
        make_bucket(ours, signer)
        keys = [f"4k/{index:06d}" for index in range(plan.objects)]
        empty = [f"0k/{index:06d}" for index in range(plan.objects)]
        fill(ours, signer, [(key, small_body(index)) for index, key in enumerate(keys)] + [(key, b"") for key in empty])
        fresh = [f"4k/profile-{plan.run}-{index:06d}" for index in range(plan.puts)]
        source = large.source_file(plan)
        huge = [f"64m/profile-{slot}" for slot in range(large.STREAMS)]
        workloads: dict[str, Callable[[], object]] = {
            "get4k": lambda: _small(plan, ours, presigned_table(plan.file("get.heads"), signer, "GET", keys)),
            "head": lambda: _small(plan, ours, presigned_table(plan.file("head.heads"), signer, "HEAD", empty)),
            "put4k": lambda: _small(
                plan, ours, put_table(plan.file("put.heads"), write_bodies(plan.file("bodies")), signer, fresh)
            ),
            "put64m": lambda: together([partial(upload, ours, signer, source, [key] * 30) for key in huge]),
            "get64m": lambda: together([partial(download, ours, signer, [key] * 200) for key in huge]),
        }
        if "get64m" in names:
            together([partial(upload, ours, signer, source, [key]) for key in huge])
        for name in names:
            if name not in workloads:
                raise BenchError(f"cannot profile {name}: choose from {', '.join(workloads)}")
            target = max(ours.pids(), key=_resident)
            for form, end in (("raw", "txt"), ("flamegraph", "svg")):
                output = plan.file(f"profile-{name}.{end}")
                command = [spy, "record", "-p", str(target), "-d", "5", "-r", "500", "-f", form, "-o", str(output), "--threads"]
                with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    workloads[name]()
                print(f"{name}: {output}", flush=True)


def _small(plan: Plan, server: Running, table: Table) -> None:
    play(server, table, seconds=plan.seconds + 2)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return 0
