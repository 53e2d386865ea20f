"""Bucket policies: put, shown, removed, and read for decisions.

A policy names users and roles by their ARNs. When it is put, each of them must exist, and its unique id is kept beside the text:
a user who is removed and made again under the same name gets nothing from old policies (IAM User Guide, "IAM identifiers"). It
is shown with the ARNs that they have by then, and with the unique ids of those who are gone, which nobody can put again.
"""

import json
from typing import Final

from siegel.access.bucket_policy import check_bucket_policy
from siegel.access.evaluation import ResourceSide
from siegel.access.policy import Policy, PolicyKind, is_public, parse_policy, principals_of
from siegel.domain.absences import NoSuchBucketPolicyError
from siegel.domain.configuration import BucketPolicy, PublicAccessBlock
from siegel.domain.entry import Entry
from siegel.domain.errors import (
    AccessDeniedError,
    MalformedPolicyError,
    PolicyError,
    StorageError,
)
from siegel.domain.objects import Bucket
from siegel.domain.ports import MetaStore, Reader, Writer
from siegel.domain.records import Kind
from siegel.service.configurations import document_of, store_document
from siegel.service.principals import text_now, unique_id_of
from siegel.service.versions import Target, bucket_now

_NOTHING_BLOCKED: Final = PublicAccessBlock(
    block_public_acls=False, ignore_public_acls=False, block_public_policy=False, restrict_public_buckets=False
)


def read_resource_side(reader: Reader, bucket: Bucket) -> ResourceSide:
    """Return what a bucket says about who may use it. Raises StorageError where that cannot be read."""
    block = _read_block(reader, bucket.bucket_id)
    stored = _read_policy(reader, bucket.bucket_id)
    policy = None if stored is None else _parse_stored(stored)
    return ResourceSide(bucket.account_id, policy, restrict_public=block.restrict_public_buckets)


def _read_block(reader: Reader, bucket_id: int) -> PublicAccessBlock:
    return document_of(reader, bucket_id, Kind.PUBLIC_ACCESS_BLOCK, PublicAccessBlock) or _NOTHING_BLOCKED


def _read_policy(reader: Reader, bucket_id: int) -> BucketPolicy | None:
    return document_of(reader, bucket_id, Kind.POLICY, BucketPolicy)


def _parse_stored(document: BucketPolicy) -> Policy:
    try:
        return parse_policy(document.text, PolicyKind.BUCKET, bindings=dict(document.bindings))
    except PolicyError as error:
        raise StorageError(f"a stored bucket policy cannot be read: {error}") from error


class BucketPolicies:
    """The use cases of bucket policies."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    def text(self, bucket: Bucket) -> str:
        """Return the policy with its principals as they are called now. Raises NoSuchBucketPolicyError, StorageError."""
        reader = self._store.reader
        document = _read_policy(reader, bucket.bucket_id)
        if document is None:
            raise NoSuchBucketPolicyError(fields={"BucketName": bucket.name})
        return text_now(reader, document.text, document.bindings)

    def is_public(self, bucket: Bucket) -> bool:
        """Whether the policy makes the bucket public. Raises NoSuchBucketPolicyError."""
        self.text(bucket)
        policy = read_resource_side(self._store.reader, bucket).policy
        return policy is not None and is_public(policy)

    async def put(self, target: Target, body: bytes, entry: Entry) -> None:
        """Put a policy in place of the one that is there, if any.

        Raises MalformedPolicyError, AccessDeniedError for a public policy where the bucket blocks those, NoSuchBucketError.
        """
        text = _decode(body)

        def change(tx: Writer) -> None:
            bucket = bucket_now(tx, target)
            document, policy = self._bind(tx, bucket, text)
            if _read_block(tx, bucket.bucket_id).block_public_policy and is_public(policy):
                raise AccessDeniedError("Public policies are blocked by the BlockPublicPolicy setting of this bucket.")
            tx.invalidate()
            store_document(tx, bucket.bucket_id, Kind.POLICY, document)

        await self._store.write(change, entry)

    def _bind(self, reader: Reader, bucket: Bucket, text: str) -> tuple[BucketPolicy, Policy]:
        try:
            policy = parse_policy(text, PolicyKind.BUCKET)
            check_bucket_policy(policy, bucket.name)
            bindings: list[tuple[str, str]] = []
            for name in principals_of(policy):
                unique_id = unique_id_of(reader, name)
                if unique_id is None:
                    raise MalformedPolicyError("Invalid principal in policy", fields={"Detail": f'"AWS" : "{name}"'})
                bindings.append((name, unique_id))
            document = BucketPolicy(text=text, bindings=tuple(bindings))
            return document, parse_policy(text, PolicyKind.BUCKET, bindings=dict(bindings))
        except PolicyError as error:
            raise MalformedPolicyError(str(error)) from None


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
        json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedPolicyError("Policies must be valid JSON and the first byte must be '{'") from None
    return text
