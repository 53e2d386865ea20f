"""Witnesses of an account's log: its heads are sent to those of its policy, and shown with what they have signed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from siegel.ledger.policies import Judgement, read_policy
from tests.ledger.witnessing import Serving, WitnessPlace

from .log import Auditor
from .own_account import own_account
from .service import Service
from .shelf import Shelf

WITNESSED_S = 20.0


# The heads of others shall wait for no witness.
service, s3 = own_account()


@pytest.fixture(scope="module")
def auditor(service: Service) -> Auditor:
    return Auditor(service.raw(), service.owner.account_id)


def witness_of(folder: Path, auditor: Auditor, name: str) -> WitnessPlace:
    """A witness that watches the account's log."""
    place = WitnessPlace(folder / name, f"witness.example/{name}")
    logs = auditor.vkeys()
    (place.folder / "logs").write_text("".join(f"log {vkey}\n" for vkey in logs), encoding="utf-8")
    return place


def policy_of(auditor: Auditor, urls: dict[WitnessPlace, str], quorum: str) -> bytes:
    logs = [f"log {vkey}" for vkey in auditor.vkeys()]
    lines = [f"witness w{number} {place.vkeys[0]} {url}" for number, (place, url) in enumerate(urls.items(), 1)]
    names = " ".join(f"w{number}" for number in range(1, len(urls) + 1))
    return "\n".join([*logs, *lines, f"group all {quorum} {names}", "quorum all", ""]).encode()


def put_policy(auditor: Auditor, text: bytes) -> int:
    return auditor.raw.call("PUT", ".ledger", f"{auditor.account_id}/policy", body=text).status


def await_judgement(auditor: Auditor, text: bytes, fits: Callable[[Judgement], bool]) -> Judgement:
    give_up = time.monotonic() + WITNESSED_S
    while True:
        judgement = read_policy(text).judge(auditor.fetch("checkpoint").body)
        if fits(judgement):
            return judgement
        assert time.monotonic() < give_up, judgement
        time.sleep(0.1)


def test_heads_are_shown_with_the_signatures_of_a_quorum(bucket: Shelf, auditor: Auditor, tmp_path: Path) -> None:
    auditor.await_entries([bucket.call("PUT", "x").header("x-siegel-entry")])
    first, second = (witness_of(tmp_path, auditor, name) for name in ("w1", "w2"))
    with Serving(first) as one, Serving(second) as two:
        text = policy_of(auditor, {first: one.url.geturl(), second: two.url.geturl()}, "2")
        assert put_policy(auditor, text) == 204
        assert auditor.fetch("policy").body == text
        before = await_judgement(auditor, text, lambda judgement: judgement.has_quorum).checkpoint.size
        # It goes on: later heads come with a proof from the one before.
        auditor.await_entries([bucket.call("PUT", "y").header("x-siegel-entry")])
        later = await_judgement(auditor, text, lambda found: found.has_quorum and found.checkpoint.size > before + 2)
        assert set(later.witnessed) == {"w1", "w2"}
        auditor.lines()
        # A witness that lost touch is asked for what it knows: here one that comes again with its memory.
        one.stop()
        auditor.await_entries([bucket.call("PUT", "z").header("x-siegel-entry")])
    # Without a quorum the log goes on, and its heads are shown without one.
    entry = bucket.call("GET", "z").header("x-siegel-entry")
    auditor.await_entries([entry])
    await_judgement(auditor, text, lambda found: not found.has_quorum)
    assert put_policy(auditor, b"quorum none\n") == 204


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"quorum w1\n",
        b"witness w1 nothing http://127.0.0.1:1/\nquorum w1\n",
        b"quorum none\n\0",
        b"#" * (64 * 1024 + 1),
    ],
)
def test_a_policy_that_cannot_be_read_changes_nothing(auditor: Auditor, text: bytes) -> None:
    assert put_policy(auditor, b"quorum none\n") == 204
    assert put_policy(auditor, text) == 400
    assert auditor.fetch("policy").body == b"quorum none\n"


def test_a_witness_where_nobody_may_be_asked_is_refused(auditor: Auditor, tmp_path: Path) -> None:
    place = WitnessPlace(tmp_path / "w", "witness.example/w")
    for url in ("http://169.254.169.254/", "file:///etc/passwd", "http://192.168.1.1:80/"):
        text = f"witness w {place.vkeys[0]} {url}\nquorum w\n".encode()
        answer = auditor.raw.call("PUT", ".ledger", f"{auditor.account_id}/policy", body=text)
        assert (answer.status, answer.code) == (400, "InvalidRequest"), url


def test_what_is_no_policy_is_not_written(auditor: Auditor) -> None:
    answer = auditor.raw.call("PUT", ".ledger", f"{auditor.account_id}/checkpoint", body=b"quorum none\n")
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")
    stranger = auditor.raw.as_caller(auditor.raw.keys)
    other = stranger.anonymous("PUT", ".ledger", f"{auditor.account_id}/policy", body=b"quorum none\n")
    assert (other.status, other.code) == (403, "AccessDenied")
