"""What every door beside S3 does alike: take in a small body, prove who signed it, write down what was refused."""

import logging
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

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


async def note_refusal(parts: DoorParts, trail: Trail, status: int, code: str) -> StorageError | None:
    """Write down a refusal for everybody whom it is about, once that is known; return why it failed, None if it did not."""
    if trail.account_id:
        try:
            await parts.unproven.append(trail, status, code, of_keys=True)
        except StorageError as unwritten:
            _log.error("request %s failed: %s", trail.request_id, unwritten)
            trail.has_entry = False
            return unwritten
    return None
