"""What accounts ask of their consents on the S3 port: the keys that sign, the requests of operators, and what is said to them.

Source: `docs/design/formats/consent.md`.
"""

from functools import partial
from typing import Final

from siegel.s3wire.routes.row import Route

_row = partial(Route, resource="consent")

CONSENT_ROUTES: Final[tuple[Route, ...]] = (
    _row("ListConsents", "GET", "consent.list", "siegel:ReadConsents", level="consents", parameters=("after", "limit")),
    _row("GetConsent", "GET", "consent.read", "siegel:ReadConsents", level="consent"),
    _row("DecideConsent", "PUT", "consent.decide", "siegel:DecideConsent", level="consent"),
    _row("GetConsentKeys", "GET", "consent.keys.read", "siegel:ReadConsents", level="consent-keys"),
    _row("PutConsentKeys", "PUT", "consent.keys", "siegel:PutConsentKeys", level="consent-keys"),
)
