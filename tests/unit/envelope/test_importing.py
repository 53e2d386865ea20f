"""Material that somebody brings along comes out as it was wrapped, or not at all."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from tests.gateway.imports import wrap

from siegel.domain.errors import SealBrokenError
from siegel.envelope.importing import (
    ImportWrapping,
    fingerprint,
    is_material,
    make_import_pair,
    unwrap_import,
    wrap_import,
)

MATERIAL = bytes(range(32))
WRAPPINGS = list(ImportWrapping)


@pytest.fixture(scope="module")
def pair():
    return make_import_pair(2048)


def test_a_pair_is_of_rsa_with_the_size_that_was_asked_for(pair):
    public = load_der_public_key(pair[1])
    assert isinstance(public, rsa.RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (2048, 65537)
    assert make_import_pair(2048)[1] != pair[1]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_what_was_wrapped_is_unwrapped(pair, wrapping):
    assert unwrap_import(wrapping, pair[0], wrap(wrapping, pair[1], MATERIAL)) == MATERIAL


def test_material_is_wrapped_here_as_elsewhere(pair):
    assert unwrap_import(ImportWrapping.OAEP_SHA_256, pair[0], wrap_import(pair[1], MATERIAL)) == MATERIAL
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(TypeError, match="RSA"):
        wrap_import(other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), MATERIAL)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("other", WRAPPINGS)
def test_another_wrapping_unwraps_nothing(pair, wrapping, other):
    if wrapping is not other:
        with pytest.raises(SealBrokenError):
            unwrap_import(other, pair[0], wrap(wrapping, pair[1], MATERIAL))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("place", [0, 100, 255, -1])
def test_a_flipped_bit_is_noticed(pair, wrapping, place):
    wrapped = bytearray(wrap(wrapping, pair[1], MATERIAL))
    wrapped[place] ^= 1
    with pytest.raises(SealBrokenError):
        unwrap_import(wrapping, pair[0], bytes(wrapped))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("length", [0, 1, 255, 257, 512])
def test_another_length_is_refused(pair, wrapping, length):
    with pytest.raises(SealBrokenError):
        unwrap_import(wrapping, pair[0], bytes(length))


@pytest.mark.parametrize("size", [16, 24])
def test_the_key_in_between_has_256_bits(pair, size):
    wrapped = wrap("RSA_AES_KEY_WRAP_SHA_256", pair[1], MATERIAL, b"w" * size)
    with pytest.raises(SealBrokenError):
        unwrap_import(ImportWrapping.AES_KEY_WRAP_SHA_256, pair[0], wrapped)


def test_what_is_wrapped_for_another_pair_does_not_unwrap(pair):
    other = make_import_pair(2048)
    for wrapping in WRAPPINGS:
        with pytest.raises(SealBrokenError):
            unwrap_import(wrapping, other[0], wrap(wrapping, pair[1], MATERIAL))


def test_a_pair_that_was_made_here_is_not_proven_again():
    """A transaction waits for it, and with it everybody who writes."""
    private, public = make_import_pair(3072)
    wrapped = wrap("RSAES_OAEP_SHA_256", public, MATERIAL)

    def shortest_s(work):
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
        return min(times)

    unwrapping_s = shortest_s(lambda: unwrap_import(ImportWrapping.OAEP_SHA_256, private, wrapped))
    assert unwrapping_s < shortest_s(lambda: load_der_private_key(private, None)) / 2


def test_a_pair_of_another_kind_is_refused():
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(SealBrokenError):
        unwrap_import(ImportWrapping.OAEP_SHA_256, private, b"x")


def test_a_fingerprint_tells_the_same_material_for_the_same_key_alone():
    known = fingerprint(MATERIAL, "key-1")
    assert fingerprint(MATERIAL, "key-1") == known
    assert fingerprint(MATERIAL, "key-2") != known
    assert fingerprint(MATERIAL[::-1], "key-1") != known
    assert MATERIAL not in known


def test_material_has_256_bits():
    assert [is_material(bytes(size)) for size in (0, 16, 31, 32, 33)] == [False, False, False, True, False]
