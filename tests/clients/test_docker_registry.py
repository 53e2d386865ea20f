"""The Docker registry keeps images in the store. Images are pushed and pulled by plain HTTP, as Docker itself does it."""

import hashlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urljoin

import pytest
from bench import Bench

CLIENT = "docker-registry"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
START_S = 20


@dataclass(frozen=True)
class Answer:
    """Status, headers (by lower-case name) and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing: the tests look at the redirect itself."""


@dataclass(frozen=True)
class Registry:
    """A running registry."""

    address: str

    def ask(self, method: str, place: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request; names of headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(urljoin(self.address, place), data=body, method=method, headers=named)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    def push(self, repository: str, blob: bytes, chunk_bytes: int) -> str:
        """Push a blob in chunks; return its digest."""
        digest = digest_of(blob)
        place = self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"").headers["location"]
        for at in range(0, len(blob), chunk_bytes):
            chunk = blob[at : at + chunk_bytes]
            span = f"{at}-{at + len(chunk) - 1}"
            sent = self.ask("PATCH", place, chunk, Content_Type="application/octet-stream", Content_Range=span)
            assert sent.status == 202, sent
            place = sent.headers["location"]
        done = self.ask("PUT", f"{place}&digest={digest}", b"")
        assert done.status == 201, done
        assert done.headers["docker-content-digest"] == digest
        return digest

    def push_image(self, repository: str, tag: str, layers: list[str]) -> bytes:
        """Push a configuration and a manifest that name the layers; return the manifest."""
        settings = b'{"architecture":"amd64","os":"linux"}'
        part = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(settings)}
        layer = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1}
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {**part, "digest": self.push(repository, settings, 1 << 20)},
                "layers": [{**layer, "digest": digest} for digest in layers],
            }
        ).encode()
        pushed = self.ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, Content_Type=MANIFEST)
        assert pushed.status == 201, pushed
        return manifest


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def digest_of(blob: bytes) -> str:
    """Return the registry's name of a blob."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


@contextmanager
def running_registry(bench: Bench) -> Iterator[Registry]:
    """Start a registry with the settings of its page, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = bench.home / "config.yml"
    environment = bench.environment | {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}"}
    log = Path(bench.home / "registry.log")
    with log.open("ab") as out:
        process = subprocess.Popen(["docker-registry", "serve", config], env=environment, cwd=bench.home, stdout=out, stderr=out)
    registry = Registry(f"http://127.0.0.1:{port}")
    try:
        _wait_until_it_answers(registry, log)
        yield registry
    finally:
        process.terminate()
        process.wait(START_S)


def _wait_until_it_answers(registry: Registry, log: Path) -> None:
    for _ in range(START_S * 20):
        try:
            if registry.ask("GET", "/v2/").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def registry(bench: Bench) -> Iterator[Registry]:
    bench.make_bucket()
    with running_registry(bench) as running:
        yield running


@pytest.fixture(scope="module")
def layers(bench: Bench) -> list[bytes]:
    return [(bench.tree.root / name).read_bytes() for name in ("odd/a.txt", "large/twenty.bin", "large/forty-one.bin")]


def test_an_image_is_pushed_in_chunks_and_pulled(bench: Bench, registry: Registry, layers: list[bytes]) -> None:
    digests = [registry.push("house/image", blob, 12 << 20) for blob in layers]
    manifest = registry.push_image("house/image", "first", digests)
    pulled = registry.ask("GET", "/v2/house/image/manifests/first", Accept=MANIFEST)
    assert pulled.body == manifest
    assert registry.ask("GET", f"/v2/house/image/manifests/{digest_of(manifest)}", Accept=MANIFEST).body == manifest
    for digest, blob in zip(digests, layers, strict=True):
        told = registry.ask("GET", f"/v2/house/image/blobs/{digest}")
        assert told.status == 307, told
        assert bench.fetch(told.headers["location"]) == (200, blob)


def test_a_redirect_serves_ranges(bench: Bench, registry: Registry, layers: list[bytes]) -> None:
    url = registry.ask("GET", f"/v2/house/image/blobs/{digest_of(layers[1])}").headers["location"]
    assert bench.fetch(url, Range="bytes=16000-40000") == (206, layers[1][16000:40001])


def test_what_is_pushed_is_listed(registry: Registry) -> None:
    assert json.loads(registry.ask("GET", "/v2/house/image/tags/list").body)["tags"] == ["first"]
    assert json.loads(registry.ask("GET", "/v2/_catalog").body)["repositories"] == ["house/image"]


def test_a_blob_is_mounted_into_another_repository(bench: Bench, registry: Registry, layers: list[bytes]) -> None:
    digest = digest_of(layers[2])
    mounted = registry.ask("POST", f"/v2/house/other/blobs/uploads/?mount={digest}&from=house/image", b"")
    assert mounted.status == 201, mounted
    told = registry.ask("GET", f"/v2/house/other/blobs/{digest}")
    assert bench.fetch(told.headers["location"]) == (200, layers[2])
    looked_up = registry.ask("HEAD", f"/v2/house/other/blobs/{digest}")
    assert bench.fetch(looked_up.headers["location"], method="HEAD") == (200, b"")


def test_a_wrong_digest_is_refused(registry: Registry) -> None:
    place = registry.ask("POST", "/v2/house/image/blobs/uploads/", b"").headers["location"]
    sent = registry.ask("PATCH", place, b"not these bytes", Content_Type="application/octet-stream")
    refused = registry.ask("PUT", f"{sent.headers['location']}&digest={digest_of(b'these bytes')}", b"")
    assert refused.status == 400, refused


def test_a_restarted_registry_finds_everything_and_deletes_it(bench: Bench, registry: Registry, layers: list[bytes]) -> None:
    with running_registry(bench) as other:
        assert json.loads(other.ask("GET", "/v2/house/image/tags/list").body)["tags"] == ["first"]
        digest = other.ask("HEAD", "/v2/house/image/manifests/first", Accept=MANIFEST).headers["docker-content-digest"]
        assert other.ask("DELETE", f"/v2/house/image/manifests/{digest}").status == 202
        assert other.ask("GET", "/v2/house/image/manifests/first", Accept=MANIFEST).status == 404
        assert other.ask("DELETE", f"/v2/house/image/blobs/{digest_of(layers[0])}").status == 202
        assert other.ask("GET", f"/v2/house/image/blobs/{digest_of(layers[0])}").status == 404
