"""`siegel audit keys` and `put-policy`: what a policy begins with, and telling the account which witnesses it has."""

from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.audit import Authority, Folder, Region, opened
from siegel.app.commands.files import read_file
from siegel.app.output import print_text
from siegel.customer.audit.book import POLICY_NAME, Book
from siegel.customer.audit.sources import HttpSource
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerFormError
from siegel.ledger.keys import parse_verifier
from siegel.ledger.policies import POLICY_BYTES_MAX, read_policy

VKEYS: Final = "vkeys"
POLICY: Final = "policy"


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


def put_policy(folder: Folder, /, *, region: Region = "us-east-1", ca: Authority = None) -> None:
    """Put the policy of an audit into its account; the help text is in `audit_cli.py`."""
    book = Book(folder)
    policy = read_file(folder / POLICY_NAME, POLICY_BYTES_MAX)
    asked = sum(bool(witness.url) for witness in read_policy(policy).witnesses)
    with opened(book.settings.source, region, ca) as source:
        if not isinstance(source, HttpSource):
            raise ConfigurationError(f"{book.settings.source} is a directory: a policy is put where the account is")
        source.put(POLICY, policy)
    print_text(f"{book.settings.source} has the policy; witnesses that its heads are sent to: {asked}")
