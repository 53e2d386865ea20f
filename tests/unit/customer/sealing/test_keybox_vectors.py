"""The vectors of objects that a key server opens: made again, opened, refused, and opened by the stand-alone decryptor."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.customer.sealing.objects import content, plain, unseal

from siegel.customer.sealing import refusals
from siegel.customer.sealing.header import build_header
from siegel.customer.sealing.keyfile import parse_key_file
from siegel.customer.sealing.manifest import Manifest
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import BoxKey, box_context, wrap_for_box
from siegel.customer.sealing.refusals import HeaderChangedError
from siegel.envelope.segment import SegmentSealer

ROOT = Path(__file__).parents[4]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "client" / "keybox.json").read_text())
OBJECTS = {vector["name"]: vector for vector in VECTORS["good"]}
SEALER = parse_key_file(VECTORS["sealer"])


def named(vectors):
    assert vectors
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def place_of(vector):
    return ObjectPlace(**vector["place"])


class VectorBox:
    """Answers as the box of a vector did."""

    def __init__(self, vector):
        self.vector = vector

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        known = (bytes.fromhex(self.vector["blob"]), self.vector["context"])
        if (blob, context) != known:
            raise HeaderChangedError("not what was wrapped")
        return bytes.fromhex(self.vector["box_key"])


def made_again(vector):
    data_key, object_id, salt, nonce, blob, box_key = (
        bytes.fromhex(vector[name]) for name in ("data_key", "object_id", "salt", "nonce", "blob", "box_key")
    )
    place, sequence = place_of(vector), vector["sequence"]
    assert box_context(place, object_id, sequence) == vector["context"]
    segment = SegmentSealer(data_key, place.context(object_id), object_id, 0, salt)
    manifest = Manifest(
        **vector["place"],
        size_bytes=vector["plain_size"],
        chunk_bytes=16384,
        sequence=sequence,
        sealed_at_ms=sequence,
        name=None,
        previous=None,
        sealer=SEALER.sealer.hex(),
    )
    stanza = wrap_for_box(data_key, BoxKey(box_key, blob), object_id, sequence)
    header, _ = build_header(manifest, data_key, object_id, [stanza], segment.header, nonce=nonce, sealer=SEALER)
    return header + segment.header + bytes(segment.seal(plain(vector["plain_size"]))) + segment.finish()


@pytest.mark.parametrize("vector", named(VECTORS["good"]))
def test_objects_are_as_published(vector):
    sealed = bytes.fromhex(vector["sealed"])
    assert made_again(vector) == sealed
    file = unseal(sealed, place_of(vector), key=None, box=VectorBox(vector), trusted=[SEALER.sealer])
    assert content(file) == plain(vector["plain_size"])


@pytest.mark.parametrize("vector", named(VECTORS["bad"]))
def test_bad_objects_are_refused(vector):
    origin = OBJECTS[vector["of"]]
    sealed = bytearray(bytes.fromhex(origin["sealed"]))
    for at, mask in vector["flips"]:
        sealed[at] ^= mask
    kind = getattr(refusals, vector["failure"])
    with pytest.raises(kind) as caught:
        unseal(bytes(sealed), place_of(origin | vector["open_with"]), key=None, box=VectorBox(origin), trusted=[SEALER.sealer])
    assert caught.type is kind


@pytest.mark.parametrize("vector", named(VECTORS["good"]))
def test_the_stand_alone_decryptor_opens_the_vectors(vector):
    path = ROOT / "docs" / "design" / "formats" / "client_decryptor.py"
    spec = importlib.util.spec_from_file_location("client_decryptor", path)
    decryptor = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(decryptor)
    sealed, place = (
        bytes.fromhex(vector["sealed"]),
        tuple(vector["place"][name] for name in ("account_id", "bucket", "object_key")),
    )
    assert decryptor.ask(sealed, place)["EncryptionContext"] == vector["context"]
    box_key, sealer = bytes.fromhex(vector["box_key"]), SEALER.sealer
    opened = decryptor.open_object(sealed, box_key, place, sealer, decryptor.unwrap_with_box_key)
    assert opened == plain(vector["plain_size"])
