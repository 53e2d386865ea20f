"""Ciphertexts of the key service: recomputed from the format page alone, and refused when anything is changed."""

import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError
from siegel.envelope import keyblob
from siegel.envelope.keyblob import (
    BLOB_RANDOM_BYTES,
    BlobHead,
    encode_encryption_context,
    external_layer,
    join_external,
    open_blob,
    read_blob_head,
    seal_blob,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/kms/blob.json").read_text(encoding="utf-8"))
HEAD = BlobHead("111122223333", "1c9b2f6e-5b0e-4d0a-9a53-0a6f5c0e9d11", 3)
MATERIAL = b"m" * 32
RANDOM = bytes(range(28))


def by_the_page(material, head, plaintext, context, random):
    """Seal as docs/design/formats/kms.md says, with nothing of the code under test."""
    front = b"SGB\x01" + int(head.account_id).to_bytes(8, "big") + bytes.fromhex(head.key_id.replace("-", ""))
    front += head.material.to_bytes(4, "big")
    salt, nonce = random[:16], random[16:]
    info = b"siegel derive v1" + b"\x0b" + b"\x00\x10" + b"key service" + salt
    key = hmac.digest(material, info + b"\x01", "sha512")[:32]
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    canonical = b"".join(len(text).to_bytes(2, "big") + text for pair in pairs for text in pair)
    sealed = AESGCM(key).encrypt(nonce, plaintext, b"siegel key service v1\x00" + front + canonical)
    return front + salt + b"\x01" + nonce + sealed


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_vectors_are_what_the_page_says(vector):
    head = BlobHead(vector["account_id"], vector["key_id"], vector["material_number"])
    material, plaintext, random = (bytes.fromhex(vector[name]) for name in ("material", "plaintext", "random"))
    blob = bytes.fromhex(vector["blob"])
    assert by_the_page(material, head, plaintext, vector["context"], random) == blob
    assert seal_blob(material, head, plaintext, vector["context"], random) == blob
    assert read_blob_head(blob) == head
    assert open_blob(material, blob, vector["context"]) == plaintext
    assert encode_encryption_context(vector["context"]).hex() == vector["canonical_context"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_do_not_open(vector):
    with pytest.raises(SealBrokenError):
        open_blob(bytes.fromhex(vector["material"]), bytes.fromhex(vector["blob"]), vector["context"])


@given(st.binary(max_size=100), st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4))
def test_what_was_sealed_opens_again(plaintext, context):
    blob = seal_blob(MATERIAL, HEAD, plaintext, context, RANDOM)
    assert open_blob(MATERIAL, blob, dict(reversed(context.items()))) == plaintext


@given(*[st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)] * 2)
def test_no_two_contexts_are_one(first, second):
    assert (encode_encryption_context(first) == encode_encryption_context(second)) == (first == second)


def test_every_flipped_bit_is_noticed():
    blob = seal_blob(MATERIAL, HEAD, b"secret", {"k": "v"}, RANDOM)
    for bit in range(len(blob) * 8):
        broken = bytearray(blob)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError):
            open_blob(MATERIAL, bytes(broken), {"k": "v"})


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="28 random bytes"):
        seal_blob(MATERIAL, HEAD, b"x", {}, bytes(BLOB_RANDOM_BYTES - 1))
    with pytest.raises(ValueError, match="shorter"):
        encode_encryption_context({"k": "v" * 65_536})


def test_a_ciphertext_that_opened_to_something_else_never_leaves(monkeypatch):
    monkeypatch.setattr(keyblob, "open_blob", lambda *_: b"other")
    with pytest.raises(SealBrokenError, match="something else"):
        seal_blob(MATERIAL, HEAD, b"x", {}, RANDOM)


def test_a_ciphertext_under_an_outer_layer_names_its_key_alone():
    head = BlobHead(HEAD.account_id, HEAD.key_id)
    blob = join_external(head, b"layer")
    assert blob.hex() == "53475801" + "00000019df6690e5" + HEAD.key_id.replace("-", "") + b"layer".hex()
    assert read_blob_head(blob) == head
    assert (head.is_external, HEAD.is_external) == (True, False)
    assert external_layer(blob) == b"layer"
    with pytest.raises(SealBrokenError, match="outer layer"):
        open_blob(MATERIAL, blob, {})


@pytest.mark.parametrize(
    "blob",
    [
        join_external(BlobHead(HEAD.account_id, HEAD.key_id), b""),
        join_external(BlobHead("1" * 13, HEAD.key_id), bytes(90)),
        b"SGX\x02" + bytes(90),
        b"SGB\x01" + bytes(90),
    ],
)
def test_what_names_no_key_is_no_ciphertext(blob):
    with pytest.raises(SealBrokenError):
        read_blob_head(blob)
