"""The doors beside S3 on the same port: protocols of other services, told apart by what a request is signed for."""

from typing import Final, Protocol

from siegel.kmswire.protocol import SERVICE, TARGET_PREFIX
from siegel.s3wire.claims import signing_service
from siegel.s3wire.request import Request
from siegel.service.trail import Trail
from siegel.web.exchange import Exchange

STS: Final = "sts"
DOORS: Final = frozenset({"iam", STS, SERVICE})
"""What requests are signed for that have a door of their own."""


class Door(Protocol):
    """One service's protocol: its own parameters, answers and errors."""

    async def answer(self, request: Request, exchange: Exchange, trail: Trail) -> None:
        """Answer a request, whatever is wrong with it, in this protocol; its body is not read yet.

        The signature is not checked yet either. Every answer is journaled before its first byte.
        """
        ...


def door_of(request: Request) -> str:
    """Return the name of the door that a request knocks at, "" for S3's own.

    Requests to STS may be unsigned: a form posted to the root, which is no request of S3. What names an operation of KMS is told
    by KMS that it must be signed. Only a POST can be meant for them where the request names a bucket.
    """
    if (request.bucket and request.method != "POST") or request.flaw is not None:
        return ""
    service = signing_service(request)
    if not service and request.headers.get("x-amz-target", "").startswith(TARGET_PREFIX):
        service = SERVICE
    is_posted_to_root = request.method == "POST" and not (request.bucket or request.object_key or request.control_account)
    if not service and is_posted_to_root:
        service = STS
    return service if service in DOORS else ""
