"""Which keys a request names, whatever it asks for and whoever sends it: read leniently, to tell their accounts of it."""

from base64 import b64decode

import msgspec

from siegel.domain.errors import SealBrokenError
from siegel.domain.wrapping_keys import key_arn
from siegel.envelope.keyblob import read_blob_head

_CIPHERTEXT = "CiphertextBlob"


def names_in(body: bytes, region: str) -> list[str]:
    """Return what the members of a body say, and the ARN of the key that its ciphertext is under; nothing for no JSON object."""
    try:
        members = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found = [value for value in members.values() if isinstance(value, str)]
    ciphertext = members.get(_CIPHERTEXT)
    if isinstance(ciphertext, str):
        try:
            head = read_blob_head(b64decode(ciphertext, validate=True))
        except (SealBrokenError, ValueError):
            return found
        found.append(key_arn(region, head.account_id, head.key_id))
    return found
