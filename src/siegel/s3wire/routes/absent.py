"""What no bucket here has: reads say so exactly as S3 says it, deletes find nothing to do, writes are refused with the reason.

One row of `ABSENCES` is one such configuration; the routes of its operations and their answers both come from it.

Sources: Amazon S3 API Reference, the Get operation of each configuration (its errors, and its answer where there is none).
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from msgspec import Struct

from siegel.domain.absences import (
    NoSuchConfigurationError,
    NoSuchWebsiteConfigurationError,
    ReplicationConfigurationNotFoundError,
)
from siegel.domain.errors import (
    S3Error,
)
from siegel.s3wire.routes.row import Route, State, on_bucket
from siegel.s3wire.xmltext import document, element, flag


class Absence(Struct, frozen=True, kw_only=True):
    """A configuration that no bucket has.

    `query` is the sub-resource, `noun` how the ledger calls it; `get`, `put`, `delete` and `listing` are the operations ("" where
    S3 has none), `read`, `write` and `erase` their IAM actions (deleting is writing where `erase` is empty). `answer` is what
    reading it says: an error, or the XML of an empty configuration; `empty_list` is the XML of `listing`. `reason` tells why it
    cannot be written. Where S3 has a listing, one configuration is named by `id`.
    """

    query: str
    noun: str
    get: str
    put: str
    read: str
    write: str
    answer: type[S3Error] | bytes
    reason: str
    delete: str = ""
    listing: str = ""
    empty_list: bytes = b""
    needs_integrity: bool = True
    erase: str = ""
    former: tuple[str, str] = ("", "")


def _list_of(root: str) -> bytes:
    return document(root, flag("IsTruncated", is_set=False))


ABSENCES: Final[tuple[Absence, ...]] = (
    Absence(
        query="website",
        noun="website",
        get="GetBucketWebsite",
        put="PutBucketWebsite",
        delete="DeleteBucketWebsite",
        read="s3:GetBucketWebsite",
        write="s3:PutBucketWebsite",
        erase="s3:DeleteBucketWebsite",
        answer=NoSuchWebsiteConfigurationError,
        reason="Buckets are not served as websites: every read is signed for, or granted by a policy.",
    ),
    Absence(
        query="logging",
        noun="logging",
        get="GetBucketLogging",
        put="PutBucketLogging",
        read="s3:GetBucketLogging",
        write="s3:PutBucketLogging",
        answer=document("BucketLoggingStatus"),
        reason="Every access is in the service's own journal before it is answered: log files in a bucket prove less.",
    ),
    Absence(
        query="notification",
        noun="notification",
        get="GetBucketNotificationConfiguration",
        put="PutBucketNotificationConfiguration",
        read="s3:GetBucketNotification",
        write="s3:PutBucketNotification",
        answer=document("NotificationConfiguration"),
        reason="Events are not sent anywhere.",
        needs_integrity=False,
        former=("GetBucketNotification", "PutBucketNotification"),
    ),
    Absence(
        query="replication",
        noun="replication",
        get="GetBucketReplication",
        put="PutBucketReplication",
        delete="DeleteBucketReplication",
        read="s3:GetReplicationConfiguration",
        write="s3:PutReplicationConfiguration",
        answer=ReplicationConfigurationNotFoundError,
        reason="Objects are not copied to other buckets: data stays where it was put.",
    ),
    Absence(
        query="accelerate",
        noun="accelerate",
        get="GetBucketAccelerateConfiguration",
        put="PutBucketAccelerateConfiguration",
        read="s3:GetAccelerateConfiguration",
        write="s3:PutAccelerateConfiguration",
        answer=document("AccelerateConfiguration"),
        reason="There are no edge locations: requests go straight to the region of the bucket.",
        needs_integrity=False,
    ),
    Absence(
        query="requestPayment",
        noun="request_payment",
        get="GetBucketRequestPayment",
        put="PutBucketRequestPayment",
        read="s3:GetBucketRequestPayment",
        write="s3:PutBucketRequestPayment",
        answer=document("RequestPaymentConfiguration", element("Payer", "BucketOwner")),
        reason="Requests are always the bucket owner's to pay.",
    ),
    Absence(
        query="abac",
        noun="abac",
        get="GetBucketAbac",
        put="PutBucketAbac",
        read="s3:GetBucketABAC",
        write="s3:PutBucketABAC",
        answer=document("AbacStatus", element("Status", "Disabled")),
        reason="Tags of buckets do not decide on access.",
        needs_integrity=False,
    ),
    Absence(
        query="analytics",
        noun="analytics",
        get="GetBucketAnalyticsConfiguration",
        put="PutBucketAnalyticsConfiguration",
        delete="DeleteBucketAnalyticsConfiguration",
        listing="ListBucketAnalyticsConfigurations",
        read="s3:GetAnalyticsConfiguration",
        write="s3:PutAnalyticsConfiguration",
        answer=NoSuchConfigurationError,
        empty_list=_list_of("ListBucketAnalyticsConfigurationResult"),
        reason="There is one storage class, so there is nothing to analyse between classes.",
        needs_integrity=False,
    ),
    Absence(
        query="inventory",
        noun="inventory",
        get="GetBucketInventoryConfiguration",
        put="PutBucketInventoryConfiguration",
        delete="DeleteBucketInventoryConfiguration",
        listing="ListBucketInventoryConfigurations",
        read="s3:GetInventoryConfiguration",
        write="s3:PutInventoryConfiguration",
        answer=NoSuchConfigurationError,
        empty_list=_list_of("ListInventoryConfigurationsResult"),
        reason="Inventories are not written: lists of objects and versions are complete and current.",
        needs_integrity=False,
    ),
    Absence(
        query="metrics",
        noun="metrics",
        get="GetBucketMetricsConfiguration",
        put="PutBucketMetricsConfiguration",
        delete="DeleteBucketMetricsConfiguration",
        listing="ListBucketMetricsConfigurations",
        read="s3:GetMetricsConfiguration",
        write="s3:PutMetricsConfiguration",
        answer=NoSuchConfigurationError,
        empty_list=_list_of("ListMetricsConfigurationsResult"),
        reason="There are no metrics of parts of a bucket.",
        needs_integrity=False,
    ),
    Absence(
        query="intelligent-tiering",
        noun="intelligent_tiering",
        get="GetBucketIntelligentTieringConfiguration",
        put="PutBucketIntelligentTieringConfiguration",
        delete="DeleteBucketIntelligentTieringConfiguration",
        listing="ListBucketIntelligentTieringConfigurations",
        read="s3:GetIntelligentTieringConfiguration",
        write="s3:PutIntelligentTieringConfiguration",
        answer=NoSuchConfigurationError,
        empty_list=_list_of("ListBucketIntelligentTieringConfigurationsOutput"),
        reason="There is one storage class, and nothing moves between tiers.",
        needs_integrity=False,
    ),
)
"""Every configuration that no bucket has."""


_absent = partial(on_bucket, state=State.ABSENT)


def _routes(absence: Absence) -> Iterator[Route]:
    kind = f"bucket.{absence.noun}"
    query = (absence.query, "id") if absence.listing else (absence.query,)
    get_former, put_former = absence.former
    yield _absent(absence.get, "GET", f"{kind}.read", absence.read, query=query, former=get_former)
    yield on_bucket(
        absence.put,
        "PUT",
        f"{kind}.write",
        absence.write,
        query=query,
        needs_integrity=absence.needs_integrity,
        state=State.REFUSED,
        reason=absence.reason,
        former=put_former,
    )
    if absence.delete:
        yield _absent(absence.delete, "DELETE", f"{kind}.delete", absence.erase or absence.write, query=query)
    if absence.listing:
        paging = ("continuation-token",)
        yield _absent(absence.listing, "GET", f"{kind}.list", absence.read, query=(absence.query,), parameters=paging)


ABSENT_ROUTES: Final[tuple[Route, ...]] = tuple(route for absence in ABSENCES for route in _routes(absence))

ABSENT_ANSWERS: Final[dict[str, type[S3Error] | bytes | None]] = {
    **{absence.get: absence.answer for absence in ABSENCES},
    **{absence.delete: None for absence in ABSENCES if absence.delete},
    **{absence.listing: absence.empty_list for absence in ABSENCES if absence.listing},
}
"""What each operation of state ABSENT answers: an error, a body, or None for 204 without one."""
