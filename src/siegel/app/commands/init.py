"""`siegel init`: make a deployment."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import AsJson, Credentials, Directory
from siegel.app.credentials import write_credentials
from siegel.app.first_run import FirstRun, initialise
from siegel.app.output import print_json, print_text

_TEXT = """\
Siegel is initialised in {directory}, region {region}.

  operator    access key id      {operator.access_key_id}
              secret access key  {operator.secret_access_key}

  account     id                 {account.account_id}
              name               {account.name}
              access key id      {account.access_key.access_key_id}
              secret access key  {account.access_key.secret_access_key}

The secrets are shown this once. Keep a copy of {root_key_file} in a safe place elsewhere: without it nothing here opens.
next: siegel serve {directory}"""


def init(
    directory: Directory,
    /,
    *,
    account: Annotated[str, Parameter(help="Name of the first account.")] = "main",
    region: Annotated[str | None, Parameter(help="Region of the deployment, eu-central-1 unless given.")] = None,
    credentials: Credentials = None,
    json: AsJson = False,
) -> None:
    """Make a deployment; the help text is in `cli.py`."""
    made = asyncio.run(initialise(directory, account, {"region": region}))
    if credentials is not None:
        write_credentials(credentials, made.account.access_key)
    if json:
        print_json(describe(made))
    else:
        print_text(
            _TEXT.format(
                directory=directory,
                region=made.config.region,
                operator=made.operator,
                account=made.account,
                root_key_file=made.root_key_file,
            )
        )


def describe(made: FirstRun) -> dict[str, object]:
    """Return the object that `--json` prints."""
    return {
        "operator": {
            "access_key_id": made.operator.access_key_id,
            "secret_access_key": made.operator.secret_access_key,
        },
        "account": {
            "account_id": made.account.account_id,
            "name": made.account.name,
            "access_key_id": made.account.access_key.access_key_id,
            "secret_access_key": made.account.access_key.secret_access_key,
        },
        "region": made.config.region,
    }
