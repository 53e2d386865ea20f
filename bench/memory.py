"""Memory of all processes of the service together: idle, and while one large body moves slowly."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Self

from bench.fill import make_bucket
from bench.report import Row
from bench.service import Deployment, Running, serving
from bench.stage import MIB, Plan
from bench.transfer import Pace, download, together, upload

IDLE_MIB = 200
MOVED_MIB = 32
SAMPLE_S = 0.2
SETTLE_S = 3.0


class Watch:
    """Samples a server's memory in the background of a `with` block, and keeps the highest figures."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.peak_bytes = self.peak_anonymous_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            total, anonymous = self.server.pss_bytes()
            self.peak_bytes = max(self.peak_bytes, total)
            self.peak_anonymous_bytes = max(self.peak_anonymous_bytes, anonymous)


def memory(plan: Plan) -> list[Row]:
    """Idle memory, then one slow upload and one slow download of `plan.memory_bytes`."""
    deployment = Deployment.create(plan.folder / "memory")
    with serving(deployment.start(plan.workers)) as ours:
        signer = deployment.signer(ours)
        make_bucket(ours, signer)
        time.sleep(SETTLE_S)
        idle, anonymous = ours.pss_bytes()
        detail = f"{len(ours.pids())} processes, {anonymous / MIB:.0f} MiB of it not backed by files"
        rows = [Row("Memory, idle", f"{idle / MIB:.0f} MiB", "", "", f"<= {IDLE_MIB} MiB", idle <= IDLE_MIB * MIB, detail)]
        source = plan.file("sparse.source")
        source.touch()
        os.truncate(source, plan.memory_bytes)
        pace, key = Pace(), f"huge/{plan.run}"
        rows.append(_moved(plan, ours, "upload", partial(upload, ours, signer, source, [key], pace)))
        rows.append(_moved(plan, ours, "download", partial(download, ours, signer, [key], pace)))
    return rows


def _moved(plan: Plan, ours: Running, what: str, job: Callable[[], int]) -> Row:
    """Measure one transfer, after a small one of its kind has loaded what only the first needs."""
    before, before_anonymous = ours.pss_bytes()
    with Watch(ours) as watch:
        rate = together([job])
    moved = (watch.peak_bytes - before) / MIB
    size = plan.memory_bytes / 1024 / MIB
    detail = (
        f"{rate / 1e6:.0f} MB/s, the peer stops for 5 s after 8 MiB; not backed by files: "
        f"{(watch.peak_anonymous_bytes - before_anonymous) / MIB:+.0f} MiB"
    )
    text = f"Memory during one {size:g} GiB {what} with a slow peer"
    return Row(text, f"{moved:+.0f} MiB", "", "", f"<= +{MOVED_MIB} MiB", moved <= MOVED_MIB, detail)
