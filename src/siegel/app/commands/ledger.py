"""`siegel ledger`: the accounts' logs, as their operator looks after them. Works beside the running service."""

import asyncio
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.options import AsJson, Data
from siegel.app.config import load_config, resolve
from siegel.app.output import print_json, print_text
from siegel.app.wiring import Deployment, open_deployment
from siegel.domain.errors import ConfigurationError
from siegel.domain.logs import DEPLOYMENT_LOG
from siegel.ledger.handover import HandOver
from siegel.service.ledgers.keychanges import KeyChanges

_TEXT: Final = """\
The log {hand_over.origin} changes its keys. The new ones:
{keys}

Running, the service enters the hand-over into the log within a second, and has it signed by old and new keys and by the account's
witnesses. Until a quorum of these knows the new keys, heads are signed with the old ones too. Tell the witnesses' owners:
  siegel witness follow DIR FILE    with the file handover/NNN of the ledger"""


_WITHDRAWN: Final = """\
The log {hand_over.origin} keeps its keys, and the new ones are gone:
{keys}"""


def rotate_keys(
    *,
    account: Annotated[str, Parameter(help=f"Id or name of the account; {DEPLOYMENT_LOG} for the deployment's own log.")],
    data: Data,
    withdraw: Annotated[
        bool, Parameter(negative=(), help="Give up a change whose hand-over has no quorum of witnesses: the log keeps its keys.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Give an account's log new keys; the help text is in `cli.py`."""
    deployment = open_deployment(resolve(load_config(data, {}), data))

    async def work() -> HandOver:
        try:
            changes = KeyChanges(deployment.store, deployment.custodian, deployment.clock, deployment.randomness)
            account_id = _find(deployment, account)
            return await (changes.withdraw(account_id) if withdraw else changes.begin(account_id))
        finally:
            deployment.close()

    hand_over = asyncio.run(work())
    new = [str(verifier) for verifier in hand_over.new]
    if json:
        print_json({"origin": hand_over.origin, "old": [str(verifier) for verifier in hand_over.old], "new": new})
    else:
        text = _WITHDRAWN if withdraw else _TEXT
        print_text(text.format(hand_over=hand_over, keys="\n".join(f"  {vkey}" for vkey in new)))


def _find(deployment: Deployment, wanted: str) -> str:
    if wanted == DEPLOYMENT_LOG:
        return wanted
    for account in deployment.accounts.list():
        if wanted in {account.account_id, account.name}:
            return account.account_id
    raise ConfigurationError(f"there is no account {wanted}\ntry: siegel account list --data DIR")
