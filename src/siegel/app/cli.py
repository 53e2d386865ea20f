"""The command line. Exit status: 0 done, 1 failed, 252 wrong usage, 253 a configuration that does not work (as in the AWS CLI).

`siegel open` ends with 3 where an object is not what was sealed, `siegel audit` where a ledger does not hold.

Commands are named here and imported when they are called, so that `siegel --version` does not wait for a database.
"""

import sys
from contextlib import suppress
from typing import Final

from cyclopts import App, CycloptsError

from siegel import __version__
from siegel.app.audit_cli import audit
from siegel.app.consent_cli import consent
from siegel.app.keybox_cli import keybox
from siegel.app.output import OutputError, flush_output, prepare_streams, print_error
from siegel.app.sealing_cli import add_sealing
from siegel.app.support_cli import support
from siegel.app.witness_cli import witness
from siegel.domain.errors import ConfigurationError, SiegelError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 252
EXIT_CONFIGURATION: Final = 253
EXIT_INTERRUPTED: Final = 130

_INIT: Final = """Make a deployment: configuration, root key, encrypted database, first operator, first account.

The secrets are generated and shown once. The root key rests in DIR/root.key with mode 0600, in the file that
SIEGEL_ROOT_KEY_FILE names, or in a PKCS#11 token, which it never leaves. DIR must be empty or missing.
"""

_SERVE: Final = """Run the service until SIGTERM or Ctrl-C.

When everything is up it prints one line, "ready s3=URL admin=URL". SIGTERM lets requests in flight finish; a second one
stops at once. Flags beat the environment (SIEGEL_...), the environment beats DIR/siegel.toml.
"""

_DOCTOR: Final = """Check whether this machine is fit for the service.

Looks at clock, free space, syncs, SQLite and its cipher, root key, database, certificate and ports. The exit status is 1
if a check fails; warnings do not count.
"""

_SEALED: Final = """Prove that nothing rests on the disk in plain.

Writes canaries through every write path, also under keys of the key service and of a customer's key server that it
starts for that, then searches every byte of the directory for them: raw, as hex, base64 and UTF-16, deflated, and for
their digests. A positive control shows that the search would have found them. The exit status
is 1 if anything is found. Ctrl-C and SIGTERM end it when what it wrote is removed; what a killed
one has left, the next one removes.
"""

_CONFIRM: Final = """Say that this machine's time of day is right, also while the service runs.

Locks and lifecycles go by a clock that believes only the time that the machine has run, and a week without it; after a longer
standstill it lags behind, and `siegel doctor` says so. This ends the lag. Compare the machine's time with another clock
first: retention that should still last ends early if it is ahead. The journal says that it was done.
"""

_ROTATE: Final = """Give the deployment a new root key, also while the service runs.

The new key is made in a file or in a PKCS#11 token. Everything that hangs on the old one is sealed anew; until the end both
open the deployment, then the old one opens nothing more. Where this was interrupted, say it again without a target: it goes on.
"""

_REKEY: Final = """Give the database another key, while the service does not run.

Its pages are copied under the new key into a new file, which then is the database; the old file is removed. That takes as much
free space as the database has. Where this was interrupted, the service serves on; say it again, and it is ended.
"""

_ROTATE_LOG: Final = """Give an account's log new keys, also while the service runs.

The hand-over is an entry of the log, under a head that old and new keys sign, and that the witnesses of the account's policy
sign: whoever trusts the old keys is led to the new ones by it, and a thief of the old ones leads nobody. Where this is
interrupted, it goes on by itself. Until the witnesses have signed, --withdraw gives it up: the log keeps its keys.
"""

_ACCOUNT_LIST: Final = """List all accounts, in order of their ids, and how much each stores.

The running service counts that from time to time; counted_at says when.
"""

app = App(
    name="siegel",
    help="Siegel: an S3 store whose provider nobody has to trust.",
    version=__version__,
    help_format="plaintext",
)
app.command("siegel.app.commands.init:init", name="init", help=_INIT)
app.command("siegel.app.commands.serve:serve", name="serve", help=_SERVE)
app.command("siegel.app.commands.doctor:doctor", name="doctor", help=_DOCTOR)

account = App(name="account", help="Create and list accounts, also while the service runs.")
account.command(
    "siegel.app.commands.account:create",
    name="create",
    help="Create an account with one access key. The secret is shown once.",
)
account.command("siegel.app.commands.account:list_accounts", name="list", help=_ACCOUNT_LIST)
app.command(account)

clock = App(name="clock", help="Look after the clock that locks and lifecycles go by.")
clock.command("siegel.app.commands.clock:confirm", name="confirm", help=_CONFIRM)
app.command(clock)

root = App(name="root", help="Look after the root key.")
root.command("siegel.app.commands.root:rotate", name="rotate", help=_ROTATE)
root.command("siegel.app.commands.root:rekey_database", name="rekey-database", help=_REKEY)
app.command(root)

ledger = App(name="ledger", help="Look after the accounts' logs.")
ledger.command("siegel.app.commands.ledger:rotate_keys", name="rotate-keys", help=_ROTATE_LOG)
app.command(ledger)

verify = App(name="verify", help="Check the service's promises for yourself.")
verify.command("siegel.app.commands.verify:sealed", name="sealed", help=_SEALED)
app.command(verify)

app.command(keybox)
app.command(witness)
app.command(audit)
app.command(consent)
app.command(support)
add_sealing(app)


def main() -> None:
    """Run the command line."""
    try:
        prepare_streams()
        _run()
    except BrokenPipeError:
        # Who read the output has gone, as `head` does.
        sys.exit(EXIT_FAILED)
    except CycloptsError as error:
        command = " ".join(["siegel", *(error.command_chain or ())])
        print_error(f"{error}\ntry: {command} --help")
        sys.exit(EXIT_USAGE)
    except ConfigurationError as error:
        print_error(str(error))
        sys.exit(EXIT_CONFIGURATION)
    except SiegelError as error:
        print_error(str(error))
        sys.exit(EXIT_FAILED)
    except OSError as error:
        # The last resort: who knows what was being done has said it in better words.
        told = error.strerror or str(error)
        print_error(f"{error.filename}: {told}" if error.filename else told)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _run() -> None:
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except (SiegelError, CycloptsError):
        # What went wrong first is what is told.
        with suppress(OutputError, BrokenPipeError):
            flush_output()
        raise
    finally:
        # Here an error of it is still one that can be answered.
        flush_output()
