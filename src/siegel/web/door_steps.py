"""What every door beside S3 does alike: take in a small body, prove who signed it, write down what was refused."""

import logging
import re
from collections.abc import Iterable
from hashlib import sha256
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import CallerKind
from siegel.domain.errors import AccessDeniedError, StorageError
from siegel.s3wire.claims import Claim
from siegel.s3wire.request import Request
from siegel.s3wire.sigv4 import verify
from siegel.service.directory import Directory
from siegel.service.key_uses import KeyUses
from siegel.service.trail import Trail
from siegel.service.unproven import Unproven
from siegel.web.body import IdleReaper
from siegel.web.exchange import Exchange

# What is an account's: its keys, users, roles, policies. No name that there is has more characters.
_ARN: Final = re.compile(r"arn:aws:(?:iam:|kms:[a-z0-9-]{1,32}):(?P<account>[0-9]{12}):[!-~]{1,640}", re.ASCII)
# Whoever has proven nothing may name as many as a body can hold: so many are looked at.
_NAMED_MAX: Final = 4

_log = logging.getLogger(__name__)


class DoorParts(Struct, frozen=True):
    """What every such door needs of the deployment. `region` is the deployment's own."""

    directory: Directory
    unproven: Unproven
    key_uses: KeyUses
    reaper: IdleReaper
    region: str


async def read_body(parts: DoorParts, exchange: Exchange, bytes_max: int) -> bytes | None:
    """Return the whole body of a request, None if it is larger than `bytes_max`."""
    pieces: list[bytes] = []
    if (exchange.body_left or 0) > bytes_max:
        return None
    size_bytes = 0
    while exchange.body_left != 0 and size_bytes <= bytes_max:
        piece = await parts.reaper.receive(exchange)
        pieces.append(piece)
        # Counted once each: whoever has proven nothing yet may send them one byte at a time.
        size_bytes += len(piece)
    return None if size_bytes > bytes_max else b"".join(pieces)


def prove(parts: DoorParts, request: Request, claim: Claim, body: bytes, trail: Trail) -> None:
    """Verify that whom a claim speaks of signed the request with its body; then `trail` says who calls.

    Raises what `sigv4.verify` and the directory raise, and AccessDeniedError for operators: a consent is about S3 alone.
    """
    claim = replace(claim, payload_hash=sha256(body).hexdigest())
    signing_key, caller = parts.directory.signing_key(claim), parts.directory.caller(claim)
    # Whoever uses a key's id without the key: its account shall know.
    trail.account_id = caller.account_id
    verify(request, claim, signing_key, now_ms=trail.at_ms, region=parts.region)
    trail.caller = caller
    if trail.caller.consent_id:
        trail.consent_id = trail.caller.consent_id
        raise AccessDeniedError("A consent permits to list and to read objects, and nothing else.")
    parts.key_uses.note(trail.account_id, claim, trail.at_ms)


def note_named(parts: DoorParts, trail: Trail, names: Iterable[str]) -> None:
    """Note whose resources a request names that has proven nobody: as with a bucket, their accounts shall know."""
    if trail.caller.kind is not CallerKind.ANONYMOUS:
        return
    for found in islice(filter(None, map(_ARN.fullmatch, names)), _NAMED_MAX):
        place = found["account"], found[0]
        if place not in trail.keys and parts.directory.has_account(found["account"]):
            trail.keys.append(place)


async def note_refusal(parts: DoorParts, trail: Trail, status: int, code: str) -> StorageError | None:
    """Write down a refusal for everybody whom it is about, once that is known; return why it failed, None if it did not."""
    try:
        for one in _of_each_account(trail):
            await parts.unproven.append(one, status, code, of_keys=True)
            trail.has_entry |= one.has_entry
    except StorageError as unwritten:
        _log.error("request %s failed: %s", trail.request_id, unwritten)
        trail.has_entry = False
        return unwritten
    return None


def _of_each_account(trail: Trail) -> list[Trail]:
    """Return the trail for each account that is to know: who has proven nothing is counted in each by itself."""
    if trail.caller.kind is not CallerKind.ANONYMOUS or not trail.keys:
        return [trail] if trail.account_id else []
    names = {trail.account_id: trail.object_key} if trail.account_id else {}
    names |= dict(reversed(trail.keys))
    return [replace(trail, account_id=account_id, object_key=name, keys=[]) for account_id, name in names.items()]
