import os

import pytest

from tests.process.running import initialise, serving


@pytest.fixture(autouse=True, scope="session")
def _clean_environment():
    for name in [name for name in os.environ if name.startswith("SIEGEL_")]:
        del os.environ[name]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    directory = tmp_path_factory.mktemp("deployment") / "data"
    initialise(directory)
    return directory


@pytest.fixture(scope="module")
def spare(tmp_path_factory):
    """A second deployment, for tests that start and end services of their own."""
    directory = tmp_path_factory.mktemp("spare") / "data"
    initialise(directory)
    return directory


@pytest.fixture(scope="module")
def service(deployment):
    with serving(deployment, "--workers", "2") as running:
        yield running
