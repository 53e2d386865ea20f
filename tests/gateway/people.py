"""An account's users under test: made through IAM, seen through clients of their own."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from .service import Service
from .shelf import sdk
from .signer import Keys


def new_person(word: str = "user") -> str:
    return f"{word}-{secrets.token_hex(6)}"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str] = "*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **elements}


def deny(actions: str | list[str], resources: str | list[str] = "*", **elements: Any) -> dict[str, Any]:
    return {**allow(actions, resources, **elements), "Effect": "Deny"}


@dataclass(frozen=True)
class Person:
    """A user with an access key."""

    name: str
    arn: str
    keys: Keys
    service: Service

    @property
    def s3(self) -> Any:
        return sdk(self.service, self.keys)

    @property
    def iam(self) -> Any:
        return sdk(self.service, self.keys, name="iam")


def make_person(service: Service, iam: Any, *statements: dict[str, Any], path: str = "/", **options: Any) -> Person:
    """Make a user who may do what the statements say, and a key of theirs."""
    name = new_person()
    user = iam.create_user(UserName=name, Path=path, **options)["User"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(name, user["Arn"], Keys(key["AccessKeyId"], key["SecretAccessKey"], service.owner.account_id), service)
