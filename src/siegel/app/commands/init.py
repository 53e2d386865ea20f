"""`siegel init`: make a deployment."""

import asyncio
import json as json_words
from pathlib import Path
from typing import Annotated, Final

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
from siegel.app.credentials import new_credentials
from siegel.app.first_run import FirstRun, initialise
from siegel.app.output import print_once
from siegel.domain.errors import ConfigurationError

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

_KEPT: Final = "{} is initialised, and the access keys are in {} and {}"
# No command makes another operator's key, or another key of an account.
_LOST: Final = """\
{} is initialised, and nobody has the secrets that are in no file
try: remove it, since nothing is in it yet, and say this again"""

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
    for path in (credentials, operator_credentials):
        if path is not None and path.absolute().is_relative_to(directory.absolute()):
            raise ConfigurationError(f"{path} is in the data directory, which has no secret in clear\ntry: a file elsewhere")
    with new_credentials(credentials) as write, new_credentials(operator_credentials) as write_operator:
        made = asyncio.run(initialise(directory, account, flags))
        is_kept = False
        try:
            write(made.account.access_key)
            write_operator(made.operator)
            is_kept = bool(credentials and operator_credentials)
        finally:
            shown = json_words.dumps(describe(made)) if json else _as_text(made, directory)
            print_once(shown, (_KEPT if is_kept else _LOST).format(directory, credentials, operator_credentials))


def _as_text(made: FirstRun, directory: Path) -> str:
    return _TEXT.format(
        directory=directory,
        region=made.config.region,
        operator=made.operator,
        account=made.account,
        root_key=_TOKEN if made.config.pkcs11_token else _FILE.format(made.root_key_file),
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
