"""The account as a whole: how much of everything it has; and what there is nothing of here."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from siegel.domain import limits
from siegel.domain.identities import Group, ManagedPolicy, OidcProvider, Role, User
from siegel.domain.query_errors import NoSuchEntityError
from siegel.iamwire.iam_asks import Named
from siegel.iamwire.xml import Entries
from siegel.service.identities.scene import ROOT_NAME, Result, Scene


def get_summary(scene: Scene, _ask: object) -> Result:
    """Count what the account has, and name its limits."""
    policies = list(scene.entities.scan(ManagedPolicy))
    root_keys = scene.entities.reader.identities.credentials_of(scene.account_id, ROOT_NAME)
    return {
        "SummaryMap": Entries(
            {
                "Users": sum(1 for _ in scene.entities.scan(User)),
                "UsersQuota": limits.USERS_MAX,
                "Groups": sum(1 for _ in scene.entities.scan(Group)),
                "GroupsQuota": limits.GROUPS_MAX,
                "Roles": sum(1 for _ in scene.entities.scan(Role)),
                "RolesQuota": limits.ROLES_MAX,
                "Policies": len(policies),
                "PoliciesQuota": limits.MANAGED_POLICIES_MAX,
                "Providers": sum(1 for _ in scene.entities.scan(OidcProvider)),
                "PolicyVersionsInUse": sum(len(policy.versions) for policy in policies),
                "VersionsPerPolicyQuota": limits.POLICY_VERSIONS_MAX,
                "PolicySizeQuota": limits.IDENTITY_POLICY_CHARS_MAX,
                "AssumeRolePolicySizeQuota": limits.TRUST_POLICY_CHARS_MAX,
                "UserPolicySizeQuota": limits.USER_INLINE_CHARS_MAX,
                "GroupPolicySizeQuota": limits.GROUP_INLINE_CHARS_MAX,
                "RolePolicySizeQuota": limits.ROLE_INLINE_CHARS_MAX,
                "GroupsPerUserQuota": limits.GROUPS_PER_USER_MAX,
                "AttachedPoliciesPerUserQuota": limits.ATTACHED_POLICIES_MAX,
                "AttachedPoliciesPerGroupQuota": limits.ATTACHED_POLICIES_MAX,
                "AttachedPoliciesPerRoleQuota": limits.ATTACHED_POLICIES_MAX,
                "AccessKeysPerUserQuota": limits.ACCESS_KEYS_PER_USER_MAX,
                "AccountAccessKeysPresent": int(any(key.is_active for key in root_keys)),
                "AccountMFAEnabled": 0,
                "MFADevices": 0,
                "MFADevicesInUse": 0,
            }
        )
    }


def _nothing(name: str) -> Callable[[Scene, Any], Result]:
    """Return a use case that lists nothing, of an entity that must exist if the call names one."""

    def answer(scene: Scene, ask: object) -> Result:
        if isinstance(ask, Named) and ask.name:
            scene.entities.get(ask.entity_type, ask.name)
        return {name: [], "IsTruncated": False}

    return answer


def _no_login_profile(scene: Scene, ask: Named) -> NoReturn:
    name = scene.subject(ask)
    raise NoSuchEntityError(f"Login Profile for User {name} cannot be found.")


def _no_password_policy(_scene: Scene, _ask: object) -> NoReturn:
    raise NoSuchEntityError("The Password Policy with domain name this account cannot be found.")


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "GetAccountSummary": get_summary,
    "ListAccountAliases": _nothing("AccountAliases"),
    "ListMFADevices": _nothing("MFADevices"),
    "ListSSHPublicKeys": _nothing("SSHPublicKeys"),
    "ListSigningCertificates": _nothing("Certificates"),
    "ListVirtualMFADevices": _nothing("VirtualMFADevices"),
    "ListInstanceProfilesForRole": _nothing("InstanceProfiles"),
    "ListInstanceProfiles": _nothing("InstanceProfiles"),
    "ListServerCertificates": _nothing("ServerCertificateMetadataList"),
    "GetLoginProfile": _no_login_profile,
    "GetAccountPasswordPolicy": _no_password_policy,
}
