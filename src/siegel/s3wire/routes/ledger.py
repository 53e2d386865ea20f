"""What auditors ask for on the S3 port: the files of an account's log.

Source: c2sp.org/tlog-tiles; `docs/design/formats/entry.md`.
"""

from typing import Final

from siegel.s3wire.routes.row import Route

LEDGER_ROUTE: Final = Route("ReadLedger", "GET", "ledger.read", "siegel:ReadLedger", level="ledger", resource="ledger")
