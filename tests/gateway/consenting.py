"""Consents from end to end: an account with a witness of its own, an operator who asks, a customer who signs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from siegel.domain.moments import encode_time
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consents import AccessRequest, Approval, Refusal, Verb, parse_request
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import SignedNote
from tests.ledger.witnessing import Serving

from .log import Auditor, Line
from .raw import Answer, RawClient
from .service import Service
from .shelf import new_name, sdk
from .signer import REGION, Keys
from .test_admin import ask
from .test_witnesses import policy_of, put_policy, witness_of

ACTIVE_S = 20.0
SIGNERS = tuple(SignerKey(f"customer{number}.example", Algorithm.ED25519, bytes([number + 1]) * 32) for number in range(3))


def note_of(text: str, signers: Sequence[SignerKey]) -> bytes:
    return SignedNote(text, tuple(one.sign_text(text) for one in signers)).encode()


def in_time(seconds: int) -> str:
    return encode_time(int(time.time()) + seconds)


@dataclass
class Parties:
    """The three of them. `keys` are the account's root's, `witness` serves as long as the test wants it."""

    service: Service
    keys: Keys
    account_id: str
    bucket: str
    witness: Serving
    policy: bytes
    signers: tuple[SignerKey, ...] = SIGNERS[:1]
    operator: Keys = field(init=False)

    def __post_init__(self) -> None:
        self.operator = self.service.operator

    # The customer.

    @property
    def s3(self) -> Any:
        return sdk(self.service, self.keys)

    @property
    def raw(self) -> RawClient:
        return self.service.raw(self.keys)

    @cached_property
    def auditor(self) -> Auditor:
        return Auditor(self.raw, self.account_id)

    def call(self, method: str, path: str, body: bytes = b"", keys: Keys | None = None, **options: Any) -> Answer:
        return self.service.raw(keys or self.keys).call(method, ".consent", f"{self.account_id}/{path}", body=body, **options)

    def put_keys(self, threshold: int = 1, signers: Sequence[SignerKey] = SIGNERS[:1]) -> None:
        keys = ConsentKeys(threshold, tuple(one.verifier for one in signers))
        self.signers = tuple(signers[:threshold])
        assert self.call("PUT", "keys", keys.encode()).status == 204

    def shown(self, consent_id: str) -> dict[str, Any]:
        answer = self.call("GET", consent_id)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def approval(self, consent_id: str, **changes: Any) -> Approval:
        request: AccessRequest = parse_request(self.shown(consent_id)["request"])
        given: dict[str, Any] = {
            "request": request,
            "decided_at_s": max(int(time.time()), request.requested_at_s),
            "expires_s": request.expires_s,
            "scope": request.scope,
            "threshold": len(self.signers),
        }
        return Approval(**{**given, **changes})

    def approve(self, consent_id: str, **changes: Any) -> Answer:
        return self.call("PUT", f"{consent_id}/approval", note_of(self.approval(consent_id, **changes).text, self.signers))

    def put_note(self, consent_id: str, text: str, signers: Sequence[SignerKey]) -> Answer:
        return self.call("PUT", f"{consent_id}/approval", note_of(text, signers))

    def deny(self, consent_id: str, *, is_signed: bool = True) -> Answer:
        return self._refuse(consent_id, Verb.DENIAL, is_signed=is_signed)

    def revoke(self, consent_id: str, *, is_signed: bool = True) -> Answer:
        return self._refuse(consent_id, Verb.REVOCATION, is_signed=is_signed)

    def _refuse(self, consent_id: str, verb: Verb, *, is_signed: bool) -> Answer:
        request = parse_request(self.shown(consent_id)["request"])
        text = Refusal(verb=verb, consent_id=consent_id, origin=request.origin, at_s=int(time.time())).text
        return self.call("PUT", f"{consent_id}/{verb}", note_of(text, self.signers[:1]) if is_signed else b"")

    def await_state(self, consent_id: str, state: str) -> None:
        give_up = time.monotonic() + ACTIVE_S
        while (shown := self.shown(consent_id))["state"] != state:
            assert time.monotonic() < give_up, shown
            time.sleep(0.1)

    def lines(self, consent_id: str, *, at_least: int = 0, kind: str = "") -> list[Line]:
        """The entries with the id of a consent, perhaps of one kind, in their order, once there are so many of them."""
        at_least = max(at_least, bool(kind))
        give_up = time.monotonic() + ACTIVE_S
        while True:
            found = [line for line in self.auditor.lines() if line.leaf.facts.consent_id == consent_id]
            found = [line for line in found if kind in {"", line.leaf.facts.kind}]
            if len(found) >= at_least:
                return found
            assert time.monotonic() < give_up, [line.leaf.facts.kind for line in found]
            time.sleep(0.2)

    # The operator.

    def wanted(self, *keys: str, **changes: Any) -> dict[str, Any]:
        return {
            "account": self.account_id,
            "objects": [f"s3://{self.bucket}/{key}" for key in keys],
            "actions": ["head", "read"],
            "cause": "customer-support",
            "ticket": "T-4711",
            "reason": "The recording does not play",
            "person": "jane.doe",
            "employer": "Provider GmbH",
            "country": "DE",
            "until": in_time(3600),
            **changes,
        }

    def ask(self, method: str, path: str = "", body: Any = None, keys: Keys | None = None) -> tuple[int, dict[str, Any]]:
        sent = b"" if body is None else json.dumps(body).encode()
        return ask(self.service, keys or self.operator, method, f"/-/support/requests{path}", sent)

    def request(self, *keys: str, **changes: Any) -> str:
        status, shown = self.ask("POST", body=self.wanted(*keys, **changes))
        assert status == 201, shown
        return str(shown["consent_id"])

    def granted(self, *keys: str, **changes: Any) -> str:
        """Ask for access, approve it, and wait until it is active."""
        consent_id = self.request(*keys, **changes)
        answer = self.approve(consent_id)
        assert answer.status == 200, answer.body
        self.await_state(consent_id, "active")
        return consent_id

    def credentials(self, consent_id: str) -> dict[str, Any]:
        status, given = self.ask("POST", f"/{consent_id}/credentials")
        assert status == 200, given
        return given

    def engineer(self, consent_id: str) -> Any:
        """The S3 client of the engineer, by the credentials of a consent."""
        return client_of(self.service, self.credentials(consent_id))


def client_of(service: Service, given: dict[str, Any], name: str = "s3") -> Any:
    return boto3.client(
        name,
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=40),
    )


@contextmanager
def parties(service: Service, folder: Path) -> Iterator[Parties]:
    """A fresh account with a bucket, its witness, its policy and a consent key."""
    status, made = ask(service, service.operator, "POST", body=json.dumps({"name": new_name()}).encode())
    assert status == 201
    keys = Keys(str(made["access_key_id"]), str(made["secret_access_key"]), str(made["account_id"]))
    bucket = new_name()
    created = sdk(service, keys).create_bucket(Bucket=bucket)
    auditor = Auditor(service.raw(keys), keys.account_id)
    auditor.await_entries([created["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]])
    place = witness_of(folder, auditor, "witness")
    with Serving(place) as witness:
        policy = policy_of(auditor, {place: witness.url.geturl()}, "1")
        assert put_policy(auditor, policy) == 204
        found = Parties(service, keys, keys.account_id, bucket, witness, policy)
        found.put_keys()
        yield found
