"""Consents as they are stored, and the entries that tell of them."""

from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from siegel.access.consent import OPEN, Step, follow, state_at
from siegel.domain.consents import Consent, ConsentKeyFile, ConsentPlace, ConsentState, NoSuchConsentError, OpenConsent
from siegel.domain.entry import Entry
from siegel.domain.errors import InvalidRequestError
from siegel.domain.moments import encode_time
from siegel.domain.ports import Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, decode_document, encode_document
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.consents import AccessRequest, Approval, parse_approval, parse_request
from siegel.ledger.notes import parse_note

STEWARD: Final = "steward"
"""The principal of what time does."""
MS_PER_S: Final = 1000


def find_consent(reader: Reader, account_id: str, consent_id: str) -> Consent:
    """Return a consent. Raises NoSuchConsentError, StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.CONSENT, _name(account_id, consent_id))
    if stored is None:
        raise NoSuchConsentError
    return decode_document(stored, Consent)


def find_anywhere(reader: Reader, consent_id: str) -> Consent:
    """Return a consent by its id alone. Raises NoSuchConsentError, StorageError."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.CONSENT_PLACE, consent_id)
    if stored is None:
        raise NoSuchConsentError
    return find_consent(reader, decode_document(stored, ConsentPlace).account_id, consent_id)


def insert_consent(tx: Writer, consent: Consent) -> Consent:
    """Store a new consent and return it. Raises InvalidRequestError if its id is taken."""
    if tx.records.find(DEPLOYMENT_SCOPE, Kind.CONSENT_PLACE, consent.consent_id) is not None:
        raise InvalidRequestError("The id that was made for this request is taken: ask again.")
    place = encode_document(ConsentPlace(account_id=consent.account_id))
    tx.records.put(DEPLOYMENT_SCOPE, Kind.CONSENT_PLACE, consent.consent_id, place)
    return put_consent(tx, consent)


def scan_consents(reader: Reader, account_id: str, after: str, limit: int) -> list[Consent]:
    """Return up to `limit` consents of an account in order of their ids, beginning behind `after`. Raises StorageError."""
    front = _name(account_id, "")
    page = reader.records.scan(DEPLOYMENT_SCOPE, Kind.CONSENT, front + after, limit)
    return [decode_document(stored, Consent) for name, stored in page if name.startswith(front)]


def scan_all(reader: Reader, after: str, limit: int) -> list[tuple[str, Consent]]:
    """Return up to `limit` (name, consent) of all accounts, beginning behind the name `after`. Raises StorageError."""
    page = reader.records.scan(DEPLOYMENT_SCOPE, Kind.CONSENT, after, limit)
    return [(name, decode_document(stored, Consent)) for name, stored in page]


def scan_open(reader: Reader, after: str, limit: int) -> list[tuple[str, Consent]]:
    """Return the same of those that time, or their evidence, takes further. Raises StorageError."""
    page = reader.records.scan(DEPLOYMENT_SCOPE, Kind.OPEN_CONSENT, after, limit)
    return [(name, find_consent(reader, *name.split("/"))) for name, _ in page]


def count_open(reader: Reader, account_id: str, limit: int) -> int:
    """Return how many of an account's consents are open, counted up to `limit`."""
    front = _name(account_id, "")
    return sum(name.startswith(front) for name, _ in reader.records.scan(DEPLOYMENT_SCOPE, Kind.OPEN_CONSENT, front, limit))


def put_consent(tx: Writer, consent: Consent) -> Consent:
    """Store a consent in place of what it was before, and return it."""
    name = _name(consent.account_id, consent.consent_id)
    tx.records.put(DEPLOYMENT_SCOPE, Kind.CONSENT, name, encode_document(consent))
    if consent.state in OPEN:
        tx.records.put(DEPLOYMENT_SCOPE, Kind.OPEN_CONSENT, name, encode_document(OpenConsent()))
    else:
        tx.records.remove(DEPLOYMENT_SCOPE, Kind.OPEN_CONSENT, name)
    return consent


def find_keys(reader: Reader, account_id: str) -> ConsentKeyFile | None:
    """Return the account's file of consent keys, None if it has put none. Raises StorageError."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.CONSENT_KEYS, account_id)
    return None if stored is None else decode_document(stored, ConsentKeyFile)


def signatures_of(consent: Consent, keys: ConsentKeys | None) -> int:
    """Return how many of the account's keys have signed the approval so far. Raises LedgerError for one that is damaged."""
    return len(keys.signers(parse_note(consent.approval))) if consent.approval and keys is not None else 0


def keys_of(reader: Reader, account_id: str) -> ConsentKeys | None:
    """Return the account's consent keys, None if it has put none. Raises StorageError, LedgerFormError for damage."""
    file = find_keys(reader, account_id)
    return None if file is None else parse_consent_keys(file.text)


def request_of(consent: Consent) -> AccessRequest:
    """Return what was asked for. Raises LedgerFormError if it is damaged."""
    return parse_request(consent.request)


def approval_of(consent: Consent) -> Approval:
    """Return what the note says that all who have to have signed. Raises LedgerFormError if it is damaged."""
    return parse_approval(parse_note(consent.approval).text)


def state_of(consent: Consent, now_ms: int) -> ConsentState:
    """Return a consent's state at a time: what time has ended is over, whether or not the steward has come by."""
    request = request_of(consent)
    expires_s = approval_of(consent).expires_s if consent.approved_by else request.expires_s
    return state_at(consent.state, now_ms, answer_by_ms=request.answer_by_s * MS_PER_S, expires_ms=expires_s * MS_PER_S)


def summary_of(consent: Consent, now_ms: int) -> dict[str, object]:
    """Return what both sides are shown of a consent, for JSON: who asks, why, and how it stands at a time."""
    request = request_of(consent)
    return {
        "consent_id": consent.consent_id,
        "account_id": consent.account_id,
        "state": state_of(consent, now_ms),
        "person": request.person,
        "cause": request.cause,
        "ticket": request.ticket,
        "requested_at": encode_time(request.requested_at_s),
        "answer_by": encode_time(request.answer_by_s),
        "not_before": encode_time(request.not_before_s),
        "expires": encode_time(request.expires_s),
    }


def stepped(consent: Consent, step: Step, now_ms: int) -> Consent:
    """Return a consent behind a step. Raises InvalidConsentStateError if the step cannot be taken from its state at that time."""
    return replace(consent, state=follow(state_of(consent, now_ms), step), changed_at_ms=now_ms)


def digest(text: str | bytes) -> bytes:
    """Return what an entry commits to of a document: SHA-256 of its text, of a note without its signatures."""
    return sha256(text.encode() if isinstance(text, str) else text).digest()


def own_entry(consent: Consent, kind: str, at_ms: int, *, principal: str, manifest: bytes = b"", **more: object) -> Entry:
    """Return the entry of something that happened to a consent beside a request of the account's."""
    return Entry(
        at_ms=at_ms,
        kind=kind,
        account_id=consent.account_id,
        principal=principal,
        bucket="",
        object_key=consent.consent_id,
        manifest=manifest,
        consent_id=consent.consent_id,
        **{"request_id": "", "status": 200, **more},  # type: ignore[arg-type]  # the fields of Entry by their names
    )


def _name(account_id: str, consent_id: str) -> str:
    return f"{account_id}/{consent_id}"
