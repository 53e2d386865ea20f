"""Roles taken on by the word of an identity provider, with the official SDK."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .idp import AUDIENCE, Provider, Realm, as_json, b64, providing, sign
from .people import allow, document, new_person
from .service import Service
from .shelf import Shelf, fails
from .signer import REGION
from .test_sts import with_session

BY_TOKEN = "sts:AssumeRoleWithWebIdentity"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


@pytest.fixture(scope="module")
def anonymous(service: Service) -> Any:
    """A client of STS that signs nothing, as one has it who holds nothing but a token."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, parameter_validation=False)
    return boto3.client("sts", endpoint_url=service.url, region_name=REGION, config=config)


def trust(realm: Realm, service: Service, actions: object = BY_TOKEN, **conditions: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{service.owner.account_id}:oidc-provider/{realm.name}"},
        "Action": actions,
        "Condition": {"StringEquals": {f"{realm.name}:{key}": value for key, value in conditions.items()}} if conditions else {},
    }
    return document(statement)


def make_role(iam: Any, policy: str, *statements: dict[str, Any]) -> str:
    name = new_person("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*(statements or [allow("s3:*")])))
    return str(arn)


@pytest.fixture
def realm(provider: Provider, iam: Any) -> Realm:
    """A fresh issuer that the account believes."""
    made = provider.realm()
    iam.create_open_id_connect_provider(Url=made.issuer, ClientIDList=[AUDIENCE])
    return made


@pytest.fixture
def role(realm: Realm, service: Service, iam: Any) -> str:
    """A role for whom the fresh issuer calls ann."""
    return make_role(iam, trust(realm, service, sub="ann", aud=AUDIENCE))


def assume(sts: Any, role: str, token: str, **more: Any) -> Any:
    asked = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token, **more}
    return sts.assume_role_with_web_identity(**asked)


def test_a_token_opens_what_the_role_may(bucket: Shelf, service: Service, realm: Realm, role: str, anonymous: Any) -> None:
    bucket.put("k", b"x")
    answer = assume(anonymous, role, realm.token(), DurationSeconds=900)
    assert (answer["SubjectFromWebIdentityToken"], answer["Audience"], answer["Provider"]) == ("ann", AUDIENCE, realm.issuer)
    assert answer["AssumedRoleUser"]["Arn"] == role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/web"
    s3 = with_session(service, answer["Credentials"])
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"
    limited = assume(anonymous, role, realm.token(), Policy=document(allow("s3:ListBucket")))
    with fails(403, "AccessDenied"):
        with_session(service, limited["Credentials"]).get_object(Bucket=bucket.name, Key="k")
    caller = with_session(service, answer["Credentials"], "sts").get_caller_identity()
    assert caller["Arn"] == answer["AssumedRoleUser"]["Arn"]


def test_sdks_take_on_the_role_by_themselves(
    bucket: Shelf, realm: Realm, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a pod: nothing is configured but a role and the file of a token."""
    bucket.put("k", b"x")
    (tmp_path / "token").write_text(realm.token(), encoding="utf-8")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ENDPOINT_URL": bucket.service.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
    assert s3.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"x"


def test_a_trust_policy_says_for_whom(realm: Realm, role: str, service: Service, iam: Any, anonymous: Any) -> None:
    for refused in (realm.token(sub="bob"), realm.token(sub="Ann")):
        with fails(403, "AccessDenied"):
            assume(anonymous, role, refused)
    others = make_role(iam, document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}))
    elsewhere = make_role(iam, trust(realm, service).replace(realm.name, f"{realm.name}/a"))
    for unreachable in (others, elsewhere, role + "-none"):
        with fails(403, "AccessDenied"):
            assume(anonymous, unreachable, realm.token())


def test_what_the_provider_says_reaches_policies(bucket: Shelf, realm: Realm, service: Service, iam: Any, anonymous: Any) -> None:
    """Keys of the issuer as conditions and as variables, and session tags."""
    bucket.put("ann/k", b"mine")
    bucket.put("bob/k", b"his")
    home = f"arn:aws:s3:::{bucket.name}/${{{realm.name}:sub}}/*"
    condition = {"StringEquals": {f"{realm.name}:aud": AUDIENCE, "aws:PrincipalTag/team": "red"}}
    role = make_role(iam, trust(realm, service, [BY_TOKEN, "sts:TagSession"]), allow("s3:GetObject", home, Condition=condition))
    tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    answer = assume(anonymous, role, realm.token(**{"https://aws.amazon.com/tags": tags}))
    s3 = with_session(service, answer["Credentials"])
    assert s3.get_object(Bucket=bucket.name, Key="ann/k")["Body"].read() == b"mine"
    with fails(403, "AccessDenied"):
        s3.get_object(Bucket=bucket.name, Key="bob/k")
    untagged = with_session(service, assume(anonymous, role, realm.token())["Credentials"])
    with fails(403, "AccessDenied"):
        untagged.get_object(Bucket=bucket.name, Key="ann/k")


def test_tags_and_a_source_identity_need_their_own_permission(
    realm: Realm, role: str, service: Service, iam: Any, anonymous: Any
) -> None:
    tagged = realm.token(**{"https://aws.amazon.com/tags": {"principal_tags": {"team": ["red"]}}})
    sourced = realm.token(**{"https://aws.amazon.com/source_identity": "ann"})
    for token in (tagged, sourced):
        with fails(403, "AccessDenied"):
            assume(anonymous, role, token)
    wide = make_role(iam, trust(realm, service, [BY_TOKEN, "sts:SetSourceIdentity"]))
    assert assume(anonymous, wide, sourced)["SourceIdentity"] == "ann"


def test_t20_ceph_cve_2024_48916_rustfs_ghsa_ccrv_ghsa_jxrr_what_proves_nothing_gets_one_answer(
    provider: Provider, realm: Realm, role: str, iam: Any, anonymous: Any
) -> None:
    """No algorithm, a public key as a shared secret, no end, another audience or issuer, an issuer that only the token names."""
    other_key = rsa.generate_private_key(65537, 2048)
    unknown, distrusted = provider.realm(), provider.realm()
    iam.create_open_id_connect_provider(Url=distrusted.issuer, ClientIDList=["another"])
    header = {"alg": "RS256", "kid": realm.key_id}
    public = realm.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def bare(algorithm: str) -> str:
        return f"{b64(as_json({'alg': algorithm, 'kid': realm.key_id}))}.{b64(as_json(realm.claims()))}"

    def swapped() -> str:
        signed = bare("HS256")
        return f"{signed}.{b64(hmac.digest(public, signed.encode(), 'sha256'))}"

    def without(claim: str) -> dict[str, Any]:
        return {name: value for name, value in realm.claims().items() if name != claim}

    now = int(time.time())
    tokens = {
        "alg none": bare("none") + ".",
        "alg NoNe": bare("NoNe") + ".",
        "alg none with a signature": f"{bare('none')}.{realm.token().rpartition('.')[2]}",
        "RS to HS": swapped(),
        "no signature": realm.token().rpartition(".")[0] + ".",
        "another key": sign(other_key, header, realm.claims()),
        "a key of its own": sign(other_key, {**header, "jku": f"{unknown.issuer}/keys", "jwk": unknown.jwk()}, realm.claims()),
        "an unknown key": sign(realm.key, {"alg": "RS256", "kid": "../../first"}, realm.claims()),
        "no end": sign(realm.key, header, without("exp")),
        "an end in words": realm.token(exp="never"),
        "no subject": sign(realm.key, header, without("sub")),
        "no audience": sign(realm.key, header, without("aud")),
        "no issuer": sign(realm.key, header, without("iss")),
        "another audience": realm.token(aud="somebody"),
        "other audiences": realm.token(aud=["somebody", AUDIENCE + " "]),
        "an issuer that nobody registered": unknown.token(),
        "the keys of an issuer that only the token names": sign(unknown.key, header, realm.claims(iss=unknown.issuer)),
        "another issuer's key": sign(distrusted.key, header, realm.claims()),
        "an issuer that believes another audience": distrusted.token(),
        "an issuer of the same name over TLS": realm.token(iss=realm.issuer.replace("http:", "https:")),
        "a time to come": realm.token(nbf=now + 3600),
        "made in the future": realm.token(iat=now + 3600),
        "changed after it was signed": f"{b64(as_json(header))}.{b64(as_json(realm.claims(sub='root')))}."
        + realm.token().rpartition(".")[2],
        "no claims": sign(realm.key, header, ["sub"]),
    }  # fmt: skip
    answers = set()
    for token in tokens.values():
        for arn in (role, role + "-none"):
            with fails(403, "IDPRejectedClaim") as caught:
                assume(anonymous, arn, token)
            answers.add((caught.value.response["Error"]["Message"], caught.value.response["Error"]["Type"]))
    assert len(answers) == 1
    assert unknown.asked == []
    assert assume(anonymous, role, realm.token())["Credentials"]


def test_a_token_that_was_good_once_says_so(realm: Realm, role: str, anonymous: Any) -> None:
    with fails(400, "ExpiredTokenException"):
        assume(anonymous, role, realm.token(exp=int(time.time()) - 1))


@pytest.mark.parametrize("token", ["aa.bb", "a.b.c", "none", "eyJhbGciOiJub25lIn0.e30", "\u00e4.\u00e4.\u00e4", "a" * 20_000])
def test_what_is_no_token_says_so(role: str, anonymous: Any, token: str) -> None:
    with fails(400, "InvalidIdentityToken"):
        assume(anonymous, role, token)


def test_parameters_that_cannot_be_are_refused(realm: Realm, role: str, anonymous: Any) -> None:
    for more in (
        {"RoleArn": "arn"},
        {"ProviderId": "www.amazon.com"},
        {"DurationSeconds": 899},
        {"DurationSeconds": 3601},
        {"Policy": "{}"},
    ):
        with fails(400, "ValidationError", "MalformedPolicyDocument"):
            assume(anonymous, role, realm.token(), **more)
    with fails(400, "ValidationError"):
        assume(anonymous, role, "a" * 20_001)


def test_a_deleted_provider_vouches_for_nobody(realm: Realm, role: str, service: Service, iam: Any, anonymous: Any) -> None:
    assert assume(anonymous, role, realm.token())
    iam.delete_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::{service.owner.account_id}:oidc-provider/{realm.name}"
    )
    with fails(403, "IDPRejectedClaim"):
        assume(anonymous, role, realm.token())


def test_the_provider_of_another_account_vouches_for_nobody_here(
    provider: Provider, role: str, stranger_iam: Any, anonymous: Any
) -> None:
    theirs = provider.realm()
    stranger_iam.create_open_id_connect_provider(Url=theirs.issuer, ClientIDList=[AUDIENCE])
    with fails(403, "IDPRejectedClaim"):
        assume(anonymous, role, theirs.token())
    assert theirs.asked == []


@pytest.mark.parametrize(
    ("place", "answer"),
    [
        ("/.well-known/openid-configuration", (302, {"Location": "http://169.254.169.254/"}, b"")),
        ("/.well-known/openid-configuration", (404, {}, b"")),
        ("/.well-known/openid-configuration", (200, {}, b"<html>")),
        ("/.well-known/openid-configuration", (200, {}, b" " * 70_000)),
        ("/.well-known/openid-configuration", (200, {}, b'{"issuer":"https://accounts.google.com","jwks_uri":"https://g/"}')),
        ("/keys", (302, {"Location": "/elsewhere"}, b"")),
        ("/keys", (500, {}, b"")),
        ("/keys", (200, {}, b'{"keys":"none"}')),
        ("/keys", (200, {}, b" " * 300_000)),
    ],
)
def test_t91_a_provider_that_redirects_or_answers_nonsense_is_not_believed(
    realm: Realm, role: str, anonymous: Any, place: str, answer: Any
) -> None:
    realm.answers[place] = answer
    with fails(400, "IDPCommunicationError"):
        assume(anonymous, role, realm.token())
    assert "/elsewhere" not in realm.asked


@pytest.mark.parametrize(
    "jwks_uri", ["http://169.254.169.254/keys", "http://10.0.0.1/", "http://localhost:1/", "file:///etc/passwd", ""]
)
def test_t91_keys_at_an_address_that_is_not_public_are_not_fetched(
    realm: Realm, role: str, anonymous: Any, jwks_uri: str
) -> None:
    body = as_json({"issuer": realm.issuer, "jwks_uri": jwks_uri})
    realm.answers["/.well-known/openid-configuration"] = (200, {}, body)
    with fails(400, "IDPCommunicationError"):
        assume(anonymous, role, realm.token())
