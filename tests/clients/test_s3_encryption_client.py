"""Amazon's own encrypting client keeps objects in the store with keys of a box, and the store never has a data key."""

import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

import pytest
from bench import Bench
from certificates import Certificates
from client_settings import Route, Scheme
from leaks import Needles, in_files, in_memory
from tests.keybox.box import Box, Serving

CLIENT = "s3-encryption-client"
KEY_NAME = "clients"
TRACED = True
SHOWN_BYTES = 256 * 1024
ARRIVAL_S = 1.0
# What is done to the box, and the error that the client then tells. A destroyed key comes back no more: the order counts.
STATES = {"disable": "DisabledException", "destroy": "NotFoundException", "stop": "Could not connect"}


@pytest.fixture(scope="module")
def box(route: Route, tmp_path_factory: pytest.TempPathFactory) -> Box:
    """Make a box with one key, for each route anew: at its end the key is destroyed."""
    made = Box(tmp_path_factory.mktemp("keybox") / "box")
    made.create_key(KEY_NAME)
    return made


@pytest.fixture(scope="module")
def serving(box: Box, route: Route, certificates: Certificates) -> Iterator[Serving]:
    """Serve the box as the store is served: with TLS or without."""
    tls = ("--tls-cert", certificates.cert_file, "--tls-key", certificates.key_file)
    with Serving(box, *(tls if route.scheme is Scheme.TLS else ())) as running:
        yield running


@pytest.fixture(scope="module")
def beside(box: Box, serving: Serving) -> dict[str, str]:
    """Tell the settings where the box is."""
    keys = box.made["kms"]
    return {
        "keybox_endpoint": serving.url.geturl(),
        "keybox_access_key_id": keys["access_key_id"],
        "keybox_secret_access_key": keys["secret_access_key"],
        "keybox_key_id": f"alias/{KEY_NAME}",
    }


@pytest.fixture(scope="module")
def canary() -> str:
    """Make a text that the client alone knows."""
    return f"canary-{secrets.token_hex(32)}"


@pytest.fixture(scope="module")
def told(bench: Bench, canary: str) -> str:
    """Let the client tell its whole story once."""
    bench.make_bucket()
    return bench.tell("s3_encryption_story.py", canary)


def test_it_tells_its_story(told: str) -> None:
    print(told)
    assert "FAILED" not in told


def test_the_log_of_the_box_says_what_was_opened(told: str, bench: Bench, box: Box) -> None:
    opened = [line["context"] for line in box.log() if line["operation"] == "kms.Decrypt" and line["result"] == "ok"]
    assert {"bucket": bench.bucket, "key": "parts/v3", "aws:x-amz-cek-alg": "115"} in opened
    assert {"bucket": bench.bucket, "key": "parts/v2", "aws:x-amz-cek-alg": "AES/GCM/NoPadding"} in opened


def test_the_store_never_had_a_data_key_nor_plaintext(told: str, bench: Bench, canary: str) -> None:
    keys = {bytes.fromhex(line) for line in (bench.home / "data-keys.txt").read_text().split()}
    assert len(keys) > 20
    needles = Needles([*keys, canary.encode()])
    assert in_files(needles, bench.home), "the client itself has them"
    if bench.trace is not None:
        assert in_files(Needles([b"x-amz-meta-x-amz-3"]), bench.trace), "the trace is not that of the client"
        assert in_files(needles, bench.trace) == []
    assert in_files(needles, bench.store.data) == []
    assert in_memory(needles, bench.store.process_id) == []


def test_the_search_finds_what_the_store_is_given_in_the_clear(told: str, bench: Bench) -> None:
    shown = secrets.token_hex(32).encode()
    assert in_memory(Needles([shown]), bench.store.process_id) == []
    with half_uploaded(bench, shown * (SHOWN_BYTES // len(shown))):
        assert in_memory(Needles([shown]), bench.store.process_id)


@contextmanager
def half_uploaded(bench: Bench, body: bytes) -> Iterator[None]:
    """Send the first half of a plain object, and leave the store waiting for the second."""
    place = {"Bucket": bench.bucket, "Key": "clear"}
    url = urlsplit(bench.judge.generate_presigned_url("put_object", Params=place))
    if bench.route.scheme is Scheme.TLS:
        trust = ssl.create_default_context(cafile=str(bench.store.ca_file))
        connection: HTTPConnection = HTTPSConnection(url.hostname or "", url.port, context=trust)
    else:
        connection = HTTPConnection(url.hostname or "", url.port)
    with closing(connection):
        connection.putrequest("PUT", f"{url.path}?{url.query}")
        connection.putheader("Content-Length", str(2 * len(body)))
        connection.endheaders()
        connection.send(body)
        time.sleep(ARRIVAL_S)
        yield


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_read_nor_written_without_the_box(told: str, bench: Bench, box: Box, serving: Serving, state: str) -> None:
    if state == "stop":
        assert serving.stop() == 0
    else:
        box.command(state, KEY_NAME, *(["--yes"] if state == "destroy" else []))
    print(bench.tell("s3_encryption_refused.py", STATES[state]))
    if state == "disable":
        box.command("enable", KEY_NAME)
