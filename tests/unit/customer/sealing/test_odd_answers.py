"""A store whose answers are none of S3: each is an error of ours with one line to read, whatever the SDK makes of it."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.unit.customer.sealing.objects import KEY, PLACE, seal, stream

from siegel.customer.sealing.opening import open_sealed
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import StoreError
from siegel.customer.sealing.store import PART_BYTES_MIN, S3Source, connect, list_keys, upload

SEALED = seal(b"the plaintext")
RANGE = f"bytes 0-{len(SEALED) - 1}/{len(SEALED)}"
GOOD = {"ETag": '"e"', "Content-Range": RANGE, "Content-Length": str(len(SEALED))}
BEGUN = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


@contextmanager
def store(monkeypatch, answer) -> Iterator[object]:
    """A client of a store in which `answer` returns status, headers and body for each method and path."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  the names that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("DEFAULT_REGION", "r"), ("MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield connect(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def without(headers, name):
    return {key: value for key, value in headers.items() if key != name}


def test_such_a_store_that_answers_as_stores_do(monkeypatch):
    with store(monkeypatch, lambda *_: (206, GOOD, SEALED)) as client:
        file = open_sealed(S3Source(client, PLACE), PLACE, key=KEY, trusted=[KEY.sealer], seen=None)
    assert file.read() == b"the plaintext"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, without(GOOD, "ETag")),
        (206, GOOD | {"Content-Range": "bytes 0-9/\xb2"}),
        (206, GOOD | {"Content-Range": "bytes 0-9/" + "9" * 5000}),
        (206, GOOD | {"Content-Range": "bytes 0-9/*"}),
        (206, GOOD | {"Last-Modified": "nonsense"}),
        (206, GOOD | {"x-amz-mp-parts-count": "zz"}),
        (206, GOOD | {"Content-Length": "zz"}),
        (301, {"Location": "http://127.0.0.1:1/"}),
        (301, {"x-amz-bucket-region": "r"}),
        (204, {}),
    ],
)
# The SDK leaves its connection to the collector where it stumbles over an answer.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_reads(monkeypatch, status, headers):
    def answer(*_):
        return status, headers, SEALED if status == 206 else b""

    with store(monkeypatch, answer) as client, pytest.raises(StoreError) as caught:
        S3Source(client, PLACE)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "listed",
    [
        b"<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>zz</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<a><b></a",
    ],
)
def test_lists(monkeypatch, listed):
    def answer(*_):
        return 200, {"Content-Type": "application/xml"}, listed

    with store(monkeypatch, answer) as client, pytest.raises(StoreError):
        list(list_keys(client, ObjectPlace("evidence", "")))


@pytest.mark.parametrize("begun", [BEGUN, BEGUN.replace("<UploadId>u</UploadId>", "")])
def test_uploads_in_parts(monkeypatch, begun):
    asked = []

    def answer(method, path):
        asked.append(method)
        return 200, {"Content-Type": "application/xml"}, begun.encode() if "?uploads" in path else b""

    with store(monkeypatch, answer) as client, pytest.raises(StoreError, match="none of S3"):
        upload(client, stream(bytes(6 * 1024 * 1024)), part_bytes=PART_BYTES_MIN)
    assert asked[0] == "POST"
    assert ("DELETE" in asked) == (begun == BEGUN)


def test_what_is_wrong_with_a_file_is_not_said_of_the_store(monkeypatch):
    sealed = stream(b"x" * 100)
    sealed._source.close()
    with store(monkeypatch, lambda *_: (200, {}, b"")) as client, pytest.raises(ValueError, match="closed file"):
        upload(client, sealed)
    assert isinstance(sealed._source, io.BytesIO)
