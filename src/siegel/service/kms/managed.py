"""The key of an account that S3 uses where no other is named: `alias/aws/s3`, made when it is first needed.

Nobody has rights on it but to look at it: its policy allows its use through S3 alone, to everybody of the account whom S3 lets.

Source: AWS KMS Developer Guide, "AWS managed keys"; the policy is that of AWS's own key.
"""

import json
from contextlib import suppress
from typing import Final
from uuid import UUID

from siegel.domain.entry import Entry
from siegel.domain.kms_errors import KmsAlreadyExistsError
from siegel.domain.ports import MetaStore, Writer
from siegel.domain.wrapping_keys import AWS_MANAGED, KeyAlias, WrappingKey, key_arn
from siegel.service.kms.keybook import KeyBookWriter
from siegel.service.kms.material import Materials
from siegel.service.trail import Trail

MANAGED_ALIAS: Final = "alias/aws/s3"
CREATED: Final = "kms.create_key"
_ID_BYTES: Final = 16
_DAY_MS: Final = 24 * 3600 * 1000
_ROTATION_DAYS: Final = 365
_DESCRIPTION: Final = "Default key that protects my S3 objects when no other key is defined"


def via_service(region: str) -> str:
    """Return what `kms:ViaService` says of S3."""
    return f"s3.{region}.amazonaws.com"


def managed_policy(account_id: str, region: str) -> str:
    """Return the policy of an account's key for S3."""
    through_s3 = {
        "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": via_service(region), "kms:CallerAccount": account_id}},
    }
    metadata = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "auto-s3-2", "Statement": [through_s3, metadata]}, indent=2)


class ManagedKeys:
    """Makes these keys."""

    def __init__(self, store: MetaStore, materials: Materials, region: str) -> None:
        self._store = store
        self._materials = materials
        self._region = region

    async def create(self, account_id: str, trail: Trail) -> None:
        """Make the key of an account, unless another request has meanwhile. Raises StorageError."""
        key_id = str(UUID(bytes=self._materials.randomness.bytes(_ID_BYTES), version=4))
        at_ms = trail.at_ms
        key = WrappingKey(
            key_id=key_id,
            created_at_ms=at_ms,
            description=_DESCRIPTION,
            policy_text=managed_policy(account_id, self._region),
            rotation_days=_ROTATION_DAYS,
            rotates_at_ms=at_ms + _ROTATION_DAYS * _DAY_MS,
            materials=(self._materials.make(account_id, key_id, 1, at_ms=at_ms),),
            manager=AWS_MANAGED,
        )

        def change(tx: Writer) -> None:
            book = KeyBookWriter(tx, account_id)
            if book.find_alias(MANAGED_ALIAS) is not None:
                raise KmsAlreadyExistsError
            book.put_key(key)
            book.put_alias(KeyAlias(name=MANAGED_ALIAS, key_id=key_id, created_at_ms=at_ms, updated_at_ms=at_ms))
            tx.invalidate()

        arn = key_arn(self._region, account_id, key_id)
        entry = Entry(at_ms, trail.request_id, CREATED, account_id, trail.caller.arn, "", arn, source=trail.source)
        with suppress(KmsAlreadyExistsError):
            await self._store.write(change, entry)
