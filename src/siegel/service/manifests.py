"""What the entry of a write says of what was stored."""

from siegel.ledger.manifests import manifest_hash
from siegel.service.opened import version_text
from siegel.service.put import Stored


def manifest_of(stored: Stored) -> bytes:
    """Return the hash of a stored version's manifest."""
    head = stored.head
    return manifest_hash(
        version_id=version_text(stored.version),
        size_bytes=stored.version.size_bytes,
        etag=head.etag,
        checksum_algorithm=head.checksum_algorithm,
        checksum=head.checksum,
    )
