"""`siegel verify`: see for yourself."""

import asyncio
import sys

from siegel.app.commands.options import AsJson, Data
from siegel.app.config import load_config, resolve
from siegel.app.output import print_json, print_text
from siegel.app.verify.sealed import Report, verify_sealed


def sealed(*, data: Data, json: AsJson = False) -> None:
    """Print what the verification saw; the help text is in `cli.py`."""
    report = asyncio.run(verify_sealed(resolve(load_config(data, {}), data)))
    if json:
        print_json(describe(report))
    else:
        print_text(_as_text(report))
    if not report.holds:
        sys.exit(1)


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
    lines.append("sealed: nothing was found" if report.holds else "NOT SEALED, or not proven")
    return "\n".join(lines)
