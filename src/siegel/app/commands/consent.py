"""`siegel consent`: what the provider's people ask for, and what the customer says to it. It needs nothing of the server's."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from siegel.app.commands.consent_options import (
    NOBODY,
    USUAL,
    Box,
    ConsentId,
    Folder,
    Office,
    Reached,
    Reaching,
    Signed,
    Signing,
    Yes,
    confirm,
    now_s,
    reached,
)
from siegel.app.commands.files import write_file
from siegel.app.commands.moments import read_moment
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_table, print_text, print_waiting
from siegel.customer.audit.findings import shown as printable
from siegel.customer.audit.findings import time_text
from siegel.customer.audit.sources import read_hand_overs
from siegel.customer.consent.decisions import ConsentError, check_signers, grant, refuse, sign
from siegel.customer.consent.desk import Shown
from siegel.customer.consent.revocations import note_revoked
from siegel.customer.consent.showing import describe_grant, describe_request
from siegel.customer.keybox.consentkeeper import ConsentKeeper
from siegel.domain.errors import StorageError
from siegel.domain.ledgers import LedgerError
from siegel.ledger.consent_evidence import Proven, recorded_at, verify_by_any
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consent_scope import parse_scope
from siegel.ledger.consents import AccessRequest, Approval, Verb, parse_approval
from siegel.ledger.notes import SignedNote

_COLUMNS: Final = ("consent_id", "state", "person", "cause", "ticket", "answer_by", "expires")
_REQUESTED: Final = "requested"
_ENDED: Final = frozenset({"denied", "revoked", "closed", "expired", "lapsed"})
Reason = Annotated[str, Parameter(help="Why, in a line that the provider reads.")]


def list_consents(
    folder: Folder,
    /,
    *,
    waiting: Annotated[bool, Parameter(negative="", help="Only what waits for an answer.")] = False,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """List requests and consents, the oldest first."""
    with reached(folder, reaching) as office:
        found = [row for row in office.desk.rows() if not waiting or row.state == _REQUESTED]
    rows = [{name: printable(getattr(row, name)) for name in _COLUMNS} for row in found]
    if json:
        print_json({"consents": rows})
    else:
        print_table(_COLUMNS, rows)


def show(folder: Folder, consent_id: ConsentId, /, *, reaching: Reached = USUAL, json: AsJson = False) -> None:
    """Show who asks, why, for what and until when, and how it stands; the help text is in `consent_cli.py`."""
    with reached(folder, reaching) as office:
        shown, request = office.request(consent_id)
        approval = _signed_so_far(shown)
    if json:
        print_json(_described(shown, request, approval))
        return
    lines = [f"state       {printable(shown.state)}", *describe_request(request)]
    print_text("\n".join(lines + (describe_grant(approval) if approval else [])))


def approve(
    folder: Folder,
    consent_id: ConsentId,
    /,
    *,
    signing: Signed = NOBODY,
    until: Annotated[str | None, Parameter(help="An earlier end: +30m, +2h, or 2027-01-15T12:00:00Z.")] = None,
    objects: Annotated[
        list[str] | None, Parameter(help="Less than was asked for: s3://BUCKET/KEY, or s3://BUCKET/PREFIX*. May be repeated.")
    ] = None,
    yes: Yes = False,
    wait_s: Annotated[float, Parameter(help="How long to wait until the witnesses have seen it.")] = 60.0,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="File to write the evidence to.")] = None,
    keybox: Box = None,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """Sign an approval, hand it in, and wait until it is in force; the help text is in `consent_cli.py`."""
    with reached(folder, reaching) as office:
        keys = office.pins.current
        shown, request = office.request(consent_id)
        approval, before = _to_sign(shown, request, keys, until, objects)
        signers = signing.signers()
        check_signers(signers, keys)
        confirm(describe_request(request) + describe_grant(approval), "Do you grant this?", yes=yes)
        note = sign(approval.text, signers, before)
        after = office.desk.say(consent_id, "approval", note.encode())
        missing = keys.threshold - len(keys.signers(note))
        proven = None
        if missing <= 0:
            data, proven = _await(office, keys, approval, wait_s)
            _hand_on(data, output, keybox, office)
    told: dict[str, Any] = {"consent_id": consent_id, "state": printable(after.state), "signed": len(keys.signers(note))}
    told |= {"threshold": keys.threshold, "in_force": proven is not None}
    text = f"signed, and {missing} more of the consent keys have to sign"
    if proven is not None:
        told |= {"entry": proven.index, "witnessed_at": time_text(proven.witnessed_at_s), "until": time_text(approval.expires_s)}
        text = f"in force until {told['until']}: entry {proven.index} of your ledger, witnessed at {told['witnessed_at']}"
    if json:
        print_json(told)
    else:
        print_text(text)


def deny(
    folder: Folder,
    consent_id: ConsentId,
    /,
    *,
    signing: Signed = NOBODY,
    reason: Reason = "",
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """Say no to a request. Without an answer nothing is granted either; this ends the waiting."""
    _say_no(Verb.DENIAL, folder, consent_id, signing, reason=reason, reaching=reaching, as_json=json)


def revoke(
    folder: Folder,
    consent_id: ConsentId,
    /,
    *,
    signing: Signed = NOBODY,
    reason: Reason = "",
    keybox: Box = None,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """End a consent, within a second; the help text is in `consent_cli.py`."""
    if keybox is not None:
        # First where nobody else has to agree.
        ConsentKeeper(keybox).revoke(consent_id)
    _say_no(Verb.REVOCATION, folder, consent_id, signing, reason=reason, reaching=reaching, as_json=json)


def evidence(
    folder: Folder,
    consent_id: ConsentId,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="File to write it to.")] = None,
    keybox: Box = None,
    reaching: Reached = USUAL,
    json: AsJson = False,
) -> None:
    """Fetch the evidence of an approval, and check it; the help text is in `consent_cli.py`."""
    with reached(folder, reaching) as office:
        data = office.desk.evidence(consent_id)
        if data is None:
            raise ConsentError(f"there is no evidence of {consent_id}: it is not in force")
        proven = _verified(data, _keys_of(data, office), office)
    if proven.approval.request.consent_id != consent_id:
        raise ConsentError("the evidence that the store shows is of another consent")
    _hand_on(data, output, keybox, office)
    if json:
        print_json({"consent_id": consent_id, "entry": proven.index, "witnessed_at": time_text(proven.witnessed_at_s)})
    else:
        print_text(f"HOLDS: entry {proven.index}, witnessed at {time_text(proven.witnessed_at_s)}")


def _say_no(
    verb: Verb, folder: Path, consent_id: str, signing: Signing, *, reason: str, reaching: Reaching, as_json: bool
) -> None:
    with reached(folder, reaching) as office:
        signers, data = signing.signers(), b""
        if signers:
            _, request = office.request(consent_id)
            check_signers(signers, office.pins.current)
            data = sign(refuse(verb, request, now_s(), reason).text, signers).encode()
        elif reason:
            raise ConsentError("a reason belongs to what is signed\ntry: --key KEY-FILE")
        after = office.desk.say(consent_id, verb.value, data)
    state = printable(after.state)
    if after.state not in _ENDED:
        raise ConsentError(f"the store took the {verb.value}, and yet says that the consent is {state}: it has not ended")
    if verb is Verb.REVOCATION:
        try:
            note_revoked(folder, consent_id, now_s())
        except StorageError as error:
            raise ConsentError(f"{consent_id} is {state}, and your audits will not know: {error}") from None
    if as_json:
        print_json({"consent_id": consent_id, "state": state, "signed_by": [one.verifier.name for one in signers]})
    else:
        print_text(f"{consent_id} is {state}")


def _to_sign(
    shown: Shown, request: AccessRequest, keys: ConsentKeys, until: str | None, objects: list[str] | None
) -> tuple[Approval, SignedNote | None]:
    """Return what is to be signed, and the signatures of others below the same; what others have signed already, else anew."""
    note = shown.note()
    try:
        scope = [parse_scope(text) for text in objects or []]
    except LedgerError as error:
        raise ConsentError(str(error)) from None
    if note is None or not keys.signers(note):
        return grant(request, keys, now_s(), until_s=None if until is None else read_moment(until), scope=scope), None
    signed = parse_approval(note.text)
    if signed.request != request:
        raise ConsentError("the store shows signatures below another request than this one")
    if until or objects:
        raise ConsentError("others have signed already: sign the same without --until and --objects, or deny it")
    return signed, note


def _await(office: Office, keys: ConsentKeys, approval: Approval, wait_s: float) -> tuple[bytes, Proven]:
    """Return the evidence once it is there and holds. Raises ConsentError."""
    consent_id = approval.request.consent_id
    print_waiting("signed and handed in; now your witnesses have to see it")
    data = office.desk.await_evidence(consent_id, wait_s)
    if data is None:
        raise ConsentError(
            f"the approval was taken, and no evidence of it is there after {wait_s:.0f} s: it is not in force yet\n"
            f"try: siegel consent evidence DIR {consent_id}"
        )
    return data, _verified(data, [keys], office, approval.text)


def _hand_on(data: bytes, output: Path | None, keybox: Path | None, office: Office) -> None:
    """Give evidence that holds to whoever needs it; a box is led on to the log's keys that the audits know."""
    if output is not None:
        write_file(output, data)
    if keybox is not None:
        ConsentKeeper(keybox).add(data, lambda: read_hand_overs(office.book.mirror))


def _keys_of(data: bytes, office: Office) -> list[ConsentKeys]:
    """Return the keys that counted when the approval in a file of evidence came into the ledger. Raises ConsentError."""
    try:
        entered_at_s = recorded_at(data)
    except LedgerError as error:
        raise ConsentError(f"the evidence that the store shows is none: {error}") from None
    return office.pins.at(entered_at_s, office.book.settings.delay_s) or [office.pins.current]


def _verified(data: bytes, keys: list[ConsentKeys], office: Office, text: str | None = None) -> Proven:
    """Return what a file of evidence says, if it holds by what is pinned, and is about `text`. Raises ConsentError."""
    try:
        proven = verify_by_any(data, keys, office.policies)
    except LedgerError as error:
        raise ConsentError(
            f"the evidence that the store shows does not hold: {error}\n"
            "try: siegel audit sync DIR, if the ledger's keys were handed over"
        ) from None
    if text is not None and proven.approval.text != text:
        raise ConsentError("the evidence that the store shows is of another approval than yours")
    return proven


def _signed_so_far(shown: Shown) -> Approval | None:
    try:
        note = shown.note()
        return parse_approval(note.text) if note else None
    except LedgerError as error:
        raise ConsentError(f"the approval that the store shows is none: {error}") from None


def _described(shown: Shown, request: AccessRequest, approval: Approval | None) -> dict[str, Any]:
    told: dict[str, Any] = {"consent_id": request.consent_id, "state": printable(shown.state)}
    for name, value in request.fields:
        if name in {"action", "objects"}:
            told.setdefault(name, []).append(value)
        elif name != "consent":
            told[name.replace("-", "_")] = value
    if approval:
        told |= {"granted_until": time_text(approval.expires_s), "granted_objects": [str(scope) for scope in approval.scope]}
    return told | {"signed": shown.signed, "threshold": shown.threshold}
