"""`siegel doctor`: is this machine fit for the service?"""

import sys

from siegel.app.commands.options import AsJson, Directory
from siegel.app.config import load_config, resolve
from siegel.app.doctor import Verdict, examine
from siegel.app.output import print_json, print_table


def doctor(directory: Directory, /, *, json: AsJson = False) -> None:
    """Print what the doctor found; the help text is in `cli.py`."""
    findings = examine(resolve(load_config(directory, {}), directory))
    rows = [{"check": finding.check, "verdict": finding.verdict.value, "seen": finding.seen} for finding in findings]
    is_fit = all(finding.verdict is not Verdict.FAIL for finding in findings)
    if json:
        print_json({"ok": is_fit, "checks": rows})
    else:
        print_table(["check", "verdict", "seen"], rows)
    if not is_fit:
        sys.exit(1)
