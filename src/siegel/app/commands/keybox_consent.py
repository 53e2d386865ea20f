"""`siegel keybox consent`: which of the provider's people may have a key used, as the owner has signed it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.files import read_file
from siegel.app.commands.keybox import Folder
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_table, print_text
from siegel.customer.keybox.consentkeeper import ConsentKeeper
from siegel.customer.keybox.consents import EVIDENCE_BYTES_MAX, Held
from siegel.customer.keybox.uses import time_of
from siegel.ledger.consent_lines import DOCUMENT_BYTES_MAX
from siegel.ledger.policies import POLICY_BYTES_MAX

_COLUMNS = ("consent", "state", "person", "until", "reason")


def trust(
    folder: Folder,
    /,
    *,
    keys: Annotated[Path, Parameter(help="The file of consent keys: whose signatures count, and how many are needed.")],
    policy: Annotated[Path, Parameter(help="Policy file (c2sp.org/tlog-policy): your account's log, your witnesses.")],
) -> None:
    """Pin whose signatures count; the help text is in `keybox_cli.py`."""
    ConsentKeeper(folder).trust(read_file(keys, DOCUMENT_BYTES_MAX + 1), read_file(policy, POLICY_BYTES_MAX + 1))
    print_text(f'pinned\nnext: consents = "required" in {folder / "policy.toml"}, and: siegel keybox consent add {folder} FILE')


def add(
    folder: Folder,
    file: Annotated[Path, Parameter(name="FILE", help="The evidence of an approval, as `siegel consent approve` wrote it.")],
    /,
    *,
    json: AsJson = False,
) -> None:
    """Give the box a consent, from the next call on."""
    approval = ConsentKeeper(folder).add(read_file(file, EVIDENCE_BYTES_MAX + 1)).approval
    if json:
        print_json({"consent_id": approval.request.consent_id, "person": approval.request.person})
    else:
        until = time_of(approval.expires_s * 1000)
        print_text(f"{approval.request.consent_id} for {approval.request.person} until {until}")


def revoke(
    folder: Folder,
    consent_id: Annotated[str, Parameter(name="ID", help="The consent's id.")],
    /,
) -> None:
    """End a consent at the box, from the next call on and for good."""
    ConsentKeeper(folder).revoke(consent_id)
    print_text(f"revoked {consent_id}")


def list_consents(folder: Folder, /, *, json: AsJson = False) -> None:
    """List the consents that the box was given, and what they are good for now."""
    rows = [_row(held, state) for held, state in ConsentKeeper(folder).list()]
    if json:
        print_json({"consents": rows})
    else:
        print_table(_COLUMNS, rows)


def _row(held: Held, state: str) -> dict[str, str]:
    if held.proven is None:
        return dict(zip(_COLUMNS, (held.consent_id, state, "", "", held.problem), strict=True))
    approval = held.proven.approval
    until = time_of(approval.expires_s * 1000)
    return dict(zip(_COLUMNS, (held.consent_id, state, approval.request.person, until, approval.request.reason), strict=True))
