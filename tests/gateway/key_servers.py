"""Key servers of customers: the real one, as a process of its own, and one that lies as a test wants it."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.keybox.box import Box, Serving

from .service import Service
from .signer import REGION, Keys

ATTEMPTS = 6
"""A call to a key server has 250 ms, which a loaded machine does not always give: clients try again, as SDKs do."""


def patient(service: Service, name: str, keys: Keys | None = None) -> Any:
    """Return a client that tries again what may pass."""
    caller = keys or service.owner
    return boto3.client(
        name,
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=caller.access_key_id,
        aws_secret_access_key=caller.secret_access_key,
        config=Config(
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            max_pool_connections=40,
            s3={"addressing_style": "path"},
            parameter_validation=False,
        ),
    )


@dataclass(frozen=True)
class Premises:
    """A customer's machine: a box that serves, and how to make a key store of it."""

    box: Box
    serving: Serving

    @property
    def options(self) -> dict[str, Any]:
        return {
            "CustomKeyStoreName": f"store-{secrets.token_hex(6)}",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": self.serving.url.geturl(),
            **self.box.made["xks"],
        }

    def new_key(self) -> str:
        return self.box.create_key(f"key-{secrets.token_hex(6)}")


@contextmanager
def premises(folder: Path, *words: str | Path) -> Iterator[Premises]:
    """Serve a fresh box; `words` are more flags of the server."""
    box = Box(folder / "box", "--uri-prefix", f"/stores/{secrets.token_hex(6)}")
    with Serving(box, *words) as serving:
        yield Premises(box, serving)


def connected(kms: Any, options: dict[str, Any]) -> str:
    """Create and connect a key store; return its id."""
    store = str(kms.create_custom_key_store(**options)["CustomKeyStoreId"])
    connect(kms, store)
    return store


def connect(kms: Any, store: str) -> None:
    for _ in range(ATTEMPTS):
        kms.connect_custom_key_store(CustomKeyStoreId=store)
        (shown,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
        if shown["ConnectionState"] == "CONNECTED":
            return
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    raise AssertionError(shown)


def external_key(kms: Any, store: str, external: str, **options: Any) -> Any:
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external, **options)
    return made["KeyMetadata"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


Answer = tuple[int, dict[str, str], bytes]
Twist = Callable[[str, dict[str, Any], dict[str, Any]], Any]


@dataclass
class EvilServer:
    """A proxy that is honest until a test gives it a twist: what it answers to an operation instead.

    A twist takes operation, question and honest answer; it returns the members to answer, or status, headers and body.
    """

    url: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    twist: Twist | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    uri_path: str = field(default_factory=lambda: f"/{secrets.token_hex(6)}/kms/xks/v1")

    @property
    def options(self) -> dict[str, Any]:
        return {
            "CustomKeyStoreName": f"evil-{secrets.token_hex(6)}",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": self.url,
            "XksProxyUriPath": self.uri_path,
            "XksProxyAuthenticationCredential": {"AccessKeyId": "A" * 20, "RawSecretAccessKey": "s" * 43},
        }

    def answer(self, path: str, body: bytes) -> Answer:
        operation = path.rpartition("/")[2]
        question = json.loads(body)
        self.asked.append((operation, question))
        honest = getattr(self, f"_{operation}")(question)
        twist = self.twist
        told = honest if twist is None else twist(operation, question, honest)
        if isinstance(told, tuple):
            return told
        return (200 if "errorName" not in told else 400), {}, json.dumps(told).encode()

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)

    @staticmethod
    def _health(_question: dict[str, Any]) -> dict[str, Any]:
        return {
            "xksProxyFleetSize": 1,
            "xksProxyVendor": "Evil",
            "xksProxyModel": "1",
            "ekmVendor": "Evil",
            "ekmFleetDetails": [{"id": "1", "model": "1", "healthStatus": "ACTIVE"}],
        }

    @staticmethod
    def _metadata(_question: dict[str, Any]) -> dict[str, Any]:
        return {"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": "ENABLED"}

    def _encrypt(self, question: dict[str, Any]) -> dict[str, Any]:
        return self.seal(unb64(question["plaintext"]), unb64(question["additionalAuthenticatedData"]))

    def seal(self, plaintext: bytes, aad: bytes) -> dict[str, Any]:
        iv = secrets.token_bytes(12)
        sealed = AESGCM(self.secret).encrypt(iv, plaintext, aad)
        digest = sha256(aad + iv + sealed).digest()
        return {
            "ciphertext": b64(sealed[:-16]),
            "initializationVector": b64(iv),
            "authenticationTag": b64(sealed[-16:]),
            "ciphertextDataIntegrityValue": b64(digest),
        }

    def _decrypt(self, question: dict[str, Any]) -> dict[str, Any]:
        sealed = unb64(question["ciphertext"]) + unb64(question["authenticationTag"])
        aad = unb64(question["additionalAuthenticatedData"])
        try:
            return {"plaintext": b64(AESGCM(self.secret).decrypt(unb64(question["initializationVector"]), sealed, aad))}
        except InvalidTag:
            return {"errorName": "InvalidCiphertextException"}


def late(seconds: float) -> Twist:
    """Answer honestly, but later than anybody waits."""

    def twist(_operation: str, _question: dict[str, Any], honest: dict[str, Any]) -> dict[str, Any]:
        time.sleep(seconds)
        return honest

    return twist


def only(operation: str, told: Any) -> Twist:
    """Answer one operation with `told`, or with what `told` makes of the honest answer; others honestly."""

    def twist(name: str, question: dict[str, Any], honest: dict[str, Any]) -> Any:
        if name != operation:
            return honest
        return told(question, honest) if callable(told) else told

    return twist


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    evil: EvilServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, headers, told = self.server.evil.answer(self.path, body)
        self.send_response(status)
        for name, value in ({"content-length": str(len(told))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told)
        self.close_connection = self.close_connection or "content-length" in headers

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def evil_server() -> Iterator[EvilServer]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.evil = EvilServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.evil
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
