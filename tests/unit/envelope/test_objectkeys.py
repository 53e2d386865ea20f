"""The keys of objects under the key service: recomputed from the format page alone, and refused when anything is changed."""

import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import SealBrokenError
from siegel.envelope.context import Place
from siegel.envelope.derive import Label, derive_bucket_key
from siegel.envelope.objectkeys import (
    Flags,
    Settings,
    bind,
    decode_settings,
    encode_number,
    encode_settings,
    join_wrapped,
    open_secrets,
    seal_local,
    seal_secrets,
    split_local,
    split_secrets,
    split_wrapped,
)
from siegel.envelope.record import RecordKey

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/kms/objectkeys.json").read_text(encoding="utf-8"))
KEY_ID = "1c9b2f6e-5b0e-4d0a-9a53-0a6f5c0e9d11"
SETTINGS = Settings("111122223333", KEY_ID, Flags.BUCKET_KEY, {"department": "ten"})
PLACE = Place("444455556666", 7, "some/key", b"v" * 16)
SECRETS = bytes(range(64))
WRAPPING = RecordKey(b"w" * 32)
LAYER = RecordKey(b"l" * 32)
NONCE = b"n" * 12


def vector_values(vector):
    settings = Settings(vector["account_id"], vector["key_id"], Flags(vector["flags"]), vector["context"])
    place = Place(vector["place_account_id"], vector["bucket_id"], vector["object_key"], bytes.fromhex(vector["version_id"]))
    names = ("wrapping_key", "material", "secrets", "inner_nonce", "outer_nonce")
    return settings, place, *(bytes.fromhex(vector[name]) for name in names)


def by_the_page(vector):
    """Seal as docs/design/formats/kms.md says, with nothing of the code under test."""
    settings, place, wrapping, material, secrets, inner_nonce, outer_nonce = vector_values(vector)
    pairs = sorted((name.encode(), value.encode()) for name, value in settings.context.items())
    encoded = int(settings.account_id).to_bytes(8, "big") + bytes.fromhex(settings.key_id.replace("-", ""))
    encoded += bytes([vector["flags"]]) + b"".join(len(text).to_bytes(2, "big") + text for pair in pairs for text in pair)
    account, object_key = place.account_id.encode(), place.object_key.encode()
    bound = b"SIEGEL-CTX\x01" + b"\x0a" + place.bucket_id.to_bytes(8, "big")
    bound += b"".join(len(text).to_bytes(2, "big") for text in (account, object_key, place.version_id))
    bound += account + object_key + place.version_id + encoded
    info = b"siegel derive v1" + b"\x12" + b"\x00\x08" + b"key service bucket" + place.bucket_id.to_bytes(8, "big")
    layer = hmac.digest(material, info + b"\x01", "sha512")[:32]
    inner = b"\x01" + inner_nonce + AESGCM(wrapping).encrypt(inner_nonce, secrets, bound)
    outer = b"\x01" + outer_nonce + AESGCM(layer).encrypt(outer_nonce, inner, bound)
    outer = b"\x01" + vector["material_number"].to_bytes(4, "big") + outer
    return b"\xe1" + len(encoded).to_bytes(2, "big") + encoded + outer


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_vectors_are_what_the_page_says(vector):
    settings, place, wrapping, material, secrets, inner_nonce, outer_nonce = vector_values(vector)
    encoded = encode_settings(settings)
    bound = bind(place, encoded)
    layer = RecordKey(derive_bucket_key(material, Label.KEY_SERVICE_BUCKET, place.bucket_id))
    inner = seal_secrets(RecordKey(wrapping), secrets, bound, inner_nonce)
    wrapped = join_wrapped(encoded, seal_local(layer, encode_number(vector["material_number"]), inner, bound, outer_nonce))
    assert wrapped.hex() == by_the_page(vector).hex() == vector["wrapped"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_do_not_open(vector):
    _, place, wrapping, material, *_ = vector_values(vector)
    with pytest.raises(SealBrokenError):
        opened(bytes.fromhex(vector["wrapped"]), place, RecordKey(wrapping), material)


def opened(wrapped, place, wrapping, material):
    encoded, outer = split_wrapped(wrapped)
    decode_settings(encoded)
    bound = bind(place, encoded)
    number, sealed = split_local(outer)
    assert len(number) == 4
    layer = RecordKey(derive_bucket_key(material, Label.KEY_SERVICE_BUCKET, place.bucket_id))
    return open_secrets(wrapping, layer.open(sealed, bound), bound)


@given(
    st.integers(0, 10**12 - 1),
    st.uuids(),
    st.sampled_from([Flags.NONE, Flags.DSSE, Flags.BUCKET_KEY, Flags.DSSE | Flags.BUCKET_KEY]),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4),
)
def test_settings_are_read_again(account, key_id, flags, context):
    settings = Settings(f"{account:012}", str(key_id), flags, context)
    assert decode_settings(encode_settings(settings)) == settings
    assert split_wrapped(join_wrapped(encode_settings(settings), b"outer")) == (encode_settings(settings), b"outer")


def test_every_flipped_bit_is_noticed():
    material = b"m" * 32
    encoded = encode_settings(SETTINGS)
    bound = bind(PLACE, encoded)
    layer = RecordKey(derive_bucket_key(material, Label.KEY_SERVICE_BUCKET, PLACE.bucket_id))
    outer = seal_local(layer, encode_number(1), seal_secrets(WRAPPING, SECRETS, bound, NONCE), bound, NONCE)
    wrapped = join_wrapped(encoded, outer)
    assert opened(wrapped, PLACE, WRAPPING, material) == SECRETS
    # The number of the material is proven by whose material opens it.
    number = range((3 + len(encoded) + 1) * 8, (3 + len(encoded) + 5) * 8)
    for bit in set(range(len(wrapped) * 8)) - set(number):
        broken = bytearray(wrapped)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBrokenError):
            opened(bytes(broken), PLACE, WRAPPING, material)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        encode_settings(SETTINGS)[:24],
        (10**12).to_bytes(8, "big") + bytes(17),
        bytes(24) + b"\x04",
        bytes(25) + b"\x00",
        bytes(25) + b"\x00\x05name",
        bytes(25) + b"\x00\x01\xff\x00\x00",
        bytes(25) + b"\x00\x01n",
    ],
)
def test_settings_of_another_form_are_refused(encoded):
    with pytest.raises(SealBrokenError):
        decode_settings(encoded)


@pytest.mark.parametrize("wrapped", [b"", b"\xe1\x00\x00", b"\xe2\x00\x00x", b"\xe1\x00\x02ab", b"\xe1\x00\x05ab"])
def test_what_is_no_wrap_is_refused(wrapped):
    with pytest.raises(SealBrokenError):
        split_wrapped(wrapped)


@pytest.mark.parametrize("outer", [b"", b"\x01\x00\x00\x00", b"\x02\x00\x00\x00\x01record"])
def test_an_outer_layer_of_another_custody_is_refused(outer):
    with pytest.raises(SealBrokenError):
        split_local(outer)


def test_secrets_are_a_data_key_and_a_head_key():
    assert split_secrets(SECRETS) == (SECRETS[:32], SECRETS[32:])


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="32 bytes"):
        seal_secrets(WRAPPING, SECRETS[:63], b"", NONCE)
    with pytest.raises(ValueError, match="shorter"):
        join_wrapped(bytes(65536), b"x")
    with pytest.raises(SealBrokenError):
        open_secrets(WRAPPING, WRAPPING.seal(SECRETS[:32], b"", NONCE), b"")


class Faulty(RecordKey):
    """A processor that opens to something else."""

    def open(self, sealed, context):
        return bytes(reversed(super().open(sealed, context)))


def test_a_wrap_that_opens_to_something_else_is_never_handed_out():
    with pytest.raises(SealBrokenError):
        seal_secrets(Faulty(b"w" * 32), SECRETS, b"", NONCE)
    with pytest.raises(SealBrokenError):
        seal_local(Faulty(b"w" * 32), bytes(4), b"inner", b"", NONCE)
