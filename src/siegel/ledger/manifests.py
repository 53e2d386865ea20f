"""The manifest of a stored version: five lines whose hash stands for it in the ledger, and that its owner can write too.

    siegel manifest v1
    version-id: <x-amz-version-id, or null>
    size: <bytes, decimal>
    etag: <ETag without its quotes>
    checksum: <algorithm>=<value as S3 writes it, e.g. CRC64NVME=...; empty without one>

Every line ends with a line feed. All of it is shown by HeadObject (with checksum mode enabled), so that whoever remembers what
was stored finds out whether it was put back, or put aside, later.
"""

from hashlib import sha256


def manifest_hash(*, version_id: str, size_bytes: int, etag: str, checksum_algorithm: str, checksum: str) -> bytes:
    """Return the SHA-256 of a manifest."""
    declared = f"{checksum_algorithm}={checksum}" if checksum else ""
    lines = f"siegel manifest v1\nversion-id: {version_id}\nsize: {size_bytes}\netag: {etag}\nchecksum: {declared}\n"
    return sha256(lines.encode()).digest()
