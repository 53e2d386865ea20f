"""The pages name the versions that are tested. Pinned lists see to most of them; these programs tell theirs."""

import os
import subprocess

import pytest
from bench import INSTALLED
from client_settings import ClientSettings, all_settings

TELLING = [client for client in all_settings() if client.version_command]


@pytest.mark.parametrize("client", TELLING, ids=lambda client: client.name)
def test_it_is_the_version_that_its_page_names(client: ClientSettings) -> None:
    path = os.pathsep.join((str(INSTALLED / client.home / "bin"), os.environ["PATH"]))
    told = subprocess.run(client.version_command.split(), env={"PATH": path}, check=True, capture_output=True, text=True)
    assert client.version in told.stdout
