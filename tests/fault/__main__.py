"""`python -m tests.fault`: prove the checker, then break the service in every way and check what it holds.

Ends with one line per part and exits with 1 if any promise was broken.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import ConnectionLostError
from bench.service import BenchError

from tests.fault import consents, crash, damage, disk, full, ledger, order, policies, rotation, tidy
from tests.fault.s3 import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("checker", "crash", "full", "disk", "damage", "tidy", "order", "ledger", "consents", "policies", "rotation")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which to run: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--cycles", type=int, default=300, help="kills in the part crash (default %(default)s)")
    parser.add_argument("--ledger-kills", type=int, default=60, help="kills in the part ledger (default %(default)s)")
    parser.add_argument("--consent-kills", type=int, default=48, help="kills in the part consents (default %(default)s)")
    parser.add_argument("--pairs", type=int, default=5_000_000, help="requests that both evaluators decide (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeat a run's random choices")
    parser.add_argument("--thorough", action="store_true", help="flip a bit of every byte of a large blob")
    parser.add_argument("--keep", type=Path, help="folder for the data, kept afterwards")
    options = parser.parse_args()
    chosen = options.parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="siegel-fault-") as made:
        folder = options.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        broken = [name for name in PARTS if name in chosen and not _run(name, folder, options)]
    print(f"faults: {len(chosen)} parts, " + (f"BROKEN: {', '.join(broken)}" if broken else "all promises kept"), flush=True)
    return 1 if broken else 0


def _run(name: str, folder: Path, options: argparse.Namespace) -> bool:
    """Run one part, print what it found, and return whether every promise was kept."""
    print(f"{name} ...", flush=True)
    began = time.monotonic()
    if name == "checker":
        # In a process of its own: what the parts have imported, pytest could not rewrite any more.
        line = ["-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", str(Path(__file__).with_name("test_checker.py"))]
        return subprocess.run([sys.executable, *line], check=False).returncode == 0
    parts: dict[str, Callable[[], tuple[list[str], list[str]]]] = {
        "crash": lambda: _crash(folder, options),
        "full": lambda: _texts(*full.run(folder)),
        "disk": lambda: _texts(*disk.run(folder, options.seed)),
        "damage": lambda: _texts(*damage.run(folder, thorough=options.thorough, seed=options.seed)),
        "tidy": lambda: _texts(*tidy.run(folder)),
        "order": lambda: _texts(*order.run(folder)),
        "rotation": lambda: _texts(*rotation.run(folder)),
        "ledger": lambda: _texts(*ledger.run(folder, options.ledger_kills, options.seed)),
        "consents": lambda: _texts(*consents.run(folder, options.consent_kills)),
        "policies": lambda: policies.run(options.seed, options.pairs),
    }
    try:
        notes, violations = parts[name]()
    except (BenchError, RefusedError, ConnectionLostError) as error:
        notes, violations = [], [f"could not be run to the end: {error}"]
    for note in notes:
        print(f"  {note}", flush=True)
    for violation in violations:
        print(f"  VIOLATION {violation}", flush=True)
    print(f"{name}: {len(violations)} violations, {time.monotonic() - began:.0f} s", flush=True)
    return not violations


def _crash(folder: Path, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    report = crash.run(folder, options.cycles, options.seed)
    return report.lines(), report.violations


def _texts(notes: list[str], violations: Sequence[object]) -> tuple[list[str], list[str]]:
    return notes, [str(violation) for violation in violations]


if __name__ == "__main__":
    sys.exit(main())
