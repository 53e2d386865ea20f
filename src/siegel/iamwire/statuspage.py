"""The documentation's page of a service's actions, written from its table."""

from siegel.iamwire.action import Action, QueryProtocol


def render_status_page(title: str, protocol: QueryProtocol) -> str:
    """Return the page as Markdown: what works, and what is refused for which reason."""
    lines = [
        f"# {title} actions",
        "",
        f"What Siegel answers of {title} (version {protocol.version}), generated from its table of actions. Requests go to",
        f"the S3 port, signed for `{protocol.service}`.",
        "",
        "| Action | Decided on | Permission | Ledger kind |",
        "|---|---|---|---|",
        *map(_row, sorted(protocol.actions.values(), key=lambda action: action.name)),
    ]
    if protocol.refused:
        lines += [
            "",
            "Refused with `400 InvalidAction` and the reason:",
            "",
            "| Action | Reason |",
            "|---|---|",
            *(f"| {name} | {reason} |" for name, reason in sorted(protocol.refused.items())),
        ]
    return "\n".join(lines) + "\n"


def _row(action: Action) -> str:
    about = f"{action.about.value}; there are none" if action.is_empty else action.about.value
    return f"| {action.name} | {about} | `{action.permission}` | `{action.kind}` |"
