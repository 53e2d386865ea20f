"""Where the time goes: one worker under py-spy while a workload runs."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.fill import fill, make_bucket
from bench.load import play, presigned_table, put_table, small_body, write_bodies
from bench.service import BenchError, Deployment, serving
from bench.stage import Plan


def profile(plan: Plan, names: list[str]) -> None:
    """Write a flame graph (SVG) and a raw stack count of one worker for each of `get4k`, `put4k`, `head` in `names`."""
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
        tables = {
            "get4k": lambda: presigned_table(plan.file("get.heads"), signer, "GET", keys),
            "head": lambda: presigned_table(plan.file("head.heads"), signer, "HEAD", empty),
            "put4k": lambda: put_table(plan.file("put.heads"), write_bodies(plan.file("bodies")), signer, fresh),
        }
        for name in names:
            if name not in tables:
                raise BenchError(f"cannot profile {name}: choose from {', '.join(tables)}")
            target = max(ours.pids(), key=_resident)
            for form, end in (("raw", "txt"), ("flamegraph", "svg")):
                output = plan.file(f"profile-{name}.{end}")
                command = [spy, "record", "-p", str(target), "-d", "5", "-r", "500", "-f", form, "-o", str(output), "--threads"]
                with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    load = play(ours, tables[name](), seconds=7)
                print(f"{name}: {load.rate:,.0f}/s with one worker, {output}", flush=True)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return 0
