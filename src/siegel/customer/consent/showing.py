"""What a person is shown before he signs: the whole of a request, in the order in which one decides."""

from siegel.customer.audit.findings import time_text
from siegel.ledger.consents import NO_COPIES, AccessRequest, Approval

_HOUR_S = 3600
_MINUTE_S = 60


def describe_request(request: AccessRequest) -> list[str]:
    """Return the lines that tell who asks, why, for what, and until when."""
    whereabouts = f"office in {request.office_country}, works from {request.physical_country}"
    reads = f", {request.max_reads} reads at most" if request.max_reads else ""
    copies = request.copies if request.copies == NO_COPIES else f"{request.copies}, until {time_text(request.copies_until_s)}"
    objects = [str(scope) + ("  (all that begin so)" if scope.is_prefix else "") for scope in request.scope]
    return [
        f"consent     {request.consent_id}",
        f"who         {request.person}, {request.employer} ({whereabouts})",
        f"why         {request.cause.value}, {request.ticket}",
        f"            {request.reason}",
        f"may         {', '.join(action.value for action in request.actions)}{reads}",
        *_listed("objects", objects),
        f"from        {time_text(request.not_before_s)}",
        f"until       {time_text(request.expires_s)}  ({_span(request.expires_s - request.not_before_s)})",
        f"copies      {copies}",
        f"answer by   {time_text(request.answer_by_s)}; without an answer nothing is granted",
        f"ledger      {request.origin}",
    ]


def describe_grant(approval: Approval) -> list[str]:
    """Return the lines that tell what of the request is granted, and how many have to sign."""
    request = approval.request
    lines = [f"signatures  {approval.threshold} of the consent keys have to sign"]
    if approval.expires_s != request.expires_s:
        lines.append(f"granted     only until {time_text(approval.expires_s)}")
    if approval.scope != request.scope:
        lines += _listed("granted", [f"only {scope}" for scope in approval.scope])
    return lines


def _listed(name: str, values: list[str]) -> list[str]:
    return [f"{name if not place else '':<12}{value}" for place, value in enumerate(values)]


def _span(span_s: int) -> str:
    hours, rest = divmod(span_s, _HOUR_S)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{rest // _MINUTE_S} min"] if rest >= _MINUTE_S or not parts else parts)
