"""Reading strace's record of system calls: what was written and not yet synced when the answer left."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fault.model import Violation

_LINE = re.compile(r"^(\d+)\s+(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_PATH = re.compile(r"<(/[^>]*)>")


@dataclass
class Reading:
    """The state of every file as the calls go by: written and not yet synced, or clean."""

    directory: str
    dirty: dict[str, str] = field(default_factory=dict)
    begun: dict[tuple[str, str], str] = field(default_factory=dict)
    syncs: list[str] = field(default_factory=list)
    answered: bool = False

    def line(self, text: str) -> None:
        """Take one line of strace's record."""
        found = _LINE.match(text)
        if not found or self.answered:
            return
        thread, call, rest, resumed, tail = found.groups()
        if resumed:
            rest = self.begun.pop((thread, resumed), "") + (tail or "")
            self._ended(resumed, rest)
        elif "<unfinished ...>" in rest:
            self.begun[thread, call] = rest
            self._begun(call, rest)
        else:
            self._begun(call, rest)
            self._ended(call, rest)

    def _begun(self, call: str, rest: str) -> None:
        if "HTTP/1.1 2" in rest:
            self.answered = True
            return
        path = self._path(rest)
        if call in {"write", "pwrite64"} and path:
            self.dirty[path] = call
        elif call in {"link", "linkat", "rename", "renameat", "renameat2"} and path:
            self.dirty[path if Path(path).is_dir() else str(Path(path).parent)] = call

    def _ended(self, call: str, rest: str) -> None:
        path = self._path(rest)
        if call in {"fsync", "fdatasync"} and path and rest.rstrip().endswith("= 0"):
            self.syncs.append(Path(path).name)
            self.dirty.pop(path, None)

    def _path(self, rest: str) -> str | None:
        found = _PATH.search(rest)
        return found.group(1) if found and found.group(1).startswith(self.directory) else None

    def faults(self, what: str, wanted: Iterable[str]) -> list[Violation]:
        """Return what was not durable when the answer left, and which syncs are missing altogether."""
        if not self.answered:
            return [Violation("no-fault", what, "no answer was seen")]
        found = [Violation("unsynced", what, f"{path} ({call})") for path, call in self.dirty.items() if "-shm" not in path]
        found += [
            Violation("unsynced", what, f"no sync of {pattern} before the answer: {self.syncs}")
            for pattern in wanted
            if not any(re.fullmatch(pattern, name) for name in self.syncs)
        ]
        return found


WAL, BLOB, FOLDER = r"siegel\.db-wal", r"[0-9a-f]{32}(\.unfinished)?", r"[0-9a-f]{2}"
