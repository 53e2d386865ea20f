"""An identity provider on this machine: OpenID Connect discovery, a set of keys, and tokens signed as the tests want them."""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "siegel-tests"
Answer = tuple[int, dict[str, str], bytes]


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def sign(key: rsa.RSAPrivateKey, header: dict[str, Any], claims: object) -> str:
    signed = f"{b64(as_json(header))}.{b64(as_json(claims))}"
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Realm:
    """One issuer of the provider. Tests may change what it answers."""

    def __init__(self, origin: str) -> None:
        self.path = f"/{secrets.token_hex(6)}"
        self.issuer = origin + self.path
        self.key = rsa.generate_private_key(65537, 2048)
        self.key_id = "first"
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self.issuer.partition("://")[2]

    def answer(self, place: str) -> Answer:
        self.asked.append(place)
        if place in self.answers:
            return self.answers[place]
        if place == "/.well-known/openid-configuration":
            return 200, {}, as_json({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})
        return (200, {}, as_json({"keys": [self.jwk()]})) if place == "/keys" else (404, {}, b"")

    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "kid": self.key_id,
            "use": "sig",
            "n": b64(numbers.n.to_bytes(256)),
            "e": b64(numbers.e.to_bytes(3)),
        }

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.issuer, "sub": "ann", "aud": AUDIENCE, "iat": now, "exp": now + 600, **more}

    def token(self, **more: Any) -> str:
        return sign(self.key, {"alg": "RS256", "kid": self.key_id, "typ": "JWT"}, self.claims(**more))


class Provider:
    """The running provider."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.realms: dict[str, Realm] = {}

    def realm(self) -> Realm:
        made = Realm(self.origin)
        self.realms[made.path] = made
        return made


@contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            realm = provider.realms.get(self.path[:13])
            status, headers, body = realm.answer(self.path[13:]) if realm else (404, {}, b"")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
