"""`siegel audit keys` and `put-policy`: what a policy begins with, and telling the account which witnesses it has."""

import time
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.app.commands.audit import Authority, Folder, Region, opened
from siegel.app.commands.files import read_file
from siegel.app.output import print_text, print_waiting
from siegel.customer.audit.book import POLICY_NAME, Book
from siegel.customer.audit.sources import HttpSource
from siegel.customer.audit.walk import CHECKPOINT
from siegel.domain.errors import ConfigurationError, SiegelError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.keys import parse_verifier
from siegel.ledger.policies import POLICY_BYTES_MAX

VKEYS: Final = "vkeys"
POLL_S: Final = 0.5

_WAY_OUT: Final = (
    "try: whether they run, whether the store reaches their URLs, and whether the file `logs` of each has the ledger's keys"
)


def keys(
    url: Annotated[str, Parameter(name="URL", help="The ledger: https://HOST/.ledger/ACCOUNT, or a directory.")],
    /,
    *,
    region: Region = "us-east-1",
    ca: Authority = None,
) -> None:
    """Print a ledger's keys as lines of a policy; the help text is in `audit_cli.py`."""
    with opened(url, region, ca) as source:
        found = source.get(VKEYS)
    if found is None:
        raise ConfigurationError(f"{url} shows no keys: there is no ledger yet, or none of that name")
    try:
        verifiers = [parse_verifier(line) for line in found.decode("utf-8", "replace").splitlines()]
    except LedgerFormError as error:
        raise ConfigurationError(f"{url} shows keys that are none: {error}") from None
    print_text("\n".join(f"log {verifier}" for verifier in verifiers))


def put_policy(
    folder: Folder,
    /,
    *,
    wait_s: Annotated[int, Parameter(validator=Number(gte=0), help="Seconds to wait for the witnesses.")] = 30,
    region: Region = "us-east-1",
    ca: Authority = None,
) -> None:
    """Put the policy of an audit into its account; the help text is in `audit_cli.py`."""
    book = Book(folder)
    with opened(book.settings.source, region, ca) as source:
        if not isinstance(source, HttpSource):
            raise ConfigurationError(f"{book.settings.source} is a directory: a policy is put where the account is")
        source.put(POLICY_NAME, read_file(folder / POLICY_NAME, POLICY_BYTES_MAX))
        print_waiting("the account has the policy; now its witnesses have to sign a head")
        give_up = time.monotonic() + wait_s
        while True:
            judgement = book.trust(source).policy.judge(source.get(CHECKPOINT) or b"")
            if judgement.has_quorum or time.monotonic() >= give_up:
                break
            time.sleep(POLL_S)
    seen = ", ".join(judgement.witnessed) or "none"
    if not judgement.has_quorum:
        raise SiegelError(
            f"the account has the policy, but in {wait_s} s no quorum has signed a head; who did: {seen}\n{_WAY_OUT}"
        )
    print_text(f"the account has the policy, and shows a head that it allows; witnesses that have signed it: {seen}")
