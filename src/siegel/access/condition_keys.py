"""Condition keys: what a policy may ask about a request, and where the answers come from.

Keys of the request (its address, headers, the object's tags) are computed by who receives the request, one by one and only when
a policy asks. Keys of the principal and of the resource's account are added here, so that no request can bring its own.

Sources: AWS IAM User Guide, "AWS global condition context keys", "IAM and AWS STS condition context keys"; AWS Service
Authorization Reference, "Amazon S3", "AWS STS", "AWS KMS".
"""

import re
from collections.abc import Mapping
from typing import Final, Protocol


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Known keys by service, in lower case; one that ends in "/" or ":" goes on with a name of the customer's.
KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "aws": _names(
        """calledvia calledviafirst calledvialast currenttime ec2instancesourceprivateipv4 ec2instancesourcevpc epochtime
        federatedprovider multifactorauthage multifactorauthpresent principalaccount principalarn principalisawsservice
        principalorgid principalorgpaths principalservicename principalservicenameslist principaltag/ principaltype referer
        requestedregion requesttag/ resourceaccount resourceorgid resourceorgpaths resourcetag/ securetransport sourceaccount
        sourcearn sourceidentity sourceip sourceorgid sourceorgpaths sourceowner sourcevpc sourcevpcarn sourcevpce tagkeys
        tokenissuetime useragent userid username viaawsservice vpceaccount vpceorgid vpceorgpaths vpcsourceip"""
    ),
    "s3": _names(
        """accessgrantsinstancearn accesspointnetworkorigin accesspointtag/ authtype buckettag/ dataaccesspointaccount
        dataaccesspointarn delimiter existingjoboperation existingjobpriority existingobjecttag/ if-match if-none-match
        inventoryaccessibleoptionalfields isreplicationpauserequest jobsuspendedcause locationconstraint max-keys
        object-lock-legal-hold object-lock-mode object-lock-remaining-retention-days object-lock-retain-until-date
        objectcreationoperation prefix requestjoboperation requestjobpriority requestobjecttag/ requestobjecttagkeys
        resourceaccount signatureage signatureversion tlsversion versionid x-amz-acl x-amz-bucket-namespace
        x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control x-amz-grant-read x-amz-grant-read-acp
        x-amz-grant-write x-amz-grant-write-acp x-amz-metadata-directive x-amz-object-ownership x-amz-server-side-encryption
        x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm x-amz-storage-class
        x-amz-website-redirect-location"""
    ),
    "sts": _names(
        """awsservicename durationseconds externalid identitytokenaudience requestcontext/ requestcontextproviders rolesessionname
        signingalgorithm sourceidentity taskpolicyarn transitivetagkeys"""
    ),
    "kms": _names(
        """bypasspolicylockoutsafetycheck calleraccount customermasterkeyspec customermasterkeyusage datakeypairspec
        encryptionalgorithm encryptioncontext: encryptioncontextkeys expirationmodel grantconstrainttype grantisforawsresource
        grantoperations granteeprincipal keyagreementalgorithm keyorigin keyspec keyusage macalgorithm messagetype multiregion
        multiregionkeytype primaryregion reencryptonsamekey replicaregion requestalias resourcealiases retiringprincipal
        rotationperiodindays scheduledeletionpendingwindowindays signingalgorithm validto viaservice wrappingalgorithm
        wrappingkeyspec"""
    ),
}
UNTOLD: Final = frozenset(
    f"s3:{key}"
    for key in _names(
        """buckettag/ existingjoboperation existingjobpriority inventoryaccessibleoptionalfields isreplicationpauserequest
        jobsuspendedcause requestjoboperation requestjobpriority x-amz-bucket-namespace"""
    )
)
"""Keys of S3 that no request here ever has: they tell of what does not exist here. A policy of a bucket that asked for one would
do nothing, and be taken for a denial or a grant."""
_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*:[^\x00-\x1f]+")


class ConditionKeys(Protocol):
    """Answers about one request, computed when they are asked for."""

    def get(self, name: str, /) -> tuple[str, ...] | None:
        """Return the values of the key `name` (in lower case), or None if the request has no such key.

        Tags whose names differ in case only share one key, and its values are those of all of them.
        """


def is_key_form(name: str) -> bool:
    """Tell whether a name is written like a condition key, `service:key`."""
    return _FORM.fullmatch(name) is not None


def is_known_key(name: str, services: tuple[str, ...]) -> bool:
    """Tell whether a key exists and belongs to one of the services."""
    service, _, key = name.lower().partition(":")
    if service not in services:
        return False
    return any(key == name or (name[-1] in "/:" and key.startswith(name)) for name in KNOWN[service]) and key[-1:] not in "/:"


def is_untold(name: str) -> bool:
    """Tell whether a key, its name in lower case, is one that no request here ever has."""
    family, slash, _ = name.partition("/")
    return f"{family}{slash}" in UNTOLD
