"""Headers that ask for what this service does not do: they are refused, for a header that is ignored is a promise broken.

Sources: Amazon S3 API Reference, PutObject and CreateBucket; User Guide, "Controlling ownership of objects".
"""

from collections.abc import Mapping
from typing import Final

from siegel.domain.errors import (
    AccessControlListNotSupportedError,
    AccessDeniedError,
    InvalidArgumentError,
    InvalidRequestError,
    UnsupportedFeatureError,
)

_ACL_PERMITTED: Final = frozenset({"private", "bucket-owner-full-control"})
_ENFORCED: Final = "BucketOwnerEnforced"
OWNERSHIPS: Final = frozenset({_ENFORCED, "BucketOwnerPreferred", "ObjectWriter"})
"""What S3 knows of ownership of objects; all but the first switch access control lists on."""

_UNBUILT: Final = frozenset(
    {
        "x-amz-write-offset-bytes",
        "x-amz-rename-source",
        "x-amz-mfa",
        "x-amz-meta-snowball-auto-extract",
    }
)
_ONLY_VALUES: Final = {"x-amz-bucket-object-lock-enabled": "false"}
_CHECKED: Final = ("x-amz-acl", "x-amz-grant-", "x-amz-object-", *_UNBUILT, *_ONLY_VALUES)

_NONE: Final[frozenset[str]] = frozenset()


def refuse_unsupported(headers: Mapping[str, str], *, understood: frozenset[str] = _NONE) -> None:
    """Raise if a header asks for something that is not there; the operation itself sees to those it has `understood`.

    AccessControlListNotSupportedError for access control lists other than the owner's own, InvalidRequestError for locks where
    no version is made, UnsupportedFeatureError for features that are not built, InvalidArgumentError for an
    ownership that is none.
    """
    for name, value in headers.items():
        if name.startswith(_CHECKED) and name not in understood:
            _check(name, value)


def _check(name: str, value: str) -> None:
    if name == "x-amz-acl":
        if value not in _ACL_PERMITTED:
            raise AccessControlListNotSupportedError
    elif name.startswith("x-amz-grant-"):
        raise AccessControlListNotSupportedError
    elif name.startswith("x-amz-object-lock-"):
        raise InvalidRequestError(f"{name} does not go with this operation: locks are given when a version is made.")
    elif name == "x-amz-object-ownership":
        check_ownership(value)
    elif name in _UNBUILT or value != _ONLY_VALUES.get(name, value):
        raise _unsupported(name)


def check_ownership(ownership: str) -> None:
    """Accept the one ownership of objects that there is: the bucket owner's.

    Raises UnsupportedFeatureError for those of S3 that switch access control lists on, InvalidArgumentError for anything else.
    """
    if ownership == _ENFORCED:
        return
    if ownership in OWNERSHIPS:
        raise UnsupportedFeatureError(
            f"Access control lists are off on every bucket, so object ownership is {_ENFORCED}: grant access by policies."
        )
    raise InvalidArgumentError(
        f"Invalid x-amz-object-ownership header: {ownership}", fields={"ArgumentName": "x-amz-object-ownership"}
    )


def _unsupported(name: str) -> UnsupportedFeatureError:
    message = "A header you provided implies functionality that is not implemented"
    return UnsupportedFeatureError(message, fields={"Header": name})


def check_expected_owner(headers: Mapping[str, str], account_id: str, *, of_copy_source: bool = False) -> None:
    """Raise AccessDeniedError if the request expects another owner of the bucket than `account_id`."""
    expected = headers.get("x-amz-source-expected-bucket-owner" if of_copy_source else "x-amz-expected-bucket-owner")
    if expected is not None and expected != account_id:
        raise AccessDeniedError


def check_control_account(control_account: str, account_id: str) -> None:
    """Raise AccessDeniedError if a request of S3 Control names another account than that of its bucket, `account_id`."""
    if control_account not in {"", account_id}:
        raise AccessDeniedError
