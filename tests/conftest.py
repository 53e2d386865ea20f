"""What holds for all tests: nothing is judged by how long it took, since machines are shared and noisy."""

import pytest
from hypothesis import settings

from tests.softhsm import make_tokens

settings.register_profile("siegel", deadline=None)
settings.load_profile("siegel")


@pytest.fixture(scope="session")
def token_settings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The settings of all tokens that tests use in their own process: the module reads them once in a process."""
    return make_tokens(tmp_path_factory.mktemp("softhsm"), "first", "second", "twice", "twice", "mine")["SOFTHSM2_CONF"]


@pytest.fixture
def tokens(token_settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens for this test; commands that it calls are processes, see `command_line.py`."""
    monkeypatch.setenv("SOFTHSM2_CONF", token_settings)
