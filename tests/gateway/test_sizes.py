"""What operators see of what is stored: how much, and which heads; no name of anything, and it is theirs alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from .service import Service, command, running
from .shelf import make_shelf, sdk
from .test_admin import ask

QUICK = {"SIEGEL_STEWARD_INTERVAL_S": "0.2"}
COUNTED_S = 30


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("sizes") / "data"
    with running(directory, "--workers", "1", env=QUICK) as started:
        yield started


def sizes(service: Service) -> dict[str, Any]:
    status, found = ask(service, service.operator, path="/-/sizes")
    assert status == 200
    return found


def of_owner(service: Service) -> dict[str, Any]:
    (found,) = (each for each in sizes(service)["accounts"] if each["account_id"] == service.owner.account_id)
    return found


def test_an_operator_sees_how_much_there_is_and_not_what(counting: Service) -> None:
    shelf = make_shelf(counting, sdk(counting))
    shelf.version()
    for size in (1, 10, 100):
        shelf.put("secret-key", bytes(size), Metadata={"secret-name": "secret-value"})
    shelf.s3.delete_object(Bucket=shelf.name, Key="secret-key")
    shelf.part("secret-upload", shelf.start("secret-upload"), 1, bytes(1000))
    wanted = {"buckets": 1, "objects": 0, "versions": 3, "size_bytes": 111, "uploads": 1, "uploaded_bytes": 1000}
    give_up = time.monotonic() + COUNTED_S
    while (found := of_owner(counting)["sizes"]) is None or wanted.items() - found.items() or not found["entries"]:
        assert time.monotonic() < give_up, found
        time.sleep(0.1)
    head = of_owner(counting)["ledger"]["head"]
    assert head["entries"] >= found["entries"]
    told = json.dumps(sizes(counting))
    for name in (shelf.name, "secret", "stranger"):
        assert name not in told
    local: Any = command("account", "list", "--data", str(counting.directory), "--json")
    listed = {each["account_id"]: each["sizes"] for each in local["accounts"]}
    assert listed[counting.owner.account_id].items() >= wanted.items()
