"""The vectors beside the format page: this code makes them again and opens them, the stand-alone decryptor opens them too."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.customer.sealing.objects import content, plain, seal, unseal

from siegel.customer.sealing import refusals
from siegel.customer.sealing.header import PREAMBLE_BYTES, build_header, outline
from siegel.customer.sealing.keyfile import KeyFile, parse_key_file
from siegel.customer.sealing.manifest import Manifest
from siegel.customer.sealing.names import open_name, seal_name
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.recipients import STANZA_BYTES
from siegel.envelope.segment import SegmentSealer

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "tests" / "vectors" / "client"
PAGE_SCRIPT = ROOT / "docs" / "design" / "formats" / "client_decryptor.py"
GOOD = json.loads((FOLDER / "good.json").read_text())
BAD = json.loads((FOLDER / "bad.json").read_text())["bad"]
KEYS = {name: parse_key_file(line) for name, line in GOOD["keys"].items()}
OBJECTS = {vector["name"]: vector for vector in GOOD["good"]}


def named(vectors: list[dict]) -> list:
    assert vectors
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def opened(vector: dict, sealed: bytes) -> bytes:
    trusted = [KEYS[name].sealer for name in vector.get("trusted", KEYS)]
    place = ObjectPlace(vector["place"]["bucket"], vector["place"]["object_key"], vector["place"]["account_id"])
    unsigned = vector.get("allow_unsigned", vector["sealer"] is None)
    return content(unseal(sealed, place, key=KEYS[vector.get("key", "own")], trusted=trusted, allow_unsigned=unsigned))


def made_again(vector: dict) -> bytes:
    """Seal with the randomness of the vector; the wraps, whose randomness HPKE keeps to itself, are taken from it."""
    sealed = bytes.fromhex(vector["sealed"])
    data_key, object_id, salt, nonce = (bytes.fromhex(vector[name]) for name in ("data_key", "object_id", "salt", "nonce"))
    place = ObjectPlace(vector["place"]["bucket"], vector["place"]["object_key"], vector["place"]["account_id"])
    segment = SegmentSealer(data_key, place.context(object_id), object_id, 0, salt)
    sealer: KeyFile | None = KEYS.get(vector["sealer"])
    last = vector["last"]
    manifest = Manifest(
        **vector["place"],
        size_bytes=vector["plain_size"],
        chunk_bytes=16384,
        sequence=last["sequence"] + 1 if last else vector["sealed_at_ms"],
        sealed_at_ms=vector["sealed_at_ms"],
        name=vector["file_name"],
        previous=last["digest"] if last else None,
        sealer=sealer.sealer.hex() if sealer else None,
    )
    recipients_end = PREAMBLE_BYTES + outline(sealed).recipients * STANZA_BYTES
    stanzas = [sealed[at : at + STANZA_BYTES] for at in range(PREAMBLE_BYTES, recipients_end, STANZA_BYTES)]
    header, _ = build_header(manifest, data_key, object_id, stanzas, segment.header, nonce=nonce, sealer=sealer)
    return header + segment.header + bytes(segment.seal(plain(vector["plain_size"]))) + segment.finish()


def broken(vector: dict) -> bytes:
    sealed = bytearray(bytes.fromhex(OBJECTS[vector["of"]]["sealed"]))
    for edit in vector["edits"]:
        if "flip" in edit:
            sealed[edit["flip"]] ^= edit["mask"]
        elif "cut_to" in edit:
            del sealed[edit["cut_to"] :]
        else:
            sealed += bytes.fromhex(edit["append"])
    return bytes(sealed)


@pytest.mark.parametrize("vector", named(GOOD["good"]))
def test_objects_are_as_published(vector):
    sealed = bytes.fromhex(vector["sealed"])
    assert made_again(vector) == sealed
    assert opened(vector, sealed) == plain(vector["plain_size"])


@pytest.mark.parametrize("vector", named(BAD))
def test_bad_objects_are_refused(vector):
    origin = OBJECTS[vector["of"]]
    sealed = broken(vector)
    kind = getattr(refusals, vector["failure"])
    with pytest.raises(kind) as caught:
        opened(origin | vector["open_with"], sealed)
    assert caught.type is kind


@pytest.mark.parametrize("name", sorted(GOOD["keys"]))
def test_key_files_are_as_published(name):
    assert KEYS[name].line == GOOD["keys"][name]
    assert KEYS[name].recipient.line == GOOD["recipients"][name]


@pytest.mark.parametrize("vector", named(GOOD["names"]))
def test_sealed_names_are_as_published(vector):
    secret = KEYS[vector["key"]].names_secret
    folder = ObjectPlace(vector["bucket"], vector["folder"], vector["account_id"])
    assert seal_name(secret, folder, vector["name"]).object_key == vector["object_key"]
    assert open_name(secret, folder, vector["object_key"].removeprefix(vector["folder"])) == vector["name"]


@pytest.fixture(scope="module")
def decryptor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("client_decryptor", PAGE_SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(tmp_path: Path, sealed: bytes, uri: str, account_id: str) -> subprocess.CompletedProcess[bytes]:
    (tmp_path / "key").write_text(GOOD["keys"]["own"])
    (tmp_path / "object").write_bytes(sealed)
    # Whoever imported this project would fail: the page and `cryptography` must be enough.
    code = "import sys, runpy; sys.modules['siegel'] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    line = [sys.executable, "-c", code, str(PAGE_SCRIPT), str(tmp_path / "key"), str(tmp_path / "object"), uri, account_id]
    return subprocess.run(line, capture_output=True, check=False, timeout=60)


def test_the_stand_alone_decryptor_opens_what_was_made_just_now(tmp_path):
    key, place, data = KEYS["own"], ObjectPlace("b", "folder/ä b", "42"), plain(50_000)
    done = run(tmp_path, seal(data, place, sealer=key, to=(KEYS["friend"].recipient,)), place.uri, "42")
    assert (done.returncode, done.stdout) == (0, data), done.stderr
    moved = run(tmp_path, seal(data, place, sealer=key), "s3://b/other", "42")
    assert moved.returncode != 0
    assert (moved.stdout, b"sealed as" in moved.stderr) == (b"", True)


@pytest.mark.parametrize("vector", named([vector for vector in GOOD["good"] if vector["sealer"] == "own"]))
def test_the_stand_alone_decryptor_opens_the_vectors(decryptor, vector):
    place = tuple(vector["place"][name] for name in ("account_id", "bucket", "object_key"))
    secrets = decryptor.read_key(GOOD["keys"]["own"])
    assert decryptor.open_object(bytes.fromhex(vector["sealed"]), secrets, place, decryptor.sealer_of(secrets)) == plain(
        vector["plain_size"]
    )


@pytest.mark.parametrize("vector", named([vector for vector in BAD if vector["edits"]]))
def test_the_stand_alone_decryptor_refuses_the_bad_ones(tmp_path, vector):
    origin = OBJECTS[vector["of"]]
    sealed = broken(vector)
    place = ObjectPlace(origin["place"]["bucket"], origin["place"]["object_key"])
    done = run(tmp_path, sealed, place.uri, origin["place"]["account_id"])
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"refused: ")
