import json
from pathlib import Path

import pytest

from siegel.domain.errors import S3Error

from .signing import Sent, check

VECTORS = Path(__file__).parents[2] / "vectors" / "sigv4"


def outcome(vector) -> str:
    headers = tuple((name.encode(), value.encode()) for name, value in vector["headers"])
    sent = Sent(vector["method"], vector["path"].encode(), vector["query"].encode(), headers)
    try:
        check(sent.parse(), now_ms=vector["now_ms"], region=vector["region"], secret=vector["secret"])
    except S3Error as refusal:
        return refusal.code
    return "ok"


@pytest.mark.parametrize("name", ["good", "bad"])
def test_every_vector_comes_out_as_it_says(name):
    vectors = json.loads((VECTORS / f"{name}.json").read_text())
    assert {vector["name"]: outcome(vector) for vector in vectors} == {vector["name"]: vector["expect"] for vector in vectors}
    assert {vector["expect"] == "ok" for vector in vectors} == {name == "good"}
