"""The commands of the auditor, named here and imported when they are called."""

from typing import Final

from cyclopts import App

_AUDIT: Final = """Check a ledger for yourself: that it is whole, that nothing in it was changed, and that others saw the same.

Everything is computed on this machine and compared with what was verified here before. The exit status is 3 where something does
not hold, and 1 where it could not be checked; `reconcile` has its own.
"""

_KEYS: Final = """Print the keys of a ledger as lines of a policy file: its witnesses and its quorum are still to be added.

Whom you get them from is what you trust: compare them once by another way.
"""

_PUT_POLICY: Final = """Put the policy of DIR into the account, and wait until enough witnesses have signed a head.

The ledger's heads are sent to them from then on.

What DIR itself believes is its own copy, whatever the account's is. The right is siegel:PutLedgerPolicy.
"""

_INIT: Final = """Make a directory for the audits of one ledger.

DIR must be empty or missing. The policy is copied into it: from then on, DIR/policy says whom these audits believe.
"""

_SYNC: Final = """Fetch what is new in the ledger, verify it, and keep it in DIR/ledger.

Credentials are those of the environment (AWS_ACCESS_KEY_ID ...) or of the AWS tools' shared file. What does not hold is not kept
as the ledger: it is put into DIR/evidence, beside the head that was verified before.
"""

_VERIFY: Final = """Verify the whole mirror in DIR again, from the first entry on. Needs no network."""

_RECEIPT: Final = """Write a receipt for each entry of a request: a proof file that anybody can check offline with a policy.

What a response said in x-siegel-entry names the request.
"""

_SHOW: Final = """Show the entries of the mirror in DIR, one line each: when, which request, what, who, where, with which key.

Names and persons are shown only if they are those that the entry was made with; else the line says so, and the exit status is 3.
With --json, each line is a JSON object.
"""

_COMPARE: Final = """Tell whether the head that somebody else was shown is of the same history as the mirror in DIR.

A ledger cannot show two people two histories if they compare; heads are small files, and may be public.
"""

_WATCH: Final = """Look at a ledger again and again, or at several, and tell somebody whatever is new, until SIGTERM or Ctrl-C.

Each look is a sync; once a day the whole mirror is verified too. Told are findings, each once, also across restarts; that the
provider cannot be reached; and that all is well again. A notice that did not arrive is sent again with each look. With --once,
the exit status is 3 where something does not hold, and 1 where it could not be checked or nobody could be told.

Name the directory of audits of each ledger: each is looked at for itself, and keeps for itself what was told. What goes wrong
with one holds up no other.
"""

_RECONCILE: Final = """Compare the ledger with the log of your own key server, and with the receipts that your clients keep.

Every use of a key in your own book must be in the ledger, as it was; every use and every read of what is under your keys that the
ledger tells of must be in your own book; every receipt must be included. Needs no network: sync before. Without --from it begins
where it ended the last time. The exit status is 1 where the books differ, and 2 where the ledger cannot be read or goes no
further; what could not be compared is said.

Where one key server serves several accounts of a service, name the directory of audits of each: their ledgers are read as one.
"""

_VISITORS: Final = """Tell who was in the account: each principal, how often, when first and last, and from which addresses.

Consents are about people of the provider's who say so. Whoever came as the account's root, from another account by a policy, or
without a name, is seen here. With --known, anybody else who was let in makes the exit status 3. Needs no network: sync before.
"""

audit = App(name="audit", help=_AUDIT)
audit.command("siegel.app.commands.audit_policy:keys", name="keys", help=_KEYS)
for _name, _help in (
    ("init", _INIT),
    ("sync", _SYNC),
    ("verify", _VERIFY),
    ("report", "Verify the whole mirror again, and write a page about it."),
    ("receipt", _RECEIPT),
    ("check", "Check a receipt offline, with a policy alone."),
    ("compare", _COMPARE),
):
    audit.command(f"siegel.app.commands.audit:{_name}", name=_name, help=_help)
audit.command("siegel.app.commands.audit_policy:put_policy", name="put-policy", help=_PUT_POLICY)
audit.command("siegel.app.commands.audit_show:show", name="show", help=_SHOW)
audit.command("siegel.app.commands.audit_visitors:visitors", name="visitors", help=_VISITORS)
audit.command("siegel.app.commands.audit_watch:watch", name="watch", help=_WATCH)
audit.command("siegel.app.commands.audit_reconcile:reconcile", name="reconcile", help=_RECONCILE)
