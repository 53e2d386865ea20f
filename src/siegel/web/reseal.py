"""Handler of UpdateObjectEncryption: another key for an object that is there."""

from typing import Final

from siegel.access.caller import CallerKind
from siegel.domain.entry import Entries
from siegel.domain.errors import AccessDeniedError, InvalidRequestError
from siegel.s3wire.encryptionxml import parse_object_encryption
from siegel.s3wire.keywish import KeyWish
from siegel.service.opened import version_text
from siegel.service.reseal import encryption_context_of
from siegel.web.call import Call, UseCases
from siegel.web.configurations import read_body
from siegel.web.encryption import asked_by
from siegel.web.exchange import Exchange
from siegel.web.objects import version_headers

_UNSIGNED: Final = "Requests that modify an object encryption configuration require AWS Signature Version 4."
_FOREIGN: Final = "The AWS KMS key in the request must be owned by the same account as the bucket."


async def update_object_encryption(cases: UseCases, call: Call, exchange: Exchange) -> None:
    """UpdateObjectEncryption."""
    wanted = parse_object_encryption(await read_body(cases, call, exchange))
    if call.caller.kind is CallerKind.ANONYMOUS:
        raise InvalidRequestError(_UNSIGNED)
    request, bucket = call.request, call.bucket
    version = cases.getter.find(bucket, request.object_key, request.query.get("versionId"))
    wish = KeyWish(
        wanted.key_arn, is_dsse=False, with_bucket_key=wanted.bucket_key_enabled, context=encryption_context_of(version)
    )
    protection = await cases.key_names.find(wish, call.caller.account_id, call.trail)
    if protection.settings.account_id != bucket.account_id:
        raise AccessDeniedError(_FOREIGN)

    def entries() -> Entries:
        return call.trail.entries(200, version_id=version_text(version))

    await cases.resealer.reseal(cases.putter.target(bucket), version, asked_by(call), protection, entries)
    await exchange.answer(200, version_headers(bucket, version_text(version)))


HANDLERS: Final = {"UpdateObjectEncryption": update_object_encryption}
