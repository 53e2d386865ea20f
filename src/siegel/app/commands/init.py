"""`siegel init`: make a deployment."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import AsJson, Directory
from siegel.app.first_run import FirstRun, initialise
from siegel.app.output import print_json, print_text
from siegel.service.accounts import AccessKey

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
    credentials: Annotated[
        Path | None, Parameter(help="Also write the first account's access key to this file, as AWS tools read it.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a deployment: configuration, root key, encrypted database, first operator, first account.

    The secrets are generated and shown once. The root key rests in DIR/root.key with mode 0600, or in the file that
    SIEGEL_ROOT_KEY_FILE names.
    """
    made = asyncio.run(initialise(directory, account, {"region": region}))
    if credentials is not None:
        _write_credentials(credentials, made.account.access_key)
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


def _write_credentials(path: Path, key: AccessKey) -> None:
    text = f"[default]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        os.fchmod(descriptor, 0o600)
        stream.write(text)
