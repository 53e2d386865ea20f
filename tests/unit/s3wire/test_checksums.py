"""Checksums: against other implementations, against botocore, and their forms on the wire."""

import hashlib
import zlib
from base64 import b64encode

import pytest
import xxhash
from botocore import httpchecksum
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidRequestError
from siegel.s3wire.checksums import (
    ALLOWED_TYPES,
    BY_ELEMENT,
    BY_HEADER,
    Algorithm,
    Checksum,
    ChecksumType,
    choose_type,
    combine,
    composite,
    decode_digest,
    encode_digest,
    new_hasher,
    parse_algorithm,
    parse_digest,
    parse_object_checksum,
)

BOTOCORE = {
    Algorithm.CRC32: httpchecksum.Crc32Checksum,
    Algorithm.CRC32C: httpchecksum.CrtCrc32cChecksum,
    Algorithm.CRC64NVME: httpchecksum.CrtCrc64NvmeChecksum,
    Algorithm.SHA1: httpchecksum.Sha1Checksum,
    Algorithm.SHA256: httpchecksum.Sha256Checksum,
    Algorithm.SHA512: httpchecksum.Sha512Checksum,
    Algorithm.XXHASH64: httpchecksum.CrtXxhash64Checksum,
    Algorithm.XXHASH3: httpchecksum.CrtXxhash3Checksum,
    Algorithm.XXHASH128: httpchecksum.CrtXxhash128Checksum,
}
CRCS = (Algorithm.CRC32, Algorithm.CRC32C, Algorithm.CRC64NVME)


def digest_of(algorithm, data):
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.digest()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_known_answers_of_the_standard_nine_digits(algorithm):
    data = b"123456789"
    expected = {
        Algorithm.CRC32: zlib.crc32(data).to_bytes(4, "big"),
        Algorithm.CRC32C: bytes.fromhex("e3069283"),  # RFC 3720, B.4 and the CRC catalogue
        Algorithm.CRC64NVME: bytes.fromhex("ae8b14860a799888"),  # the CRC catalogue
        Algorithm.SHA1: hashlib.sha1(data).digest(),
        Algorithm.SHA256: hashlib.sha256(data).digest(),
        Algorithm.SHA512: hashlib.sha512(data).digest(),
        Algorithm.MD5: hashlib.md5(data).digest(),
        Algorithm.XXHASH64: xxhash.xxh64(data).digest(),
        Algorithm.XXHASH3: xxhash.xxh3_64(data).digest(),
        Algorithm.XXHASH128: xxhash.xxh3_128(data).digest(),
    }
    assert digest_of(algorithm, data) == expected[algorithm]
    assert len(expected[algorithm]) == algorithm.digest_bytes


@pytest.mark.parametrize("algorithm", Algorithm)
@given(pieces=st.lists(st.binary(max_size=200), max_size=5), kind=st.sampled_from([bytes, bytearray, memoryview]))
def test_pieces_of_any_buffer_give_the_checksum_of_the_whole(algorithm, pieces, kind):
    hasher = new_hasher(algorithm)
    for piece in pieces:
        hasher.update(kind(piece))
    whole = b"".join(pieces)
    assert hasher.digest() == digest_of(algorithm, whole)
    assert hasher.digest() == hasher.digest()
    if algorithm in BOTOCORE:
        assert encode_digest(hasher.digest()) == BOTOCORE[algorithm]().handle(whole)


@pytest.mark.parametrize("algorithm", CRCS)
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=6))
def test_trap_14_full_object_crc_is_combined_from_the_parts(algorithm, parts):
    assert combine(algorithm, [(digest_of(algorithm, part), len(part)) for part in parts]) == digest_of(
        algorithm, b"".join(parts)
    )


@pytest.mark.parametrize("algorithm", [each for each in Algorithm if each not in CRCS])
def test_trap_14_other_algorithms_cannot_be_combined(algorithm):
    with pytest.raises(InvalidRequestError):
        combine(algorithm, [(bytes(algorithm.digest_bytes), 1)])


@pytest.mark.parametrize("algorithm", Algorithm)
def test_trap_14_composite_is_the_checksum_of_the_parts_digests_with_their_number(algorithm):
    digests = [digest_of(algorithm, part) for part in (b"one", b"two", b"three")]
    value = composite(algorithm, digests)
    assert value == digest_of(algorithm, b"".join(digests))
    shown = Checksum(algorithm, value, ChecksumType.COMPOSITE, 3)
    assert shown.text == b64encode(value).decode() + "-3"
    assert parse_object_checksum(algorithm, shown.text) == (value, 3)


def test_headers_and_elements_are_those_of_the_service_model():
    import boto3  # noqa: PLC0415  (slow to import, needed here alone)

    model = boto3.client("s3", region_name="eu-central-1").meta.service_model
    assert set(model.shape_for("ChecksumAlgorithm").enum) == set(Algorithm)
    assert set(model.shape_for("ChecksumType").enum) == set(ChecksumType)
    put = model.shape_for("PutObjectRequest").members
    names = {put[element].serialization["name"].lower(): algorithm for element, algorithm in BY_ELEMENT.items()}
    assert names == BY_HEADER


def test_a_whole_objects_checksum_shows_value_and_type():
    shown = Checksum(Algorithm.CRC32, bytes(4)).to_headers()
    assert shown == {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "FULL_OBJECT"}
    assert parse_object_checksum(Algorithm.CRC32, "AAAAAA==") == (bytes(4), None)


def test_trap_14_types_of_multipart_checksums():
    assert ALLOWED_TYPES[Algorithm.CRC64NVME] == (ChecksumType.FULL_OBJECT,)
    assert choose_type(Algorithm.CRC64NVME, None) is ChecksumType.FULL_OBJECT
    assert choose_type(Algorithm.CRC32, None) is ChecksumType.COMPOSITE
    assert choose_type(Algorithm.CRC32C, "full_object") is ChecksumType.FULL_OBJECT
    assert choose_type(Algorithm.SHA256, "COMPOSITE") is ChecksumType.COMPOSITE
    for algorithm, name in ((Algorithm.CRC64NVME, "COMPOSITE"), (Algorithm.MD5, "FULL_OBJECT"), (Algorithm.CRC32, "HALF")):
        with pytest.raises(InvalidRequestError):
            choose_type(algorithm, name)


def test_algorithm_names_in_any_case():
    assert parse_algorithm(" crc32c ", "x-amz-checksum-algorithm") is Algorithm.CRC32C
    with pytest.raises(InvalidRequestError, match="x-amz-checksum-algorithm"):
        parse_algorithm("CRC16", "x-amz-checksum-algorithm")


@pytest.mark.parametrize(
    "text", ["", "AAAA", "AAAAAAA=", "AAAAAB==", "AAAAAA==\n", "A AAAA==", "AAAAAA", "ÄAAAAA==", "====", "AAAAAAAA"]
)
def test_trap_13_malformed_values_are_refused(text):
    assert decode_digest(text, 4) is None
    with pytest.raises(InvalidRequestError, match="x-amz-checksum-crc32 "):
        parse_digest(Algorithm.CRC32, text)


@pytest.mark.parametrize("text", ["AAAAAA==-", "AAAAAA==-x", "AAAAAA==-1000000", "AAAAAA==--1", "AAAAAA==-²"])
def test_malformed_part_counts_are_refused(text):
    with pytest.raises(InvalidRequestError):
        parse_object_checksum(Algorithm.CRC32, text)
