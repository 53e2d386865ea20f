"""Actions of IAM that are not built, by the reason."""

from typing import Final

_BY_REASON: Final = {
    "people sign in to no console here, so there are no passwords and no second factors": """
        ChangePassword CreateLoginProfile DeleteLoginProfile UpdateLoginProfile DeleteAccountPasswordPolicy
        UpdateAccountPasswordPolicy CreateVirtualMFADevice DeactivateMFADevice DeleteVirtualMFADevice EnableMFADevice GetMFADevice
        ListMFADeviceTags ResyncMFADevice TagMFADevice UntagMFADevice""",
    "accounts have no aliases: they are known by their number": "CreateAccountAlias DeleteAccountAlias",
    "no virtual machines run here": """
        AddRoleToInstanceProfile CreateInstanceProfile DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags
        RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile""",
    "credentials are access keys, never certificates, SSH keys or passwords of single services": """
        CreateServiceSpecificCredential DeleteServiceSpecificCredential ListServiceSpecificCredentials
        ResetServiceSpecificCredential UpdateServiceSpecificCredential DeleteSSHPublicKey GetSSHPublicKey UpdateSSHPublicKey
        UploadSSHPublicKey DeleteServerCertificate GetServerCertificate ListServerCertificateTags TagServerCertificate
        UntagServerCertificate UpdateServerCertificate UploadServerCertificate DeleteSigningCertificate UpdateSigningCertificate
        UploadSigningCertificate""",
    "identities of others come by OpenID Connect, not by SAML": """
        CreateSAMLProvider DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags ListSAMLProviders TagSAMLProvider
        UntagSAMLProvider UpdateSAMLProvider""",
    "accounts stand for themselves, in no organization": """
        DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
        EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions GenerateOrganizationsAccessReport
        GetOrganizationsAccessReport ListOrganizationsFeatures""",
    "no service acts on behalf of an account": """
        CreateServiceLinkedRole DeleteServiceLinkedRole GetServiceLinkedRoleDeletionStatus AcquireRole GetRoleTemplateVersion
        DisableOutboundWebIdentityFederation EnableOutboundWebIdentityFederation GetOutboundWebIdentityFederationInfo
        SetSecurityTokenServicePreferences""",
    "rights are delegated by roles": """
        AcceptDelegationRequest AssociateDelegationRequest CreateDelegationRequest GetDelegationRequest GetHumanReadableSummary
        ListDelegationRequests RejectDelegationRequest SendDelegationToken UpdateDelegationRequest""",
    "the ledger tells who used which right": """
        GenerateCredentialReport GetCredentialReport GenerateServiceLastAccessedDetails GetServiceLastAccessedDetails
        GetServiceLastAccessedDetailsWithEntities ListPoliciesGrantingServiceAccess""",
    "users, groups, roles and policies are read one by one": """
        GetAccountAuthorizationDetails GetAccountProperties PutAccountProperties""",
    "simulations say which statements decide": "GetContextKeysForCustomPolicy GetContextKeysForPrincipalPolicy",
}

REFUSED: Final[dict[str, str]] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
"""Every action of IAM that is not built, with the reason."""
