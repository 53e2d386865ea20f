import msgspec
import pytest

from siegel.domain.configuration import BucketEncryption, BucketPolicy, OwnershipControls, PublicAccessBlock, Tagging
from siegel.domain.errors import StorageError
from siegel.domain.records import account_scope, bucket_scope, decode_document, encode_document

VECTORS = {
    "9501c3c3c3c3": PublicAccessBlock(),
    "9201b34275636b65744f776e6572456e666f72636564": OwnershipControls(),
    "9401a6414553323536c2a0": BucketEncryption(),
    "92019192a16ba176": Tagging(tags=(("k", "v"),)),
}


@pytest.mark.parametrize(("stored", "document"), VECTORS.items(), ids=lambda value: type(value).__name__)
def test_documents_rest_as_the_page_says(stored, document):
    assert encode_document(document).hex() == stored
    assert decode_document(bytes.fromhex(stored), type(document)) == document


def test_a_policy_comes_back_with_its_bindings():
    policy = BucketPolicy(text="{}", bindings=(("arn:aws:iam::1:user/a", "id"),))
    assert decode_document(encode_document(policy), BucketPolicy) == policy


def test_missing_elements_have_their_defaults_and_further_ones_are_ignored():
    assert decode_document(msgspec.msgpack.encode([1, False]), PublicAccessBlock) == PublicAccessBlock(block_public_acls=False)
    assert decode_document(bytes.fromhex("9301a6414553323536c2"), BucketEncryption) == BucketEncryption()
    assert decode_document(msgspec.msgpack.encode([1, "x", "later"]), OwnershipControls).object_ownership == "x"


@pytest.mark.parametrize("stored", [b"", b"\xff", msgspec.msgpack.encode([2, True]), msgspec.msgpack.encode([1, 5]), b"\x91"])
def test_t33_a_document_that_cannot_be_read_is_never_taken_for_absent(stored):
    with pytest.raises(StorageError):
        decode_document(stored, PublicAccessBlock)


def test_scopes_of_buckets_and_accounts_never_meet():
    assert bucket_scope(12) == "bucket/12"
    assert account_scope("000000000012") == "account/000000000012"
