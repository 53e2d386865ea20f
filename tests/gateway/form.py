"""Forms as browsers post them: built field by field, signed by a policy of the test's own, and bent where a test wants it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .raw import Answer, RawClient
from .signer import REGION, Ask, Keys, signing_key, stamp_of

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


@dataclass(frozen=True)
class Part:
    """One part of a form, byte for byte."""

    name: str
    value: bytes
    file_name: str | None = None
    head: bytes = b""

    def wire(self, boundary: str) -> bytes:
        name = f'; filename="{self.file_name}"' if self.file_name is not None else ""
        head = self.head or f'Content-Disposition: form-data; name="{self.name}"{name}'.encode()
        return f"--{boundary}\r\n".encode() + head + b"\r\n\r\n" + self.value + b"\r\n"


@dataclass(frozen=True)
class PostForm:
    """A form: fields in their order, then the file, then what follows it."""

    fields: tuple[tuple[str, str], ...] = ()
    file: bytes = b"content of the file"
    file_name: str | None = "file.txt"
    after: tuple[tuple[str, str], ...] = ()
    boundary: str = BOUNDARY

    def having(self, **fields: str) -> PostForm:
        """Add fields; underscores stand for dashes, and a field that is there gets another value."""
        named = {name.replace("_", "-") if "action" not in name else name: value for name, value in fields.items()}
        kept = tuple((name, named.pop(name, value)) for name, value in self.fields)
        return replace(self, fields=(*kept, *named.items()))

    def without(self, *names: str) -> PostForm:
        return replace(self, fields=tuple(pair for pair in self.fields if pair[0] not in names))

    def body(self) -> bytes:
        parts = [Part(name, value.encode()) for name, value in self.fields]
        parts.append(Part("file", self.file, self.file_name))
        parts += [Part(name, value.encode()) for name, value in self.after]
        return b"".join(part.wire(self.boundary) for part in parts) + f"--{self.boundary}--\r\n".encode()

    def ask(self, client: RawClient, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None) -> Ask:
        content = self.body() if body is None else body
        kind = ("Content-Type", f"multipart/form-data; boundary={self.boundary}")
        sent = (("Host", client.host), kind, ("Content-Length", str(len(content))), *headers)
        return Ask("POST", path, "", sent, content)

    def post(self, client: RawClient, bucket: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        return client.send(self.ask(client, f"/{bucket}", headers))


def policy_of(conditions: Sequence[Any], expires: datetime | str | None = None) -> dict[str, Any]:
    moment = expires or datetime.now(UTC) + timedelta(minutes=10)
    text = moment if isinstance(moment, str) else moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"expiration": text, "conditions": list(conditions)}


def sign_form(
    form: PostForm,
    keys: Keys,
    policy: Mapping[str, Any] | str,
    *,
    at: datetime | None = None,
    cover: bool = True,
    region: str = REGION,
) -> PostForm:
    """Sign a policy and add its fields to the form; `cover` has the policy name the fields of the signature as well."""
    stamp = stamp_of(at or datetime.now(UTC))
    credential = f"{keys.access_key_id}/{stamp[:8]}/{region}/s3/aws4_request"
    own = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": credential, "x-amz-date": stamp}
    if isinstance(policy, str):
        text = policy
    else:
        conditions = [*policy.get("conditions", ()), *({name: value} for name, value in own.items() if cover)]
        whole = {**policy, "conditions": conditions} if "conditions" in policy else policy
        text = base64.b64encode(json.dumps(whole).encode()).decode()
    key = signing_key(keys.secret_access_key, stamp[:8], region)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return replace(form, fields=(*form.fields, *own.items(), ("policy", text), ("x-amz-signature", signature)))


def signed_form(keys: Keys, bucket: str, key: str = "key", **fields: str) -> PostForm:
    """Return a form whose policy allows exactly it."""
    form = PostForm((("key", key),)).having(**fields)
    conditions = [{"bucket": bucket}, *({name: value} for name, value in form.fields)]
    return sign_form(form, keys, policy_of(conditions))
