"""Filling a bucket by plain HTTP: many connections per process, each request sent before the first answer is awaited."""

import hashlib
import time
from collections.abc import Iterator
from functools import partial

from bench.client import Client
from bench.load import BUCKET
from bench.service import BenchError, Running
from bench.signing import Signer
from bench.transfer import together

CONNECTIONS = 32
PROCESSES = 2
RENEW_AFTER = 50_000
TINY = b"a small object of one million\n"


def make_bucket(server: Running, signer: Signer) -> None:
    """Create the bucket; it may exist already."""
    client = Client(server.connect())
    answer = client.call(signer.head("PUT", f"/{BUCKET}", content_length=0))
    client.close()
    if answer.status not in {200, 409}:
        raise BenchError(f"CreateBucket: {answer.status} {answer.body[:300]!r}")


def exists(server: Running, signer: Signer, key: str) -> bool:
    """Whether the bucket holds `key`."""
    client = Client(server.connect())
    status = client.call(signer.head("HEAD", f"/{BUCKET}/{key}")).status
    client.close()
    return status == 200


def fill(server: Running, signer: Signer, items: list[tuple[str, bytes]]) -> float:
    """PUT every (key, body); return the objects stored per second."""
    if not items:
        return 0.0
    began = time.perf_counter()
    together([partial(_fill, server, signer, items[number::PROCESSES]) for number in range(PROCESSES)])
    return len(items) / (time.perf_counter() - began)


def _requests(signer: Signer, items: list[tuple[str, bytes]]) -> Iterator[bytes]:
    for number, (key, body) in enumerate(items):
        if number % RENEW_AFTER == 0:
            signer.renew()
        digest = hashlib.sha256(body).hexdigest()
        yield signer.head("PUT", f"/{BUCKET}/{key}", payload_sha256=digest, content_length=len(body)) + body


def _fill(server: Running, signer: Signer, items: list[tuple[str, bytes]]) -> int:
    clients = [Client(server.connect()) for _ in range(min(CONNECTIONS, len(items)))]
    requests = _requests(signer, items)
    # The shorter side of `zip` comes first: no request is taken that no connection is there for.
    while batch := list(zip(clients, requests, strict=False)):
        for client, request in batch:
            client.send(request)
        for client, _ in batch:
            answer = client.answer()
            if answer.status != 200:
                raise BenchError(f"filling: {answer.status} {answer.body[:300]!r}")
    for client in clients:
        client.close()
    return len(items)
