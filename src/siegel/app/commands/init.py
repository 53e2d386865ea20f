"""`siegel init`: make a deployment."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import (
    AsJson,
    Credentials,
    Directory,
    Pkcs11Key,
    Pkcs11Module,
    Pkcs11PinFile,
    Pkcs11Token,
)
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

The secrets are shown this once. {root_key}
next: siegel serve {directory}"""

_FILE = "Keep a copy of {} in a safe place elsewhere: without it nothing here opens."
_TOKEN = "Keep a copy of the token's root key, by the token's own means: without it and the file keychest nothing here opens."


def init(
    directory: Directory,
    /,
    *,
    account: Annotated[str, Parameter(help="Name of the first account.")] = "main",
    region: Annotated[str | None, Parameter(help="Region of the deployment, eu-central-1 unless given.")] = None,
    pkcs11_module: Pkcs11Module = None,
    pkcs11_token: Pkcs11Token = None,
    pkcs11_key: Pkcs11Key = None,
    pkcs11_pin_file: Pkcs11PinFile = None,
    credentials: Credentials = None,
    operator_credentials: Annotated[Path | None, Parameter(help="As --credentials, for the first operator's key.")] = None,
    json: AsJson = False,
) -> None:
    """Make a deployment; the help text is in `cli.py`."""
    flags = {
        "region": region,
        "pkcs11_module": pkcs11_module,
        "pkcs11_token": pkcs11_token,
        "pkcs11_key": pkcs11_key,
        "pkcs11_pin_file": pkcs11_pin_file,
    }
    made = asyncio.run(initialise(directory, account, flags))
    if credentials is not None:
        write_credentials(credentials, made.account.access_key)
    if operator_credentials is not None:
        write_credentials(operator_credentials, made.operator)
    if json:
        print_json(describe(made))
    else:
        print_text(
            _TEXT.format(
                directory=directory,
                region=made.config.region,
                operator=made.operator,
                account=made.account,
                root_key=_TOKEN if made.config.pkcs11_token else _FILE.format(made.root_key_file),
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
