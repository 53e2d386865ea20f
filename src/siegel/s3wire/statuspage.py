"""The documentation's page of operations, written from the routing table."""

from collections import Counter
from typing import Final

from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.browsers import BROWSER_ROUTES
from siegel.s3wire.routes.consents import CONSENT_ROUTES
from siegel.s3wire.routes.ledger import LEDGER_ROUTES, WARNINGS_ROUTE
from siegel.s3wire.routes.row import Route, State

_PATHS: Final = {
    "service": "/",
    "bucket": "/{bucket}",
    "object": "/{bucket}/{key}",
    "control": "/v20180820/tags/{arn}",
    "ledger": "/.ledger/{account}/{file}",
    "warnings": "/.ledger/warnings",
    "consents": "/.consent/{account}/",
    "consent": "/.consent/{account}/{id}",
    "consent-keys": "/.consent/{account}/keys",
}


def render_status_page() -> str:
    """Return the documentation's page of operations, as Markdown."""
    counts = Counter(route.state for route in ROUTES)
    lines = [
        "# S3 operations",
        "",
        "Every operation of Amazon S3, and what Siegel does with it, generated from its routing table:",
        f"{counts[State.WORKS]} work, {counts[State.ABSENT]} answer that nothing is configured, and",
        f"{counts[State.REFUSED]} are refused.",
        "",
        "A read of something that cannot be configured here answers as S3 does where nothing is configured. What is refused",
        "answers `501 NotImplemented` with its reason, and so does any query parameter that is not on this page: no unknown",
        "sub-resource is taken for a listing or a plain upload. The last rows are what browsers and auditors ask for beside",
        "these operations.",
        "",
        "| Operation | Request | State | Parameters | Permission | Ledger kind |",
        "|---|---|---|---|---|---|",
    ]
    shown = (*ROUTES, *BROWSER_ROUTES, *LEDGER_ROUTES, WARNINGS_ROUTE, *CONSENT_ROUTES)
    return "\n".join([*lines, *map(_row, shown)]) + "\n"


def _row(route: Route) -> str:
    operation = route.operation + (f" (formerly {route.former})" if route.former else "")
    request = f"`{route.method} {_PATHS[route.level]}{'?' if route.query else ''}{'&'.join(route.query)}`"
    if route.header:
        request += f" with `{route.header}`"
    if route.is_form:
        request += " with `multipart/form-data`"
    state = f"{route.state}: {route.reason}" if route.reason else route.state
    parameters = ", ".join(f"`{name}`" for name in route.parameters)
    permission = f"`{route.action}`" if route.action else "none"
    if route.version_action and route.version_action != route.action:
        permission += f", of a version `{route.version_action}`"
    return f"| {operation} | {request} | {state} | {parameters} | {permission} | `{route.kind}` |"
