"""Entries of uses of keys on behalf of S3, for the journal of the account that owns the key."""

from typing import Final

from siegel.domain.entry import Entry, kind_of
from siegel.domain.errors import S3Error, SiegelError
from siegel.kmswire.protocol import SERVICE
from siegel.s3wire.faults import status_of, to_s3_error
from siegel.service.kms.custody import OPEN, SEAL, KeyUse

RENEWAL: Final = "renewal"
"""The reason in the entry of a key that is asked for again while a body streams."""

_KINDS: Final = {permission: kind_of(SERVICE, permission.removeprefix(f"{SERVICE}:")) for permission in (SEAL, OPEN)}


def use_entry(use: KeyUse, call_id: str, *, status: int = 200, reason: str = "", permit: str = "") -> Entry:
    """Return the entry of a use. `call_id`: the request for which the key server was asked that it rests on, empty for none."""
    trail, protection = use.asker.trail, use.protection
    return Entry(
        trail.at_ms,
        trail.request_id,
        _KINDS[use.permission],
        protection.settings.account_id,
        trail.caller.arn,
        use.bucket.name,
        protection.arn,
        "",
        "",
        status,
        reason,
        trail.source,
        use.bucket.bucket_id,
        permit,
        key_ids=(protection.settings.key_id,),
        consent_id=trail.consent_id,
        key_call_id=call_id,
    )


def refused_entry(use: KeyUse, error: SiegelError, call_id: str) -> Entry:
    """Return the entry of a use that was refused, or failed."""
    told: S3Error = to_s3_error(error)
    return use_entry(use, call_id, status=status_of(told), reason=told.code)
