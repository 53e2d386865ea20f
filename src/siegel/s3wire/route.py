"""The one table of what this service does: every S3 operation with the requests that mean it.

The access matrix, the status page of the documentation and the labels of metrics and ledger entries come from this table.
A query parameter is either one that its operation knows or a reason to refuse: nothing is silently ignored, and no unknown
sub-resource turns into a listing or a plain PUT.

Sources: Amazon S3 API Reference, "Actions"; Service Authorization Reference, "Actions defined by Amazon S3".
"""

from collections import defaultdict
from typing import Final

from msgspec import Struct

from siegel.domain.errors import InvalidArgumentError, MethodNotAllowedError, S3Error, UnsupportedFeatureError
from siegel.s3wire.formdata import is_form
from siegel.s3wire.request import SIGNING_QUERY_NAMES, Request
from siegel.s3wire.routes.absent import ABSENT_ROUTES
from siegel.s3wire.routes.browsers import FORM_ROUTE
from siegel.s3wire.routes.buckets import BUCKET_ROUTES
from siegel.s3wire.routes.configurations import CONFIGURATION_ROUTES
from siegel.s3wire.routes.consents import CONSENT_ROUTES
from siegel.s3wire.routes.control import CONTROL_ROUTES
from siegel.s3wire.routes.ledger import LEDGER_ROUTES
from siegel.s3wire.routes.objects import OBJECT_ROUTES
from siegel.s3wire.routes.refused import REFUSED_ROUTES
from siegel.s3wire.routes.retention import RETENTION_ROUTES
from siegel.s3wire.routes.row import Route

ROUTES: Final[tuple[Route, ...]] = (
    *BUCKET_ROUTES,
    *CONFIGURATION_ROUTES,
    *ABSENT_ROUTES,
    *OBJECT_ROUTES,
    *RETENTION_ROUTES,
    *CONTROL_ROUTES,
    *REFUSED_ROUTES,
)
"""Every operation of the S3 model. Those of browsers alone are in `routes/browsers.py`, auditors' in `routes/ledger.py`,
those about consents in `routes/consents.py`."""

_EVERYWHERE: Final = SIGNING_QUERY_NAMES | {"x-id"}


class _Candidate(Struct, frozen=True):
    """A route as the search wants it: its markers split, and every parameter that it understands in one set."""

    route: Route
    markers: tuple[tuple[str, str | None], ...]
    accepted: frozenset[str]

    def fits(self, request: Request) -> bool:
        if self.route.header and self.route.header not in request.headers:
            return False
        if self.route.is_form and not is_form(request.headers.get("content-type", "")):
            return False
        return not self.markers or all(
            name in request.query and value in {None, request.query[name]} for name, value in self.markers
        )


def _candidate(route: Route) -> _Candidate:
    pairs = [marker.partition("=") for marker in route.query]
    markers = tuple((name, value if equals else None) for name, equals, value in pairs)
    return _Candidate(route, markers, _EVERYWHERE | {name for name, _ in markers} | set(route.parameters))


def _by_place(routes: tuple[Route, ...]) -> dict[tuple[str, str], tuple[_Candidate, ...]]:
    """Return the candidates of each method and level, those that demand most first."""
    places: dict[tuple[str, str], list[_Candidate]] = defaultdict(list)
    for route in sorted(routes, key=lambda route: len(route.query) + bool(route.header), reverse=True):
        places[route.method, route.level].append(_candidate(route))
    return {place: tuple(candidates) for place, candidates in places.items()}


def _by_marker(candidates: tuple[_Candidate, ...]) -> dict[str, tuple[_Candidate, ...]]:
    """Return the candidates by the name of their first marker, "" for those without: most requests have none to look for."""
    found: dict[str, list[_Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.markers[0][0] if candidate.markers else ""].append(candidate)
    return {name: tuple(some) for name, some in found.items()}


_CANDIDATES: Final = _by_place((*ROUTES, FORM_ROUTE, *LEDGER_ROUTES, *CONSENT_ROUTES))
_MARKED: Final = {place: _by_marker(candidates) for place, candidates in _CANDIDATES.items()}
_NOTHING: Final[dict[str, tuple[_Candidate, ...]]] = {}
_NAMES: Final[dict[str, frozenset[str]]] = {
    level: frozenset().union(*(c.accepted for (_, at), found in _CANDIDATES.items() if at == level for c in found)) - _EVERYWHERE
    for level in ("service", "bucket", "object", "control", "ledger", "consents", "consent", "consent-keys")
}


def find_route(request: Request) -> Route:
    """Return the one operation that the request means.

    Raises UnsupportedFeatureError for a sub-resource or parameter that is not built, MethodNotAllowedError for a method that
    does not go with what the URL names, InvalidArgumentError for parameters that do not go together, and the request's flaw.
    """
    if request.flaw is not None:
        raise request.flaw
    level = "object" if request.object_key else "bucket" if request.bucket else "service"
    if request.own_level:
        level = request.own_level
    elif request.control_account:
        level = "control"
        if not request.bucket:
            # Clients fall back to the bucket's own operations on this answer.
            raise _not_allowed(request, level)
    marked = _MARKED.get((request.method, level), _NOTHING)
    for name in ("",) if marked.keys().isdisjoint(request.query) else (*request.query, ""):
        for candidate in marked.get(name, ()):
            if candidate.fits(request):
                if not request.query.keys() <= candidate.accepted:
                    _check_leftovers(request, level, candidate)
                return candidate.route
    raise _refusal(request, level)


def _check_leftovers(request: Request, level: str, candidate: _Candidate) -> None:
    leftovers = [name for name in request.query if name not in candidate.accepted and name.lower() not in request.hoisted]
    for name in leftovers:
        if name not in _NAMES[level]:
            raise _unknown(name)
    for name in leftovers:
        methods = _methods(level, name)
        understood = any(name in other.accepted for other in _CANDIDATES[request.method, level])
        if methods and not understood:
            raise _not_allowed(request, level, methods)
        raise InvalidArgumentError(
            f"The query parameter {name} does not go with {candidate.route.operation} or with its value.",
            fields={"ArgumentName": name, "ArgumentValue": request.query[name]},
        )


def _refusal(request: Request, level: str) -> S3Error:
    for name in request.query:
        if name not in _NAMES[level] | _EVERYWHERE:
            return _unknown(name)
    return _not_allowed(request, level)


def _methods(level: str, name: str) -> list[str]:
    """Return the methods under which a parameter selects an operation."""
    return sorted(
        {
            method
            for (method, at), candidates in _CANDIDATES.items()
            for candidate in candidates
            if at == level and name in {marker for marker, _ in candidate.markers}
        }
    )


def _unknown(name: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"The query parameter {name} asks for something that is not implemented.", fields={"ArgumentName": name}
    )


def _not_allowed(request: Request, level: str, methods: list[str] | None = None) -> MethodNotAllowedError:
    allowed = methods or sorted({method for method, at in _CANDIDATES if at == level})
    return MethodNotAllowedError(
        fields={"Method": request.method, "ResourceType": level.upper()}, headers={"Allow": ", ".join(allowed)}
    )
