"""Who asks for an object, and what is brought along to open it."""

from msgspec import Struct

from siegel.s3wire.sigv4 import VerifiedRequest
from siegel.service.trail import Trail


class Asker(Struct, frozen=True):
    """A verified request with its trail, which notes each use of a key; `customer_key` is the one that it brings (SSE-C)."""

    verified: VerifiedRequest
    trail: Trail
    customer_key: bytes | None = None

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return f"Asker({self.trail.caller.arn})"
