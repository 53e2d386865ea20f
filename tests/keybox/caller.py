"""A caller of the key server that shares no code with it: its own signature, its own bodies."""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.gateway.signer import Ask, canonical_request, signing_key, stamp_of, string_to_sign

PRINCIPAL = "arn:aws:iam::123456789012:user/Alice"
KMS_KEY = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PLAINTEXT = base64.b64encode(b"plaintext of a data key, 32 byte").decode()
OBJECT = {"account": "123456789012", "bucket": "evidence", "key": "2026/film.mp4", "version": "v1"}
AAD = base64.b64encode(json.dumps(OBJECT).encode()).decode()
OTHER_AAD = base64.b64encode(b"project=blue,department=finance").decode()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json.get("errorName")


def unb64(text):
    return base64.b64decode(text, validate=True)


def told(operation, **more):
    return {
        "awsPrincipalArn": PRINCIPAL,
        "kmsKeyArn": KMS_KEY,
        "kmsOperation": operation,
        "kmsRequestId": str(uuid4()),
        "kmsViaService": "ebs",
        **more,
    }


def encrypt_body(plaintext=PLAINTEXT, aad=None, cdiv=None, **more):
    body = {"requestMetadata": told("Encrypt"), "encryptionAlgorithm": "AES_GCM"}
    body |= {"plaintext": plaintext} if plaintext is not None else {}
    body |= {"additionalAuthenticatedData": aad} if aad else {}
    body |= {"ciphertextDataIntegrityValueAlgorithm": cdiv} if cdiv else {}
    return body | more


def decrypt_body(sealed, aad=None, **more):
    names = ("ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata")
    body = {"requestMetadata": told("Decrypt"), "encryptionAlgorithm": "AES_GCM"} | {name: sealed[name] for name in names}
    body |= {"additionalAuthenticatedData": aad} if aad else {}
    return body | more


def cdiv_of(sealed, aad=None):
    names = ("ciphertextMetadata", "initializationVector", "ciphertext", "authenticationTag")
    return hashlib.sha256(unb64(aad or "") + b"".join(unb64(sealed[name]) for name in names)).digest()


@dataclass(frozen=True)
class Caller:
    """Signs as a key management service does: over host and x-amz-date alone."""

    url: object
    access_key_id: str
    secret: str
    prefix: str = ""
    region: str = "us-east-2"
    service: str = "kms-xks-proxy"
    skew_s: int = 0
    signed: tuple = ("host", "x-amz-date")
    headers: dict = field(default_factory=lambda: {"Content-Type": "application/json"})
    tls: ssl.SSLContext | None = None

    def but(self, **changes):
        return replace(self, **changes)

    def post(self, target, body):
        return self.send("POST", f"{self.prefix}/kms/xks/v1/{target}", body)

    def key(self, key_id, operation, body):
        return self.post(f"keys/{key_id}/{operation}", body)

    def sign(self, method, path, data, at=None):
        stamp = stamp_of((at or datetime.now(UTC)) + timedelta(seconds=self.skew_s))
        host = f"{self.url.hostname}:{self.url.port}"
        headers = {"Host": host, "X-Amz-Date": stamp, **self.headers}
        ask = Ask(method, path, "", tuple(headers.items()))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        text = string_to_sign(stamp, scope, canonical_request(ask, self.signed, hashlib.sha256(data).hexdigest()))
        key = signing_key(self.secret, stamp[:8], self.region, self.service)
        signature = hmac.new(key, text.encode("latin-1"), "sha256").hexdigest()
        credential = f"Credential={self.access_key_id}/{scope}, SignedHeaders={';'.join(self.signed)}"
        return headers | {"Authorization": f"AWS4-HMAC-SHA256 {credential}, Signature={signature}"}

    def send(self, method, path, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send_raw(method, path, data, headers if headers is not None else self.sign(method, path, data))

    def connect(self):
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=20, context=self.tls)
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=20)

    def send_raw(self, method, path, data, headers):
        with closing(self.connect()) as connection:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
