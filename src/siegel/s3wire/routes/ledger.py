"""What auditors ask for on the S3 port: the files of an account's log; and the policy file that names its witnesses.

Source: c2sp.org/tlog-tiles, c2sp.org/tlog-policy; `docs/design/formats/entry.md`.
"""

from functools import partial
from typing import Final

from siegel.s3wire.routes.row import Route

_on_ledger = partial(Route, level="ledger", resource="ledger")

LEDGER_ROUTES: Final[tuple[Route, ...]] = (
    _on_ledger("ReadLedger", "GET", "ledger.read", "siegel:ReadLedger"),
    _on_ledger("PutLedgerPolicy", "PUT", "ledger.policy.write", "siegel:PutLedgerPolicy"),
)
