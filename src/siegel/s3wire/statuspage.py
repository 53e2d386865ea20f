"""The documentation's page of operations, written from the routing table."""

from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.row import Route


def render_status_page() -> str:
    """Return the documentation's page of operations, as Markdown."""
    lines = [
        "# S3 operations",
        "",
        "What Siegel answers, generated from its routing table. Everything else that Amazon S3 knows is refused with",
        "`501 NotImplemented`: no unknown sub-resource is taken for a listing or a plain upload.",
        "",
        "| Operation | Request | Parameters | Permission | Ledger kind |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_status_row, ROUTES)]) + "\n"


def _status_row(route: Route) -> str:
    path = {"service": "/", "bucket": "/{bucket}", "object": "/{bucket}/{key}"}[route.level]
    request = f"`{route.method} {path}{'?' if route.query else ''}{'&'.join(route.query)}`"
    if route.header:
        request += f" with `{route.header}`"
    parameters = ", ".join(f"`{name}`" for name in route.parameters)
    permission = f"`{route.action}`" + (f", of a version `{route.version_action}`" if route.version_action else "")
    return f"| {route.operation} | {request} | {parameters} | {permission} | `{route.kind}` |"
