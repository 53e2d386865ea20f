"""`siegel` as its user calls it, in this process: its words, what it prints, its exit status.

A process would first import all of it, which is most of what a command takes. That commands are programs is shown by the tests of
`tests/process`, and by those of pages whose lines are run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest import mock

from siegel.app.cli import main

SIEGEL = str(Path(sys.executable).with_name("siegel"))
_LAUNCHER = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from siegel.app.cli import main
main()"""
HEARING = (sys.executable, "-c", _LAUNCHER)
"""The command as a program that hears signals. A shell lets programs in the background ignore Ctrl-C, and nohup the end of the
terminal: tests may run so."""
PATIENCE_S = 120


def siegel(*words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, at no terminal; return how it ended. `env` is its whole environment."""
    ended = siegel_bytes(*words, env=env, cwd=cwd)
    return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def siegel_bytes(
    *words: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that may print bytes which are no text."""
    line = [SIEGEL, *map(str, words)]
    environment = dict(os.environ if env is None else env)
    # A server would not end; the module of a token reads its settings once in a process, and each test has others.
    if "serve" in line or "SOFTHSM2_CONF" in environment:
        return subprocess.run(line, env=environment, cwd=cwd, capture_output=True, check=False, timeout=PATIENCE_S)
    out, errors = TextIOWrapper(BytesIO(), encoding="utf-8"), TextIOWrapper(BytesIO(), encoding="utf-8")
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", line),
        mock.patch.object(sys, "stdin", StringIO()),
        chdir(cwd or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        status = _run()
    return subprocess.CompletedProcess(line, status, _written(out), _written(errors))


def _run() -> int:
    """Return the exit status. An error that the command does not expect is the test's: a process would show its traceback."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _written(stream: TextIOWrapper) -> bytes:
    stream.flush()
    buffer = stream.detach()
    assert isinstance(buffer, BytesIO)
    return buffer.getvalue()
