"""The commands of a witness, named here and imported when they are called."""

from typing import Final

from cyclopts import App

_WITNESS: Final = """A witness of ledgers: it signs what a log shows only if nothing that it showed before was changed.

A log that shows different things to different people finds no witness for the second of them. Anybody can run one: it needs
nothing of the store, and sees sizes and hashes of a ledger, never an entry. It speaks c2sp.org/tlog-witness, so it serves other
logs too.
"""

_INIT: Final = """Make a witness: its keys, and a file for the logs that it watches.

DIR must be empty or missing. Prints the lines by which a policy file names the witness.
"""

_SERVE: Final = """Run the witness until SIGTERM or Ctrl-C.

When it listens it prints one line, "ready witness=URL". An edited DIR/logs counts from the next request on.
"""

_FOLLOW: Final = """Follow a log to its new keys, also while the witness runs.

The log's owner hands over FILE. It counts only if all keys that this witness knows of the log have signed it, the new ones
too, and this witness itself: then DIR/logs names the new keys in the place of the old ones.
"""

witness = App(name="witness", help=_WITNESS)
witness.command("siegel.app.commands.witness:init", name="init", help=_INIT)
witness.command("siegel.app.commands.witness:serve", name="serve", help=_SERVE)
witness.command("siegel.app.commands.witness:follow", name="follow", help=_FOLLOW)
witness.command(
    "siegel.app.commands.witness:show", name="show", help="Show the witness's keys, and what it has signed last of each log."
)
