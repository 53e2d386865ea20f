"""A store that stops answering: Ctrl-C and SIGTERM end the commands at once, and no plaintext is left behind."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.command_line import HEARING
from tests.unit.customer.sealing.objects import plain

from siegel.customer.sealing.keyfile import new_key_file, write_key_file
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.seal import seal_stream

# Much less than the SDK would wait, and much more than a busy machine needs.
PATIENCE_S = 40
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


class Hanging(ThreadingHTTPServer):
    """Gives the beginning of one object, begins uploads, and then says nothing more."""

    daemon_threads = True

    def __init__(self, sealed: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sealed = sealed
        self.hangs, self.ends = threading.Event(), threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Hanging

    def answer(self) -> None:
        span = self.headers.get("Range", "")
        if span.startswith("bytes=0-"):
            body = self.server.sealed[: int(span.partition("-")[2]) + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(self.server.sealed)}")
            self.send_header("ETag", '"e"')
        elif self.path.endswith("?uploads"):
            body = BEGUN
            self.send_response(200)
        else:
            self.server.hangs.set()
            self.server.ends.wait()
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  the names that the library looks for

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hanging(sealed: bytes) -> Iterator[Hanging]:
    with Hanging(sealed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.ends.set()
        server.shutdown()


@pytest.fixture
def desk(tmp_path):
    key, data = new_key_file(), plain(20 * 1024 * 1024)
    write_key_file(key, tmp_path / "my.key")
    (tmp_path / "clip").write_bytes(data)
    with (tmp_path / "clip").open("rb") as stream:
        sealed = seal_stream(stream, len(data), ObjectPlace("evidence", "clip"), sealer=key, recipients=[])
        return tmp_path, b"".join(bytes(piece) for piece in sealed)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "state")


@pytest.mark.parametrize(
    ("line", "number", "status"),
    [
        (("open", "s3://evidence/clip", "-o", "out"), signal.SIGINT, 130),
        (("open", "s3://evidence/clip", "-o", "out", "--requests", "1"), signal.SIGINT, 130),
        (("open", "s3://evidence/clip", "-o", "out"), signal.SIGTERM, 143),
        (("open", "s3://evidence/clip", "-o", "out"), signal.SIGHUP, 129),
        (("seal", "clip", "s3://evidence/clip", "--part-mib", "5"), signal.SIGINT, 130),
        (("seal", "clip", "my.key.pub", "s3://evidence/", "--part-mib", "64"), signal.SIGINT, 130),
    ],
)
def test_the_command_ends_and_leaves_nothing(desk, line, number, status):
    folder, sealed = desk
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "r",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    with hanging(sealed) as server:
        where = ("--key", "my.key", "--endpoint-url", f"http://127.0.0.1:{server.server_port}")
        command = [*HEARING, *line, *where]
        process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE)
        try:
            assert server.hangs.wait(PATIENCE_S)
            process.send_signal(number)
            _, told = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, told.decode()) == (status, "")
    assert names(folder) == ["clip", "my.key", "my.key.pub"]
