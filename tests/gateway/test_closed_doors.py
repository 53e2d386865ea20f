"""What nobody gets without a key: paths and ports, constants and defaults, guesses, secrets in logs and answers."""

from __future__ import annotations

import ast
import base64
import hashlib
import http.client
import json
import os
import platform
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

import siegel
from siegel.s3wire.route import ROUTES

from .log import Auditor
from .matrix import request_of
from .service import SIEGEL, Service, make_deployment, running, serving
from .shelf import Shelf, sdk
from .signer import Ask, Keys
from .test_access_matrix import furnish
from .test_admin import ask

CANARY = "canary-7f3a91c2e5"
# What others have served there without a login: health, metrics, consoles, profilers, clusters, environments.
KNOWN = [
    "/", "/-", "/-/", "/-/live", "/-/ready", "/-/accounts", "/-/support/requests", "/-/metrics", "/-/env", "/-/config",
    "/.ledger", "/.ledger/", "/.ledger/warnings", "/.consent/", "/.well-known/openid-configuration", "/metrics", "/health",
    "/healthz", "/status", "/version", "/env", "/config", "/debug/pprof/", "/debug/vars", "/server-status", "/actuator/env",
    "/api/v1/login", "/console", "/login", "/admin", "/minio/health/live", "/minio/v2/metrics/cluster",
    "/minio/bootstrap/v1/verify", "/minio/admin/v3/info", "/minio/storage/data/v43/readall", "/minio/lock/v7/lock",
    "/rustfs/admin/v3/info", "/rustfs/rpc/read_file_stream", "/rustfs/console/version", "/cluster/status", "/dir/status",
    "/dir/assign", "/vol/status", "/stats/health", "/submit", "/ui/index.html", "/v1/sys/seal-status", "/latest/meta-data/",
    "/swagger.json", "/openapi.json", "/docs", "/favicon.ico", "/robots.txt", "/siegel.toml", "/root.key", "/siegel.db",
    "/..%2f..%2fetc/passwd", "/%2e%2e/root.key",
]  # fmt: skip
OPEN = {"/-/live", "/-/ready", "/.ledger/warnings"}


def get(url: str, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Ask unsigned; return the status, and everything that came, headers included."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, str(answer.headers).encode() + answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a canary in its environment and in the name of its directory, that logs all that it can."""
    folder = tmp_path_factory.mktemp(CANARY) / "data"
    with running(folder, "--workers", "1", env={"SIEGEL_LOG_LEVEL": "debug", "AWS_SECRET_ACCESS_KEY": CANARY}) as service:
        yield service


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_t92_minio_cve_2023_28432_no_path_of_any_port_opens_without_a_key(marked: Service, method: str) -> None:
    """And what is open, health and the public warnings, says nothing of machine, release or environment."""
    told = [CANARY, siegel.__version__, platform.python_version(), str(marked.directory), os.environ["PATH"], "Traceback"]
    for url in (marked.url, marked.admin_url):
        for path in KNOWN:
            status, answer = get(url, path, method)
            is_open = path in OPEN and method in {"GET", "HEAD"} and (status == 200)
            assert is_open or 400 <= status < 500, (url, method, path, status)
            for secret in told:
                assert secret.encode() not in answer, (url, method, path)


def test_t92_rustfs_ghsa_jqmc_every_operation_refuses_whoever_shows_no_key(service: Service, s3: object) -> None:
    shelf, place = furnish(service, s3)
    raw = service.raw()
    for route in ROUTES:
        ask = request_of(raw, route, place)
        answer = raw.send(
            Ask(ask.method, ask.path, ask.query, tuple(ask.headers), ask.body).set_header("Content-Length", str(len(ask.body)))
        )
        assert answer.status in {400, 403, 404, 405, 501}, (route.operation, answer.status)
        assert answer.status != 404 or route.level == "service", route.operation
    assert shelf.s3.list_objects_v2(Bucket=place.bucket)["KeyCount"] > 0


# Secrets that are missing, short, everybody's, or in the code.


@pytest.mark.parametrize("content", [None, b"", b"short\n", b"\0" * 32, b"0" * 64 + b"\n"])
def test_t93_rustfs_cve_2025_68926_no_start_with_a_root_key_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    directory = tmp_path / "data"
    make_deployment(directory)
    key = directory / "root.key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600)
    assert b"root key" in refused_start(directory)


def test_no_start_with_a_key_chest_of_another_day_than_the_database(tmp_path: Path) -> None:
    """It may open the database, and then nobody's keys: each request would be an error, and each write might be lost."""
    directory = tmp_path / "data"
    make_deployment(directory)
    chest = directory / "keychest"
    before = chest.read_bytes() if chest.exists() else None
    done = subprocess.run(
        [SIEGEL, "root", "rotate", str(directory), "--to-file", str(directory / "second.key")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    chest.unlink()
    if before is not None:
        chest.write_bytes(before)
    assert b"put back database and key chest from one and the same copy" in refused_start(directory)


def refused_start(directory: Path) -> bytes:
    """Try to serve a directory, in vain; return what was said."""
    ended = subprocess.run(
        [SIEGEL, "serve", str(directory), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 253
    assert b"Traceback" not in ended.stderr
    return ended.stderr


def test_t93_rustfs_cve_2026_45039_no_two_deployments_share_a_secret_and_none_is_everybodys(
    tmp_path: Path, service: Service
) -> None:
    one, other = (make_deployment(tmp_path / name) for name in ("one", "other"))
    pairs = [keys for people in (one, other) for keys in (people.owner, people.stranger, people.operator)]
    assert len({keys.access_key_id for keys in pairs} | {keys.secret_access_key for keys in pairs}) == 2 * len(pairs)
    assert all(len(keys.secret_access_key) >= 40 for keys in pairs)
    assert (tmp_path / "one" / "root.key").read_bytes() != (tmp_path / "other" / "root.key").read_bytes()
    for name, secret in (
        ("minioadmin", "minioadmin"),
        ("rustfsadmin", "rustfsadmin"),
        ("AKIAIOSFODNN7EXAMPLE", "x" * 40),
        ("admin", "admin"),
    ):
        assert service.raw(Keys(name, secret)).call("GET").status in {400, 403}


SECRET_NAME = re.compile(r"secret|password|passphrase|token|private|root_?key|seed", re.IGNORECASE)
LOOKS_SECRET = re.compile(r"[0-9a-fA-F]{32,}|[A-Za-z0-9+/]{40,}={0,2}|-----BEGIN [A-Z ]*PRIVATE KEY-----")


def test_t93_rustfs_ghsa_no_constant_in_the_source_is_a_secret() -> None:
    found = []
    for path in Path(siegel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
                names = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                value = node.value.value
                text = value.decode("latin-1") if isinstance(value, bytes) else value if isinstance(value, str) else ""
                if SECRET_NAME.search(names) and LOOKS_SECRET.search(text):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


# Services that only the deployment itself should reach.


def sockets_of(service: Service) -> set[int]:
    """The TCP ports on which any process of the service listens."""
    inodes = set()
    for pid in service.processes():
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(entry.readlink()))
            except OSError:
                continue
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                ports.add(int(words[1].rpartition(":")[2], 16))
    return ports


def test_t94_seaweedfs_cve_2026_72920_t96_nothing_listens_but_the_two_ports(service: Service) -> None:
    """No process speaks to another over a socket that others can reach: they have pipes, files, and nothing else."""
    wanted = {urlsplit(url).port for url in (service.url, service.admin_url)}
    assert sockets_of(service) == wanted


def test_t94_rustfs_ghsa_c667_a_signed_request_is_good_for_itself_alone(service: Service, bucket: Shelf) -> None:
    raw = bucket.raw
    bucket.put("k", b"content")
    signed = raw.sign(raw.ask("GET", bucket.name, "k"))
    assert raw.send(signed).status == 200
    for other in (
        Ask("DELETE", signed.path, signed.query, signed.headers, b""),
        Ask("PUT", signed.path, signed.query, signed.headers, b"").set_header("Content-Length", "0"),
        Ask("GET", signed.path + "2", signed.query, signed.headers, b""),
        Ask("GET", signed.path, "acl=", signed.headers, b""),
        Ask("GET", signed.path, signed.query, signed.set_header("Host", "other.example").headers, b""),
    ):
        answer = raw.send(other)
        assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch"), other.method
    assert bucket.head("k")["ContentLength"] == 7
    # Nor is it good on the other port, which is another service's.
    status, told = get(
        service.admin_url, "/-/accounts", "GET", dict(signed.headers) | {"Host": urlsplit(service.admin_url).netloc}
    )
    assert 400 <= status < 500
    assert b"account_id" not in told


def test_t94_rustfs_ghsa_m77q_no_key_of_one_purpose_serves_another(service: Service, tmp_path: Path) -> None:
    """A session token is sealed under a key of its own: neither a client's secret nor the root key makes one."""
    root = (service.directory / "root.key").read_bytes()
    for material in (service.owner.secret_access_key.encode(), root, hashlib.sha256(root).digest(), bytes(32)):
        forged = base64.b64encode(material * 8).decode().rstrip("=")
        raw = service.raw()
        answer = raw.send(raw.sign(raw.ask("GET", headers=[("x-amz-security-token", forged)])))
        assert (answer.status, answer.code) in {(400, "InvalidToken"), (403, "InvalidToken"), (403, "InvalidAccessKeyId")}, (
            answer.body
        )
    assert service.raw(Keys("root", root.decode("latin-1").strip())).call("GET").status in {400, 403}


# Guessing.


def test_t95_minio_cve_2026_33419_guesses_open_nothing_lock_nobody_out_and_tell_nothing(service: Service, bucket: Shelf) -> None:
    """There is no login. Guesses at a secret all get the same answer, whatever is right of them, and cost the ledger little."""
    secret = service.owner.secret_access_key
    guesses = [secret[:length] + "x" * (len(secret) - length) for length in range(0, len(secret), 3)] * 6
    answers = [bucket.raw.as_caller(Keys(service.owner.access_key_id, guess)).call("GET", bucket.name, "k") for guess in guesses]
    assert {(answer.status, answer.code, len(answer.body)) for answer in answers} == {
        (403, "SignatureDoesNotMatch", len(answers[0].body))
    }
    unknown = {bucket.raw.as_caller(Keys(f"SGO{number:017d}", secret)).call("GET", bucket.name).code for number in range(5)}
    assert unknown == {"InvalidAccessKeyId"}
    # The owner is not locked out by what others try.
    last = bucket.put("k", b"content")["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    auditor = Auditor(service.raw(), service.owner.account_id)
    auditor.await_entries([last, *(answer.header("x-siegel-entry") for answer in answers if answer.has("x-siegel-entry"))])


def test_t95_whose_key_id_is_none_of_theirs_hears_the_same_at_every_door(service: Service) -> None:
    """Whether an id was never given, is inactive, deleted, temporary or an operator's, nobody learns without the key."""
    iam, ids = sdk(service, name="iam"), {"unknown": "SGK" + "A" * 17}
    for name in ("inactive", "deleted"):
        iam.create_user(UserName=f"t95-{name}")
        ids[name] = iam.create_access_key(UserName=f"t95-{name}")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="t95-inactive", AccessKeyId=ids["inactive"], Status="Inactive")
    iam.delete_access_key(UserName="t95-deleted", AccessKeyId=ids["deleted"])
    ids["temporary"] = sdk(service, name="sts").get_session_token()["Credentials"]["AccessKeyId"]
    told: dict[str, set[tuple[object, ...]]] = {}
    for key_id in (*ids.values(), service.operator.access_key_id):
        keys = Keys(key_id, "x" * 40)
        answer = service.raw(keys).call("GET", "no-such-bucket", "k")
        found = (answer.status, answer.code, answer.xml.findtext("Message"), answer.has("x-siegel-entry"))
        told.setdefault("s3", set()).add(found)
        for name, operation in (("iam", "list_users"), ("sts", "get_caller_identity"), ("kms", "list_keys")):
            with pytest.raises(ClientError) as refused:
                getattr(sdk(service, keys, name=name), operation)()
            error, headers = refused.value.response["Error"], refused.value.response["ResponseMetadata"]["HTTPHeaders"]
            told.setdefault(name, set()).add((error["Code"], error["Message"], "x-siegel-entry" in headers))
    for key_id in (*ids.values(), service.owner.access_key_id):
        status, fault = ask(service, Keys(key_id, "x" * 40))
        told.setdefault("admin", set()).add((status, fault["code"], fault["message"]))
    assert {door: len(answers) for door, answers in told.items()} == dict.fromkeys(("s3", "iam", "sts", "kms", "admin"), 1), told


def test_t96_minio_cve_2025_27414_no_second_protocol_has_a_door(service: Service) -> None:
    """Neither port answers FTP, SSH, SMTP or gRPC by anything but an end of the connection or an HTTP error."""
    for url in (service.url, service.admin_url):
        parts = urlsplit(url)
        for hello in (
            b"USER anonymous\r\n",
            b"SSH-2.0-x\r\n",
            b"EHLO x\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\0\0",
        ):
            with service.raw().connect() if url == service.url else _connect(str(parts.hostname), int(parts.port or 0)) as wire:
                sock = getattr(wire, "sock", wire)
                sock.settimeout(3)
                sock.sendall(hello)
                try:
                    answer = sock.recv(4096)
                except TimeoutError:
                    answer = b""
            assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), (url, hello, answer[:80])


def _connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=20)


# Secrets in logs and answers.


def test_t99_rustfs_cve_2026_45040_no_secret_reaches_a_log_or_an_answer(marked: Service) -> None:
    """At the most talkative level: secrets of keys, of customers, of tokens, and wrong ones too."""
    keys, raw = marked.owner, marked.raw()
    customer_key = base64.b64encode(b"K" * 32).decode()
    digest = base64.b64encode(hashlib.md5(b"K" * 32).digest()).decode()
    sse = [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key", customer_key),
        ("x-amz-server-side-encryption-customer-key-md5", digest),
    ]
    presigned = raw.presign(raw.ask("GET", "box", "k"))
    signature = re.search(r"X-Amz-Signature=([0-9a-f]{64})", presigned.query)
    assert signature is not None
    token = sdk(marked, name="sts").get_session_token()["Credentials"]
    secrets = [
        keys.secret_access_key, marked.stranger.secret_access_key, marked.operator.secret_access_key, customer_key, "K" * 32,
        token["SecretAccessKey"], token["SessionToken"], signature[1], CANARY + "-wrong",
        (marked.directory / "root.key").read_text().strip(),
    ]  # fmt: skip
    answers = [raw.call("PUT", "box"), raw.call("PUT", "box", "k", body=b"1"), raw.send(presigned)]
    answers += [raw.call(method, "box", "k", headers=sse, body=body) for method, body in (("PUT", b"2"), ("GET", b""))]
    answers += [
        raw.as_caller(Keys(keys.access_key_id, CANARY + "-wrong")).call("GET", "box"),
        raw.as_caller(Keys("SGOAAAAAAAAAAAAAAAAA", CANARY + "-wrong")).call("GET", "box"),
        raw.call("GET", "box", "k", headers=[("x-amz-security-token", token["SessionToken"])]),
        raw.call("GET", "box", "k", query="X-Amz-Signature=" + signature[1]),
        raw.call("POST", "box", "k", query="uploads", headers=[("x-amz-security-token", "\xff")]),
        raw.call("PUT", "box", "", body=json.dumps({"secret": CANARY + "-wrong"}).encode()),
        raw.anonymous("POST", "box", body=f"key={CANARY}-wrong&policy=x".encode()),
    ]
    told = b"".join(answer.body + str(answer.headers).encode() for answer in answers) + marked.log.read_bytes()
    assert [secret for secret in secrets if secret.encode() in told] == []


def test_t99_ceph_cve_2018_16889_the_journal_keeps_no_key_of_a_customer(tmp_path: Path) -> None:
    """Where customers' keys are allowed over the wire, they pass, and rest nowhere: neither in the log nor in the ledger."""
    directory = tmp_path / "data"
    customer_key = base64.b64encode(b"Q" * 32).decode()
    digest = base64.b64encode(hashlib.md5(b"Q" * 32).digest()).decode()
    people = make_deployment(directory)
    env = {"SIEGEL_SSE_C_OVER_HTTP": "true", "SIEGEL_SSE_C_DEFAULT": "allowed", "SIEGEL_LOG_LEVEL": "debug"}
    with serving(directory, people, "--workers", "1", env=env) as service:
        raw = service.raw()
        sse = [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", customer_key),
            ("x-amz-server-side-encryption-customer-key-md5", digest),
        ]
        assert raw.call("PUT", "box").status == 200
        answer = raw.call("PUT", "box", "k", headers=sse, body=b"1")
        assert answer.status == 200, answer.body
        auditor = Auditor(raw, service.owner.account_id)
        lines = auditor.await_entries([answer.header("x-siegel-entry")])
        shown = repr(lines) + repr(auditor.lines())
        assert customer_key not in shown
        assert customer_key.encode() not in service.log.read_bytes()
