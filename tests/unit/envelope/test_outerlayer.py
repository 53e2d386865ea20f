"""Outer layers of external key stores: as the format page says, and refused in any other form."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError
from siegel.domain.key_stores import OuterLayer
from siegel.envelope.outerlayer import decode_layer, encode_layer

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/kms/outer-layer.json").read_text(encoding="utf-8"))
LAYER = OuterLayer(b"sealed", bytes(12), bytes(16), b"m")


def by_the_page(vector):
    iv, metadata = bytes.fromhex(vector["iv"]), bytes.fromhex(vector["metadata"])
    return b"\x01" + bytes((len(iv), len(metadata))) + iv + metadata + bytes.fromhex(vector["tag"] + vector["ciphertext"])


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_vectors_are_what_the_page_says(vector):
    layer = OuterLayer(*(bytes.fromhex(vector[name]) for name in ("ciphertext", "iv", "tag", "metadata")))
    stored = bytes.fromhex(vector["stored"])
    assert by_the_page(vector) == encode_layer(layer) == stored
    assert decode_layer(stored) == layer


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused(vector):
    with pytest.raises(SealBrokenError):
        decode_layer(bytes.fromhex(vector["stored"]))


@given(st.binary(min_size=1, max_size=99), st.sampled_from([12, 16]), st.binary(max_size=20))
def test_what_was_stored_is_read_again(ciphertext, iv_bytes, metadata):
    layer = OuterLayer(ciphertext, bytes(iv_bytes), bytes(range(16)), metadata)
    assert decode_layer(encode_layer(layer)) == layer


@given(st.binary(max_size=80))
def test_anything_else_is_refused_or_read_exactly(stored):
    try:
        layer = decode_layer(stored)
    except SealBrokenError:
        return
    assert encode_layer(layer) == stored


@pytest.mark.parametrize(
    "layer",
    [
        OuterLayer(b"s", bytes(13), bytes(16), b""),
        OuterLayer(b"s", bytes(12), bytes(15), b""),
        OuterLayer(b"s", bytes(12), bytes(16), bytes(21)),
    ],
)
def test_what_no_proxy_may_answer_is_not_stored(layer):
    with pytest.raises(ValueError, match="not an outer layer"):
        encode_layer(layer)
