"""The key chest and the records of its keys are as the format page publishes them, good and bad."""

import json
from pathlib import Path

import pytest

from siegel.domain.errors import SealBrokenError
from siegel.drivers.custody.chest import Slot, open_slot
from siegel.drivers.custody.keyset import KeySet
from siegel.drivers.custody.roots import FilePlace, FileRoot

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "custody" / "chest.json").read_text())
PLACE = FilePlace("root.key")
NAMES = {"ids": lambda vector: vector["name"]}


def root(nonce=b""):
    return FileRoot(bytes.fromhex(VECTORS["root_key"]), PLACE, lambda count: nonce[:count])


def opened(vector):
    return open_slot(Slot(VECTORS["root_id"], PLACE, bytes.fromhex(vector["sealed"])), root())


def keys(nonce=b""):
    return KeySet(opened(VECTORS["chest"]["good"][0]), lambda count: nonce[:count])


@pytest.mark.parametrize("vector", VECTORS["chest"]["good"], **NAMES)
def test_good_chests(vector):
    contents = opened(vector)
    assert root().root_id == VECTORS["root_id"]
    assert contents.database_key.hex() == vector["database_key"]
    assert [[key.number, key.secret.hex(), key.retired_at_ms] for key in contents.keys] == vector["keys"]
    context = f"siegel key chest v1\0{VECTORS['root_id']}".encode()
    sealed = root(bytes.fromhex(vector["nonce"])).seal(bytes.fromhex(vector["plain"]), context)
    assert sealed.hex() == vector["sealed"]


@pytest.mark.parametrize("vector", VECTORS["chest"]["bad"], **NAMES)
def test_bad_chests(vector):
    with pytest.raises(SealBrokenError):
        opened(vector)


@pytest.mark.parametrize("vector", VECTORS["record"]["good"], **NAMES)
def test_good_records(vector):
    context, plaintext = bytes.fromhex(vector["context"]), bytes.fromhex(vector["plaintext"])
    assert keys().unwrap(bytes.fromhex(vector["wrapped"]), context) == plaintext
    if "nonce" in vector:
        assert keys(bytes.fromhex(vector["nonce"])).wrap(plaintext, context).hex() == vector["wrapped"]


@pytest.mark.parametrize("vector", VECTORS["record"]["bad"], **NAMES)
def test_bad_records(vector):
    with pytest.raises(SealBrokenError):
        keys().unwrap(bytes.fromhex(vector["wrapped"]), bytes.fromhex(vector["context"]))
