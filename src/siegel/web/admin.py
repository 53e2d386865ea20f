"""The admin port: is the service alive, is it ready? Orchestrators and load balancers ask; no answer shows any customer's data.

`GET /-/live` is 200 as long as the process answers. `GET /-/ready` is 200 when every check passes, else 503; its JSON body names
each check and what it found.
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

OK = "ok"

# Runs all checks: the name of each, and `OK` or one sentence on what is wrong.
Checks = Callable[[], Awaitable[Mapping[str, str]]]

_NEVER_STORED = {"cache-control": "no-store"}


def build_admin(checks: Checks) -> Starlette:
    """Return the ASGI application of the admin port."""

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"}, headers=_NEVER_STORED)

    async def ready(_request: Request) -> JSONResponse:
        found = dict(await checks())
        is_ready = all(finding == OK for finding in found.values())
        answer = {"status": "ready" if is_ready else "not ready", "checks": found}
        return JSONResponse(answer, status_code=200 if is_ready else 503, headers=_NEVER_STORED)

    return Starlette(routes=[Route("/-/live", live), Route("/-/ready", ready)])
