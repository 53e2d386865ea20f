"""The documentation's page of the key service's operations, written from its table."""

from siegel.kmswire.operation import Operation
from siegel.kmswire.operations import OPERATIONS
from siegel.kmswire.refused import REFUSED


def render_status_page() -> str:
    """Return the page as Markdown: what works, and what is refused for which reason."""
    lines = [
        "# KMS operations",
        "",
        "What Siegel answers of KMS (version 2014-11-01), generated from its table of operations. Requests go to the S3 port,",
        "signed for `kms`, with `X-Amz-Target: TrentService.` and the operation's name.",
        "",
        "| Operation | Decided on | Permission | While it is | Takes an alias | Keys of other accounts | Ledger kind |",
        "|---|---|---|---|---|---|---|",
        *map(_row, sorted(OPERATIONS.values(), key=lambda operation: operation.name)),
        "",
        "Refused with `400 UnsupportedOperationException` and the reason:",
        "",
        "| Operation | Reason |",
        "|---|---|",
        *(f"| {name} | {reason} |" for name, reason in sorted(REFUSED.items())),
    ]
    return "\n".join(lines) + "\n"


def _row(operation: Operation) -> str:
    return (
        f"| {operation.name} | {operation.about.value} | `{operation.permission}` | {operation.needs.value} "
        f"| {_word(is_so=operation.takes_alias)} | {_word(is_so=operation.across)} | `{operation.kind}` |"
    )


def _word(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
