"""The search: every byte of every file below a directory, for every needle, and inside whatever looks like a deflated stream.

`prove_search` is its positive control: it hides each needle in a file of its own and demands that all of them are found.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from msgspec import Struct

from siegel.app.verify.canaries import Needle
from siegel.domain.errors import StorageError

WINDOW_BYTES: Final = 8 * 1024 * 1024
# What is read again with the next window: more than any needle, and enough of a deflated stream to show what is in it.
OVERLAP_BYTES: Final = 64 * 1024
# What is taken from a place that might be the beginning of a deflated stream before it is left alone.
INFLATED_BYTES_MAX: Final = 16 * 1024

_CONTROL_GAP_BYTES: Final = 997
# RFC 1950 (zlib, the usual window, no dictionary) and RFC 1952 (gzip).
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_BARE, _ZLIB_OR_GZIP = -15, 47


class Hit(Struct, frozen=True):
    """Something was found that should not be there."""

    path: str
    offset: int
    form: str


class Searched(Struct):
    """What a search went through, and what it found."""

    files: int = 0
    size_bytes: int = 0
    hits: list[Hit] = []


def search(directory: Path, needles: Sequence[Needle], is_ended: Callable[[], bool] = lambda: False) -> Searched:
    """Search all regular files below `directory`, or what comes before `is_ended` says so. Blocking.

    Raises StorageError for one that cannot be read. A file that vanishes meanwhile, such as a removed blob, is passed over.
    """
    searched = Searched()
    for path in sorted(directory.rglob("*")):
        try:
            if is_ended() or path.is_symlink() or not path.is_file():
                continue
            searched.size_bytes += _search_file(path, needles, searched.hits, is_ended)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"{path} cannot be searched: {error.strerror}") from error
        searched.files += 1
    return searched


def prove_search(directory: Path, needles: Sequence[Needle]) -> list[str]:
    """Hide every needle in a file below `directory`, the first one also deflated in three ways; return what was missed.

    The file has no name, so that none is left of it, whatever ends this. Blocking.
    """
    first, hits = needles[0], list[Hit]()
    sentence = b"what it looks like: " + first.pattern
    with TemporaryFile(dir=directory) as stream:
        # A bare deflated stream has no mark of its own: it is looked for where a file begins.
        stream.write(zlib.compress(sentence, wbits=_BARE))
        for wbits in (zlib.MAX_WBITS, zlib.MAX_WBITS + 16):
            stream.write(os.urandom(_CONTROL_GAP_BYTES) + zlib.compress(sentence, wbits=wbits))
        for needle in needles:
            stream.write(os.urandom(_CONTROL_GAP_BYTES) + needle.pattern)
        stream.flush()
        _search_file(Path(f"/proc/self/fd/{stream.fileno()}"), needles, hits)
    found = [hit.form for hit in hits]
    missed = [needle.form for needle in needles if needle.form not in found]
    deflated = sum(form.startswith("deflated") for form in found)
    return missed + ([f"deflated ({deflated} of 3)"] if deflated < 3 else [])  # noqa: PLR2004 - the three written above


def _search_file(path: Path, needles: Sequence[Needle], hits: list[Hit], is_ended: Callable[[], bool] = lambda: False) -> int:
    """Search one file; return its size."""
    seen: set[tuple[int, str]] = set()
    for base, window in _windows(path):
        if is_ended():
            break
        for offset, form in _search_window(window, needles, at_start=base == 0):
            if (base + offset, form) not in seen:
                seen.add((base + offset, form))
                hits.append(Hit(str(path), base + offset, form))
    return path.stat().st_size


def _windows(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as stream:
        base, kept = 0, b""
        while piece := stream.read(WINDOW_BYTES):
            window = kept + piece
            yield base, window
            kept = window[-OVERLAP_BYTES:]
            base += len(window) - len(kept)


def _search_window(window: bytes, needles: Sequence[Needle], *, at_start: bool) -> Iterator[tuple[int, str]]:
    for needle in needles:
        offset = window.find(needle.pattern)
        if offset >= 0:
            yield offset, needle.form
    if at_start:
        yield from ((0, form) for form in _search_deflated(window[:OVERLAP_BYTES], needles, _BARE))
    for place in _DEFLATED.finditer(window):
        offset = place.start()
        for form in _search_deflated(window[offset : offset + OVERLAP_BYTES], needles, _ZLIB_OR_GZIP):
            yield offset, form


def _search_deflated(piece: bytes, needles: Sequence[Needle], wbits: int) -> Iterator[str]:
    try:
        inflated = zlib.decompressobj(wbits).decompress(piece, INFLATED_BYTES_MAX)
    except zlib.error:
        return
    yield from (f"deflated: {needle.form}" for needle in needles if needle.pattern in inflated)
