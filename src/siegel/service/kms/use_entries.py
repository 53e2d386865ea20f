"""What is noted of uses of keys on behalf of S3, for the journal of the account that owns the key."""

from typing import Final

from siegel.domain.entry import NotedUse, kind_of
from siegel.domain.errors import S3Error, SiegelError
from siegel.kmswire.protocol import SERVICE
from siegel.s3wire.faults import status_of, to_s3_error
from siegel.service.kms.custody import OPEN, SEAL, KeyUse

RENEWAL: Final = "renewal"
"""The reason in the entry of a key that is asked for again while a body streams."""

_KINDS: Final = {permission: kind_of(SERVICE, permission.removeprefix(f"{SERVICE}:")) for permission in (SEAL, OPEN)}


def noted_use(use: KeyUse, call_id: str, *, status: int = 200, reason: str = "", permit: str = "") -> NotedUse:
    """Return what is noted of a use. `call_id`: the request for which a key server was asked that it rests on, if any."""
    protection = use.protection
    return NotedUse(
        _KINDS[use.permission],
        protection.settings.account_id,
        use.bucket.name,
        use.bucket.bucket_id,
        protection.arn,
        (protection.settings.key_id,),
        permit,
        status,
        reason,
        call_id,
    )


def refused_use(use: KeyUse, error: SiegelError, call_id: str) -> NotedUse:
    """Return what is noted of a use that was refused, or failed."""
    told: S3Error = to_s3_error(error)
    return noted_use(use, call_id, status=status_of(told), reason=told.code)
