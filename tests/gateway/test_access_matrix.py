"""The access matrix: every operation of the routing table, asked by every kind of caller. What is not in the table fails here.

Precedents: MinIO CVE-2025-62506, CVE-2024-55949, RustFS GHSA-pfcq, GHSA-mm2q, GHSA-f5cv, GHSA-796f, SeaweedFS CVE-2026-55873.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from siegel.iamwire.iam_actions import IAM
from siegel.iamwire.sts_actions import STS
from siegel.kmswire.operation import About as KmsAbout
from siegel.kmswire.operations import OPERATIONS
from siegel.web.admin import ADMIN_ROUTES

from .form import PostForm, signed_form
from .imports import WRAPPING, import_options
from .key_servers import EvilServer, evil_server, patient
from .matrix import KEY, ROUTES, Place, actions_of, request_of
from .own_account import own_account
from .raw import Answer, RawClient, with_length
from .service import Service
from .shelf import Shelf, make_shelf, new_name
from .signer import REGION, Ask, Keys
from .test_admin import ask

CODE = re.compile("<Code>([A-Za-z]+)</Code>")
DENIALS = {"AccessDenied", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken", "SignatureDoesNotMatch"}
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:AssumeRole"}]}'


service, s3 = own_account()


def policy(actions: list[str], effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class CallerOf:
    """A kind of caller: how it signs."""

    keys: Keys | None
    token: str = ""

    def sign(self, raw: RawClient, ask: Ask) -> Ask:
        if self.keys is None:
            return with_length(ask)
        signed = ask.with_header("x-amz-security-token", self.token) if self.token else ask
        return raw.as_caller(self.keys).sign(signed)


class Cast:
    """The callers, and the one whose rights are written anew for each operation."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._clients: dict[tuple[str, CallerOf], Any] = {}
        self.iam = self.client("iam", CallerOf(service.owner))
        sts = self.client("sts", CallerOf(service.owner))
        taker = self._make_user("matrix-taker")
        self.user = self._make_user("matrix-exact")
        idle = self._make_user("matrix-without-rights")
        inactive = self._make_user("matrix-inactive")
        self.iam.update_access_key(UserName="matrix-inactive", AccessKeyId=inactive.access_key_id, Status="Inactive")
        for name in ("matrix-inactive",):
            self.iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy(["s3:*"]))
        self.iam.create_role(
            RoleName="matrix-role", AssumeRolePolicyDocument=TRUST % f"arn:aws:iam::{service.owner.account_id}:root"
        )
        self.iam.put_role_policy(RoleName="matrix-role", PolicyName="all", PolicyDocument=policy(["s3:*"]))
        role = f"arn:aws:iam::{service.owner.account_id}:role/matrix-role"
        self.iam.put_user_policy(UserName="matrix-taker", PolicyName="all", PolicyDocument=policy(["sts:AssumeRole"]))
        narrow = self.client("sts", CallerOf(taker)).assume_role(
            RoleArn=role, RoleSessionName="narrow", Policy=policy(["sts:GetCallerIdentity"])
        )
        ended = sts.get_session_token(DurationSeconds=900)
        self.denied = {
            "anonymous": CallerOf(None),
            "a user without rights": CallerOf(idle),
            "the other account's root": CallerOf(service.stranger),
            "a role's session with a narrower policy": _session(narrow),
            "an operator": CallerOf(service.operator),
            "an inactive key": CallerOf(inactive),
            "temporary keys without their token": CallerOf(_session(ended).keys),
        }
        # S3 and KMS take them for the root's own.
        self.lent = _session(ended)
        self.allowed = {"the account's root": CallerOf(service.owner), "a user with exactly the right": CallerOf(self.user)}

    def _make_user(self, name: str) -> Keys:
        self.iam.create_user(UserName=name)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])

    def client(self, name: str, caller: CallerOf) -> Any:
        """Return the SDK's client of a caller, made once."""
        if (name, caller) not in self._clients:
            self._clients[name, caller] = client_of(self._service, name, caller)
        return self._clients[name, caller]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def grant(self, actions: list[str]) -> None:
        self.iam.put_user_policy(UserName="matrix-exact", PolicyName="exact", PolicyDocument=policy(actions))


def _session(answer: Any) -> CallerOf:
    found = answer["Credentials"]
    return CallerOf(Keys(found["AccessKeyId"], found["SecretAccessKey"]), found["SessionToken"])


@pytest.fixture(scope="module")
def cast(service: Service) -> Iterator[Cast]:
    with closing(Cast(service)) as made:
        yield made


def furnish(service: Service, s3: Any) -> tuple[Shelf, Place]:
    """Make a bucket with an object, an upload with a part, and nothing else."""
    shelf = make_shelf(service, s3)
    shelf.put(KEY, b"mine")
    upload = shelf.start(KEY)
    shelf.part(KEY, upload, 1, b"part")
    return shelf, Place(shelf.name, upload, service.owner.account_id)


@pytest.fixture(scope="module")
def guarded(service: Service, s3: Any) -> tuple[Shelf, Place, object]:
    """A bucket that nobody but the owner may touch, and all that was in it at first."""
    shelf, place = furnish(service, s3)
    return shelf, place, everything(shelf)


READS = [
    "acl", "policy", "tagging", "cors", "lifecycle", "encryption", "publicAccessBlock", "ownershipControls", "versioning",
    "object-lock", "website", "notification",
]  # fmt: skip


def everything(shelf: Shelf) -> object:
    """What a request could have changed: objects, versions, uploads, and every configuration."""

    def read(query: str, key: str | None = None) -> tuple[int, bytes]:
        answer = shelf.call("GET", key, query=query)
        root = answer.body if answer.status == 200 else answer.code.encode()
        return answer.status, root

    settings = {query: read(query) for query in READS}
    of_object = {query: read(query, KEY) for query in ("", "tagging", "acl", "retention", "legal-hold")}
    return shelf.state(), settings, of_object


def refusal_of(answer: Answer, method: str) -> str:
    """Return why an answer refused, "" if it did not."""
    if method == "HEAD":
        return "AccessDenied" if answer.status in {400, 403} else ""
    return next((code for code in CODE.findall(answer.body.decode()) if code in DENIALS), "")


def reaches_own(caller: str, operation: str, level: str) -> bool:
    """Whether a caller of another account is asked about what is its own: lists of its buckets, buckets to be made."""
    return caller == "the other account's root" and (level == "service" or operation == "CreateBucket")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_t25_nobody_else_gets_in_and_nothing_changes(
    route: Any, guarded: tuple[Shelf, Place, object], cast: Cast, service: Service
) -> None:
    """Class: routes that some caller reaches without the right, as in RustFS (GHSA-pfcq, -mm2q, -f5cv) and SeaweedFS."""
    shelf, place, before = guarded
    raw = service.raw()
    for name, caller in cast.denied.items():
        answer = raw.send(caller.sign(raw, request_of(raw, route, place)))
        is_nowhere = route.operation == "WriteGetObjectResponse" and answer.code == "NoSuchBucket"
        if not reaches_own(name, route.operation, route.level) and not is_nowhere:
            assert refusal_of(answer, route.method), (name, answer.status, answer.body[:300])
            assert answer.status in {400, 403} or route.operation == "DeleteObjects"
        assert b"mine" not in answer.body
    assert everything(shelf) == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_t25_whoever_has_exactly_the_right_gets_in(route: Any, cast: Cast, service: Service, s3: Any) -> None:
    raw = service.raw()
    cast.grant(actions_of(route))
    for name, caller in cast.allowed.items():
        _, place = furnish(service, s3)
        answer = raw.send(caller.sign(raw, request_of(raw, route, place)))
        assert not refusal_of(answer, route.method), (name, answer.status, answer.body[:300])
        assert answer.status != 403
        assert answer.status < 500 or (answer.status == 501 and route.state == "refused" and route.reason.encode()[:20])


def form_of(caller: CallerOf, bucket: str) -> PostForm:
    if caller.keys is None:
        return PostForm((("key", KEY),), file=b"evil")
    token = {"x_amz_security_token": caller.token} if caller.token else {}
    return signed_form(caller.keys, bucket, KEY, **token)


def test_t25_a_form_is_for_whoever_may_put_and_for_nobody_else(
    guarded: tuple[Shelf, Place, object], cast: Cast, service: Service, s3: Any
) -> None:
    shelf, place, before = guarded
    for name, caller in cast.denied.items():
        answer = form_of(caller, place.bucket).post(service.raw(), place.bucket)
        assert refusal_of(answer, "POST"), (name, answer.status, answer.body[:300])
        assert answer.status == 403
    assert everything(shelf) == before
    cast.grant(["s3:PutObject"])
    _, own = furnish(service, s3)
    for caller in cast.allowed.values():
        assert form_of(caller, own.bucket).post(service.raw(), own.bucket).status == 204


def test_t25_a_preflight_asks_for_everybody_and_changes_nothing(
    guarded: tuple[Shelf, Place, object], cast: Cast, service: Service
) -> None:
    shelf, place, before = guarded
    raw = service.raw()
    asked = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT")]
    for key in (None, KEY):
        ask = raw.ask("OPTIONS", place.bucket, key, headers=asked)
        answers = [raw.send(caller.sign(raw, ask)) for caller in {**cast.denied, **cast.allowed}.values()]
        assert {(answer.status, answer.code) for answer in answers} == {(403, "AccessForbidden")}
    assert everything(shelf) == before


VERSIONED = [route for route in ROUTES if route.version_action not in {"", route.action} and route.operation != "DeleteObjects"]


@pytest.mark.parametrize("route", VERSIONED, ids=lambda route: route.operation)
def test_t26_the_right_to_the_current_version_is_not_the_right_to_all(route: Any, cast: Cast, service: Service, s3: Any) -> None:
    """RustFS GHSA-3ppv: whoever could read the newest could read them all."""
    raw = service.raw()
    cast.grant([action for action in actions_of(route) if action != route.version_action])
    shelf, place = furnish(service, s3)
    ask = request_of(raw, route, place)
    query = "&".join(part for part in (ask.query, "versionId=null") if part)
    answer = raw.send(
        CallerOf(cast.user).sign(raw, raw.ask(route.method, shelf.name, KEY, query=query, headers=ask.headers[1:], body=ask.body))
    )
    assert refusal_of(answer, route.method), (answer.status, answer.body[:300])


NAMED = {
    "accessKeyIdType": "SGKAAAAAAAAAAAAAAAAA",
    "policyVersionIdType": "v1",
    "OpenIDConnectProviderUrlType": "https://matrix.example.org",
    "thumbprintType": "0" * 40,
    "policyDocumentType": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}',
}
PLAIN: dict[str, Any] = {"integer": 900, "long": 900, "boolean": True, "string": "matrix-none-at-all"}


def sample(shape: Any) -> Any:
    """Return a value of a shape of botocore's models, with all that is required, and whom it is about."""
    if shape.type_name == "structure":
        asked = [name for name in shape.members if name in shape.required_members or name == "UserName"]
        return {name: sample(shape.members[name]) for name in asked}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if getattr(shape, "enum", None):
        return shape.enum[0]
    if shape.name.lower().endswith("arntype"):
        return "arn:aws:iam::111122223333:role/matrix-none"
    return NAMED.get(shape.name, PLAIN[shape.type_name])


MakeClient = Callable[[str, CallerOf], Any]
"""Returns the SDK's client of a service for a caller."""


def call(make_client: MakeClient, name: str, operation: str, caller: CallerOf) -> str:
    """Call an action of IAM or STS with a sample; return why it was refused, "" if it was not."""
    client = make_client(name, caller)
    model = client.meta.service_model.operation_model(operation)
    try:
        getattr(client, xform_name(operation))(**(sample(model.input_shape) if model.input_shape else {}))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return code if code in QUERY_DENIALS else ""
    return ""


def client_of(service: Service, name: str, caller: CallerOf) -> Any:
    """Return the SDK's client of a caller, who may have no keys."""
    keys = caller.keys or Keys("", "")
    return boto3.client(
        name,
        endpoint_url=service.url,
        region_name=REGION,
        aws_access_key_id=keys.access_key_id or None,
        aws_secret_access_key=keys.secret_access_key or None,
        aws_session_token=caller.token or None,
        config=Config(
            retries={"total_max_attempts": 1},
            parameter_validation=False,
            **({} if caller.keys else {"signature_version": UNSIGNED}),
        ),
    )


QUERY_DENIALS = {"AccessDenied", "InvalidClientTokenId", "MissingAuthenticationToken", "SignatureDoesNotMatch"}
# What everybody with valid keys may ask about himself, and what a token of somebody else proves.
OF_ONESELF = {"GetCallerIdentity", "GetSessionToken", "AssumeRoleWithWebIdentity"}
QUERY_ACTIONS = [(IAM.service, action) for action in IAM.actions.values()] + [("sts", action) for action in STS.actions.values()]


def identities(iam: Any) -> object:
    """Everything that a call of IAM could have changed."""
    users = iam.list_users()["Users"]
    details = [
        users,
        iam.list_groups()["Groups"],
        iam.list_roles()["Roles"],
        iam.list_policies(Scope="Local")["Policies"],
        iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
        [iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"] for user in users],
        [iam.list_user_policies(UserName=user["UserName"])["PolicyNames"] for user in users],
    ]
    return json.loads(json.dumps(details, default=str))


@pytest.mark.parametrize(("name", "action"), QUERY_ACTIONS, ids=lambda value: getattr(value, "name", value))
def test_t25_iam_and_sts_let_in_whoever_has_the_right_and_nobody_else(name: str, action: Any, cast: Cast) -> None:
    if action.name in OF_ONESELF:
        denied = {"anonymous", "an operator", "an inactive key", "temporary keys without their token"}
    else:
        denied = set(cast.denied) - {"the other account's root"}
    if action.unsigned:
        denied = set()
    before = identities(cast.iam)
    for kind in sorted(denied):
        assert call(cast.client, name, action.name, cast.denied[kind]), kind
    if action.name not in {"GetCallerIdentity", "AssumeRoleWithWebIdentity"}:
        assert call(cast.client, name, action.name, cast.lent)
    assert identities(cast.iam) == before
    if action.name != "AssumeRole":
        cast.grant([action.permission])
        assert not call(cast.client, name, action.name, CallerOf(cast.user))


@pytest.fixture(scope="module")
def key_server() -> Iterator[EvilServer]:
    """What key stores need: a proxy that answers."""
    with evil_server() as server:
        yield server


class Vault:
    """A key with all that operations of KMS may be about, and calls of each of them."""

    def __init__(self, kms: Any, principal: str, key_server: EvilServer) -> None:
        self.kms, self.principal, self.key_server = kms, principal, key_server
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def another(self) -> Vault:
        """Another key, for a call that may change it. What belongs to it is made when a call is about it."""
        return Vault(self.kms, self.principal, self.key_server)

    def furnish(self) -> Vault:
        """Make all that belongs to it."""
        for name in ("alias", "blob", "grant_id", "import_options", "store"):
            getattr(self, name)
        return self

    @cached_property
    def alias(self) -> str:
        name = f"alias/{new_name()}"
        self.kms.create_alias(AliasName=name, TargetKeyId=self.key)
        return name

    @cached_property
    def blob(self) -> bytes:
        return bytes(self.kms.encrypt(KeyId=self.key, Plaintext=b"mine")["CiphertextBlob"])

    @cached_property
    def grant_id(self) -> str:
        made = self.kms.create_grant(KeyId=self.key, GranteePrincipal=self.principal, Operations=["Encrypt"])
        return str(made["GrantId"])

    @cached_property
    def imported(self) -> str:
        return str(self.kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"])

    @cached_property
    def import_options(self) -> dict[str, Any]:
        options = import_options(self.kms, self.imported, b"m" * 32)
        self.kms.import_key_material(**options)
        return options

    @cached_property
    def store(self) -> str:
        """A key store in place of the last one: an account may not have many."""
        for store in self.kms.describe_custom_key_stores()["CustomKeyStores"]:
            if store["XksProxyConfiguration"]["UriEndpoint"] != self.key_server.url:
                continue
            self.kms.disconnect_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])
            self.kms.delete_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])
        return str(self.kms.create_custom_key_store(**self.store_options)["CustomKeyStoreId"])

    @property
    def store_options(self) -> dict[str, Any]:
        return self.key_server.options | {"XksProxyUriPath": f"/{new_name()}/kms/xks/v1"}

    def options(self, name: str) -> dict[str, Any]:
        """Return the members of a call that would succeed; whatever is not said here is about the key alone."""
        of_key = {"KeyId": self.key}
        said: dict[str, Callable[[], dict[str, Any]]] = {
            "CreateKey": dict,
            "ListKeys": dict,
            "ListAliases": dict,
            "GenerateRandom": lambda: {"NumberOfBytes": 8},
            "ListRetirableGrants": lambda: {"RetiringPrincipal": self.principal},
            "CreateAlias": lambda: {"AliasName": f"alias/{new_name()}", "TargetKeyId": self.key},
            "UpdateAlias": lambda: {"AliasName": self.alias, "TargetKeyId": self.key},
            "DeleteAlias": lambda: {"AliasName": self.alias},
            "PutKeyPolicy": lambda: {**of_key, "Policy": self.policy, "BypassPolicyLockoutSafetyCheck": True},
            "CreateGrant": lambda: {**of_key, "GranteePrincipal": self.principal, "Operations": ["Decrypt"]},
            "RevokeGrant": lambda: {**of_key, "GrantId": self.grant_id},
            "RetireGrant": lambda: {**of_key, "GrantId": self.grant_id},
            "Encrypt": lambda: {**of_key, "Plaintext": b"x"},
            "Decrypt": lambda: {"CiphertextBlob": self.blob},
            "GenerateDataKey": lambda: {**of_key, "KeySpec": "AES_256"},
            "GenerateDataKeyWithoutPlaintext": lambda: {**of_key, "KeySpec": "AES_256"},
            "ReEncrypt": lambda: {"CiphertextBlob": self.blob, "DestinationKeyId": self.key},
            "TagResource": lambda: {**of_key, "Tags": [{"TagKey": "k", "TagValue": "v"}]},
            "UntagResource": lambda: {**of_key, "TagKeys": ["k"]},
            "UpdateKeyDescription": lambda: {**of_key, "Description": "other"},
            "GetParametersForImport": lambda: {"KeyId": self.imported, **WRAPPING},
            "ImportKeyMaterial": lambda: self.import_options,
            "DeleteImportedKeyMaterial": lambda: {"KeyId": self.imported},
            "CreateCustomKeyStore": lambda: self.store_options,
            "DescribeCustomKeyStores": dict,
            "UpdateCustomKeyStore": lambda: {"CustomKeyStoreId": self.store, "NewCustomKeyStoreName": new_name()},
        }
        if name in OF_STORES:
            return {"CustomKeyStoreId": self.store}
        return said[name]() if name in said else of_key

    @property
    def policy(self) -> str:
        return str(self.kms.get_key_policy(KeyId=self.key)["Policy"])

    def everything(self) -> object:
        """What a call could have changed."""
        kms, of_key = self.kms, {"KeyId": self.key}
        keys = [key for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
        aliases = [alias for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]]
        read = [
            kms.describe_key(**of_key)["KeyMetadata"],
            kms.describe_key(KeyId=self.imported)["KeyMetadata"],
            self.policy,
            kms.list_grants(**of_key)["Grants"],
            kms.list_resource_tags(**of_key)["Tags"],
            kms.get_key_rotation_status(**of_key)["KeyRotationEnabled"],
            kms.list_key_rotations(**of_key)["Rotations"],
            kms.describe_custom_key_stores()["CustomKeyStores"],
        ]
        return json.loads(json.dumps([keys, aliases, read], default=str))


@pytest.fixture(scope="module")
def vault(service: Service, key_server: EvilServer) -> Iterator[Vault]:
    with closing(patient(service, "kms")) as kms:
        yield Vault(kms, f"arn:aws:iam::{service.owner.account_id}:root", key_server).furnish()


KMS_DENIALS = {
    *("AccessDeniedException", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
    *("InvalidSignatureException", "ExpiredTokenException"),
}


def call_kms(make_client: MakeClient, operation: str, caller: CallerOf, options: dict[str, Any]) -> str:
    """Call an operation of KMS; return why it was refused, "" if it was not."""
    try:
        getattr(make_client("kms", caller), xform_name(operation))(**options)
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return code if code in KMS_DENIALS else f"!{code}"
    return ""


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_t25_kms_lets_in_whoever_has_the_right_and_nobody_else(row: Any, vault: Vault, cast: Cast) -> None:
    before = vault.everything()
    for kind, caller in cast.denied.items():
        if kind == "the other account's root" and row.about is KmsAbout.ACCOUNT and row.name != "ListRetirableGrants":
            continue
        # An alias without an account in its name is one of the caller's own account.
        expected = {"NotFoundException"} if kind == "the other account's root" and row.name in OF_OWN_ALIASES else set()
        reason = call_kms(cast.client, row.name, caller, vault.options(row.name))
        assert reason in KMS_DENIALS | {f"!{code}" for code in expected}, (kind, reason)
    assert vault.everything() == before
    cast.grant(["kms:DescribeKey" if row.name != "DescribeKey" else "kms:ListKeys"])
    assert call_kms(cast.client, row.name, CallerOf(cast.user), vault.options(row.name)) == "AccessDeniedException"
    cast.grant([row.permission])
    for caller in cast.allowed.values():
        own = vault.another()
        if row.name == "CancelKeyDeletion":
            own.kms.schedule_key_deletion(KeyId=own.key)
        assert call_kms(cast.client, row.name, caller, own.options(row.name)) == ""


OF_OWN_ALIASES = {"UpdateAlias", "DeleteAlias"}
OF_STORES = {"ConnectCustomKeyStore", "DisconnectCustomKeyStore", "DeleteCustomKeyStore"}


@pytest.mark.parametrize("row", ADMIN_ROUTES, ids=lambda row: row.operation)
def test_t25_the_admin_port_is_the_operators_alone(row: Any, cast: Cast, service: Service) -> None:
    body = b'{"name": "matrix"}' if row.method == "POST" else b""
    path = row.path.format(consent="0" * 16)
    for kind, caller in {**cast.denied, **cast.allowed}.items():
        if kind != "an operator":
            assert ask(service, caller.keys, row.method, path, body)[0] == 403, kind
    # There is no such consent, and no such request can be made of a name alone.
    wanted = {400, 404} if "Consent" in row.operation and row.operation != "ListConsentRequests" else {200, 201}
    assert ask(service, service.operator, row.method, path, body)[0] in wanted
