"""Ways to have a right on a key, or not to: each is a row of the access matrix, and is tried out on a running service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .people import allow, deny

SEAL, OPEN = "kms:GenerateDataKey", "kms:Decrypt"
BOTH = [SEAL, OPEN]
REGION = "eu-central-1"


@dataclass(frozen=True)
class Scene:
    """Who takes part: the account of key and bucket, its user, another account, and an object of the bucket."""

    account_id: str
    user: str
    stranger_id: str
    arn: str

    @property
    def root(self) -> str:
        return f"arn:aws:iam::{self.account_id}:root"

    @property
    def stranger(self) -> str:
        return f"arn:aws:iam::{self.stranger_id}:root"


Statement = dict[str, Any]
Statements = Callable[[Scene], Sequence[Statement]]


def to(principal: str, actions: Any, **elements: Any) -> Statement:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*", **elements}


def to_account(scene: Scene) -> list[Statement]:
    """What the policy of a key says that was created without one."""
    return [to(scene.root, "kms:*")]


def to_user(*conditions: Callable[[Scene], dict[str, Any]]) -> Statements:
    def statements(scene: Scene) -> list[Statement]:
        return [to(scene.user, BOTH, **({"Condition": one(scene)} if one else {})) for one in conditions or (None,)]

    return statements


def nothing(_scene: Scene) -> list[Statement]:
    return []


def equals(name: str, value: str | Callable[[Scene], str]) -> Callable[[Scene], dict[str, Any]]:
    return lambda scene: {"StringEquals": {name: value if isinstance(value, str) else value(scene)}}


@dataclass(frozen=True)
class Way:
    """How a caller comes to a right: what the key's policy says, what the caller's own, and which grant there is.

    `can_put` and `can_get` tell what comes of it, for a caller whom S3 lets do both.
    """

    text: str
    can_put: bool
    can_get: bool
    key_policy: Statements = to_account
    own_policy: Statements = nothing
    grant: Callable[[Scene], dict[str, Any]] | None = field(default=None)
    is_stranger: bool = False


def grant(operations: Sequence[str] = ("GenerateDataKey", "Decrypt"), **constraint: Callable[[Scene], str]) -> Any:
    def options(scene: Scene) -> dict[str, Any]:
        pairs = {name: {"aws:s3:arn": value(scene)} for name, value in constraint.items()}
        return {"GranteePrincipal": scene.user, "Operations": list(operations), **({"Constraints": pairs} if pairs else {})}

    return options


def but_not_to_open(scene: Scene) -> list[Statement]:
    return [*to_account(scene), {**to(scene.user, OPEN), "Effect": "Deny"}]


CONTEXT = "kms:EncryptionContext:aws:s3:arn"
OF_OBJECT, OF_ANOTHER = (lambda scene: scene.arn), (lambda scene: scene.arn + "2")

WAYS = [
    Way("the key's policy names the caller", True, True, to_user()),
    Way("the key's policy lets the account's policies give it, and one does", True, True, own_policy=lambda _: [allow(BOTH)]),
    Way("the key's policy lets the account's policies give it, and none does", False, False),
    Way(
        "the caller's own policy gives it, and the key's policy does not let it",
        False,
        False,
        lambda scene: [to(scene.root, ["kms:Describe*", "kms:Put*"])],
        lambda _: [allow("kms:*")],
    ),
    Way("the caller's own policy gives `kms:GenerateDataKey` alone", True, False, own_policy=lambda _: [allow(SEAL)]),
    Way("the caller's own policy gives `kms:Decrypt` alone", False, True, own_policy=lambda _: [allow(OPEN)]),
    Way("a grant", True, True, grant=grant()),
    Way("a grant of `Decrypt` alone", False, True, grant=grant(["Decrypt"])),
    Way("a grant for the object's encryption context", True, True, grant=grant(EncryptionContextSubset=OF_OBJECT)),
    Way("a grant for exactly that encryption context", True, True, grant=grant(EncryptionContextEquals=OF_OBJECT)),
    Way("a grant for another object's encryption context", False, False, grant=grant(EncryptionContextSubset=OF_ANOTHER)),
    Way("the key's policy, through S3", True, True, to_user(equals("kms:ViaService", f"s3.{REGION}.amazonaws.com"))),
    Way(
        "the key's policy, through another service",
        False,
        False,
        to_user(equals("kms:ViaService", f"sqs.{REGION}.amazonaws.com")),
    ),
    Way("the key's policy, for the object's encryption context", True, True, to_user(equals(CONTEXT, OF_OBJECT))),
    Way("the key's policy, for another object's encryption context", False, False, to_user(equals(CONTEXT, OF_ANOTHER))),
    Way("the key's policy, for callers of the account", True, True, to_user(equals("kms:CallerAccount", lambda s: s.account_id))),
    Way(
        "the key's policy, for another account's callers",
        False,
        False,
        to_user(equals("kms:CallerAccount", lambda s: s.stranger_id)),
    ),
    Way(
        "the key's policy gives it, the caller's own policy denies `kms:Decrypt`",
        True,
        False,
        to_user(),
        lambda _: [deny(OPEN)],
    ),
    Way(
        "the caller's own policy gives it, the key's policy denies `kms:Decrypt`",
        True,
        False,
        but_not_to_open,
        lambda _: [allow(BOTH)],
    ),
    Way("a grant, and the key's policy denies `kms:Decrypt`", True, False, but_not_to_open, grant=grant()),
    Way(
        "another account, which the key's policy names",
        True,
        True,
        lambda scene: [*to_account(scene), to(scene.stranger, BOTH)],
        is_stranger=True,
    ),
    Way("another account, which it does not name", False, False, is_stranger=True),
]
