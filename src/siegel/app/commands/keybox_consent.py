"""`siegel keybox consent`: which of the provider's people may have a key used, as the owner has signed it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.audit import opened
from siegel.app.commands.consent_options import USUAL, Reached, Reaching
from siegel.app.commands.files import read_file
from siegel.app.commands.keybox import Folder
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_table, print_text
from siegel.customer.audit.sources import read_hand_overs
from siegel.customer.keybox.consentkeeper import ConsentKeeper, log_keys
from siegel.customer.keybox.consents import EVIDENCE_BYTES_MAX, Held
from siegel.domain.errors import ConfigurationError
from siegel.domain.moments import encode_time
from siegel.ledger.consent_lines import DOCUMENT_BYTES_MAX
from siegel.ledger.policies import POLICY_BYTES_MAX

_COLUMNS = ("consent", "state", "person", "until", "reason")


def trust(
    folder: Folder,
    /,
    *,
    keys: Annotated[Path, Parameter(help="The file of consent keys: whose signatures count, and how many are needed.")],
    policy: Annotated[Path, Parameter(help="Policy file (c2sp.org/tlog-policy): your account's log, your witnesses.")],
    ledger: Annotated[
        str | None,
        Parameter(
            help="Where later keys of the log are told of: https://HOST/.ledger/ACCOUNT, or a mirror such as audits/ledger."
        ),
    ] = None,
) -> None:
    """Pin whose signatures count; the help text is in `keybox_cli.py`."""
    place = ledger if ledger is None or "://" in ledger else str(Path(ledger).absolute())
    ConsentKeeper(folder).trust(read_file(keys, DOCUMENT_BYTES_MAX + 1), read_file(policy, POLICY_BYTES_MAX + 1), place or "")
    print_text(f'pinned\nnext: consents = "required" in {folder / "policy.toml"}, and: siegel keybox consent add {folder} FILE')


def add(
    folder: Folder,
    file: Annotated[Path, Parameter(name="FILE", help="The evidence of an approval, as `siegel consent approve` wrote it.")],
    /,
    *,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """Give the box a consent, from the next call on; the help text is in `keybox_cli.py`."""
    keeper = ConsentKeeper(folder)
    place = keeper.place
    approval = keeper.add(read_file(file, EVIDENCE_BYTES_MAX + 1), lambda: _hand_overs(place, reaching) if place else ()).approval
    if json:
        print_json({"consent_id": approval.request.consent_id, "person": approval.request.person})
    else:
        until = encode_time(approval.expires_s)
        print_text(f"{approval.request.consent_id} for {approval.request.person} until {until}")


def follow(
    folder: Folder,
    ledger: Annotated[
        str | None,
        Parameter(
            name="LEDGER", help="https://HOST/.ledger/ACCOUNT, or a mirror; where `trust --ledger` has said, unless given."
        ),
    ] = None,
    /,
    *,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """Follow the log to its new keys; the help text is in `keybox_cli.py`."""
    keeper = ConsentKeeper(folder)
    place = ledger or keeper.place
    if not place:
        raise ConfigurationError(f"nobody has said where the ledger is\ntry: siegel keybox consent follow {folder} LEDGER")
    policy, taken = keeper.follow(_hand_overs(place, reaching))
    known = log_keys(policy)
    if json:
        print_json({"followed": taken, "log_keys": known})
    else:
        what = f"followed {taken} hand-over{'' if taken == 1 else 's'}" if taken else "nothing new"
        print_text("\n".join([f"{what}; the box believes the log's keys", *(f"  {key}" for key in known)]))


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


def _hand_overs(place: str, reaching: Reaching) -> Iterable[bytes]:
    """Return the hand-overs that a ledger shows. Raises SourceError."""
    with opened(place, reaching.region, reaching.ca) as source:
        return list(read_hand_overs(source))


def _row(held: Held, state: str) -> dict[str, str]:
    if held.proven is None:
        return dict(zip(_COLUMNS, (held.consent_id, state, "", "", held.problem), strict=True))
    approval = held.proven.approval
    until = encode_time(approval.expires_s)
    return dict(zip(_COLUMNS, (held.consent_id, state, approval.request.person, until, approval.request.reason), strict=True))
