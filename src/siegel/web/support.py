"""The admin port's operations for access by consent: to ask, to see how it stands, to get credentials, to report.

What is answered has in it what operators have written themselves, and what the customer has said to it: nothing of any bucket.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from siegel.domain.consents import AccessWanted, Operator
from siegel.domain.errors import InvalidRequestError
from siegel.domain.moments import encode_time
from siegel.service.session_tokens import Issued
from siegel.web.admin_rows import AdminAsk, AdminRoute

_ALL: Final = "/-/support/requests"
_ONE: Final = "/-/support/requests/{consent}"
_ROW_LIST: Final = AdminRoute(
    "ListConsentRequests", "GET", _ALL, "admin.support.list", "All requests and how they stand, a page at a time (`?after=`)."
)
_ROW_SHOW: Final = AdminRoute("ShowConsentRequest", "GET", _ONE, "consent.show", "A request with its documents.")
_ROW_CREDENTIALS: Final = AdminRoute(
    "IssueConsentCredentials",
    "POST",
    f"{_ONE}/credentials",
    "consent.credentials",
    "Temporary credentials for S3, for the operator who asked, while the consent is active.",
)

SUPPORT_ROUTES: Final = (
    AdminRoute(
        "RequestConsent",
        "POST",
        _ALL,
        "consent.request",
        "Ask an account for access: [the members of its body](../howto/operator-access.md#the-request).",
    ),
    _ROW_LIST,
    _ROW_SHOW,
    _ROW_CREDENTIALS,
    AdminRoute("CloseConsent", "POST", f"{_ONE}/close", "consent.close", 'Report at the end: `{"summary": ...}`.'),
)
"""Every operation of the admin port that is about consents."""

A = TypeVar("A")
Result = tuple[int, object]


class SupportCases(Protocol):
    """The use cases (`service/consents/support.py`)."""

    async def request(self, wanted: AccessWanted, operator: Operator) -> object:
        """Ask an account for access. Raises InvalidRequestError."""
        ...

    async def list(self, after: str, operator: Operator, kind: str) -> object:
        """Return a page of all requests."""
        ...

    async def show(self, consent_id: str, operator: Operator, kind: str) -> object:
        """Return a request with its documents. Raises NoSuchConsentError."""
        ...

    async def credentials(self, consent_id: str, operator: Operator, kind: str) -> Issued:
        """Return credentials. Raises NoSuchConsentError, AccessDeniedError."""
        ...

    async def close(self, consent_id: str, summary: str, operator: Operator) -> object:
        """Report at the end. Raises NoSuchConsentError, InvalidConsentStateError, InvalidRequestError."""
        ...


class CloseRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of CloseConsent."""

    summary: str


class SupportDesk:
    """What the admin port does about consents. The use cases are made when somebody first asks for one."""

    def __init__(self, cases: Callable[[], SupportCases]) -> None:
        self._cases = cases
        self.work: Final[Mapping[str, Callable[[AdminAsk], Awaitable[Result]]]] = {
            "RequestConsent": self._request,
            "ListConsentRequests": self._list,
            "ShowConsentRequest": self._show,
            "IssueConsentCredentials": self._credentials,
            "CloseConsent": self._close,
        }

    async def _request(self, ask: AdminAsk) -> Result:
        return 201, await self._cases().request(_body(ask, AccessWanted), operator_of(ask))

    async def _list(self, ask: AdminAsk) -> Result:
        return 200, await self._cases().list(ask.query.get("after", ""), operator_of(ask), ask.row.kind)

    async def _show(self, ask: AdminAsk) -> Result:
        return 200, await self._cases().show(ask.path["consent"], operator_of(ask), ask.row.kind)

    async def _credentials(self, ask: AdminAsk) -> Result:
        issued = await self._cases().credentials(ask.path["consent"], operator_of(ask), ask.row.kind)
        # As `credential_process` of the AWS tools wants it.
        return 200, {
            "Version": 1,
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret_access_key,
            "SessionToken": issued.session_token,
            "Expiration": encode_time(issued.session.expires_at_ms / 1000),
        }

    async def _close(self, ask: AdminAsk) -> Result:
        return 200, await self._cases().close(ask.path["consent"], _body(ask, CloseRequest).summary, operator_of(ask))


def operator_of(ask: AdminAsk) -> Operator:
    """Return who asks, as entries name them."""
    return Operator(ask.principal, ask.request_id, ask.source)


def _body(ask: AdminAsk, form: type[A]) -> A:
    try:
        return msgspec.json.decode(ask.body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"The body is not the JSON object that is wanted here: {error}") from None
