"""One running service per kind for the whole session; a fresh bucket for each test."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from .certificates import DOMAIN, make_certificates
from .key_servers import Premises, premises
from .raw import RawClient, Wire
from .service import Service, arguments, running
from .shelf import Shelf, make_shelf, sdk
from .signer import Keys

OPEN_SSE_C = {"SIEGEL_SSE_C_OVER_HTTP": "true", "SIEGEL_SSE_C_DEFAULT": "allowed"}

# Identity providers of the tests run on this machine.
NEAR = {"SIEGEL_OUTBOUND_ALLOW": "127.0.0.1/32"}


@pytest.fixture(scope="session", autouse=True)
def names_on_this_machine() -> Iterator[None]:
    """Resolve every name below the test domain to this machine, as wildcard DNS does for a deployment."""
    ask = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        inside = isinstance(host, str) and (host == DOMAIN or host.endswith(f".{DOMAIN}"))
        return ask("127.0.0.1" if inside else host, *rest, **options)

    socket.getaddrinfo = resolve
    yield
    socket.getaddrinfo = ask


@pytest.fixture(autouse=True)
def bodies_left_unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the answers' bodies that a test has left unread: a later test would be blamed for their sockets."""
    begin, made = StreamingBody.__init__, []

    def note(self: StreamingBody, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        made.append(self)

    monkeypatch.setattr(StreamingBody, "__init__", note)
    yield
    for body in made:
        body.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Plain HTTP, two workers, virtual hosts, SSE-C allowed."""
    directory = tmp_path_factory.mktemp("plain") / "data"
    with running(directory, *arguments(domain=DOMAIN), env={**OPEN_SSE_C, **NEAR}) as started:
        yield started


@pytest.fixture(scope="session")
def tls_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """TLS with an authority of our own; settings of SSE-C as they come."""
    folder = tmp_path_factory.mktemp("tls")
    ca, certificate, key = make_certificates(folder)
    options = arguments(tls=["--tls-cert", str(certificate), "--tls-key", str(key)], domain=DOMAIN)
    with running(folder / "data", *options, ca=ca) as started:
        yield started


@pytest.fixture(scope="session")
def strict_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Plain HTTP, one worker, every setting as it comes: SSE-C is off."""
    with running(tmp_path_factory.mktemp("strict") / "data", "--workers", "1") as started:
        yield started


@pytest.fixture(scope="session")
def s3(service: Service) -> Iterator[Any]:
    """The owner's SDK client."""
    with closing(sdk(service)) as client:
        yield client


@pytest.fixture(scope="session")
def owner(service: Service) -> Keys:
    """The owner's access key."""
    return service.owner


@pytest.fixture(scope="session")
def stranger_s3(service: Service) -> Iterator[Any]:
    """The SDK client of another account."""
    with closing(sdk(service, service.stranger)) as client:
        yield client


@pytest.fixture(scope="session")
def iam(service: Service) -> Iterator[Any]:
    """The owner's SDK client of IAM."""
    with closing(sdk(service, name="iam")) as client:
        yield client


@pytest.fixture(scope="session")
def stranger_iam(service: Service) -> Iterator[Any]:
    """The other account's SDK client of IAM."""
    with closing(sdk(service, service.stranger, name="iam")) as client:
        yield client


@pytest.fixture(scope="session")
def kms(service: Service) -> Iterator[Any]:
    """The owner's SDK client of the key service."""
    with closing(sdk(service, name="kms")) as client:
        yield client


@pytest.fixture(scope="session")
def stranger_kms(service: Service) -> Iterator[Any]:
    """The other account's SDK client of the key service."""
    with closing(sdk(service, service.stranger, name="kms")) as client:
        yield client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    """The customer's key server, one for a module."""
    with premises(tmp_path_factory.mktemp("customer")) as found:
        yield found


@pytest.fixture(scope="session")
def tls_s3(tls_service: Service) -> Iterator[Any]:
    with closing(sdk(tls_service)) as client:
        yield client


@pytest.fixture
def raw(service: Service) -> RawClient:
    """The owner's raw client."""
    return service.raw()


@pytest.fixture
def bucket(service: Service, s3: Any) -> Shelf:
    """A fresh, unversioned bucket of the owner."""
    return make_shelf(service, s3)


@pytest.fixture
def versioned(service: Service, s3: Any) -> Shelf:
    """A fresh bucket that keeps versions."""
    shelf = make_shelf(service, s3)
    shelf.version()
    return shelf


@pytest.fixture
def second_bucket(service: Service, s3: Any) -> Shelf:
    """One more fresh bucket of the owner."""
    return make_shelf(service, s3)


@pytest.fixture
def tls_bucket(tls_service: Service, tls_s3: Any) -> Shelf:
    """A fresh bucket behind TLS."""
    return make_shelf(tls_service, tls_s3)


@pytest.fixture(scope="session")
def silent_upload(service: Service, s3: Any) -> Iterator[tuple[Wire, float, Shelf]]:
    """An upload that stopped in its body when the session began; looked at by the test that runs last."""
    shelf = make_shelf(service, s3)
    wire = shelf.raw.connect()
    ask = shelf.raw.sign(shelf.raw.ask("PUT", shelf.name, "silent", body=bytes(100_000)))
    wire.send(ask.head() + ask.body[:100])
    yield wire, time.monotonic(), shelf
    wire.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the silent upload first and look at it last, so that nobody waits for it."""
    waiting = [item for item in items if "silent_upload" in getattr(item, "fixturenames", ())]
    if waiting and len(items) > len(waiting):
        here = [item for item in items if item not in waiting and item.path.is_relative_to(Path(__file__).parent)]
        shared = (item for item in here if not hasattr(getattr(item, "module", None), "service"))
        first = next(item for item in shared if "service" in getattr(item, "fixturenames", ()))
        first.fixturenames.append("silent_upload")  # type: ignore[attr-defined] # set up with the first test that has a service
        items[:] = [item for item in items if item not in waiting] + waiting
