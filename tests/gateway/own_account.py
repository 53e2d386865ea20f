"""An account of a module's own, for tests that look at all that an account has: others leave things in the shared one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from .service import Service
from .shelf import new_name, sdk


def own_account() -> tuple[Any, Any]:
    """Return fixtures to take the place of `service` and `s3` in a module: the same service, seen by a fresh account."""

    @pytest.fixture(scope="module")
    def service(service: Service) -> Service:
        return service.with_own_account(new_name())

    @pytest.fixture(scope="module")
    def s3(service: Service) -> Iterator[Any]:
        with closing(sdk(service)) as client:
            yield client

    return service, s3
