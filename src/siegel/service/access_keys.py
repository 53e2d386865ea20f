"""Access keys made: an id, a secret that is shown once, and what is kept of both."""

import hmac

from msgspec import Struct

from siegel.domain import ids
from siegel.domain.errors import SealBrokenError
from siegel.domain.objects import Credential, CredentialKind
from siegel.domain.ports import Randomness
from siegel.service.keys import KeyRing


class AccessKey(Struct, frozen=True):
    """A fresh access key with its secret in clear: show it once, store it nowhere."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"AccessKey({self.access_key_id})"


def make_access_key(
    key_ring: KeyRing,
    randomness: Randomness,
    *,
    kind: CredentialKind,
    account_id: str,
    now_ms: int,
    user_name: str = "",
) -> tuple[AccessKey, Credential]:
    """Return a fresh access key, and the credential to be stored. Raises SealBrokenError if its secret does not open again."""
    key_id = ids.make_access_key_id(kind, randomness.bytes(ids.ACCESS_KEY_ID_RANDOM_BYTES))
    secret = ids.make_secret(randomness.bytes(ids.SECRET_RANDOM_BYTES))
    owned = Credential(
        access_key_id=key_id, kind=kind, account_id=account_id, created_at_ms=now_ms, sealed_secret=b"", user_name=user_name
    )
    credential = key_ring.with_secret(owned, secret)
    if not hmac.compare_digest(key_ring.open_secret(credential), secret):
        raise SealBrokenError("the custodian did not return what it wrapped")
    return AccessKey(access_key_id=key_id, secret_access_key=secret), credential
