"""The commands of the customer's key server, named here and imported when they are called."""

from typing import Final

from cyclopts import App

_KEYBOX: Final = """The customer's own key server: keys that the provider of the store never has.

It runs at the customer's and needs nothing of the store. A store uses its keys over the XKS proxy API (v1); clients that encrypt
before they send, over GenerateDataKey and Decrypt of KMS.
"""

_KEYBOX_INIT: Final = """Make a box: what opens it, a credential for the store, a credential for clients, a policy to fill in.

DIR must be empty or missing. The key file is made unless it exists; with --passphrase-file, the passphrase opens the box instead.
"""

_KEYBOX_SERVE: Final = """Run the key server until SIGTERM or Ctrl-C.

When it listens it prints one line, "ready keybox=URL". Keys that are disabled, enabled or destroyed beside it, and an edited
DIR/policy.toml, count from the next call on.
"""

_KEYBOX_DESTROY: Final = """Destroy a key for ever, and print where its certificate of destruction is.

What the key has sealed opens nowhere again, in no backup either, unless a copy of the box exists in which the key still is.
"""

_KEYBOX_LOG: Final = """Print the log of every use of the keys, or check with --verify that its chain is whole.

The check names the first line that does not fit, and the exit status is 1. Lines cut off at the end break no chain: keep the head
that a check prints elsewhere, and hand it to the next check with --head.
"""

keybox = App(name="keybox", help=_KEYBOX)
for _name, _place, _help in (
    ("init", "keybox:init", _KEYBOX_INIT),
    ("create-key", "keybox:create_key", "Make an AES-256 key in the box and print its id."),
    ("list", "keybox:list_keys", "List the keys of the box, the destroyed ones too."),
    ("serve", "keybox:serve", _KEYBOX_SERVE),
    ("disable", "keybox:disable", "Disable a key, from the next call on."),
    ("enable", "keybox:enable", "Enable a key again, from the next call on."),
    ("destroy", "keybox:destroy", _KEYBOX_DESTROY),
    ("certificate", "keybox:certificate", "Print the certificate of a destroyed key."),
    ("verify-certificate", "keybox:verify_file", "Check a certificate of destruction; needs nothing of the box."),
    ("policy", "keybox:policy", "Check DIR/policy.toml: that it can be read, and that the keys it names are in the box."),
    ("log", "keybox_log:log", _KEYBOX_LOG),
):
    keybox.command(f"siegel.app.commands.{_place}", name=_name, help=_help)
credential = App(name="credential", help="Change who may sign calls to the box.")
credential.command(
    "siegel.app.commands.keybox:rotate",
    name="rotate",
    help="Make a second credential of a face, valid from the next call on beside the first.",
)
credential.command(
    "siegel.app.commands.keybox:retire",
    name="retire",
    help="End a credential, from the next call on; the last one of a face stays.",
)
credential.command(
    "siegel.app.commands.keybox:list_credentials",
    name="list",
    help="List the credentials that are valid, without their secrets.",
)
keybox.command(credential)
