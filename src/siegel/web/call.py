"""One understood call: what is asked, by whom, of whose data; and the use cases that can answer it."""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from siegel.access.caller import Caller
from siegel.access.decide import Permit
from siegel.domain.entry import Entry
from siegel.domain.errors import AccessDeniedError, InvalidRequestError
from siegel.domain.logs import LedgerFile
from siegel.domain.objects import Bucket
from siegel.domain.ports import Clock, Journal, MetaStore
from siegel.s3wire.conditionkeys import Values
from siegel.s3wire.encryption import COPY_SOURCE_CUSTOMER_KEY_PREFIX, CUSTOMER_KEY_PREFIX, CustomerKey, parse_customer_key
from siegel.s3wire.forms import Form
from siegel.s3wire.request import Request
from siegel.s3wire.routes.row import Route
from siegel.s3wire.sigv4 import VerifiedRequest
from siegel.service.amend import Amender
from siegel.service.bucketpolicies import BucketPolicies
from siegel.service.buckets import Buckets
from siegel.service.configurations import Configurations
from siegel.service.delete import Deleter
from siegel.service.directory import Directory
from siegel.service.expiry import Calendar
from siegel.service.get import Getter
from siegel.service.key_uses import KeyUses
from siegel.service.kms.naming import KeyNames
from siegel.service.listing import Lister
from siegel.service.multipart import Multipart
from siegel.service.put import Putter
from siegel.service.reseal import Resealer
from siegel.service.trail import Trail
from siegel.service.unproven import Unproven
from siegel.web.alarms import Alarms
from siegel.web.body import IdleReaper
from siegel.web.consent_cases import CustomerConsents, LiveUses
from siegel.web.gate import NO_VALUES, Gate
from siegel.web.peer import Proxies


class Rules(Struct, frozen=True):
    """What the deployment's configuration decides about requests."""

    region: str
    domains: tuple[str, ...]
    sse_c_default: Literal["blocked", "allowed"]
    sse_c_over_http: bool


class LedgerFiles(Protocol):
    """The files of the accounts' logs (`service/ledgers/reader.py`)."""

    def read(self, account_id: str, path: str) -> LedgerFile | None:
        """Return a file of an account's log, None if there is no such."""
        ...

    def warnings(self) -> bytes:
        """Return the public warnings, a line each."""
        ...


class LedgerPolicies(Protocol):
    """The policy files of the accounts' logs (`service/ledgers/policies.py`)."""

    async def put(self, account_id: str, text: bytes, entry: Entry) -> None:
        """Store an account's policy. Raises InvalidRequestError."""
        ...


class LedgerEraser(Protocol):
    """Takes names and persons out of the accounts' logs (`service/ledgers/erasing.py`)."""

    async def erase(self, account_id: str, number: int, entry: Entry) -> None:
        """Erase the opening of an entry. Raises NoSuchLedgerFileError."""
        ...


class UseCases(Struct, frozen=True):
    """Everything that a handler can call upon."""

    rules: Rules
    clock: Clock
    store: MetaStore
    journal: Journal
    directory: Directory
    putter: Putter
    getter: Getter
    deleter: Deleter
    lister: Lister
    multipart: Multipart
    amender: Amender
    resealer: Resealer
    buckets: Buckets
    configurations: Configurations
    reaper: IdleReaper
    calendar: Calendar
    bucket_policies: BucketPolicies
    gate: Gate
    proxies: Proxies
    alarms: Alarms
    key_uses: KeyUses
    key_names: KeyNames
    ledgers: Callable[[], LedgerFiles]
    witness_policies: Callable[[], LedgerPolicies]
    eraser: Callable[[], LedgerEraser]
    unproven: Unproven
    live_consents: Callable[[], LiveUses]
    consents: Callable[[], CustomerConsents]


class Call(Struct, frozen=True):
    """A request whose signature, route and permits are settled. Its bucket is None only at the service level.

    With a `form`, which is there for PostObject alone, the request is the one that the form's fields make.
    """

    request: Request
    route: Route
    verified: VerifiedRequest
    caller: Caller
    permits: tuple[Permit, ...]
    trail: Trail
    named_bucket: Bucket | None
    form: Form | None = None

    @property
    def bucket(self) -> Bucket:
        """The bucket that the request names; handlers of service-level operations do not ask for it."""
        assert self.named_bucket is not None  # noqa: S101  (the gateway refused the request otherwise)
        return self.named_bucket


def customer_key(cases: UseCases, call: Call, *, of_copy_source: bool = False) -> CustomerKey | None:
    """Return the key that the request brings (SSE-C), or None.

    Raises InvalidRequestError over plain HTTP: a key that travelled in clear counts as leaked. The deployment can allow it.
    """
    prefix = COPY_SOURCE_CUSTOMER_KEY_PREFIX if of_copy_source else CUSTOMER_KEY_PREFIX
    key = parse_customer_key(call.request.headers, prefix)
    if key is not None and call.request.scheme != "https" and not cases.rules.sse_c_over_http:
        raise InvalidRequestError(
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection."
        )
    return key


def accepts_customer_keys(cases: UseCases, bucket: Bucket) -> bool:
    """Whether the bucket accepts SSE-C: as it is configured, else as the deployment's default says."""
    allowed = bucket.sse_c_allowed
    return cases.rules.sse_c_default == "allowed" if allowed is None else allowed


def customer_key_for_writing(cases: UseCases, call: Call) -> CustomerKey | None:
    """Like `customer_key`, for writes: raises AccessDeniedError unless the bucket accepts SSE-C.

    It is off by default, since whoever steals an access key could lock the owner out with a key of his own.
    """
    key = customer_key(cases, call)
    if key is not None and not accepts_customer_keys(cases, call.bucket):
        cases.alarms.customer_key_refused(call.bucket, call.trail)
        raise AccessDeniedError("Server Side Encryption with Customer provided keys is blocked for this bucket.")
    return key


def permit(
    cases: UseCases,
    call: Call,
    action: str,
    *,
    bucket: Bucket | None = None,
    object_key: str = "",
    version_id: str | None = None,
    others: Mapping[str, Values] = NO_VALUES,
) -> Permit:
    """Return the caller's permit for one more action, on the request's own bucket unless another is named.

    `others` are condition keys that stand in no header (names in lower case). Raises AccessDeniedError.
    """
    permitted = cases.gate.permit(
        call.verified,
        call.caller,
        action,
        bucket or call.bucket,
        operation=call.route.operation,
        object_key=object_key,
        version_id=version_id,
        others=others,
    )
    if bucket is None:
        call.trail.note(permitted)
    return permitted


def may_list(cases: UseCases, call: Call) -> bool:
    """Whether the caller may list the request's bucket, and so learn that something is not there."""
    return may_list_of(cases, call, call.bucket)


def may_list_of(cases: UseCases, call: Call, bucket: Bucket) -> bool:
    """Whether the caller may list a bucket that need not be the request's own."""
    return cases.gate.allows(call.verified, call.caller, "s3:ListBucket", bucket, operation=call.route.operation)


def is_permitted(
    cases: UseCases,
    call: Call,
    action: str,
    object_key: str,
    version_id: str | None,
    *,
    others: Mapping[str, Values] = NO_VALUES,
) -> bool:
    """Whether the caller may do this as well, to an object of the request's bucket or to one version of it."""
    return cases.gate.allows(
        call.verified,
        call.caller,
        action,
        call.bucket,
        operation=call.route.operation,
        object_key=object_key,
        version_id=version_id,
        others=others,
    )
