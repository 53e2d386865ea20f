"""The names that Siegel gives: account ids, access key ids and secrets, unique ids. The caller brings the random bytes.

Lengths and alphabets are those that S3 tools expect (AWS IAM User Guide, "IAM identifiers"; S3 ids are 12 digits, key ids 20 and
secrets 40 characters). Secrets have neither `/` nor `+`, which break URLs and shells. Prefixes are our own, never Amazon's.
"""

import base64
import string
from typing import Final

from siegel.domain.objects import CredentialKind

ACCESS_KEY_ID_CHARS: Final = 20
SECRET_CHARS: Final = 40
ACCOUNT_ID_DIGITS: Final = 12

# Random bytes that each maker takes: more than the name can show, so that reduction leaves no measurable bias.
ACCESS_KEY_ID_RANDOM_BYTES: Final = 15
SECRET_RANDOM_BYTES: Final = 40
ACCOUNT_ID_RANDOM_BYTES: Final = 16
UNIQUE_ID_RANDOM_BYTES: Final = 15

UNIQUE_ID_CHARS: Final = 21

_PREFIXES: Final = {CredentialKind.ROOT: "SGL", CredentialKind.USER: "SGK", CredentialKind.OPERATOR: "SGO"}
_TEMPORARY_PREFIX: Final = "SGT"
_UNIQUE_PREFIXES: Final = {"user": "SGU", "group": "SGG", "role": "SGR", "policy": "SGP"}
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits


def make_access_key_id(kind: CredentialKind, random: bytes) -> str:
    """Return a key id: `SGL` (accounts), `SGK` (users) or `SGO` (operators) and 17 characters of `A-Z2-7`, 85 random bits.

    Raises ValueError unless `random` has ACCESS_KEY_ID_RANDOM_BYTES bytes.
    """
    _require(random, ACCESS_KEY_ID_RANDOM_BYTES)
    prefix = _PREFIXES[kind]
    return prefix + base64.b32encode(random).decode("ascii")[: ACCESS_KEY_ID_CHARS - len(prefix)]


def make_temporary_key_id(random: bytes) -> str:
    """Return the key id of temporary credentials: `SGT` and 17 characters of `A-Z2-7`, 85 random bits.

    Raises ValueError unless `random` has ACCESS_KEY_ID_RANDOM_BYTES bytes.
    """
    _require(random, ACCESS_KEY_ID_RANDOM_BYTES)
    return _TEMPORARY_PREFIX + base64.b32encode(random).decode("ascii")[: ACCESS_KEY_ID_CHARS - len(_TEMPORARY_PREFIX)]


def make_unique_id(resource: str, random: bytes) -> str:
    """Return the id of a user, group, role or policy: a prefix of ours and 18 characters of `A-Z2-7`, 90 random bits.

    Raises ValueError unless `random` has UNIQUE_ID_RANDOM_BYTES bytes.
    """
    _require(random, UNIQUE_ID_RANDOM_BYTES)
    prefix = _UNIQUE_PREFIXES[resource]
    return prefix + base64.b32encode(random).decode("ascii")[: UNIQUE_ID_CHARS - len(prefix)]


def make_secret(random: bytes) -> str:
    """Return a secret access key: 40 letters and digits, 238 random bits.

    Raises ValueError unless `random` has SECRET_RANDOM_BYTES bytes.
    """
    _require(random, SECRET_RANDOM_BYTES)
    number = int.from_bytes(random, "big")
    characters = []
    for _ in range(SECRET_CHARS):
        number, index = divmod(number, len(_SECRET_ALPHABET))
        characters.append(_SECRET_ALPHABET[index])
    return "".join(characters)


def make_account_id(random: bytes) -> str:
    """Return an account id: 12 digits, the first never zero, since some tools read it as a number.

    Raises ValueError unless `random` has ACCOUNT_ID_RANDOM_BYTES bytes.
    """
    _require(random, ACCOUNT_ID_RANDOM_BYTES)
    lowest = 10 ** (ACCOUNT_ID_DIGITS - 1)
    return str(lowest + int.from_bytes(random, "big") % (9 * lowest))


def _require(random: bytes, count: int) -> None:
    if len(random) != count:
        raise ValueError(f"{count} random bytes are needed, not {len(random)}")
