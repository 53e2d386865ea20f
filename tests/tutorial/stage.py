"""Where a page is played: a directory for each machine, a shell on it, servers that run there, ports that the system gives."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from .page import INTERRUPT, Step, fill, match, read_steps

PROGRAMS: Final = Path(sys.executable).parent
SOURCES: Final = Path(__file__).resolve().parents[2]
COMMAND_S: Final = 120.0
PATIENCE_S: Final = 120.0
STOP_S: Final = 30.0
_ADDRESS: Final = re.compile(r"127\.0\.0\.1:[1-9]\d*")
_SERVER: Final = re.compile(r"\bsiegel (?=(?:[a-z]+ )?serve\b)")
# Looking changes nothing: the page says what is seen a moment later, and a busy machine's moments are long.
_LOOKING: Final = re.compile(r"siegel (audit|consent (list|show)|support (list|show))\b")


def lend(folder: Path, *names: str, **programs: Path) -> Path:
    """Make a folder of programs for the machines: the modules of this folder that are named, and others. Return it."""
    folder.mkdir()
    for name in names:
        program = folder / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCES}" exec "{sys.executable}" -m tests.tutorial.{name} "$@"\n')
        program.chmod(0o755)
    for name, path in programs.items():
        (folder / name).symlink_to(path)
    return folder


class Machine:
    """A directory with a shell, whose exported variables stay from command to command."""

    def __init__(self, folder: Path, programs: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.servers: list[subprocess.Popen[str]] = []
        self._variables = folder.with_suffix(".variables")
        self._variables.touch()
        self._errors = folder.with_suffix(".errors")
        environment = {"HOME": str(folder), "PATH": f"{programs}:{PROGRAMS}:{os.environ['PATH']}", "COLUMNS": "200"}
        self._options: dict[str, Any] = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "text": True}

    def run(self, command: str) -> tuple[int, str]:
        """Run a command to its end; return its status and what it said, errors too."""
        ended = subprocess.run(
            ["bash", "-c", f". '{self._variables}'\n{command}\nstatus=$?\nexport -p > '{self._variables}'\nexit $status"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_S,
            check=False,
            **self._options,
        )
        return ended.returncode, ended.stdout

    def serve(self, command: str) -> str:
        """Start a server; return the line by which it says that it is ready."""
        line = _SERVER.sub("exec siegel ", command, count=1)
        with self._errors.open("a") as errors:
            words = ["bash", "-c", f". '{self._variables}'\n{line}"]
            server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, **self._options)
        self.servers.append(server)
        assert server.stdout is not None
        ready = server.stdout.readline()
        assert ready, self._errors.read_text()
        return ready

    def stop(self) -> int:
        """End the newest server in peace; return its status."""
        assert self.servers, "no server runs here"
        server = self.servers.pop()
        server.terminate()
        try:
            return server.wait(STOP_S)
        finally:
            server.kill()
            assert server.stdout is not None
            server.stdout.close()


class Stage:
    """Plays a page. `words` says what the values look like that differ from run to run."""

    def __init__(self, folder: Path, programs: Path, words: dict[str, str]) -> None:
        self.folder, self.words = folder, words
        self.known: dict[str, str] = {}
        self.machines: dict[str, Machine] = {}
        self._programs = programs
        self._ports: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for machine in self.machines.values():
            while machine.servers:
                machine.stop()
        for keeper in self._ports.values():
            keeper.close()

    def play(self, page: Path) -> None:
        """Play a page from its beginning to its end."""
        for step in read_steps(page):
            self.play_step(step)

    def play_step(self, step: Step) -> None:
        machine = self.machines.get(step.who)
        if machine is None:
            machine = self.machines[step.who] = Machine(self.folder / step.who, self._programs)
        if step.command == INTERRUPT:
            assert machine.stop() == step.status, step.place
            return
        command = _ADDRESS.sub(lambda found: self._address(found[0]), fill(step.command, self.known))
        if _SERVER.search(command):
            self._check(step, 0, machine.serve(command))
            return
        give_up = time.monotonic() + PATIENCE_S
        while True:
            status, said = machine.run(command)
            is_last = time.monotonic() > give_up or not _LOOKING.search(command)
            # What holds must hold at every look on the way.
            if self._check(step, status, said, final=is_last or (step.status == 0 and status != 0)):
                return
            time.sleep(0.3)

    def _check(self, step: Step, status: int, said: str, *, final: bool = True) -> bool:
        said = self._as_on_the_page(said)
        found = match(step.shown, said, self.words, self.known) if step.shown else {}
        if found is None or status != step.status:
            assert not final, f"{step.place}\nsays, with status {status}:\n{said}\nand not:\n" + "\n".join(step.shown)
            return False
        self.known |= found
        return True

    def _address(self, told: str) -> str:
        """Return the address that stands for one of the page. Its port is kept, also between two servers that listen there."""
        keeper = self._ports.get(told)
        if keeper is None:
            keeper = self._ports[told] = socket.socket()
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keeper.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{keeper.getsockname()[1]}"

    def _as_on_the_page(self, said: str) -> str:
        for told in self._ports:
            said = said.replace(self._address(told), told)
        return said
