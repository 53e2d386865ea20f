"""Sealed names: an object key that tells nothing of the file's name, and is the same whenever the same key seals the same name.

AES-SIV (RFC 5297) of the name, filled with zero bytes to a multiple of 32, with account, bucket and prefix as associated data.
Equal names in one folder give equal tokens; that, and the length in steps of 32 bytes, is all that a token tells.
"""

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from siegel.customer.sealing.place import ObjectPlace, parse_uri
from siegel.customer.sealing.refusals import SealedObjectError, SealingError
from siegel.envelope.derive import expand

_INFO: Final = b"siegel client names v1"
_KEY_BYTES: Final = 64
_STEP_BYTES: Final = 32


def seal_name(secret: bytes, folder: ObjectPlace, name: str) -> ObjectPlace:
    """Return the place of the object that carries `name` within `folder`. Raises SealingError: no name, or too long a one."""
    if not name or "\0" in name:
        raise SealingError("a name that is sealed has at least one character, and no NUL")
    plain = name.encode(errors="surrogateescape")
    plain += b"\0" * (-len(plain) % _STEP_BYTES)
    token = base64.urlsafe_b64encode(_cipher(secret).encrypt(plain, _binding(folder))).rstrip(b"=").decode()
    return parse_uri(f"{folder.uri}{token}", folder.account_id)


def open_name(secret: bytes, folder: ObjectPlace, token: str) -> str:
    """Return the name that `seal_name` sealed for `folder`. Raises SealedObjectError for anything else."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        plain = _cipher(secret).decrypt(sealed, _binding(folder))
    except (binascii.Error, ValueError, InvalidTag):
        raise SealedObjectError(f"{token!r} is not a name that this key sealed for {folder.uri}") from None
    return plain.rstrip(b"\0").decode(errors="surrogateescape")


def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(expand(secret, _INFO, _KEY_BYTES))


def _binding(folder: ObjectPlace) -> list[bytes]:
    return [folder.account_id.encode(), folder.bucket.encode(), folder.object_key.encode()]
