"""Sealing before sending, the store left out: a file is sealed into nothing, and a sealed file opened into nothing.

The third row sends to a store that is a pause and nothing else: what several requests at once are worth, and what they hold.

Each measurement is a process of its own, so that its processor time and its highest memory are those of the client alone.
The time counts reading the file too. Memory is flat if a large file takes no more of it than a small one.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.report import Row
from bench.stage import MIB, Plan
from siegel.customer.sealing import KeyFile, ObjectPlace, StreamSource, open_sealed, open_stream, seal_stream
from siegel.customer.sealing.store import PART_BYTES, REQUESTS, upload

SIZE_BYTES = 1024 * MIB
SMALL_BYTES = 64 * MIB
GB_PER_CPU_S_MIN = 0.8
GROWTH_MIB_MAX = 8
PAUSE_S = 0.1
GAIN_MIN = 2.0

_KEY = KeyFile(bytes(range(160)))
_PLACE = ObjectPlace("bench", "clip")


def sealing(plan: Plan) -> list[Row]:
    """Return the rows of sealing, opening and sending a 1 GiB file."""
    files = {size: (plan.file(f"plain-{size}"), plan.file(f"sealed-{size}")) for size in (SMALL_BYTES, SIZE_BYTES)}
    try:
        for size, (plain, sealed) in files.items():
            _make(plain, size)
            seal(plain, sealed)
        return [
            _row(plan, "seal", [pair[0] for pair in files.values()]),
            _row(plan, "open", [pair[1] for pair in files.values()]),
            _sending(plan, [pair[0] for pair in files.values()]),
        ]
    finally:
        for pair in files.values():
            for path in pair:
                path.unlink(missing_ok=True)


def seal(plain: Path, target: Path) -> None:
    """Seal one file into another."""
    with plain.open("rb", buffering=0) as source, target.open("wb", buffering=0) as sink:
        for piece in seal_stream(source, plain.stat().st_size, _PLACE, sealer=_KEY, recipients=[]):
            sink.write(piece)


def open_all(sealed: Path) -> int:
    """Open one file into nothing; return the bytes of its plaintext."""
    with sealed.open("rb", buffering=0) as stream:
        file = open_sealed(StreamSource(stream), _PLACE, key=_KEY, trusted=[_KEY.sealer], seen=None)
        return sum(len(piece) for piece in open_stream(file))


def _row(plan: Plan, what: str, paths: list[Path]) -> Row:
    small, large = ([_measured(what, path) for _ in range(plan.rounds)] for path in paths)
    rate = median(SIZE_BYTES / cpu_s for cpu_s, _ in large) / 1e9
    growth = median(peak for _, peak in large) - median(peak for _, peak in small)
    met = rate >= GB_PER_CPU_S_MIN and growth <= GROWTH_MIB_MAX
    asked = f">= {GB_PER_CPU_S_MIN} GB/CPU s, memory flat"
    detail = f"at most {max(peak for _, peak in large):.0f} MiB of memory, {growth:+.0f} MiB from 64 MiB to 1 GiB"
    return Row(f"Client, {what} 1 GiB", f"{rate:.2f} GB/CPU s", "", "", asked, met, detail)


def _sending(plan: Plan, paths: list[Path]) -> Row:
    small, large = paths
    alone_s, together_s = (median(_run("send", large, count)["wall_s"] for _ in range(plan.rounds)) for count in (1, REQUESTS))
    peaks = [_run("send", path, REQUESTS)["peak_mib"] for path in (small, large)]
    # Of the small file all parts are held at once already.
    gain, growth = alone_s / together_s, peaks[1] - peaks[0]
    asked = f">= {GAIN_MIN:g} x one request at once, memory flat"
    met = gain >= GAIN_MIN and growth <= PART_BYTES / MIB + GROWTH_MIB_MAX
    detail = (
        f"{REQUESTS} requests at once, {PAUSE_S * 1000:.0f} ms for each part of {PART_BYTES // MIB} MiB: {gain:.1f} x; at most "
        f"{peaks[1]:.0f} MiB of memory, {growth:+.0f} MiB from 64 MiB to 1 GiB"
    )
    return Row("Client, send 1 GiB", f"{SIZE_BYTES / together_s / 1e9:.2f} GB/s", "", "", asked, met, detail)


class _Pause:
    """A store that takes its time, and keeps nothing."""

    def create_multipart_upload(self, **_: object) -> dict[str, str]:
        return {"UploadId": "1"}

    def upload_part(self, **_: object) -> dict[str, str]:
        time.sleep(PAUSE_S)
        return {"ETag": '"1"'}

    def complete_multipart_upload(self, **_: object) -> None:
        """Do nothing."""

    put_object = upload_part


def send(plain: Path, requests: int) -> None:
    """Seal one file and send it to a store that takes its time."""
    with plain.open("rb", buffering=0) as source:
        sealed = seal_stream(source, plain.stat().st_size, _PLACE, sealer=_KEY, recipients=[])
        upload(_Pause(), sealed, requests=requests)


def _measured(what: str, path: Path) -> tuple[float, float]:
    """Return processor seconds and MiB of memory of one run."""
    found = _run(what, path)
    return found["cpu_s"], found["peak_mib"]


def _run(what: str, path: Path, requests: int = 1) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.sealing", what, str(path), str(requests)]
    done = subprocess.run(words, check=True, capture_output=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _make(path: Path, size: int) -> None:
    piece = bytes(number * 7 % 251 for number in range(MIB))
    with path.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(piece)


if __name__ == "__main__":
    began, began_wall = time.process_time(), time.perf_counter()
    if sys.argv[1] == "seal":
        seal(Path(sys.argv[2]), Path("/dev/null"))
    elif sys.argv[1] == "send":
        send(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        open_all(Path(sys.argv[2]))
    spent, wall = time.process_time() - began, time.perf_counter() - began_wall
    print(json.dumps({"cpu_s": spent, "wall_s": wall, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
