"""Managed policies that every account has: those of AWS whose names everybody knows, as far as they concern this service.

They belong to nobody and cannot be changed. Source: AWS Managed Policy Reference (names and what each allows).
"""

import json
from typing import Final

from siegel.access.policy import VERSION
from siegel.domain.identities import ManagedPolicy, PolicyVersion, entity_arn

OWNER: Final = "aws"
_SINCE_MS: Final = 1_796_083_200_000  # 2026-12-01

_ALLOWED: Final = {
    "AdministratorAccess": ("Everything.", ["*"]),
    "AmazonS3FullAccess": ("All of S3.", ["s3:*"]),
    "AmazonS3ReadOnlyAccess": ("Reading and listing in S3.", ["s3:Get*", "s3:List*"]),
    "IAMFullAccess": ("All of IAM.", ["iam:*"]),
    "IAMReadOnlyAccess": (
        "Reading and listing in IAM, and simulations.",
        ["iam:Get*", "iam:List*", "iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy"],
    ),
    "ReadOnlyAccess": (
        "Reading and listing everywhere.",
        ["iam:Get*", "iam:List*", "kms:Describe*", "kms:Get*", "kms:List*", "s3:Get*", "s3:List*", "sts:GetCallerIdentity"],
    ),
}


def _policy(name: str, description: str, actions: list[str]) -> ManagedPolicy:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    text = json.dumps({"Version": VERSION, "Statement": [statement]})
    return ManagedPolicy(
        name=name,
        unique_id=f"SGPPROVIDED{name.upper()}",
        created_at_ms=_SINCE_MS,
        updated_at_ms=_SINCE_MS,
        description=description,
        versions=(PolicyVersion(number=1, text=text, created_at_ms=_SINCE_MS),),
    )


PROVIDED: Final[dict[str, ManagedPolicy]] = {
    entity_arn(OWNER, "policy", "/", name): _policy(name, description, actions)
    for name, (description, actions) in _ALLOWED.items()
}
"""The policies by their ARNs."""
