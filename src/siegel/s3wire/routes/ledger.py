"""What accounts ask of their logs on the S3 port: files, the policy that names the witnesses, to forget names and persons.

Source: c2sp.org/tlog-tiles, c2sp.org/tlog-policy; `docs/design/formats/entry.md`.
"""

from functools import partial
from typing import Final

from siegel.s3wire.routes.row import Route

_on_ledger = partial(Route, level="ledger", resource="ledger")

LEDGER_ROUTES: Final[tuple[Route, ...]] = (
    _on_ledger("ReadLedger", "GET", "ledger.read", "siegel:ReadLedger"),
    _on_ledger("EraseLedgerOpening", "DELETE", "ledger.opening.erase", "siegel:EraseLedgerOpening"),
    _on_ledger("PutLedgerPolicy", "PUT", "ledger.policy.write", "siegel:PutLedgerPolicy"),
)

WARNINGS_ROUTE: Final = Route("ReadLedgerWarnings", "GET", "none", "", level="warnings", resource="service")
"""What everybody may read, unsigned: which logs have had no quorum for a day. It is about nobody's data, and makes no entry."""
