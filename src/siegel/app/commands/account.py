"""`siegel account`: customers of the deployment. Works beside the running service."""

import asyncio
import json as json_words
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.options import AsJson, Credentials, Data
from siegel.app.config import load_config, resolve
from siegel.app.credentials import new_credentials
from siegel.app.output import print_json, print_once, print_table
from siegel.app.wiring import open_deployment
from siegel.domain.errors import ConfigurationError
from siegel.domain.moments import encode_time
from siegel.service.accounts import NewAccount
from siegel.service.sizes import find_sizes, show_sizes

_TEXT = """\
account     id                 {made.account_id}
            name               {made.name}
            access key id      {made.access_key.access_key_id}
            secret access key  {made.access_key.secret_access_key}

The secret is shown this once."""
_KEPT: Final = "account {made.account_id}, called {made.name}, is made, and its access key is in {credentials}"
# No command makes another key of an account: it would open what is the customer's alone.
_LOST: Final = """\
account {made.account_id}, called {made.name}, is made, and nobody has its secret: it stays empty
try: siegel account create ANOTHER-NAME --data {data}"""


def create(
    name: Annotated[str, Parameter(name="NAME", help="Name of the account: letters, digits, dots, dashes, underscores.")],
    /,
    *,
    data: Data,
    credentials: Credentials = None,
    json: AsJson = False,
) -> None:
    """Create an account with one access key. The secret is shown once."""
    with new_credentials(credentials) as write:
        made = asyncio.run(_create(name, data))
        try:
            write(made.access_key)
        except ConfigurationError:
            credentials = None
            raise
        finally:
            shown = json_words.dumps(_describe(made)) if json else _TEXT.format(made=made)
            print_once(shown, (_KEPT if credentials else _LOST).format(made=made, credentials=credentials, data=data))


async def _create(name: str, data: Path) -> NewAccount:
    deployment = open_deployment(resolve(load_config(data, {}), data))
    try:
        return await deployment.accounts.create(name)
    finally:
        deployment.close()


def _describe(made: NewAccount) -> dict[str, object]:
    return {
        "account_id": made.account_id,
        "name": made.name,
        "access_key_id": made.access_key.access_key_id,
        "secret_access_key": made.access_key.secret_access_key,
    }


def list_accounts(*, data: Data, json: AsJson = False) -> None:
    """List all accounts; the help text is in `cli.py`."""
    deployment = open_deployment(resolve(load_config(data, {}), data))
    try:
        found = [(account, find_sizes(deployment.store.reader, account.account_id)) for account in deployment.accounts.list()]
    finally:
        deployment.close()
    rows: list[dict[str, object]] = [
        {
            "account_id": account.account_id,
            "name": account.name,
            "created_at": encode_time(account.created_at_ms / 1000),
            "sizes": show_sizes(sizes),
        }
        for account, sizes in found
    ]
    if json:
        print_json({"accounts": rows})
    else:
        of_sizes = ["buckets", "versions", "size_bytes", "counted_at"]
        shown = [
            {**row, **(show_sizes(sizes) or dict.fromkeys(of_sizes, "-"))} for row, (_, sizes) in zip(rows, found, strict=True)
        ]
        print_table(["account_id", "name", "created_at", *of_sizes], shown)
