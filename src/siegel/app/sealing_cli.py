"""The commands that seal before sending: `siegel seal`, `open`, `names`, and `siegel keys` for key files."""

from typing import Final

from cyclopts import App

_SEAL: Final = """Seal files and store them: the store never sees their content, and never has a key.

The last argument says where: s3://BUCKET/OBJECT-KEY for one file, s3://BUCKET/FOLDER/ for any number. With --key the objects are
signed by that key and can be opened with it; --to seals for others too, --keybox for your key server: with --sign-only, for it
alone. Credentials of the store are found as the AWS SDK finds them. Where one of several files fails, those that were stored
before are told all the same.
"""

_OPEN: Final = """Fetch a sealed object and open it; nothing that was tampered with is written.

Without -o the file gets the name that was sealed with it, in the current folder, once all of it is there; -o - writes to standard
output, and with --force -o FILE into a pipe or device, piece by piece as each is found authentic. With --range
only the chunks around that range are fetched. With --keybox your key server gives the key: once, however much is read. The exit
status is 3 if the object is not what was sealed: changed, moved, cut, older than one seen before, or made by somebody whom you do
not trust.
"""

_NAMES: Final = """List the objects below a folder whose names were sealed with --seal-names, by their real names.

Objects with other names are left out.
"""

_NEW: Final = """Make a key file with mode 0600, and beside it FILE.pub with the line to give to those who seal for you.

Without the key file nobody opens what was sealed for it. Keep copies in two places.
"""


_REWRAP: Final = """Give every version in a bucket another key of the key service, or after a rotation its newest material.

No byte of any object moves, and ETags and times stay. It asks the store for one UpdateObjectEncryption after the other, with your
credentials as the AWS SDK finds them. A run that was interrupted goes on where it was. What cannot get another key (SSE-C, DSSE,
locked versions) is left and named, and the rest goes on; then the exit status is 1. Where it is the key that cannot be used, it
ends at once.
"""


def add_sealing(app: App) -> None:
    """Add the commands to the command line. They are imported when they are called."""
    app.command("siegel.app.commands.sealing:seal", name="seal", help=_SEAL)
    app.command("siegel.app.commands.opening:open_object", name="open", help=_OPEN)
    app.command("siegel.app.commands.opening:names", name="names", help=_NAMES)
    keys = App(name="keys", help="Look after key files, and after the keys of objects.")
    keys.command("siegel.app.commands.sealing:new_key", name="new", help=_NEW)
    keys.command("siegel.app.commands.sealing:public_line", name="public", help="Print the recipient's line of a key file.")
    keys.command("siegel.app.commands.rewrap:rewrap", name="rewrap", help=_REWRAP)
    app.command(keys)
