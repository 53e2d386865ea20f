"""What browsers ask for and no SDK does: uploads by forms, and leave to speak to another origin.

Source: Amazon S3 API Reference, "POST Object" and "OPTIONS object".
"""

from typing import Final

from siegel.s3wire.routes.row import Route, on_bucket, on_object

FORM_ROUTE: Final = on_bucket("PostObject", "POST", "object.write", "s3:PutObject", resource="object", is_form=True)

# Anyone may ask, before any signature is made: no permission is needed, and the parameters are those of the request to come.
_PREFLIGHT: Final = ("Preflight", "OPTIONS", "bucket.preflight", "")
PREFLIGHT_ROUTES: Final[tuple[Route, ...]] = (on_bucket(*_PREFLIGHT), on_object(*_PREFLIGHT))

BROWSER_ROUTES: Final[tuple[Route, ...]] = (FORM_ROUTE, *PREFLIGHT_ROUTES)
"""The operations that the service model of S3, from which SDKs are made, does not have."""
