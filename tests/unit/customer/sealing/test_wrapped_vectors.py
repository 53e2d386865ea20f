"""The vectors of wrapped keys: what the file opens, and what it does not."""

import io
import json
from pathlib import Path

import pytest
from tests.unit.customer.sealing.objects import content, plain

from siegel.customer.sealing import refusals
from siegel.customer.sealing.keyfile import parse_key_file
from siegel.customer.sealing.opening import StreamSource, open_sealed
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.wrapped import read_wrapped

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "client" / "wrapped.json").read_text())
SEALER, ENGINEER = (parse_key_file(VECTORS[name]) for name in ("sealer", "engineer"))


def opened(sealed, place):
    wrapped = read_wrapped(bytes.fromhex(VECTORS["wrapped"]), ENGINEER, [SEALER.sealer])
    assert (wrapped.consent_id, wrapped.made_at_ms) == (VECTORS["consent_id"], VECTORS["made_at_ms"])
    source = StreamSource(io.BytesIO(bytes.fromhex(sealed)))
    return content(open_sealed(source, ObjectPlace(**place), key=None, trusted=[SEALER.sealer], wrapped=wrapped, seen=None))


def test_the_named_object_opens():
    assert opened(VECTORS["named"], VECTORS["place"]) == plain(VECTORS["plain_size"])


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=[vector["name"] for vector in VECTORS["bad"]])
def test_nothing_else_does(vector):
    with pytest.raises(getattr(refusals, vector["failure"])):
        opened(vector["sealed"], vector["place"])
