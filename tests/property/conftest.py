"""The service that the stories are told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.service import Service, running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Plain HTTP, two workers."""
    with running(tmp_path_factory.mktemp("stories") / "data", "--workers", "2") as started:
        yield started
