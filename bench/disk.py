"""The floors of large bodies: D, sequential write and fsync; M, MD5. Both over the same bytes that the service is given."""

import hashlib
import os
import threading
import time
from pathlib import Path

PIECE_BYTES = 1024 * 1024


def write_and_sync(folder: Path, data: memoryview, files: int) -> float:
    """Write `data` to `files` files one after another, each synced with its folder; return bytes per second."""
    began = time.perf_counter()
    names = [folder / f"floor.{os.getpid()}.{number}" for number in range(files)]
    for name in names:
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        for at in range(0, len(data), PIECE_BYTES):
            os.write(handle, data[at : at + PIECE_BYTES])
        os.fsync(handle)
        os.close(handle)
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    took = time.perf_counter() - began
    for name in names:
        name.unlink()
    return len(data) * files / took


def md5(data: memoryview, streams: int) -> float:
    """Hash `data` once in each of `streams` threads; return bytes per second of all of them."""

    def run() -> None:
        digest = hashlib.md5(usedforsecurity=False)
        for at in range(0, len(data), PIECE_BYTES):
            digest.update(data[at : at + PIECE_BYTES])

    threads = [threading.Thread(target=run) for _ in range(streams)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(data) * streams / (time.perf_counter() - began)


def sync_latency_us(folder: Path, count: int = 200) -> float:
    """Append 4 KiB and fdatasync, `count` times; return the median in microseconds."""
    name = folder / f"floor.{os.getpid()}.sync"
    handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(handle, bytes(4096))
        os.fdatasync(handle)
        times.append(time.perf_counter() - began)
    os.close(handle)
    name.unlink()
    return sorted(times)[count // 2] * 1e6
