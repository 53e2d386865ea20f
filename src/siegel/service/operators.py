"""The provider's own staff: their keys open the admin port, and nothing else knows them."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

from siegel.access.caller import Caller, CallerKind
from siegel.domain.consents import ConsentPlace
from siegel.domain.errors import InvalidAccessKeyIdError
from siegel.domain.objects import CredentialKind
from siegel.domain.ports import MetaStore
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, decode_document
from siegel.s3wire.sigv4 import Claim, signing_key
from siegel.service.keys import KeyRing

_ID: Final = re.compile(r"[0-9]{12}|[0-9a-f]{16}", re.ASCII)
# Whoever has proven nothing may write as many into one request as its path can hold.
_IDS_MAX: Final = 4


class Operators:
    """Finds operators by what they claim."""

    def __init__(self, store: MetaStore, key_ring: KeyRing) -> None:
        self._identities = store.reader.identities
        self._records = store.reader.records
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

    def find_named(self, words: Iterable[str]) -> tuple[str, str]:
        """Return the account that a request names in the first of `words` that is an id, and the consent if it is one's.

        Both are empty where there is no such account and no such consent. Raises StorageError.
        """
        for word in islice(filter(_ID.fullmatch, words), _IDS_MAX):
            if self._identities.find_account(word) is not None:
                return word, ""
            place = self._records.find(DEPLOYMENT_SCOPE, Kind.CONSENT_PLACE, word)
            if place is not None:
                return decode_document(place, ConsentPlace).account_id, word
        return "", ""


def operator_caller(access_key_id: str) -> Caller:
    """Return an operator whose signature holds, as the ledger shows him."""
    return Caller(kind=CallerKind.OPERATOR, account_id="", access_key_id=access_key_id, arn=f"operator/{access_key_id}")
