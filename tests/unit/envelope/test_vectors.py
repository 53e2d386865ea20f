"""The test vectors beside the format pages are what this code makes and opens, and every bad one is refused as it says."""

import hashlib
import json
from pathlib import Path

import pytest

from siegel.domain import errors
from siegel.envelope.context import Place, Purpose, encode_context
from siegel.envelope.derive import Label, derive_key
from siegel.envelope.record import RecordKey
from siegel.envelope.segment import SmallSegment, seal_segment
from siegel.envelope.wrap import unwrap_data_key, unwrap_for_customer, wrap_data_key, wrap_for_customer

FOLDER = Path(__file__).parents[2] / "vectors" / "envelope"
HEADER_BYTES, SEALED_CHUNK_BYTES = 88, 16400


def load(name: str, kind: str) -> list:
    vectors = json.loads((FOLDER / f"{name}.json").read_text())[kind]
    assert vectors
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def good(name: str) -> dict:
    return {param.id: param.values[0] for param in load(name, "good")}


def hexed(vector: dict, *names: str) -> list[bytes]:
    return [bytes.fromhex(vector[name]) for name in names]


def place_of(vector: dict) -> Place:
    place = vector["place"]
    return Place(place["account_id"], place["bucket_id"], place["object_key"], bytes.fromhex(place["version_id"]))


def edit(sealed: bytes, edits: list[dict]) -> bytes:
    """Break what was sealed, in the way that a bad vector describes."""
    for change in edits:
        if "flip" in change:
            broken = bytearray(sealed)
            broken[change["flip"]] ^= change["mask"]
            sealed = bytes(broken)
        elif "cut_to" in change:
            sealed = sealed[: change["cut_to"]]
        elif "append" in change:
            sealed += bytes.fromhex(change["append"])
        else:
            one, two = change["swap_chunks"]
            chunks = [sealed[at : at + SEALED_CHUNK_BYTES] for at in range(HEADER_BYTES, len(sealed), SEALED_CHUNK_BYTES)]
            chunks[one], chunks[two] = chunks[two], chunks[one]
            sealed = sealed[:HEADER_BYTES] + b"".join(chunks)
    return sealed


def refuses(vector: dict, call) -> None:
    kind = getattr(errors, vector["failure"])
    with pytest.raises(kind) as caught:
        call()
    assert caught.type is kind


def plaintext(vector: dict) -> bytes:
    return bytes(number % 251 for number in range(vector["plain_size"]))


def seal(vector: dict) -> bytes:
    key, data_id, salt = hexed(vector, "data_key", "data_id", "salt")
    return seal_segment(key, place_of(vector), data_id, vector["part_number"], salt=salt, plaintext=plaintext(vector))


def unseal(vector: dict, sealed: bytes) -> bytes:
    key, data_id = hexed(vector, "data_key", "data_id")
    small = SmallSegment(key, place_of(vector), data_id, vector["part_number"], sealed=sealed, plain_size=vector["plain_size"])
    return small.open(sealed)


@pytest.mark.parametrize("vector", load("segment", "good"))
def test_segments_are_as_published(vector):
    sealed = seal(vector)
    detail = b"\x01" + vector["part_number"].to_bytes(4, "big") + bytes.fromhex(vector["data_id"])
    assert encode_context(Purpose.SEGMENT, place_of(vector), detail).hex() == vector["context"]
    assert sealed[:HEADER_BYTES].hex() == vector["header"]
    assert len(sealed) == vector["sealed_size"]
    assert hashlib.sha256(sealed).hexdigest() == vector["sealed_sha256"]
    assert vector.get("sealed", sealed.hex()) == sealed.hex()
    assert unseal(vector, sealed) == plaintext(vector)


@pytest.mark.parametrize("vector", load("segment", "bad"))
def test_bad_segments_are_refused(vector):
    origin = good("segment")[vector["of"]]
    sealed = edit(seal(origin), vector["edits"])
    refuses(vector, lambda: unseal(origin | vector["open_with"], sealed))


@pytest.mark.parametrize("vector", load("record", "good"))
def test_records_are_as_published(vector):
    key, plain, context, nonce, sealed = hexed(vector, "key", "plaintext", "context", "nonce", "sealed")
    assert RecordKey(key).seal(plain, context, nonce) == sealed
    assert RecordKey(key).open(sealed, context) == plain


@pytest.mark.parametrize("vector", load("record", "bad"))
def test_bad_records_are_refused(vector):
    origin = good("record")[vector["of"]] | vector["open_with"]
    key, context, sealed = hexed(origin, "key", "context", "sealed")
    refuses(vector, lambda: RecordKey(key).open(edit(sealed, vector["edits"]), context))


def unwrap(vector: dict, wrapped: bytes) -> bytes:
    wrapping = RecordKey(bytes.fromhex(vector["wrapping_key"]))
    if "customer_key" in vector:
        return unwrap_for_customer(wrapping, bytes.fromhex(vector["customer_key"]), wrapped, place_of(vector))
    return unwrap_data_key(wrapping, wrapped, place_of(vector))


@pytest.mark.parametrize("vector", load("wrap", "good"))
def test_wraps_are_as_published(vector):
    wrapping_key, data_key, nonce, wrapped = hexed(vector, "wrapping_key", "data_key", "nonce", "wrapped")
    wrapping, place = RecordKey(wrapping_key), place_of(vector)
    if "customer_key" in vector:
        customer_key, salt = hexed(vector, "customer_key", "salt")
        assert wrap_for_customer(wrapping, customer_key, data_key, place, salt=salt, nonce=nonce) == wrapped
    else:
        assert wrap_data_key(wrapping, data_key, place, nonce) == wrapped
    assert unwrap(vector, wrapped) == data_key


@pytest.mark.parametrize("vector", load("wrap", "bad"))
def test_bad_wraps_are_refused(vector):
    origin = good("wrap")[vector["of"]] | vector["open_with"]
    wrapped = edit(bytes.fromhex(origin["wrapped"]), vector["edits"])
    refuses(vector, lambda: unwrap(origin, wrapped))


@pytest.mark.parametrize("vector", load("derive", "good"))
def test_derived_keys_are_as_published(vector):
    key, context, derived = hexed(vector, "key", "context", "derived")
    assert derive_key(key, Label(vector["label"].encode()), context) == derived
