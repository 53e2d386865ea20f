"""`siegel verify`: see for yourself."""

import asyncio
import signal
import sys
from typing import Final

from siegel.app.commands.options import AsJson, Data
from siegel.app.config import load_config, resolve
from siegel.app.output import print_json, print_text
from siegel.app.settings import Settings
from siegel.app.verify.sealed import Report, verify_sealed

# As a process ends that SIGTERM has ended.
EXIT_STOPPED: Final = 128 + signal.SIGTERM


def sealed(*, data: Data, json: AsJson = False) -> None:
    """Print what the verification saw; the help text is in `cli.py`."""
    settings = resolve(load_config(data, {}), data)
    try:
        report = asyncio.run(_verify(settings))
    except asyncio.CancelledError:
        sys.exit(EXIT_STOPPED)
    if json:
        print_json(describe(report))
    else:
        print_text(_as_text(report))
    if not report.holds:
        sys.exit(1)


async def _verify(settings: Settings) -> Report:
    """Verify, and end at SIGTERM as at Ctrl-C: when all that was written is removed."""
    task = asyncio.ensure_future(verify_sealed(settings))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def describe(report: Report) -> dict[str, object]:
    """Return the object that `--json` prints."""
    return {
        "sealed": report.holds,
        "paths": report.paths,
        "forms": report.forms,
        "files": report.files,
        "size_bytes": report.size_bytes,
        "found": [{"path": hit.path, "offset": hit.offset, "form": hit.form} for hit in report.found],
        "control_missed": report.missed,
        "left": report.left,
    }


def _as_text(report: Report) -> str:
    lines = [
        f"wrote canaries by {len(report.paths)} paths: {'; '.join(report.paths)}",
        f"control: the search finds all {report.forms} forms, and deflated ones"
        if not report.missed
        else f"control FAILED, the search does not find: {'; '.join(report.missed)}",
        f"searched {report.size_bytes} bytes in {report.files} files",
    ]
    lines += [f"FOUND {hit.form} at byte {hit.offset} of {hit.path}" for hit in report.found]
    lines += [f"left by a verification that was killed, and not removed: {left}" for left in report.left]
    lines.append("sealed: nothing was found" if report.holds else "NOT SEALED, or not proven")
    return "\n".join(lines)
