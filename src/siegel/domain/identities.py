"""The nouns of identities as they are stored: users, groups, roles and the policies that they share.

Format page: `docs/design/formats/records.md`. Fields are only ever added at the end of a class, with a default: what they share
is therefore written out in each. Records are named by `name_key`, since names that differ in case only are one name.

`unique_id` is given once and never again: who is made again under an old name is somebody else. Source: AWS IAM User Guide,
"IAM identifiers"; AWS IAM API Reference, data types.
"""

from typing import ClassVar, TypeAlias

from msgspec import Struct

from siegel.domain.records import Document, Kind

Pairs: TypeAlias = tuple[tuple[str, str], ...]


def name_key(name: str) -> str:
    """Return the name under which an entity's record is kept."""
    return name.lower()


def entity_arn(account_id: str, resource: str, path: str, name: str) -> str:
    """Return an ARN such as `arn:aws:iam::111122223333:user/staff/alice`; `path` begins and ends with a slash."""
    return f"arn:aws:iam::{account_id}:{resource}{path}{name}"


class User(Document, frozen=True, array_like=True):
    """A person or program of an account. `inline` pairs names and texts of its own policies, `attached` holds ARNs of others.

    `boundary` is the ARN of the policy that limits all these, or empty; `groups` are names of groups, `tags` pairs.
    """

    kind: ClassVar[Kind] = Kind.USER
    resource: ClassVar[str] = "user"

    name: str = ""
    path: str = "/"
    unique_id: str = ""
    created_at_ms: int = 0
    inline: Pairs = ()
    attached: tuple[str, ...] = ()
    tags: Pairs = ()
    boundary: str = ""
    groups: tuple[str, ...] = ()


class Group(Document, frozen=True, array_like=True):
    """Users that share policies. Its members are the users that name it."""

    kind: ClassVar[Kind] = Kind.GROUP
    resource: ClassVar[str] = "group"

    name: str = ""
    path: str = "/"
    unique_id: str = ""
    created_at_ms: int = 0
    inline: Pairs = ()
    attached: tuple[str, ...] = ()


class Role(Document, frozen=True, array_like=True):
    """Rights that others may take on for a while. `trust_text` is the policy that says who.

    `trust_bindings` pairs the ARNs of users and roles in it with the unique ids that these had when it was put.
    """

    kind: ClassVar[Kind] = Kind.ROLE
    resource: ClassVar[str] = "role"

    name: str = ""
    path: str = "/"
    unique_id: str = ""
    created_at_ms: int = 0
    inline: Pairs = ()
    attached: tuple[str, ...] = ()
    tags: Pairs = ()
    boundary: str = ""
    trust_text: str = ""
    trust_bindings: Pairs = ()
    description: str = ""
    session_s_max: int = 3600


class PolicyVersion(Struct, frozen=True, array_like=True):
    """One version of a managed policy; clients see its number as `v1`."""

    number: int
    text: str
    created_at_ms: int


class ManagedPolicy(Document, frozen=True, array_like=True):
    """A policy that users, groups and roles can share. `versions` are in order of their numbers; numbers are never used again."""

    kind: ClassVar[Kind] = Kind.MANAGED_POLICY
    resource: ClassVar[str] = "policy"

    name: str = ""
    path: str = "/"
    unique_id: str = ""
    created_at_ms: int = 0
    updated_at_ms: int = 0
    description: str = ""
    default_number: int = 1
    last_number: int = 1
    versions: tuple[PolicyVersion, ...] = ()
    tags: Pairs = ()

    def version(self, number: int) -> PolicyVersion | None:
        """Return the version of that number, or None."""
        return next((version for version in self.versions if version.number == number), None)


class OidcProvider(Document, frozen=True, array_like=True):
    """An identity provider whose tokens the account believes, if they are meant for one of `client_ids`.

    `url` is the issuer as its tokens spell it; the provider's name is the same without the scheme. `thumbprints` are kept for
    tools that read them back: whom to believe over TLS, the system's authorities say.
    """

    kind: ClassVar[Kind] = Kind.OIDC_PROVIDER
    resource: ClassVar[str] = "oidc-provider"

    name: str = ""
    path: str = "/"
    created_at_ms: int = 0
    url: str = ""
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Pairs = ()


def provider_name(url: str) -> str:
    """Return the name of the provider whose issuer has this URL: `https://idp.example/a` is `idp.example/a`."""
    return url.partition("://")[2]


class UniqueName(Document, frozen=True, array_like=True):
    """Whose unique id it is: the user's or role's account, kind and name. Kept for the deployment under the id."""

    account_id: str = ""
    kind: str = ""
    name: str = ""


class KeyUse(Document, frozen=True, array_like=True):
    """The last use of an access key, rounded: written at most once in a while. Kept for the account under the key's id."""

    at_ms: int = 0
    service: str = ""
    region: str = ""


Holder: TypeAlias = User | Group | Role
"""Whoever holds policies."""

Entity: TypeAlias = User | Group | Role | ManagedPolicy | OidcProvider
"""Whatever has a name of its own in an account."""
