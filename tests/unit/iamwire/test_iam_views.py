"""Every view, written as an answer and read back by the parser of AWS's clients."""

from datetime import UTC, datetime
from urllib.parse import unquote

from tests.unit.iamwire.model import parse

from siegel.domain.identities import Group, ManagedPolicy, OidcProvider, PolicyVersion, Role, User
from siegel.domain.objects import Credential, CredentialKind
from siegel.iamwire import iam_views as views
from siegel.iamwire.iam_actions import IAM
from siegel.iamwire.xml import render_answer

ACCOUNT = "111122223333"
AT_MS = 1_790_000_000_000
AT = datetime.fromtimestamp(AT_MS // 1000, UTC)
TEXT = '{"Version": "2012-10-17", "Statement": []} \u00e4&<'
NAMED = {"path": "/p/", "created_at_ms": AT_MS, "unique_id": "SGX" + "A" * 18}


def read(action, result):
    return parse("iam", action, render_answer(IAM.namespace, action, result, "ID"))


def test_a_user():
    user = User(name="bob", boundary="arn:aws:iam::aws:policy/P", tags=(("k", "v"),), **NAMED)
    shown = read("GetUser", {"User": views.user_view(ACCOUNT, user)})["User"]
    assert shown == {
        "Path": "/p/",
        "UserName": "bob",
        "UserId": user.unique_id,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/p/bob",
        "CreateDate": AT,
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": user.boundary},
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    listed = read("ListUsers", views.page_view("Users", [views.user_view(ACCOUNT, user, whole=False)], "next"))
    assert listed["Users"] == [{key: value for key, value in shown.items() if key not in {"PermissionsBoundary", "Tags"}}]
    assert (listed["IsTruncated"], listed["Marker"]) == (True, "next")
    plain = read("GetUser", {"User": views.user_view(ACCOUNT, User(name="bob", **NAMED))})["User"]
    assert "Tags" not in plain
    assert "PermissionsBoundary" not in plain


def test_the_root():
    shown = read("GetUser", {"User": views.root_view(ACCOUNT, AT_MS)})["User"]
    assert shown == {"UserId": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "CreateDate": AT}


def test_a_group():
    shown = read("CreateGroup", {"Group": views.group_view(ACCOUNT, Group(name="g", **NAMED))})["Group"]
    assert (shown["GroupName"], shown["GroupId"], shown["Arn"]) == ("g", NAMED["unique_id"], f"arn:aws:iam::{ACCOUNT}:group/p/g")


def test_a_role():
    role = Role(name="r", trust_text=TEXT, description="d", session_s_max=7200, **NAMED)
    shown = read("GetRole", {"Role": views.role_view(ACCOUNT, role)})["Role"]
    assert unquote(shown["AssumeRolePolicyDocument"]) == TEXT
    assert (shown["Description"], shown["MaxSessionDuration"]) == ("d", 7200)
    listed = read("ListRoles", views.page_view("Roles", [views.role_view(ACCOUNT, role, whole=False)], ""))
    assert listed["Roles"] == [shown]
    assert listed["IsTruncated"] is False
    assert "Marker" not in listed


def test_a_policy_and_its_versions():
    versions = (PolicyVersion(1, TEXT, AT_MS), PolicyVersion(2, "{}", AT_MS))
    policy = ManagedPolicy(
        name="p", versions=versions, default_number=2, description="d", updated_at_ms=AT_MS, tags=(("k", "v"),), **NAMED
    )
    shown = read("GetPolicy", {"Policy": views.policy_view("arn:x", policy, 3, 1)})["Policy"]
    assert (shown["DefaultVersionId"], shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == ("v2", 3, 1)
    assert (shown["IsAttachable"], shown["UpdateDate"], shown["Tags"]) == (True, AT, [{"Key": "k", "Value": "v"}])
    listed = read("ListPolicies", views.page_view("Policies", [views.policy_view("arn:x", policy, 3, 1, whole=False)], ""))
    assert listed["Policies"] == [{key: value for key, value in shown.items() if key not in {"Description", "Tags"}}]
    first = read("GetPolicyVersion", {"PolicyVersion": views.version_view(policy, versions[0])})["PolicyVersion"]
    assert (unquote(first["Document"]), first["VersionId"], first["IsDefaultVersion"]) == (TEXT, "v1", False)
    bare = read("CreatePolicyVersion", {"PolicyVersion": views.version_view(policy, versions[1], whole=False)})["PolicyVersion"]
    assert bare == {"VersionId": "v2", "IsDefaultVersion": True, "CreateDate": AT}
    assert policy.version(3) is None


def test_an_identity_provider():
    provider = OidcProvider(
        name="idp.example/a", created_at_ms=AT_MS, url="https://idp.example/a", client_ids=("app",), thumbprints=("0" * 40,)
    )
    shown = read("GetOpenIDConnectProvider", views.provider_view(provider))
    del shown["ResponseMetadata"]
    assert shown == {"Url": "idp.example/a", "ClientIDList": ["app"], "ThumbprintList": ["0" * 40], "CreateDate": AT}


def test_an_access_key():
    credential = Credential("SGK" + "A" * 17, CredentialKind.USER, ACCOUNT, AT_MS, b"", "bob")
    (shown,) = read("ListAccessKeys", views.page_view("AccessKeyMetadata", [views.key_view(credential)], ""))["AccessKeyMetadata"]
    assert shown == {"UserName": "bob", "AccessKeyId": credential.access_key_id, "Status": "Active", "CreateDate": AT}
    off = Credential("SGL" + "A" * 17, CredentialKind.ROOT, ACCOUNT, AT_MS, b"", is_active=False)
    (shown,) = read("ListAccessKeys", views.page_view("AccessKeyMetadata", [views.key_view(off)], ""))["AccessKeyMetadata"]
    assert (shown["Status"], "UserName" in shown) == ("Inactive", False)
