"""What the actions of STS ask for.

Source: AWS STS API Reference, "Actions".
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, field

from siegel.domain.limits import (
    ROLE_SESSION_S_MAX,
    SESSION_POLICIES_MAX,
    SESSION_S_MIN,
    SESSION_TAGS_MAX,
    SESSION_TOKEN_S_MAX,
    WEB_TOKEN_CHARS_MAX,
)
from siegel.iamwire.ask import Ask, Part, Tag

_NAME: Final = r"^[\w+=,.@-]*$"

SessionName: TypeAlias = Annotated[str, Meta(min_length=2, max_length=64, pattern=_NAME)]
RoleArn: TypeAlias = Annotated[str, Meta(min_length=20, max_length=2048)]
RoleSeconds: TypeAlias = Annotated[int, Meta(ge=SESSION_S_MIN, le=ROLE_SESSION_S_MAX)]
TagKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]


class PolicyArn(Part, frozen=True, kw_only=True):
    """A managed policy by its ARN."""

    arn: Annotated[str, Meta(min_length=20, max_length=2048)] = field(name="arn")


class GetCallerIdentity(Ask, frozen=True, kw_only=True):
    """Nothing."""


class GetAccessKeyInfo(Ask, frozen=True, kw_only=True):
    """An access key."""

    access_key_id: Annotated[str, Meta(min_length=16, max_length=128, pattern=r"^\w*$")]


class GetSessionToken(Ask, frozen=True, kw_only=True):
    """How long the credentials are to last. Codes of MFA devices are understood, and refused: there are none."""

    duration_seconds: Annotated[int, Meta(ge=SESSION_S_MIN, le=SESSION_TOKEN_S_MAX)] | None = None
    serial_number: str = ""
    token_code: str = ""


class SessionLimits(Ask, frozen=True, kw_only=True):
    """What limits a role's session, for every action that makes one."""

    role_arn: RoleArn
    role_session_name: SessionName
    policy: Annotated[str, Meta(max_length=100_000)] = ""
    policy_arns: Annotated[tuple[PolicyArn, ...], Meta(max_length=SESSION_POLICIES_MAX)] = ()
    duration_seconds: RoleSeconds | None = None


class AssumeRole(SessionLimits, frozen=True, kw_only=True):
    """A role to take on. Codes of MFA devices are understood, and refused: there are none."""

    external_id: Annotated[str, Meta(max_length=1224, pattern=r"^[\w+=,.@:/-]*$")] = ""
    tags: Annotated[tuple[Tag, ...], Meta(max_length=SESSION_TAGS_MAX)] = ()
    transitive_tag_keys: Annotated[tuple[TagKey, ...], Meta(max_length=SESSION_TAGS_MAX)] = ()
    source_identity: Annotated[str, Meta(max_length=64, pattern=_NAME)] = ""
    serial_number: str = ""
    token_code: str = ""


class AssumeRoleWithWebIdentity(SessionLimits, frozen=True, kw_only=True):
    """A role to take on by the word of an identity provider. `provider_id` is for kinds of providers that do not exist here."""

    web_identity_token: Annotated[str, Meta(min_length=4, max_length=WEB_TOKEN_CHARS_MAX)]
    provider_id: Annotated[str, Meta(max_length=2048)] = ""
