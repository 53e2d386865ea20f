"""The pages that are generated from code: `python -m tests.house.pages` writes them, `test_pages.py` compares them."""

from siegel.app.cli import app
from siegel.app.config_pages import render_reference
from siegel.iamwire.iam_actions import IAM
from siegel.iamwire.statuspage import render_status_page as render_actions_page
from siegel.iamwire.sts_actions import STS
from siegel.kmswire.statuspage import render_status_page as render_kms_page
from siegel.s3wire.faults import render_error_page
from siegel.s3wire.statuspage import render_status_page
from siegel.web.admin import render_admin_page
from tests.house.matrix_page import render_access_matrix
from tests.house.tree import ROOT

_CLI_HEAD = """# The command line

Generated from the commands' own help (`src/siegel/app/cli.py`); a test in `tests/house/` keeps the two alike.

| Exit status | Meaning |
|---|---|
| 0 | done |
| 1 | failed; or, of `serve`: something died at the start, or requests in flight were cut off at the end |
| 2, 3 | of commands that check something: see below |
| 130 | interrupted by Ctrl-C |
| 252 | wrong usage |
| 253 | a configuration that does not work |

An error is one line on standard error, and where there is a way out a second one that begins with `try:`.

Commands that check something tell by their status what came of it. Programs that act on it look for the number under "not as it
must be"; whatever else is not 0 says that nobody knows.

| Command | 0 | Not as it must be | Nobody knows |
|---|---|---|---|
| `audit sync`, `verify`, `report`, `compare` | the ledger holds | 3: something does not | 1: no answer, no right, no disk |
| `audit check` | the receipt holds | 3: it does not | 1 |
| `audit watch --once` | it holds, and all were told | 3: something stands, or was just found | 1: not checked, or not told |
| `audit show` | all entries are what they should be | 3: some are not | 1 |
| `audit visitors --known` | nobody else was there | 3: somebody was | 1 |
| `audit reconcile` | the books agree | 1: they differ | 2: the ledger cannot be read, or nothing is there to compare |
| `consent keys show` | the store has the keys that are pinned | 3: it has others | 1 |
| `keybox log --verify` | the chain is whole | 1: it is not | |
| `consent rewrap` | the objects are what was sealed | 3: one is not, and nothing is written | 1 |
| `open` | the object is what was sealed | 3: it is not, and nothing is written to a file | 1 |

"""


def render_cli_page() -> str:
    text = app.generate_docs(output_format="markdown")
    _, _, commands = text.partition("\n## siegel")
    return _CLI_HEAD + "## siegel" + commands.rstrip() + "\n"


PAGES = {
    "docs/reference/access-matrix.md": render_access_matrix,
    "docs/reference/admin.md": render_admin_page,
    "docs/reference/cli.md": render_cli_page,
    "docs/reference/configuration.md": render_reference,
    "docs/reference/errors.md": render_error_page,
    "docs/reference/iam-status.md": lambda: render_actions_page("IAM", IAM),
    "docs/reference/kms-status.md": render_kms_page,
    "docs/reference/s3-status.md": render_status_page,
    "docs/reference/sts-status.md": lambda: render_actions_page("STS", STS),
}

if __name__ == "__main__":
    for place, render in PAGES.items():
        (ROOT / place).write_text(render(), encoding="utf-8")
