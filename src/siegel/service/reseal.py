"""Sealing a version's keys under another key of the key service: its bytes, its ETag and its times stay as they are.

The caller needs kms:Decrypt and kms:ReEncryptFrom of the key so far, and kms:GenerateDataKey, kms:Encrypt, kms:Decrypt and
kms:ReEncryptTo of the new one. S3 says that it asks for all of these, and not for which of them of which key.

Source: Amazon S3 API Reference, "UpdateObjectEncryption", "Permissions".
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from siegel.domain.entry import Entries
from siegel.domain.errors import AccessDeniedError, ConditionalRequestConflictError, InvalidRequestError
from siegel.domain.faultpoints import reach
from siegel.domain.objects import ObjectVersion, SealingMode, Storage
from siegel.domain.ports import MetaStore, Writer
from siegel.envelope.objectkeys import Flags, decode_settings, split_wrapped
from siegel.envelope.record import RecordKey
from siegel.service.asker import Asker
from siegel.service.heads import (
    open_head,
    open_part_checksums,
    place_of,
    replace_part_checksums,
    seal_head,
    seal_list_head,
    seal_part_checksums,
)
from siegel.service.keys import KeyRing
from siegel.service.kms.custody import Protection, Rekeying
from siegel.service.objectkeys import ObjectKeys
from siegel.service.versions import Target, bucket_now

_UNSUPPORTED = "The UpdateObjectEncryption operation does not support source objects with the encryption type DSSE-KMS or SSE-C."
_LOCKED = "The encryption type for the specified object can't be updated because that object is protected by S3 Object Lock."


class Resealer:
    """The use case UpdateObjectEncryption."""

    def __init__(self, store: MetaStore, keyring: KeyRing, object_keys: ObjectKeys) -> None:
        self._store = store
        self._keyring = keyring
        self._object_keys = object_keys

    async def reseal(
        self, target: Target, version: ObjectVersion, asker: Asker, protection: Protection, entry: Callable[[], Entries]
    ) -> None:
        """Seal the keys of a version, which was read with its body, under the newest material of a key.

        Raises InvalidRequestError (sealed in a way that cannot be changed), AccessDeniedError (locked, or no right on a key),
        ConditionalRequestConflictError (it was changed or removed meanwhile), what the key service raises of the keys,
        StorageError.
        """
        _check_lock(target, version)
        changed, body = await self._sealed_anew(target, version, asker, protection)

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            now = tx.objects.find_version(bucket.bucket_id, version.object_key, None if version.is_null else version.version_id)
            if now is None or (now.version_id, now.wrapped_key) != (version.version_id, version.wrapped_key):
                raise ConditionalRequestConflictError
            _check_lock(target, now)
            # Tags and locks may have changed meanwhile: they are no part of what was sealed anew.
            amended = replace(
                now,
                mode=changed.mode,
                etag=changed.etag,
                wrapped_key=changed.wrapped_key,
                sealed_head=changed.sealed_head,
            )
            tx.objects.amend(amended, body)

        reach("reseal.before_commit")
        await self._store.write(change, lambda _: entry())

    async def _sealed_anew(
        self, target: Target, version: ObjectVersion, asker: Asker, protection: Protection
    ) -> tuple[ObjectVersion, bytes | None]:
        """Return the version under its new key, and its body in the database where that changes too."""
        if version.mode is SealingMode.SSE_C:
            raise InvalidRequestError(_UNSUPPORTED)
        keys, bucket = target.keys, target.bucket
        place = place_of(bucket.account_id, version)
        rekeying = Rekeying(key_of(version) == (protection.settings.account_id, protection.settings.key_id))
        unwrapped = await self._object_keys.unwrap(keys, bucket, place, version, asker, rekeying=rekeying)
        if unwrapped.protection is not None and Flags.DSSE in unwrapped.protection.settings.flags:
            raise InvalidRequestError(_UNSUPPORTED)
        wrapped, head_secret = await self._object_keys.rewrap(
            keys, bucket, place, unwrapped, asker=asker, protection=protection, rekeying=rekeying
        )
        if version.mode is SealingMode.SSE_KMS:
            # The head key stays, and with it all that it seals.
            return replace(version, wrapped_key=wrapped), None
        head, head_key = open_head(keys.metadata, place, version), RecordKey(head_secret)
        # The ETag is the content's MD5, and must not rest in clear.
        etag = seal_list_head(keys.metadata, place, head, self._keyring.nonce())
        changed = replace(version, mode=SealingMode.SSE_KMS, etag=etag, wrapped_key=wrapped)
        changed = replace(changed, sealed_head=seal_head(head_key, place, changed, head, self._keyring.nonce()))
        if version.storage is not Storage.PARTS:
            return changed, None
        checksums = open_part_checksums(keys.metadata, place, version.body)
        sealed = seal_part_checksums(head_key, place, checksums, self._keyring.nonce())
        return changed, replace_part_checksums(version.body, sealed)


def key_of(version: ObjectVersion) -> tuple[str, str] | None:
    """Return account and id of the key that a version says it has, None if it has none. Raises SealBrokenError."""
    if version.mode is not SealingMode.SSE_KMS:
        return None
    settings = decode_settings(split_wrapped(version.wrapped_key)[0])
    return settings.account_id, settings.key_id


def encryption_context_of(version: ObjectVersion) -> Mapping[str, str]:
    """Return the customer's part of a version's encryption context, which the next key goes on with: policies ask for it.

    Nothing of it is proven before the version's keys are opened under it. Raises SealBrokenError.
    """
    if version.mode is not SealingMode.SSE_KMS:
        return {}
    return decode_settings(split_wrapped(version.wrapped_key)[0]).context


def _check_lock(target: Target, version: ObjectVersion) -> None:
    if replace(target.guard, may_bypass=False).forbids(version):
        raise AccessDeniedError(_LOCKED)
