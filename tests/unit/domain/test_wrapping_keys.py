import msgspec
import pytest

from siegel.domain.errors import StorageError
from siegel.domain.records import decode_document, encode_document
from siegel.domain.wrapping_keys import (
    Grant,
    KeyAlias,
    KeyState,
    Material,
    RetirableGrant,
    WrappingKey,
    alias_arn,
    key_arn,
)

VECTORS = {
    "dc001601a1 6b05a1 64a1 50 90 90 c3 00 00 00 00 9197 01 c40173 05 a0c40000a0 a8 435553544f4d4552 a0a0 c2 c400 00 a0"
    "00 c0": WrappingKey(key_id="k", created_at_ms=5, description="d", policy_text="P", materials=(Material(1, b"s", 5),)),
    "9501a7 616c6961732f61 a1 6b 05 06": KeyAlias(name="alias/a", key_id="k", created_at_ms=5, updated_at_ms=6),
    "9c01a1 67a1 6ba1 6e 05 a1 69a1 61a0 90 91a1 45 a0 90": Grant(
        grant_id="g", key_id="k", name="n", created_at_ms=5, issuer="i", grantee="a", operations=("E",)
    ),
    "9501a1 31a1 6ba1 67a1 72": RetirableGrant(account_id="1", key_id="k", grant_id="g", retiring="r"),
}


@pytest.mark.parametrize(("stored", "document"), VECTORS.items(), ids=lambda value: type(value).__name__)
def test_documents_rest_as_the_page_says(stored, document):
    assert encode_document(document).hex() == stored.replace(" ", "")
    assert decode_document(bytes.fromhex(stored), type(document)) == document
    with pytest.raises(StorageError):
        decode_document(msgspec.msgpack.encode([2]), type(document))


def test_a_key_that_was_stored_before_there_were_key_stores_is_one_of_this_deployment():
    older = "9d01a1 6b05a1 64a1 50 90 90 c3 00 00 00 00 91 94 01 c401 73 05 a0".replace(" ", "")
    assert decode_document(bytes.fromhex(older), WrappingKey).is_external is False
    assert WrappingKey(key_id="k", key_store_id="cks-1", external_key_id="e").is_external is True


def test_the_state_of_a_key():
    key = WrappingKey(key_id="k")
    assert key.state is KeyState.ENABLED
    assert msgspec.structs.replace(key, is_enabled=False).state is KeyState.DISABLED
    assert msgspec.structs.replace(key, deletes_at_ms=1).state is KeyState.PENDING_DELETION
    waiting = WrappingKey(key_id="k", is_imported=True)
    assert waiting.state is KeyState.PENDING_IMPORT
    assert msgspec.structs.replace(waiting, is_enabled=False).state is KeyState.PENDING_IMPORT
    assert msgspec.structs.replace(waiting, deletes_at_ms=1).state is KeyState.PENDING_DELETION
    filled = msgspec.structs.replace(waiting, materials=(Material(1, b"s", 5),))
    assert filled.state is KeyState.ENABLED


def test_a_key_with_imported_materials_waits_for_each_of_them():
    first, second = Material(1, b"s", 5, fingerprint=b"f"), Material(2, b"t", 6, fingerprint=b"g", expires_at_ms=9)
    one = WrappingKey(key_id="k", is_imported=True).with_material(first)
    assert (one.state, one.materials, one.pending) == (KeyState.ENABLED, (first,), None)
    two = one.with_material(second)
    assert (two.state, two.materials, two.pending, two.expires_at_ms) == (KeyState.ENABLED, (first,), second, 9)
    assert two.known_materials == (first, second)
    assert two.without_material(2) == two.without_expired(9) == one
    assert two.without_expired(8) == two
    rotated = two.with_materials((first, second), None)
    expired = rotated.without_expired(9)
    assert (expired.state, expired.materials) == (KeyState.PENDING_IMPORT, (first, second.gone()))
    assert expired.with_material(second) == rotated
    assert rotated.without_material(1).state is KeyState.PENDING_IMPORT


@pytest.mark.parametrize("materials", [(Material(1, b"s", 5),), ()], ids=["there", "gone"])
def test_a_key_that_was_stored_before_it_could_have_several_imported_materials_has_its_one(materials):
    now = {"expires_at_ms": 9 if materials else 0}
    older = WrappingKey(key_id="k", created_at_ms=5, is_imported=True, materials=materials, fingerprint=b"f", **now)
    older = msgspec.structs.replace(older, material_description="d")
    (material,) = older.upgraded().materials
    assert (material.number, material.fingerprint, material.description) == (1, b"f", "d")
    assert (material.sealed, material.expires_at_ms) == ((b"s", 9) if materials else (b"", 0))
    assert older.upgraded().state is (KeyState.ENABLED if materials else KeyState.PENDING_IMPORT)
    assert older.upgraded().upgraded() == older.upgraded()


def test_arns():
    assert key_arn("r", "1", "k") == "arn:aws:kms:r:1:key/k"
    assert alias_arn("r", "1", "alias/a") == "arn:aws:kms:r:1:alias/a"
