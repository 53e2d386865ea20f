"""Handler of the ledger's files."""

from typing import Final

from siegel.domain.absences import NoSuchLedgerFileError
from siegel.web.call import Call, UseCases
from siegel.web.exchange import Exchange

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_BYTES: Final = (b"content-type", b"application/octet-stream")
# Behind a signature nothing is anybody else's to keep.
_FIXED: Final = (b"cache-control", b"private, max-age=31536000, immutable")
_NEVER_STORED: Final = (b"cache-control", b"no-store")


async def read_ledger(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """ReadLedger: a file of the account's log, as it is."""
    request = call.request
    file = cases.ledgers().read(request.ledger_account, request.ledger_path)
    if file is None:
        raise NoSuchLedgerFileError
    await cases.journal.append(call.trail.entry(200))
    headers = [_TEXT if file.is_text else _BYTES, _FIXED if file.is_fixed else _NEVER_STORED]
    await exchange.answer(200, headers, file.content)


HANDLERS: Final = {"ReadLedger": read_ledger}
