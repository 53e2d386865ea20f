"""Objects that the customer's own key server opens: by the commands, Python and fsspec, with the real service and box."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import fsspec
import pytest

from siegel.customer.sealing import ClientCertificate, KeyServer, keyserver, new_key_file, read_credential
from siegel.customer.sealing.keyserver import BoxCredential
from siegel.customer.sealing.refusals import (
    HeaderChangedError,
    KeyServerError,
    KeyServerLiedError,
    KeyServerRefusedError,
    KeyServerSilentError,
)
from siegel.domain.errors import ConfigurationError
from tests.command_line import siegel
from tests.keybox.box import Box, Serving

from .certificates import make_certificates
from .service import Service
from .shelf import Shelf, sdk, seeded
from .signer import REGION

ROOT = Path(__file__).parents[2]
DECRYPTOR = ROOT / "docs" / "design" / "formats" / "client_decryptor.py"
CONTEXT = {"account": "", "bucket": "b", "key": "k"}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    made = Box(tmp_path_factory.mktemp("keybox") / "box")
    made.create_key("evidence")
    return made


@pytest.fixture(scope="module")
def serving(box: Box) -> Iterator[Serving]:
    with Serving(box) as running:
        yield running


@dataclass(frozen=True)
class Desk:
    """A customer's machine that is told where the key server is."""

    folder: Path
    env: dict[str, str]

    def run(self, *words: str, code: int = 0) -> str:
        done = siegel(*words, "--json", cwd=self.folder, env=self.env)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def desk(tmp_path: Path, service: Service, box: Box, serving: Serving) -> Desk:
    credential = tmp_path / "keybox.json"
    credential.write_text(json.dumps(box.made))
    credential.chmod(0o600)
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL_S3": service.url,
        "AWS_ACCESS_KEY_ID": service.owner.access_key_id,
        "AWS_SECRET_ACCESS_KEY": service.owner.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "SIEGEL_ACCOUNT_ID": "111122223333",
        "SIEGEL_KEYBOX": serving.url.geturl(),
        "SIEGEL_KEYBOX_KEY": "alias/evidence",
        "SIEGEL_KEYBOX_CREDENTIAL": str(credential),
    }
    made = Desk(tmp_path, env)
    made.run("keys", "new", "my.key")
    return made


def uses(box: Box, operation: str) -> list[dict[str, Any]]:
    return [line for line in box.log() if line["operation"] == f"kms.{operation}"]


def test_the_commands_seal_for_the_box_and_it_sees_what_is_opened(desk: Desk, bucket: Shelf, box: Box):
    data = seeded(300_000)
    (desk.folder / "clip.mp4").write_bytes(data)
    uri = f"s3://{bucket.name}/2026/clip.mp4"
    (sealed,) = json.loads(desk.run("seal", "clip.mp4", uri, "--key", "my.key", "--sign-only"))["objects"]
    stored = bucket.get("2026/clip.mp4")
    told = {
        "account": "111122223333",
        "bucket": bucket.name,
        "key": "2026/clip.mp4",
        "version": stored[16:32].hex(),
        "number": str(sealed["sequence"]),
        "format": "siegel client v1",
    }
    assert box.last("kms.GenerateDataKey")["context"] == told
    before = len(uses(box, "Decrypt"))
    desk.run("open", uri, "--from", "my.key.pub", "-o", "out")
    assert (desk.folder / "out").read_bytes() == data
    assert len(uses(box, "Decrypt")) == before + 1
    assert box.last("kms.Decrypt")["context"] == told
    assert "whom you do not trust" in desk.run("open", uri, "-o", "three", code=3)


def test_a_moved_object_does_not_open_and_the_log_shows_the_attempt(desk: Desk, bucket: Shelf, box: Box):
    (desk.folder / "a").write_bytes(b"a" * 100)
    desk.run("seal", "a", f"s3://{bucket.name}/a", "--key", "my.key", "--sign-only")
    bucket.put("b", bucket.get("a"))
    said = desk.run("open", f"s3://{bucket.name}/b", "--from", "my.key.pub", "-o", "out", code=3)
    assert "another place" in said
    assert box.last("kms.Decrypt")["context"]["key"] == "b"
    assert box.last("kms.Decrypt")["result"] == "InvalidCiphertextException"


def test_the_policy_of_the_box_decides(desk: Desk, bucket: Shelf, box: Box):
    (desk.folder / "a").write_bytes(b"a")
    uri = f"s3://{bucket.name}/2026/a"
    desk.run("seal", "a", uri, "--key", "my.key", "--sign-only")
    box.write_policy('buckets = ["other-*"]\n')
    try:
        said = desk.run("open", uri, "--from", "my.key.pub", "-o", "out", code=1)
        assert "The policy's buckets does not allow it" in said
        assert "AccessDenied" in desk.run("seal", "a", uri, "--key", "my.key", "--sign-only", code=1)
        box.write_policy(f'accounts = ["111122223333"]\nbuckets = ["{bucket.name}"]\nobjects = ["2026/*"]\n')
        desk.run("open", uri, "--from", "my.key.pub", "-o", "out")
        assert (desk.folder / "out").read_bytes() == b"a"
        assert "objects" in desk.run("seal", "a", f"s3://{bucket.name}/2027/a", "--key", "my.key", code=1)
        assert bucket.keys() == ["2026/a"]
    finally:
        box.write_policy("# all\n")


def test_a_disabled_and_a_destroyed_key_open_nothing(desk: Desk, bucket: Shelf, box: Box):
    box.create_key("short-lived")
    (desk.folder / "a").write_bytes(b"a")
    uri = f"s3://{bucket.name}/a"
    desk.run("seal", "a", uri, "--key", "my.key", "--sign-only", "--keybox-key", "alias/short-lived")
    opening = ("open", uri, "--from", "my.key.pub", "--keybox-key", "alias/short-lived", "-o", "out")
    box.command("disable", "short-lived")
    assert "The key is disabled" in desk.run(*opening, code=1)
    assert "disabled" in desk.run("seal", "a", uri, "--key", "my.key", "--keybox-key", "alias/short-lived", code=1)
    box.command("enable", "short-lived")
    desk.run(*opening)
    (desk.folder / "out").unlink()
    box.command("destroy", "short-lived", "--yes")
    assert "destroyed" in desk.run(*opening, code=1)
    unnamed = {**desk.env}
    del unnamed["SIEGEL_KEYBOX_KEY"]
    assert "destroyed" in Desk(desk.folder, unnamed).run("open", uri, "--from", "my.key.pub", "-o", "out", code=1)
    assert not (desk.folder / "out").exists()


def test_what_the_commands_are_not_told_they_ask_for(desk: Desk, bucket: Shelf):
    (desk.folder / "a").write_bytes(b"a")
    uri = f"s3://{bucket.name}/a"
    bare = Desk(desk.folder, {name: text for name, text in desk.env.items() if not name.startswith("SIEGEL_KEYBOX")})
    assert "--key KEY-FILE, or --keybox URL" in bare.run("open", uri, "-o", "out", code=1)
    assert "nobody could open it" in bare.run("seal", "a", uri, "--key", "my.key", "--sign-only", code=1)
    server = ("--keybox", desk.env["SIEGEL_KEYBOX"])
    assert "--keybox-key" in bare.run("seal", "a", uri, *server, code=1)
    assert "SIEGEL_KEYBOX_ACCESS_KEY_ID" in bare.run("seal", "a", uri, *server, "--keybox-key", "alias/evidence", code=1)
    assert "key file" in bare.run("open", uri, "--sealed-name", "--keybox-credential", "keybox.json", *server, "-o", "x", code=1)
    assert "requests at once" in bare.run("seal", "a", uri, "--key", "my.key", "--requests", "0", code=1)


@pytest.fixture
def key_server(box: Box, serving: Serving) -> KeyServer:
    return KeyServer(serving.url.geturl(), credential_of(box), key_id="alias/evidence")


def credential_of(box: Box) -> BoxCredential:
    return BoxCredential(**box.made["kms"])


def test_the_file_system_asks_once_for_an_object_however_many_ranges_are_read(bucket: Shelf, box: Box, key_server: KeyServer):
    key, data, path = new_key_file(), seeded(300_000), f"{bucket.name}/k"
    options = {"key": key, "box": key_server, "sealer_opens": False, "client": sdk(bucket.service), "seen": None}
    files = fsspec.filesystem("siegel+s3", **options)
    files.pipe_file(path, data)
    before = len(uses(box, "Decrypt"))
    for at in range(0, 300_000, 30_000):
        assert files.cat_file(path, at, at + 10) == data[at : at + 10]
    with files.open(path) as stream:
        assert stream.read() == data
    assert len(uses(box, "Decrypt")) == before + 1


def test_keys_are_kept_no_longer_than_they_may_be(box: Box, serving: Serving):
    clock = [0.0]
    for kept_s, asked in ((60.0, 2), (0.0, 4)):
        opening = {"key_id": "alias/evidence", "kept_s": kept_s, "now_s": lambda: clock[0]}
        server = KeyServer(serving.url.geturl(), credential_of(box), **opening)
        made = server.fresh_key(CONTEXT)
        before = len(uses(box, "Decrypt"))
        for clock[0] in (0.0, 59.9, 60.1, 61.0):
            assert server.unwrap(made.blob, CONTEXT) == made.plaintext
        assert len(uses(box, "Decrypt")) - before == asked
        with pytest.raises(HeaderChangedError):
            server.unwrap(made.blob, CONTEXT | {"key": "other"})


def test_the_stand_alone_decryptor_opens_with_what_the_box_answers(desk: Desk, bucket: Shelf, box: Box, serving: Serving):
    data = seeded(50_000)
    (desk.folder / "a").write_bytes(data)
    uri = f"s3://{bucket.name}/a"
    desk.run("seal", "a", uri, "--key", "my.key", "--sign-only")
    (desk.folder / "object").write_bytes(bucket.get("a"))

    def alone(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, DECRYPTOR, *words], cwd=desk.folder, capture_output=True, check=False, timeout=60)

    asked = json.loads(alone("--ask", "object", uri, "111122223333").stdout)
    keys = box.made["kms"]
    kms = boto3.client(
        "kms",
        endpoint_url=serving.url.geturl(),
        region_name="eu-central-1",
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
    )
    blob = base64.b64decode(asked["CiphertextBlob"])
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=asked["EncryptionContext"])
    kms.close()
    (desk.folder / "box.key").write_text(base64.b64encode(answer["Plaintext"]).decode() + "\n")
    opened = alone("--box-key", "box.key", "my.key.pub", "object", uri, "111122223333")
    assert (opened.returncode, opened.stdout) == (0, data), opened.stderr
    (desk.folder / "box.key").write_text(base64.b64encode(bytes(32)).decode())
    refused = alone("--box-key", "box.key", "my.key.pub", "object", uri, "111122223333")
    assert (refused.returncode, refused.stdout) == (1, b"")


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Run a key server that does something else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def saying(status: int, body: object, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in ({"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(data))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def key_and_blob(key_bytes: int = 32, blob_bytes: int = 100) -> dict[str, str]:
    return {
        "KeyId": "arn:aws:kms:keybox:000000000000:key/x",
        "Plaintext": base64.b64encode(os.urandom(key_bytes)).decode(),
        "CiphertextBlob": base64.b64encode(bytes(blob_bytes)).decode(),
    }


def another_each_time(handler: BaseHTTPRequestHandler) -> None:
    saying(200, key_and_blob())(handler)


LIES = {
    "another key than it unwraps": another_each_time,
    "a short key": saying(200, key_and_blob(16)),
    "no key": saying(200, {"KeyId": "x"}),
    "no blob": saying(200, {"KeyId": "x", "Plaintext": base64.b64encode(bytes(32)).decode()}),
    "a list": saying(200, [1, 2]),
    "no JSON": saying(200, b"<html>"),
    "bytes": saying(200, os.urandom(200)),
    "a page": saying(500, b"<html>broken</html>", Content_Type="text/html"),
    "not found": saying(404, b""),
    "somewhere else": saying(302, b"", Location="http://127.0.0.1:9/"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_key_server_that_lies_is_told_so_and_nothing_is_sealed(lie: str):
    with answering(LIES[lie]) as url:
        server = KeyServer(url, BoxCredential("a", "b"), key_id="x")
        with pytest.raises(KeyServerLiedError):
            server.fresh_key(CONTEXT)


def test_a_key_server_that_does_not_open_its_own_blob_is_not_sealed_with():
    def answer(handler: BaseHTTPRequestHandler) -> None:
        made = handler.headers["X-Amz-Target"].endswith("GenerateDataKey")
        refusal = {"__type": "InvalidCiphertextException", "message": ""}
        saying(200 if made else 400, key_and_blob() if made else refusal)(handler)

    with answering(answer) as url, pytest.raises(KeyServerLiedError, match="does not unwrap itself"):
        KeyServer(url, BoxCredential("a", "b"), key_id="x").fresh_key(CONTEXT)


def test_a_key_server_that_is_slow_is_waited_for_no_longer_than_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keyserver, "ANSWER_S_MAX", 0.3)
    with answering(lambda _handler: time.sleep(30)) as url:
        server = KeyServer(url, BoxCredential("a", "b"), key_id="x")
        began = time.monotonic()
        with pytest.raises(KeyServerSilentError, match="does not answer"):
            server.fresh_key(CONTEXT)
        assert time.monotonic() - began < 15


def test_a_key_server_that_is_off_is_said():
    with pytest.raises(KeyServerSilentError, match="does not answer"):
        KeyServer("http://127.0.0.1:9", BoxCredential("a", "b")).unwrap(b"blob", CONTEXT)


def test_a_wrong_credential_is_said(serving: Serving):
    with pytest.raises(KeyServerRefusedError, match="UnrecognizedClientException"):
        KeyServer(serving.url.geturl(), BoxCredential("a", "b")).unwrap(b"blob", CONTEXT)


@pytest.mark.parametrize(
    ("url", "ca_file", "words"),
    [
        ("http://keybox.example.com", None, "to the network"),
        ("http://10.0.0.1:9443", None, "to the network"),
        ("keybox.example.com", None, "no address"),
        ("ftp://127.0.0.1", None, "no address"),
        ("https://[::1", None, "no address"),
        ("https://127.0.0.1:x", None, "no address"),
        ("https://127.0.0.1", Path("missing.pem"), "no file with certificates"),
        ("https://127.0.0.1", Path("n" * 256), "no file with certificates"),
    ],
)
def test_addresses_that_are_none_or_would_show_the_keys(url: str, ca_file: Path | None, words: str):
    with pytest.raises(KeyServerError, match=words):
        KeyServer(url, BoxCredential("a", "b"), ca_file=ca_file)


def test_a_proxy_of_the_environment_sees_no_key(serving: Serving, monkeypatch: pytest.MonkeyPatch):
    """What is asked in clear on this machine stays on it, whatever proxy others are asked through."""
    seen: list[str] = []

    def note(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.path)
        saying(502, b"")(handler)

    with answering(note) as url:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, url)
        with pytest.raises(KeyServerRefusedError):
            KeyServer(serving.url.geturl(), BoxCredential("a", "b")).unwrap(b"blob", CONTEXT)
    assert seen == []


def test_without_a_key_nothing_is_sealed(serving: Serving, box: Box):
    with pytest.raises(KeyServerError, match="--keybox-key"):
        KeyServer(serving.url.geturl(), credential_of(box)).fresh_key(CONTEXT)


def test_without_the_extra_a_clear_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(KeyServerError, match=r"siegel\[client\]"):
        KeyServer("http://127.0.0.1:9", BoxCredential("a", "b"))


def test_the_credential_comes_by_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pair = {"access_key_id": "A", "secret_access_key": "s3cret"}
    for number, text in enumerate((pair, {"kms": pair, "xks": {}})):
        path = tmp_path / str(number)
        path.write_text(json.dumps(text))
        path.chmod(0o600)
        assert read_credential(path) == BoxCredential("A", "s3cret")
    assert "s3cret" not in repr(read_credential(path))
    path.chmod(0o644)
    with pytest.raises(ConfigurationError):
        read_credential(path)
    path.chmod(0o600)
    for text in (
        "",
        "[]",
        "[1]",
        '"x"',
        '{"kms": 1}',
        '{"access_key_id": "A"}',
        '{"access_key_id": "A", "secret_access_key": 1}',
    ):
        path.write_text(text)
        with pytest.raises(KeyServerError, match="tells no credential"):
            read_credential(path)
    for variable, value in (("ACCESS_KEY_ID", "A"), ("SECRET_ACCESS_KEY", "s3cret")):
        monkeypatch.setenv(f"SIEGEL_KEYBOX_{variable}", value)
    assert read_credential() == BoxCredential("A", "s3cret")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path, Path]]:
    """Two authorities, each with one certificate and its key."""
    made = [make_certificates(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs")]
    for _, _, key in made:
        key.chmod(0o600)
    return made


def test_the_commands_show_their_certificate_to_a_box_that_wants_to_see_one(
    desk: Desk, bucket: Shelf, papers: list[tuple[Path, Path, Path]], tmp_path: Path
) -> None:
    (authority, certificate, key), (_, their_certificate, their_key) = papers
    (tmp_path / "clip").write_bytes(b"secret")
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    both.chmod(0o600)
    place, box = f"s3://{bucket.name}/clip", Box(tmp_path / "guarded")
    box.create_key("evidence")
    (tmp_path / "keybox.json").write_text(json.dumps(box.made))
    with Serving(box, "--tls-cert", certificate, "--tls-key", key, "--client-ca", authority) as guarded:
        where = ("--keybox", guarded.url.geturl(), "--keybox-ca", str(authority))
        shown = ("--keybox-cert", str(certificate), "--keybox-cert-key", str(key))
        seal = ("seal", "clip", place, "--key", "my.key", "--sign-only", *where)
        for wrong in ((), ("--keybox-cert", str(their_certificate), "--keybox-cert-key", str(their_key))):
            assert "does not answer" in desk.run(*seal, *wrong, code=1)
        assert bucket.keys() == []
        desk.run(*seal, *shown)
        opening = ("open", place, "--from", "my.key.pub", "-o")
        desk.run(*opening, "again", *where, "--keybox-cert", str(both))
        assert (tmp_path / "again").read_bytes() == b"secret"
        assert "does not answer" in desk.run(*opening, "not", *where, code=1)
        assert not (tmp_path / "not").exists()


def test_certificates_that_cannot_be_shown(papers: list[tuple[Path, Path, Path]], tmp_path: Path) -> None:
    (_, certificate, key), (_, _, other_key) = papers
    credential = BoxCredential("a", "s")
    nothing, open_to_all = tmp_path / "nothing.pem", tmp_path / "open.pem"
    nothing.write_text("nothing")
    nothing.chmod(0o600)
    open_to_all.write_bytes(key.read_bytes())
    open_to_all.chmod(0o644)
    for shown, words in (
        (ClientCertificate(nothing), "cannot be shown"),
        (ClientCertificate(certificate, other_key), "cannot be shown"),
        (ClientCertificate(tmp_path / "none.pem", key), "cannot be shown"),
        (ClientCertificate(certificate, open_to_all), "open to other users"),
        (ClientCertificate(certificate, tmp_path / "none.pem"), "cannot be read"),
    ):
        with pytest.raises((KeyServerError, ConfigurationError), match=words):
            KeyServer("https://127.0.0.1:1", credential, certificate=shown)
    with pytest.raises(KeyServerError, match="https"):
        KeyServer("http://127.0.0.1:1", credential, certificate=ClientCertificate(certificate, key))
