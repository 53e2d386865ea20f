"""The command line. Exit status: 0 done, 1 failed, 252 wrong usage, 253 a configuration that does not work (as in the AWS CLI).

Commands are named here and imported when they are called, so that `siegel --version` does not wait for a database.
"""

import sys
from typing import Final

from cyclopts import App, CycloptsError

from siegel import __version__
from siegel.app.output import print_error
from siegel.domain.errors import ConfigurationError, SiegelError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 252
EXIT_CONFIGURATION: Final = 253
EXIT_INTERRUPTED: Final = 130

app = App(name="siegel", help="Siegel: an S3 store whose provider nobody has to trust.", version=__version__)
app.command("siegel.app.commands.init:init", name="init", help="Make a deployment.")
app.command("siegel.app.commands.serve:serve", name="serve", help="Run the service.")
app.command("siegel.app.commands.doctor:doctor", name="doctor", help="Check whether this machine is fit for the service.")

account = App(name="account", help="Create and list accounts, also while the service runs.")
account.command("siegel.app.commands.account:create", name="create", help="Create an account with one access key.")
account.command("siegel.app.commands.account:list_accounts", name="list", help="List all accounts.")
app.command(account)


def main() -> None:
    """Run the command line."""
    try:
        app(exit_on_error=False, print_error=False, result_action="return_value")
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
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
