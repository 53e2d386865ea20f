"""Key policies: the root of authority over a key. What a policy does not allow, nobody may, not even the account's root.

Source: AWS KMS Developer Guide, "Key policies in AWS KMS", "Default key policy".
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.access.decide import decide
from siegel.access.evaluation import Asked
from siegel.access.policy import PolicyKind, parse_policy, principals_of
from siegel.domain.errors import AccessDeniedError, PolicyError
from siegel.domain.kms_errors import KmsMalformedPolicyDocumentError
from siegel.domain.ports import Reader
from siegel.domain.wrapping_keys import Pairs
from siegel.kmswire.answers import Answer, page_view
from siegel.kmswire.asks import GetKeyPolicy, PagedOfKey, PutKeyPolicy
from siegel.service.kms.scene import Change, Scene, take_page
from siegel.service.kms.views import KeyView
from siegel.service.principals import text_now, unique_id_of

NAME: Final = "default"
_LOCKOUT: Final = "The new key policy will not allow you to update the key policy in the future."


def default_policy(account_id: str) -> str:
    """Return the policy of a key that was created without one: the account's own policies say who may do what."""
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}, indent=2)


def bind_policy(reader: Reader, text: str) -> Pairs:
    """Return the unique ids of all principals that a key policy names.

    Raises KmsMalformedPolicyDocumentError for what is not understood, and for a principal that does not exist.
    """
    try:
        names = principals_of(parse_policy(text, PolicyKind.KEY))
    except PolicyError as error:
        raise KmsMalformedPolicyDocumentError(str(error)) from error
    return tuple((arn, bind_principal(reader, arn)) for arn in names)


def bind_principal(reader: Reader, arn: str) -> str:
    """Return the unique id of a user or role. Raises KmsMalformedPolicyDocumentError if there is none."""
    unique_id = unique_id_of(reader, arn)
    if unique_id is None:
        raise KmsMalformedPolicyDocumentError(f"Policy contains a statement with one or more invalid principals: {arn}")
    return unique_id


def check_lockout(change: Change, view: KeyView | None) -> None:
    """Raise KmsMalformedPolicyDocumentError if the caller could not put another policy in place of the key's new one."""
    if view is None:
        raise KmsMalformedPolicyDocumentError(_LOCKOUT)
    try:
        decide(change.caller, Asked("kms:PutKeyPolicy", change.arn(view), change.keys(view)), view.side)
    except AccessDeniedError as error:
        raise KmsMalformedPolicyDocumentError(_LOCKOUT) from error


def get_key_policy(scene: Scene, ask: GetKeyPolicy) -> Answer:
    """Show a key's policy, with its principals as they are called now."""
    key = scene.key(ask.key_id).key
    return {"Policy": text_now(scene.reader, key.policy_text, key.policy_bindings), "PolicyName": NAME}


def list_key_policies(scene: Scene, ask: PagedOfKey) -> Answer:
    """List the names of a key's policies: there is one."""
    scene.key(ask.key_id)
    return page_view("PolicyNames", *take_page([(NAME, NAME)], ask))


def put_key_policy(change: Change, ask: PutKeyPolicy) -> None:
    """Put another policy in place of a key's."""
    view = change.key(ask.key_id)
    book = change.book_of(view.account_id)
    bindings = bind_policy(change.reader, ask.policy)
    book.put_key(replace(view.key, policy_text=ask.policy, policy_bindings=bindings))
    if not ask.bypass_policy_lockout_safety_check:
        check_lockout(change, change.views.find(view.account_id, view.key.key_id))


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
    "GetKeyPolicy": get_key_policy,
    "ListKeyPolicies": list_key_policies,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {"PutKeyPolicy": put_key_policy}
