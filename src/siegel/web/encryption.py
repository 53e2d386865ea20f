"""How an object is sealed: what a write asks for, what answers say of it, and who asks for a key."""

from typing import Final

from msgspec import Struct

from siegel.access.caller import CallerKind
from siegel.domain.configuration import BucketEncryption
from siegel.domain.errors import InvalidArgumentError
from siegel.domain.records import Kind
from siegel.s3wire.encryption import ALGORITHM, ENCRYPTION_HEADER, CustomerKey
from siegel.s3wire.keywish import KEY_ID_HEADER, context_headers, parse_key_wish, unsigned
from siegel.service.asker import Asker
from siegel.service.kms.custody import Protection
from siegel.web.call import Call, UseCases, customer_key_for_writing
from siegel.web.exchange import HeaderList, encode_headers

_SSE_S3: Final = (ENCRYPTION_HEADER.encode(), ALGORITHM.encode())
_NO_DEFAULT: Final = BucketEncryption()


class Sealing(Struct, frozen=True):
    """How a write is to be sealed: under the request's own key (SSE-C), one of the key service, or the account's."""

    asker: Asker
    customer_key: CustomerKey | None = None
    protection: Protection | None = None

    @property
    def shows_md5(self) -> bool:
        """Whether the object's ETag is the MD5 of its content."""
        return self.customer_key is None and self.protection is None

    def headers(self) -> HeaderList:
        """Return the headers that tell how the object was sealed, its encryption context included."""
        told = encryption_headers(self.customer_key, self.protection)
        if self.protection is None or not self.protection.settings.context:
            return told
        return told + encode_headers(context_headers(self.protection.settings.context))


async def wanted_sealing(cases: UseCases, call: Call) -> Sealing:
    """Return how a write is to be sealed, as it asks for or else as its bucket is configured.

    Raises what is wrong with its headers, AccessDeniedError where the bucket accepts no customers' keys, and what finding a
    key of the key service raises.
    """
    key = customer_key_for_writing(cases, call)
    asker = asked_by(call, key)
    default = cases.directory.document(call.bucket, Kind.ENCRYPTION, BucketEncryption)
    wish = parse_key_wish(call.request.headers, _NO_DEFAULT if default is None or key is not None else default)
    if wish is None:
        return Sealing(asker, key)
    if call.caller.kind is CallerKind.ANONYMOUS:
        raise unsigned()
    account_id = call.bucket.account_id if wish.of_bucket else call.caller.account_id
    return Sealing(asker, None, await cases.key_names.find(wish, account_id, call.trail))


def check_same_seal(call: Call, told: HeaderList) -> None:
    """Raise InvalidArgumentError where a part asks to be sealed in another way than its upload, of which answers say `told`."""
    headers, known = call.request.headers, {name.decode(): value.decode() for name, value in told}
    asked, key_name = headers.get(ENCRYPTION_HEADER), headers.get(KEY_ID_HEADER)
    arn = known.get(KEY_ID_HEADER, "")
    if asked is not None and asked != known.get(ENCRYPTION_HEADER):
        raise _other_seal(ENCRYPTION_HEADER, asked)
    if key_name is not None and key_name not in {arn, arn.rpartition("/")[2]}:
        raise _other_seal(KEY_ID_HEADER, key_name)


def _other_seal(header: str, asked: str) -> InvalidArgumentError:
    fields = {"ArgumentName": header, "ArgumentValue": asked}
    return InvalidArgumentError("A part is sealed as its upload was created to be, and in no other way.", fields=fields)


def asked_by(call: Call, key: CustomerKey | None = None) -> Asker:
    """Return who asks for something that is there, with the key that the request brings."""
    return Asker(call.verified, call.trail, None if key is None else key.key)


def encryption_headers(key: CustomerKey | None, protection: Protection | None) -> HeaderList:
    """Return the headers that tell how an object is sealed."""
    if protection is not None:
        return [*protection.headers]
    return [_SSE_S3] if key is None else encode_headers(key.to_headers())
