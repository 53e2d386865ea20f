"""Tells a story chapter by chapter, in the client's own environment: every chapter is tried, and any failure fails the story."""

import hashlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

BUCKET = sys.argv[1]
TREE = Path(sys.argv[2])
FILES = sorted(path for path in TREE.rglob("*") if path.is_file())
NAMES = [path.relative_to(TREE).as_posix() for path in FILES]
LARGE = "large/twenty.bin"


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def content(name: str) -> bytes:
    """Return the bytes of one of the files."""
    return (TREE / name).read_bytes()


def same(found: dict, wanted: dict) -> None:
    """Require two tables to be alike, and name what differs."""
    differing = {name: (found.get(name), wanted.get(name)) for name in {*found, *wanted} if found.get(name) != wanted.get(name)}
    if differing:
        raise AssertionError(f"found and wanted differ: {differing}")


def tell(*chapters: Callable[[], None]) -> None:
    """Run the chapters in order, print what came of each, and end with 1 if one failed."""
    failed = 0
    for chapter in chapters:
        try:
            chapter()
        except Exception:  # the next chapters are told all the same
            failed += 1
            print(f"FAILED {chapter.__name__}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {chapter.__name__}", flush=True)
    sys.exit(1 if failed else 0)
