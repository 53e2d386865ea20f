"""Outer layers of external key stores as they are stored: what the proxy wants back to open them.

    offset       size  field
    0            1     version of this format, 0x01
    1            1     length of the initialization vector, 12 or 16
    2            1     length of the proxy's own metadata, at most 20
    3            i     initialization vector
    3 + i        m     metadata
    3 + i + m    16    tag
    19 + i + m   n     ciphertext, as long as its plaintext

Nothing of it is proven before the proxy opens it. Format page: `docs/design/formats/kms.md`.
"""

from typing import Final

from siegel.domain.errors import SealBrokenError
from siegel.domain.key_stores import OuterLayer
from siegel.domain.limits import XKS_CIPHERTEXT_METADATA_BYTES_MAX

_VERSION: Final = 1
_FRONT_BYTES: Final = 3
_IV_BYTES: Final = frozenset({12, 16})
_TAG_BYTES: Final = 16


def encode_layer(layer: OuterLayer) -> bytes:
    """Return what is stored of a layer. Raises ValueError for one that no proxy may answer."""
    iv, metadata = layer.iv, layer.metadata
    if len(iv) not in _IV_BYTES or len(layer.tag) != _TAG_BYTES or len(metadata) > XKS_CIPHERTEXT_METADATA_BYTES_MAX:
        raise ValueError("not an outer layer of an external key store")
    return bytes((_VERSION, len(iv), len(metadata))) + iv + metadata + layer.tag + layer.ciphertext


def decode_layer(stored: bytes) -> OuterLayer:
    """Read a layer. Raises SealBrokenError for what is none."""
    if len(stored) < _FRONT_BYTES or stored[0] != _VERSION:
        raise SealBrokenError("not an outer layer of an external key store, or of an unknown version")
    iv_bytes, metadata_bytes = stored[1], stored[2]
    metadata_at = _FRONT_BYTES + iv_bytes
    tag_at = metadata_at + metadata_bytes
    body_at = tag_at + _TAG_BYTES
    if iv_bytes not in _IV_BYTES or metadata_bytes > XKS_CIPHERTEXT_METADATA_BYTES_MAX or len(stored) <= body_at:
        raise SealBrokenError("an outer layer of an external key store is cut short, or has parts of other lengths")
    return OuterLayer(
        ciphertext=stored[body_at:],
        iv=stored[_FRONT_BYTES:metadata_at],
        tag=stored[tag_at:body_at],
        metadata=stored[metadata_at:tag_at],
    )
