"""Certificates of destruction: the box's word, signed, that a key is gone and when it went.

A certificate is a JSON object of `format`, `statement` (a text that is itself JSON), `public_key` and `signature` (base64). The
signature is Ed25519 (RFC 8032) over `siegel keybox destruction v1`, a zero byte, and the statement's UTF-8 bytes. It can be made
again at any time from what the box remembers of the key, byte for byte the same.
"""

import json
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from siegel.customer.keybox.content import Content, DestroyedKey
from siegel.domain.errors import SealBrokenError
from siegel.domain.moments import encode_time_ms
from siegel.domain.weak_points import is_weak_signer

FORMAT: Final = "siegel keybox destruction certificate v1"

_PREFIX: Final = b"siegel keybox destruction v1\x00"


def public_key_of(content: Content) -> str:
    """Return the box's public key, base64 of 32 bytes: by it anybody checks the box's certificates."""
    return b64encode(_signer(content).public_key().public_bytes_raw()).decode()


def certify(content: Content, gone: DestroyedKey) -> bytes:
    """Return the certificate of a destroyed key, as the bytes of its file."""
    statement = json.dumps(
        {
            "box_id": content.box_id,
            "key_id": gone.key_id,
            "name": gone.name,
            "created_at": encode_time_ms(gone.created_at_ms),
            "destroyed_at": encode_time_ms(gone.destroyed_at_ms),
            **({"token": gone.token} if gone.token else {}),
        }
    )
    signature = _signer(content).sign(_PREFIX + statement.encode())
    certificate = {
        "format": FORMAT,
        "statement": statement,
        "public_key": public_key_of(content),
        "signature": b64encode(signature).decode(),
    }
    return json.dumps(certificate, indent=2).encode() + b"\n"


def verify_certificate(data: bytes, public_key: str) -> dict[str, str]:
    """Return the statement of a certificate that the box of `public_key` has signed. Raises SealBrokenError."""
    try:
        certificate = json.loads(data)
        statement = certificate["statement"]
        if certificate["format"] != FORMAT or certificate["public_key"] != public_key:
            raise SealBrokenError("the certificate is of another form, or of another box")
        raw_key = b64decode(public_key, validate=True)
        if is_weak_signer(raw_key):
            raise SealBrokenError("the public key is of small order: anybody's signatures fit it")
        Ed25519PublicKey.from_public_bytes(raw_key).verify(
            b64decode(certificate["signature"], validate=True), _PREFIX + statement.encode()
        )
        told = json.loads(statement)
        return {str(name): str(value) for name, value in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SealBrokenError("this is no certificate of destruction") from None
    except InvalidSignature:
        raise SealBrokenError("the signature does not fit: the certificate was changed, or is not of this box") from None


def _signer(content: Content) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(content.signing_seed)
