"""Slow and vanished clients cost nothing to others."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from .raw import CutError, RawClient, Wire
from .shelf import MIB, Shelf, refused, seeded

EACH = 125  # of four kinds: five hundred in all
HONEST = 60


def slow_head(raw: RawClient, bucket: str) -> Wire:
    wire = raw.connect()
    wire.send(f"GET /{bucket}/k HTTP/1.1\r\nHost: {raw.host}\r\nX-Slow: ".encode())
    return wire


def slow_body(raw: RawClient, bucket: str) -> Wire:
    wire = raw.connect()
    ask = raw.sign(raw.ask("PUT", bucket, "slow", body=seeded(100_000)))
    wire.send(ask.head() + ask.body[:10])
    return wire


def slow_read(raw: RawClient, bucket: str) -> Wire:
    wire = raw.connect()
    wire.sock.setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF: the answer does not fit
    wire.send(raw.sign(raw.ask("GET", bucket, "large")).wire())
    wire.sock.recv(100)
    return wire


def half_closed(raw: RawClient, bucket: str) -> Wire:
    wire = raw.connect()
    ask = raw.sign(raw.ask("PUT", bucket, "half", body=seeded(1000)))
    wire.send(ask.head() + ask.body[:10])
    wire.half_close()
    return wire


def settle(bucket: Shelf, base: int, within_s: float = 20.0) -> int:
    """Wait until the open files are back near where they were; return the last count."""
    give_up = time.monotonic() + within_s
    count = bucket.service.open_files()
    while count > base + 15 and time.monotonic() < give_up:
        time.sleep(0.2)
        count = bucket.service.open_files()
    return count


def resident_bytes(bucket: Shelf) -> int:
    pages = 0
    for pid in bucket.service.processes():
        with contextlib.suppress(FileNotFoundError), Path(f"/proc/{pid}/statm").open() as statm:
            pages += int(statm.read().split()[1])
    return pages * 4096


def test_t63_minio_cve_2022_31028_five_hundred_slow_clients(bucket: Shelf):
    raw = bucket.raw
    bucket.put("k", b"hello")
    bucket.put("large", seeded(MIB) * 4)
    with raw.connect() as wire:  # warm both ways once
        wire.send(raw.sign(raw.ask("GET", bucket.name, "large")).wire())
        wire.read()
    base, memory = bucket.service.open_files(), resident_bytes(bucket)
    wires = []
    try:
        for start in (slow_head, slow_body, slow_read, half_closed):
            wires += [start(raw, bucket.name) for _ in range(EACH)]
        began, slowest = time.monotonic(), 0.0
        for number in range(HONEST):
            before = time.monotonic()
            assert raw.call("PUT", bucket.name, f"honest{number}", body=seeded(1000)).status == 200
            assert raw.call("GET", bucket.name, "k").body == b"hello"
            slowest = max(slowest, time.monotonic() - before)
        assert slowest < 5, f"an honest pair of requests took {slowest:.1f} s"
        assert time.monotonic() - began < 60
        grown = resident_bytes(bucket) - memory
        assert grown < 500 * MIB, f"{grown / MIB:.0f} MiB for {len(wires)} idle clients"
    finally:
        for wire in wires:
            wire.close()
    assert settle(bucket, base) <= base + 15
    assert sorted(bucket.keys()) == sorted(["k", "large", *(f"honest{number}" for number in range(HONEST))])


def test_t63_swift_cve_2016_0738_vanished_readers_free_what_they_held(bucket: Shelf):
    raw = bucket.raw
    bucket.put("large", seeded(MIB) * 4)
    base = bucket.service.open_files()
    for _ in range(150):
        wire = slow_read(raw, bucket.name)
        wire.close()
    assert settle(bucket, base) <= base + 15
    assert raw.call("GET", bucket.name, "large").status == 200


def test_pieces_that_wait_for_slow_readers_are_never_overwritten(bucket: Shelf):
    """The service opens a large body piece by piece into one buffer: what waits to be sent must be a copy, never that buffer."""
    raw, body = bucket.raw, seeded(16 * MIB)
    bucket.put("large", body)
    with contextlib.ExitStack() as open_wires:
        wires = [open_wires.enter_context(raw.connect()) for _ in range(5)]
        for wire in wires:
            wire.send(raw.sign(raw.ask("GET", bucket.name, "large")).wire())
        # Nobody reads but the last, who asked last: the answers of the others are stuck half way by then.
        for wire in reversed(wires):
            assert wire.read().body == body


def test_t63_ceph_cve_2019_10222_vanished_writers_leave_no_files(bucket: Shelf):
    raw = bucket.raw
    ask = raw.sign(raw.ask("PUT", bucket.name, "k", body=seeded(300_000)))
    bucket.put("warm", seeded(300_000))
    before = blob_count(bucket)
    for sent in range(0, 300_000, 6000):
        with raw.connect() as wire:
            wire.send(ask.head() + ask.body[:sent])
    give_up = time.monotonic() + 20
    while blob_count(bucket) > before and time.monotonic() < give_up:
        time.sleep(0.2)
    assert blob_count(bucket) == before, "unfinished files stay behind"
    assert bucket.keys() == ["warm"]


def blob_count(bucket: Shelf) -> int:
    return sum(1 for path in bucket.service.directory.rglob("*") if path.is_file())


def test_t64_a_silent_body_is_ended_by_the_service(silent_upload: tuple[Wire, float, Shelf]):
    """Begun when the session began: a body that stops coming is given up after its time, and the client is told or cut."""
    wire, began, bucket = silent_upload
    wire.sock.settimeout(max(1.0, 90 - (time.monotonic() - began)))
    with contextlib.suppress(CutError):
        refused(wire.read(), (400, 408), "RequestTimeout", "IncompleteBody")
    assert time.monotonic() - began >= 5, "far too soon for an honest slow line"
    refused(bucket.call("GET", "silent"), 404, "NoSuchKey")
