"""Looks for secrets where they must not be: in what was sent, in the memory of processes, in files."""

import base64
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

BLOCK_BYTES = 1 << 22
_READABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


class Needles:
    """Secrets, each in the forms in which it might lie about: as it is, in hex, in base64 wherever it begins there."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        """Take secrets of at least 16 bytes."""
        self._forms = sorted({form for secret in secrets for form in _forms(secret)})
        assert self._forms, "nothing to look for"
        self.overlap_bytes = max(map(len, self._forms)) - 1

    def found(self, data: bytes) -> bool:
        """Tell whether a form is in `data`."""
        return any(form in data for form in self._forms)


def in_files(needles: Needles, folder: Path) -> list[str]:
    """Return the files below `folder` that hold a needle."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and needles.found(path.read_bytes())]


def in_memory(needles: Needles, process_id: int) -> list[str]:
    """Return where in the memory of a process and of all that it started a needle lies. The caller needs the right to look."""
    return [f"process {one} at {at:#x}" for one in family(process_id) for at in _addresses(needles, one)]


def family(process_id: int) -> list[int]:
    """Return a process and all its descendants."""
    children = [int(word) for word in Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()]
    return [process_id, *(one for child in children for one in family(child))]


def _addresses(needles: Needles, process_id: int) -> Iterator[int]:
    memory = os.open(f"/proc/{process_id}/mem", os.O_RDONLY)
    try:
        for start, end in _READABLE.findall(Path(f"/proc/{process_id}/maps").read_text()):
            for at in range(int(start, 16), int(end, 16), BLOCK_BYTES):
                # Pages that the kernel keeps for itself, or that went meanwhile, cannot be read.
                with suppress(OSError, OverflowError):
                    size = min(BLOCK_BYTES + needles.overlap_bytes, int(end, 16) - at)
                    if needles.found(os.pread(memory, size, at)):
                        yield at
    finally:
        os.close(memory)


def _forms(secret: bytes) -> Iterator[bytes]:
    assert len(secret) >= 16, "too short to be told from chance"
    yield secret
    yield secret.hex().encode()
    for shift in range(3):
        # Wherever it stands within a longer text that is base64, these characters are in it.
        text = base64.b64encode(bytes(shift) + secret)
        yield text[-(-shift * 8 // 6) : (len(secret) + shift) * 8 // 6]
