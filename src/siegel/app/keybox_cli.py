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

_KEYBOX_CONSENT: Final = """Say for whom of the provider's people a key may be used, each use by a consent that you have signed.

The box lets nobody of the provider's pass unless DIR/policy.toml says consents = "required". Then it demands the evidence of an
approval, and checks it by the keys and the policy that are pinned here: person, objects, action, time, number of reads. It
believes neither the store nor its own files. Every refusal is in the log, with the reason.
"""

_KEYBOX_TRUST: Final = """Pin whose signatures count, and under which witnesses, in the place of what was pinned before.

Take both files from where you keep them for your audits, not from the provider. With --ledger, the box is led on to the log's
later keys by itself, when a consent needs it: the old keys and your witnesses have signed for these.
"""

_KEYBOX_ADD: Final = """Give the box the evidence of an approval, from the next call on.

It is checked by what is pinned. If the log's keys were handed over since, and `trust --ledger` has said where the ledger is, the
box follows the hand-over first.
"""

_KEYBOX_FOLLOW: Final = """Follow the log to its new keys, after the provider has changed them.

Each hand-over has to be signed by the keys that the box knows, by the new ones, and by a quorum of the policy's witnesses; any
other is passed over. It is kept in DIR/consents/handover, and the log of the box tells of it.
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
consent = App(name="consent", help=_KEYBOX_CONSENT)
for _name, _place, _help in (
    ("trust", "trust", _KEYBOX_TRUST),
    ("add", "add", _KEYBOX_ADD),
    ("follow", "follow", _KEYBOX_FOLLOW),
    ("list", "list_consents", "List the consents that the box was given, and what they are good for now."),
    ("revoke", "revoke", "End a consent at the box, from the next call on and for good."),
):
    consent.command(f"siegel.app.commands.keybox_consent:{_place}", name=_name, help=_help)
keybox.command(consent)
