"""Fixtures of the real-client suite: one store per scheme, one tree of files, one bench per client and route.

A test module names its client in `CLIENT`; each of its tests runs on every route that the client can take. `TRACED = True` keeps
what the client sends over plain HTTP.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the suite's own modules, found from wherever pytest is started

from bench import Bench
from certificates import DOMAIN, Certificates, make_certificates
from client_settings import Route, Scheme, Style, read_settings
from file_tree import FileTree, make_tree
from host_listener import listening_to
from store_process import Store, running_store


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses the bench on every route of its module's client."""
    if "route" in metafunc.fixturenames:
        routes = read_settings(metafunc.module.CLIENT).routes()
        metafunc.parametrize("route", routes, ids=str, scope="module")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make a CA and a server certificate."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> FileTree:
    """Make the files that every client copies."""
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="session")
def plain_store(certificates: Certificates) -> Iterator[Store]:
    """Run a store that speaks plain HTTP."""
    with running_store(Scheme.PLAIN, certificates) as store:
        yield store


@pytest.fixture(scope="session")
def tls_store(certificates: Certificates) -> Iterator[Store]:
    """Run a store that speaks TLS."""
    with running_store(Scheme.TLS, certificates) as store:
        yield store


@pytest.fixture(scope="module")
def beside() -> dict[str, str]:
    """Fill no more places of the settings; a module whose client needs more than a store has a fixture of its own."""
    return {}


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest,
    route: Route,
    tree: FileTree,
    tmp_path_factory: pytest.TempPathFactory,
    beside: dict[str, str],
) -> Iterator[Bench]:
    """Set the client up for one route. Its bucket is made by the client itself and removed by the judge.

    Over plain HTTP it is also heard whether the client names the host that the route's style asks for.
    """
    settings = read_settings(request.module.CLIENT)
    home = tmp_path_factory.mktemp(f"{settings.name}-{route}")
    if route.scheme is Scheme.TLS:
        tls_store: Store = request.getfixturevalue("tls_store")
        yield from _bench_for(Bench(settings, route, tls_store, tree, home, behind=tls_store, beside=beside))
        return
    store: Store = request.getfixturevalue("plain_store")
    trace = tmp_path_factory.mktemp("sent") if getattr(request.module, "TRACED", False) else None
    with listening_to(store.port, trace) as listener:
        reached = replace(store, port=listener.port)
        made = Bench(settings, route, reached, tree, home, behind=store, beside=beside, trace=trace)
        yield from _bench_for(made)
        by_name = f"{made.bucket}.{DOMAIN}" in listener.hosts
        assert by_name is (route.style is Style.VIRTUAL), listener.hosts


def _bench_for(made: Bench) -> Iterator[Bench]:
    made.write_settings()
    yield made
    made.empty_bucket()
    made.judge.close()
