"""Who proves nothing and names a key or a role of an account is seen by that account, at every door."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .log import Auditor
from .service import Service
from .shelf import fails, new_name
from .signer import REGION, Keys

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def kms(service: Service, keys: Keys) -> Any:
    return boto3.client(
        "kms",
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )


@pytest.fixture(scope="module")
def victim(service: Service) -> Service:
    return service.with_own_account(new_name())


@pytest.fixture(scope="module")
def key_arn(victim: Service) -> str:
    return str(kms(victim, victim.owner).create_key()["KeyMetadata"]["Arn"])


def send(service: Service, door: str, headers: dict[str, str], body: bytes, keys: Keys | None) -> str | None:
    """Send a request that will be refused; return the entry that the answer names, if it does."""
    request = AWSRequest("POST", service.url + "/", data=body, headers=headers)
    if keys is not None:
        SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key), door, REGION).add_auth(request)
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(service.url + "/", body, dict(request.headers.items())))
    with caught.value as error:
        assert 400 <= error.code < 500
        entry = error.headers["x-siegel-entry"]
        return None if entry is None else str(entry)


def call(service: Service, operation: str, members: Any, keys: Keys | None = None, **headers: str) -> str | None:
    target = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}", **headers}
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return send(service, "kms", target, body, keys)


def see(service: Service, entry: str | None, kind: str, name: str) -> None:
    """See that the account knows of a refusal, and of what it was about."""
    assert entry is not None
    auditor = Auditor(service.raw(), service.owner.account_id)
    (line,) = auditor.await_entries([entry])[entry]
    assert line.opening is not None
    assert (line.leaf.facts.kind, line.opening.principal, line.opening.object_key) == (kind, "anonymous", name)
    assert line.leaf.facts.status >= 400


def test_t92_an_unsigned_use_of_a_key_is_in_its_accounts_log(victim: Service, key_arn: str) -> None:
    sealed = kms(victim, victim.owner).encrypt(KeyId=key_arn, Plaintext=b"x")["CiphertextBlob"]
    for operation, members in (
        ("DescribeKey", {"KeyId": key_arn}),
        ("ScheduleKeyDeletion", {"KeyId": key_arn}),
        ("NoSuchOperation", {"KeyId": key_arn}),
        # A ciphertext names its key.
        ("Decrypt", {"CiphertextBlob": b64encode(sealed).decode()}),
    ):
        see(victim, call(victim, operation, members), "kms.refused", key_arn)


@pytest.mark.parametrize("key_id", ["SGKAAAAAAAAAAAAAAAAA", "SGL"])
def test_a_forged_use_of_a_key_is_in_its_accounts_log(victim: Service, key_arn: str, key_id: str) -> None:
    entry = call(victim, "DescribeKey", {"KeyId": key_arn}, Keys(key_id, "x" * 40, ""))
    see(victim, entry, "kms.refused", key_arn)


def test_a_header_that_claims_nothing_readable_hides_nothing(victim: Service, key_arn: str) -> None:
    see(victim, call(victim, "DescribeKey", {"KeyId": key_arn}, Authorization="Signed"), "kms.refused", key_arn)


def test_both_whose_key_is_named_and_whose_name_is_used_know_of_it(victim: Service, key_arn: str, service: Service) -> None:
    other = service.with_own_account(new_name())
    entry = call(victim, "DescribeKey", {"KeyId": key_arn}, Keys(other.owner.access_key_id, "x" * 40, ""))
    see(victim, entry, "kms.refused", key_arn)
    see(other, entry, "kms.refused", "")


def test_what_another_account_may_never_do_with_a_key_is_in_the_keys_log(victim: Service, key_arn: str) -> None:
    with fails(400, "AccessDeniedException") as refused:
        kms(victim, victim.stranger).schedule_key_deletion(KeyId=key_arn)
    entry = refused.value.response["ResponseMetadata"]["HTTPHeaders"]["x-siegel-entry"]
    auditor = Auditor(victim.raw(), victim.owner.account_id)
    (line,) = auditor.await_entries([entry])[entry]
    assert line.opening is not None
    assert line.opening.principal == f"arn:aws:iam::{victim.stranger.account_id}:root"
    assert (line.leaf.facts.kind, line.opening.object_key) == ("kms.schedule_key_deletion", key_arn)


def test_unsigned_calls_of_iam_and_sts_are_in_the_log_of_the_account_that_they_name(victim: Service) -> None:
    account_id = victim.owner.account_id
    role, policy = f"arn:aws:iam::{account_id}:role/r", f"arn:aws:iam::{account_id}:policy/p"
    assume = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "me"}
    see(victim, send(victim, "sts", FORM, urlencode(assume).encode(), None), "sts.refused", role)
    get = urlencode({"Action": "GetPolicy", "Version": "2010-05-08", "PolicyArn": policy}).encode()
    see(victim, send(victim, "iam", FORM, get, Keys("SGKAAAAAAAAAAAAAAAAA", "x" * 40, "")), "iam.refused", policy)
    # What makes no sense as a call of STS names the role all the same.
    web = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role}
    see(victim, send(victim, "sts", FORM, urlencode(web).encode(), None), "sts.assume_role_with_web_identity", role)


@pytest.mark.parametrize(
    "members",
    [
        {"KeyId": f"arn:aws:kms:{REGION}:000000000000:key/x"},
        {"KeyId": "x"},
        {"KeyId": 7, "CiphertextBlob": "&"},
        {"CiphertextBlob": "AAAA"},
        ["arn"],
        b"\xff",
        b'{"KeyId": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    ],
)
def test_what_names_nobody_is_nobodys(victim: Service, members: Any) -> None:
    assert call(victim, "DescribeKey", members) is None
