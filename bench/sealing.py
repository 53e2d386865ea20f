"""Sealing before sending, the store left out: a file is sealed into nothing, and a sealed file opened into nothing.

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

SIZE_BYTES = 1024 * MIB
SMALL_BYTES = 64 * MIB
GB_PER_CPU_S_MIN = 0.8
GROWTH_MIB_MAX = 8

_KEY = KeyFile(bytes(range(160)))
_PLACE = ObjectPlace("bench", "clip")


def sealing(plan: Plan) -> list[Row]:
    """Return the rows of sealing and of opening a 1 GiB file."""
    files = {size: (plan.file(f"plain-{size}"), plan.file(f"sealed-{size}")) for size in (SMALL_BYTES, SIZE_BYTES)}
    try:
        for size, (plain, sealed) in files.items():
            _make(plain, size)
            seal(plain, sealed)
        return [
            _row(plan, "seal", [pair[0] for pair in files.values()]),
            _row(plan, "open", [pair[1] for pair in files.values()]),
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
        file = open_sealed(StreamSource(stream), _PLACE, key=_KEY, trusted=[_KEY.sealer])
        return sum(len(piece) for piece in open_stream(file))


def _row(plan: Plan, what: str, paths: list[Path]) -> Row:
    small, large = ([_measured(what, path) for _ in range(plan.rounds)] for path in paths)
    rate = median(SIZE_BYTES / cpu_s for cpu_s, _ in large) / 1e9
    growth = median(peak for _, peak in large) - median(peak for _, peak in small)
    met = rate >= GB_PER_CPU_S_MIN and growth <= GROWTH_MIB_MAX
    asked = f">= {GB_PER_CPU_S_MIN} GB/CPU s, memory flat"
    detail = f"at most {max(peak for _, peak in large):.0f} MiB of memory, {growth:+.0f} MiB from 64 MiB to 1 GiB"
    return Row(f"Client, {what} 1 GiB", f"{rate:.2f} GB/CPU s", "", "", asked, met, detail)


def _measured(what: str, path: Path) -> tuple[float, float]:
    """Return processor seconds and MiB of memory of one run."""
    done = subprocess.run([sys.executable, "-m", "bench.sealing", what, str(path)], check=True, capture_output=True)
    found = json.loads(done.stdout)
    return found["cpu_s"], found["peak_mib"]


def _make(path: Path, size: int) -> None:
    piece = bytes(number * 7 % 251 for number in range(MIB))
    with path.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(piece)


if __name__ == "__main__":
    began = time.process_time()
    if sys.argv[1] == "seal":
        seal(Path(sys.argv[2]), Path("/dev/null"))
    else:
        open_all(Path(sys.argv[2]))
    spent = time.process_time() - began
    print(json.dumps({"cpu_s": spent, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
