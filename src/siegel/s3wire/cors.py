"""What a bucket's CORS rules say to a browser that asks for a page of another origin.

The rules do not let anyone in: they tell browsers which pages may see answers that the requester has a right to anyway.

Sources: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)"; API Reference, "OPTIONS object"; WHATWG Fetch, "CORS
protocol".
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from siegel.domain.browser_errors import AccessForbiddenError
from siegel.domain.configuration import Cors, CorsRule
from siegel.domain.errors import BadRequestError
from siegel.domain.limits import HEADERS_COUNT_MAX
from siegel.s3wire.request import Request

METHODS: Final = ("GET", "PUT", "POST", "DELETE", "HEAD")
"""The methods that a rule can allow."""

VARY: Final = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
"""What an answer with rules depends on, for caches between."""

_ANY: Final = "*"
_REFUSED: Final = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)
_OFF: Final = "CORSResponse: CORS is not enabled for this bucket."


class Preflight(Struct, frozen=True):
    """The question of a browser: may a page of `origin` send a request of this method, with these headers (in lower case)?"""

    origin: str
    method: str
    headers: tuple[str, ...] = ()


def parse_preflight(request: Request) -> Preflight:
    """Return what an OPTIONS request asks. Raises BadRequestError where it leaves out what it must say.

    It asks for no more headers than a request may have: each is compared with every pattern of a rule, for anybody who asks.
    """
    origin = request.headers.get("origin")
    if not origin:
        raise BadRequestError("Insufficient information. Origin request header needed.")
    method = request.headers.get("access-control-request-method")
    if method not in METHODS:
        raise BadRequestError(f"Invalid Access-Control-Request-Method: {method or 'null'}")
    names = request.headers.get("access-control-request-headers", "").split(",")
    if len(names) > HEADERS_COUNT_MAX:
        raise BadRequestError(f"Access-Control-Request-Headers names more than the {HEADERS_COUNT_MAX} headers of a request.")
    return Preflight(origin, method, tuple(name.strip(" \t").lower() for name in names if name.strip(" \t")))


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is that of a pattern, in which one `*` stands for any text."""
    before, star, after = pattern.partition(_ANY)
    if not star:
        return text == pattern
    return len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)


def _find(cors: Cors, asked: Preflight) -> tuple[CorsRule, str] | None:
    """Return the first rule that fits, and the origin in it that does."""
    for rule in cors.rules:
        if asked.method not in rule.methods:
            continue
        origin = next((origin for origin in rule.origins if _fits(origin, asked.origin)), None)
        if origin is not None and all(any(_fits(known.lower(), name) for known in rule.headers) for name in asked.headers):
            return rule, origin
    return None


def _headers(rule: CorsRule, origin: str, asked: Preflight) -> dict[str, str]:
    """Return the headers of both kinds of answers. Credentials go with an origin that a rule speaks of, never with all."""
    headers = {"access-control-allow-origin": _ANY}
    if origin != _ANY:
        headers = {"access-control-allow-origin": asked.origin, "access-control-allow-credentials": "true"}
    headers["access-control-allow-methods"] = ", ".join(rule.methods)
    if rule.exposed:
        headers["access-control-expose-headers"] = ", ".join(rule.exposed)
    if rule.max_age_s is not None:
        headers["access-control-max-age"] = str(rule.max_age_s)
    headers["vary"] = VARY
    return headers


def answer_headers(cors: Cors, request: Request) -> Mapping[str, str]:
    """Return what the rules add to the answer of a request that a browser sends for a page of another origin."""
    asked = Preflight(request.headers["origin"], request.method)
    found = _find(cors, asked)
    return {"vary": VARY} if found is None else _headers(*found, asked)


def preflight_headers(cors: Cors | None, asked: Preflight, resource_type: str) -> Mapping[str, str]:
    """Return the headers that answer a preflight with yes. Raises AccessForbiddenError for no.

    `cors` is None where there are no rules; a bucket that does not exist answers like one without. `resource_type` is "BUCKET" or
    "OBJECT".
    """
    found = None if cors is None else _find(cors, asked)
    if found is None:
        raise AccessForbiddenError(
            _OFF if cors is None else _REFUSED, fields={"Method": asked.method, "ResourceType": resource_type}
        )
    headers = _headers(*found, asked)
    if asked.headers:
        headers["access-control-allow-headers"] = ", ".join(asked.headers)
    return headers
