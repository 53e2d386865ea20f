"""The provider's own staff: their keys open the admin port, and nothing else knows them."""

from siegel.domain.errors import InvalidAccessKeyIdError
from siegel.domain.objects import CredentialKind
from siegel.domain.ports import MetaStore
from siegel.s3wire.sigv4 import Claim, signing_key
from siegel.service.keys import KeyRing


class Operators:
    """Finds operators by what they claim."""

    def __init__(self, store: MetaStore, key_ring: KeyRing) -> None:
        self._identities = store.reader.identities
        self._key_ring = key_ring

    def signing_key(self, claim: Claim) -> bytes:
        """Return the key that an operator's claim must have been signed with.

        Raises InvalidAccessKeyIdError for the keys of customers too: nothing but an operator's key is one here.
        """
        credential = self._identities.find_credential(claim.access_key_id)
        if credential is None or credential.kind is not CredentialKind.OPERATOR or not credential.is_active:
            raise InvalidAccessKeyIdError(fields={"AWSAccessKeyId": claim.access_key_id})
        secret = self._key_ring.open_secret(credential)
        return signing_key(secret, claim.date, claim.region, claim.service)
