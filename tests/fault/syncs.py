"""Reading strace's record of system calls: what was written and not yet synced when the answer left."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fault.model import Violation

_LINE = re.compile(r"^(\d+)\s+(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_PATH = re.compile(r"<(/[^>]*)>")


@dataclass
class Reading:
    """The state of every file as the calls go by: by which processes written and not yet synced, or clean.

    An answer rests on what its own process wrote; what the steward has under way meanwhile is the steward's to sync.
    """

    directory: str
    process_of: Callable[[str], str | None]
    dirty: dict[str, dict[str | None, str]] = field(default_factory=dict)
    begun: dict[tuple[str, str], str] = field(default_factory=dict)
    syncs: list[str] = field(default_factory=list)
    answered: bool = False
    answering: str | None = None

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
            self._begun(thread, call, rest)
        else:
            self._begun(thread, call, rest)
            self._ended(call, rest)

    def _begun(self, thread: str, call: str, rest: str) -> None:
        if "HTTP/1.1 2" in rest:
            self.answered, self.answering = True, self.process_of(thread)
            return
        path = self._path(rest)
        if call in {"write", "pwrite64"} and path:
            self._changed(path, thread, call)
        elif call in {"link", "linkat", "rename", "renameat", "renameat2"} and path:
            self._changed(path if Path(path).is_dir() else str(Path(path).parent), thread, call)

    def _changed(self, path: str, thread: str, call: str) -> None:
        self.dirty.setdefault(path, {})[self.process_of(thread)] = call

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
        found = [
            Violation("unsynced", what, f"{path} ({call})")
            for path, writers in self.dirty.items()
            for process, call in writers.items()
            # A thread that is gone may have been of the answer's process.
            if process in {None, self.answering} and "-shm" not in path
        ]
        found += [
            Violation("unsynced", what, f"no sync of {pattern} before the answer: {self.syncs}")
            for pattern in wanted
            if not any(re.fullmatch(pattern, name) for name in self.syncs)
        ]
        return found


def process_of(thread: str) -> str | None:
    """Return the process that a living thread belongs to, None for a thread that is gone."""
    try:
        status = Path(f"/proc/{thread}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return next(line.split()[1] for line in status.splitlines() if line.startswith("Tgid:"))


WAL, BLOB, FOLDER = r"siegel\.db-wal", r"[0-9a-f]{32}(\.unfinished)?", r"[0-9a-f]{2}"
ENTRIES = r"entries-\d+"
