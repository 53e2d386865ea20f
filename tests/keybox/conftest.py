from dataclasses import dataclass

import pytest

from tests.keybox.box import Box, Serving
from tests.keybox.caller import Caller


@dataclass(frozen=True)
class Stage:
    """A box that serves, with one key, and a caller with a valid credential."""

    box: Box
    serving: Serving
    caller: Caller
    key_id: str


@pytest.fixture(scope="package")
def stage(tmp_path_factory):
    box = Box(tmp_path_factory.mktemp("keybox") / "box", "--uri-prefix", "/keystores/one")
    key_id = box.create_key("main")
    with Serving(box) as serving:
        yield Stage(box, serving, box.caller(serving.url), key_id)
        assert serving.stop() == 0
    assert "Traceback" not in serving.errors.read_text()


@pytest.fixture(scope="package")
def xks(stage):
    return stage.caller


@pytest.fixture(scope="package")
def key_id(stage):
    return stage.key_id
