"""The store's desk for consents, as the customer asks it: what waits, what became of it, and what he says.

It is asked over the S3 port in the name of an ordinary access key. Nothing that it says is believed: requests are read strictly
before they are shown, evidence is verified by what is pinned (`GET|PUT /.consent/ACCOUNT/...`, `docs/design/formats/consent.md`).
"""

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from siegel.customer.audit.sources import HttpSource, told
from siegel.customer.consent.decisions import ConsentError
from siegel.domain.errors import ConfigurationError
from siegel.ledger.consents import AccessRequest, is_consent_id, parse_request
from siegel.ledger.notes import SignedNote, parse_note

T = TypeVar("T")

EVIDENCE_PAUSE_S: Final = 0.5

_LEDGER: Final = "/.ledger/"
_OK: Final = range(200, 300)
_NOT_FOUND: Final = 404
_PAGES_MAX: Final = 10_000


class Row(Struct, frozen=True):
    """A consent in a list, by the store's own words; times are texts."""

    consent_id: str
    state: str
    person: str
    cause: str = ""
    ticket: str = ""
    answer_by: str = ""
    expires: str = ""


class _Page(Struct, frozen=True):
    consents: list[Row]
    next: str = ""


class Shown(Struct, frozen=True):
    """How one consent stands, by the store's own words. `request` and notes are texts."""

    consent_id: str
    state: str
    request: str
    approval: str | None = None
    denial: str | None = None
    revocation: str | None = None
    report: str | None = None
    signed: int = 0
    threshold: int = 0

    def read_request(self) -> AccessRequest:
        """Return the request. Raises LedgerFormError; ConsentError if it is another one."""
        request = parse_request(self.request)
        if request.consent_id != self.consent_id:
            raise ConsentError(f"the store shows the request {request.consent_id} as {self.consent_id}")
        return request

    def note(self) -> SignedNote | None:
        """Return the approval that was signed so far. Raises LedgerFormError."""
        return parse_note(self.approval.encode()) if self.approval else None


class ConsentDesk:
    """The desk of one account. Every method raises SourceError where nobody answers, ConsentError where the answer is no."""

    def __init__(self, source: HttpSource, account_id: str) -> None:
        """Ask by `source`, whose URL is that of the desk: see `desk_url`."""
        self._source = source
        self.account_id = account_id

    def rows(self) -> Iterator[Row]:
        """Yield all consents, the oldest first."""
        after = ""
        for _ in range(_PAGES_MAX):
            page = _read(self._get("", {"after": after} if after else {}), _Page)
            yield from page.consents
            if not page.next:
                return
            after = page.next
        raise ConsentError("the store's list of consents does not end")

    def show(self, consent_id: str) -> Shown:
        """Return how a consent stands."""
        shown = _read(self._get(_checked(consent_id)), Shown)
        if shown.consent_id != consent_id:
            raise ConsentError(f"the store shows {shown.consent_id!r} where {consent_id} was asked for")
        return shown

    def evidence(self, consent_id: str) -> bytes | None:
        """Return the evidence of an approval, None until there is one."""
        status, body = self._source.exchange("GET", f"{_checked(consent_id)}/evidence")
        if status == _NOT_FOUND:
            return None
        return _taken(status, body)

    def await_evidence(self, consent_id: str, time_s: float, clock: Callable[[], float] = time.monotonic) -> bytes | None:
        """Return the evidence as soon as it is there, None if it is not in time."""
        until = clock() + time_s
        while (found := self.evidence(consent_id)) is None and clock() < until:
            time.sleep(EVIDENCE_PAUSE_S)
        return found

    def say(self, consent_id: str, what: str, data: bytes) -> Shown:
        """Hand in an `approval`, a `denial` or a `revocation`; return how the consent stands then."""
        return _read(_taken(*self._source.exchange("PUT", f"{_checked(consent_id)}/{what}", data)), Shown)

    def keys(self) -> bytes | None:
        """Return the account's file of consent keys, as the store has it; None if it has none."""
        status, body = self._source.exchange("GET", "keys")
        return None if status == _NOT_FOUND else _taken(status, body)

    def put_keys(self, data: bytes) -> None:
        """Put the account's file of consent keys."""
        _taken(*self._source.exchange("PUT", "keys", data))

    def _get(self, path: str, query: dict[str, str] | None = None) -> bytes:
        return _taken(*self._source.exchange("GET", path, query=query or {}))


def desk_url(ledger_url: str) -> tuple[str, str]:
    """Return URL of the desk and account id, out of the URL of the account's ledger. Raises ConfigurationError."""
    parts = urlsplit(ledger_url.rstrip("/"))
    front, found, account_id = parts.path.rpartition(_LEDGER)
    if parts.scheme not in {"http", "https"} or not found or not account_id.isdecimal():
        raise ConfigurationError(f"{ledger_url} is no ledger on a server: consents are asked for at https://HOST/.ledger/ACCOUNT")
    return f"{parts.scheme}://{parts.netloc}{front}/.consent/{account_id}", account_id


def _checked(consent_id: str) -> str:
    if not is_consent_id(consent_id):
        raise ConsentError(f"{consent_id!r} is no id of a consent: 16 hexadecimal digits")
    return consent_id


def _taken(status: int, body: bytes) -> bytes:
    if status in _OK:
        return body
    raise ConsentError(f"the store refuses: {told(status, body)}")


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConsentError(f"the store's answer is none that is known here: {error}") from None
