"""Handlers of operations that the routing table knows and that do nothing here: not configured, or refused with the reason."""

from typing import Final

from siegel.domain.errors import UnsupportedFeatureError
from siegel.s3wire.route import ROUTES
from siegel.s3wire.routes.absent import ABSENT_ANSWERS
from siegel.s3wire.routes.row import State
from siegel.web.call import Call, UseCases
from siegel.web.configurations import Handler, answer_xml
from siegel.web.exchange import Exchange


async def answer_absent(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """Answer that there is no such configuration, as S3 does."""
    answer = ABSENT_ANSWERS[call.route.operation]
    if answer is None:
        await cases.journal.append(call.trail.entry(204))
        await exchange.answer(204)
    elif isinstance(answer, bytes):
        await answer_xml(cases, call, exchange, answer)
    else:
        raise answer(fields={"BucketName": call.bucket.name})


async def refuse(_cases: UseCases, call: Call, _exchange: Exchange) -> None:
    """Refuse what is not done here. Raises UnsupportedFeatureError with the reason."""
    raise UnsupportedFeatureError(f"{call.route.operation} is not implemented. {call.route.reason}")


_BY_STATE: Final[dict[State, Handler]] = {State.ABSENT: answer_absent, State.REFUSED: refuse}

HANDLERS: Final[dict[str, Handler]] = {
    route.operation: _BY_STATE[route.state] for route in ROUTES if route.state is not State.WORKS
}
