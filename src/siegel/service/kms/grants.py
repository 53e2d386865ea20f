"""Grants: rights on one key for one principal, without a change of the key's policy. They bind at once, and so does their end.

A grant is a statement more in the key's policy, as far as its constraints hold. What a policy denies stays denied, and a
principal of another account also needs its own account's leave.

Source: AWS KMS Developer Guide, "Grants in AWS KMS"; AWS KMS API Reference, "CreateGrant".
"""

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from siegel.access.principals import read_principals
from siegel.domain.errors import AccessDeniedError, PolicyError
from siegel.domain.kms_errors import (
    KmsInvalidArnError,
    KmsInvalidGrantIdError,
    KmsInvalidGrantTokenError,
    KmsLimitExceededError,
    KmsUnsupportedOperationError,
    KmsValidationError,
)
from siegel.domain.limits import KMS_GRANTS_PER_KEY_MAX
from siegel.domain.ports import Reader
from siegel.domain.wrapping_keys import Grant, Pairs
from siegel.kmswire.answers import Answer, grant_view, page_view
from siegel.kmswire.asks import Constraints, CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant
from siegel.kmswire.names import NamedKey
from siegel.service.kms.keybook import KeyBook
from siegel.service.kms.scene import Change, Scene, page_start, take_page
from siegel.service.kms.views import EQUALS, GrantView, KeyView
from siegel.service.principals import unique_id_of

SUBSET: Final = "Subset"
_ID_BYTES: Final = 32
_TOKEN: Final = re.compile(r"SGG1/(?P<account>[0-9]{12})/(?P<key>[0-9a-f-]{36})/(?P<grant>[0-9a-f]{64})", re.ASCII)
_PRINCIPAL: Final = re.compile(r"arn:aws:(?:iam|sts)::[0-9]{12}:.+", re.ASCII)


def create_grant(change: Change, ask: CreateGrant) -> Answer:
    """Give a principal rights on a key. The same grant under the same name is made once."""
    constraint, context = _read_constraints(ask.constraints)
    view = change.find(ask.key_id)
    change.admit(view, context=dict(context), suits=lambda parent: _is_within(parent.grant, ask, constraint))
    change.check_state(view)
    bindings = _bind(change.reader, ask.grantee_principal, ask.retiring_principal)
    grant = Grant(
        grant_id=change.materials.randomness.bytes(_ID_BYTES).hex(),
        key_id=view.key.key_id,
        name=ask.name,
        created_at_ms=change.now_ms,
        issuer=f"arn:aws:iam::{change.account_id}:root",
        grantee=ask.grantee_principal,
        retiring=ask.retiring_principal,
        bindings=bindings,
        operations=tuple(dict.fromkeys(ask.operations)),
        constraint=constraint,
        context=context,
    )
    known = next((one.grant for one in view.grants if ask.name and _is_same(one.grant, grant)), None)
    if known is None:
        if len(view.grants) >= KMS_GRANTS_PER_KEY_MAX:
            raise KmsLimitExceededError(f"A key has at most {KMS_GRANTS_PER_KEY_MAX} grants.")
        change.book_of(view.account_id).put_grant(grant)
    made = known or grant
    return {"GrantId": made.grant_id, "GrantToken": make_token(view.account_id, made)}


def list_grants(scene: Scene, ask: ListGrants) -> Answer:
    """List the grants on a key."""
    view = scene.key(ask.key_id)
    grants = [one.grant for one in view.grants]
    if ask.grant_id and ask.grant_id not in {grant.grant_id for grant in grants}:
        raise KmsInvalidGrantIdError
    shown = (
        (grant.grant_id, grant_view(scene.region, view.account_id, grant))
        for grant in grants
        if ask.grant_id in {"", grant.grant_id} and ask.grantee_principal in {"", grant.grantee}
    )
    return page_view("Grants", *take_page(shown, ask))


def list_retirable_grants(scene: Scene, ask: ListRetirableGrants) -> Answer:
    """List the grants, on keys of all accounts, that a principal of the caller's account may retire."""
    scene.admit_account()
    if not ask.retiring_principal:
        raise KmsValidationError("RetiringPrincipal is missing.")
    if not _PRINCIPAL.fullmatch(ask.retiring_principal):
        raise KmsInvalidArnError(f"{ask.retiring_principal} is not the ARN of a principal.")
    if ask.retiring_principal.split(":")[4] != scene.account_id:
        raise AccessDeniedError
    return page_view("Grants", *take_page(_retirable(scene, ask), ask))


def _retirable(scene: Scene, ask: ListRetirableGrants) -> Iterator[tuple[str, object]]:
    for place in scene.book.retirable(ask.retiring_principal, page_start(ask)):
        grant = KeyBook(scene.reader, place.account_id).find_grant(place.key_id, place.grant_id)
        if grant is not None:
            yield grant.grant_id, grant_view(scene.region, place.account_id, grant)


def revoke_grant(change: Change, ask: RevokeGrant) -> None:
    """Take a grant back, as whoever rules over the key."""
    view = change.key(ask.key_id)
    change.book_of(view.account_id).remove_grant(_find(view, ask.grant_id).grant)


def retire_grant(change: Change, ask: RetireGrant) -> None:
    """Give a grant up, as its retiring principal, as its grantee if it says so, or by the key's policy."""
    if bool(ask.grant_token) == bool(ask.key_id or ask.grant_id):
        raise KmsValidationError("A grant is retired by its GrantToken, or by KeyId and GrantId.")
    if ask.grant_token:
        account_id, key_id, grant_id = read_token(ask.grant_token)
        view = change.look_up(NamedKey(account_id, key_id=key_id))
    else:
        view, grant_id = change.find(ask.key_id), ask.grant_id
    found = next((one for one in view.grants if one.grant.grant_id == grant_id), None)
    rights = [] if found is None else [found.rights, *([found.retirement] if found.retirement else [])]
    change.admit_by(view, rights)
    change.book_of(view.account_id).remove_grant(_find(view, grant_id).grant)


def check_tokens(scene: Scene, tokens: tuple[str, ...]) -> None:
    """Raise KmsInvalidGrantTokenError for a token of no grant. No token is needed: grants bind at once."""
    for token in tokens:
        account_id, key_id, grant_id = read_token(token)
        if KeyBook(scene.reader, account_id).find_grant(key_id, grant_id) is None:
            raise KmsInvalidGrantTokenError


def make_token(account_id: str, grant: Grant) -> str:
    """Return a grant's token: it names the grant and gives no right."""
    return urlsafe_b64encode(f"SGG1/{account_id}/{grant.key_id}/{grant.grant_id}".encode()).decode()


def read_token(token: str) -> tuple[str, str, str]:
    """Return account, key id and grant id of a token. Raises KmsInvalidGrantTokenError."""
    try:
        found = _TOKEN.fullmatch(b64decode(token, altchars=b"-_", validate=True).decode())
    except (Base64Error, ValueError):
        found = None
    if found is None:
        raise KmsInvalidGrantTokenError
    return found["account"], found["key"], found["grant"]


def _find(view: KeyView, grant_id: str) -> GrantView:
    found = next((one for one in view.grants if one.grant.grant_id == grant_id), None)
    if found is None:
        raise KmsInvalidGrantIdError
    return found


def _read_constraints(constraints: Constraints) -> tuple[str, Pairs]:
    equals, subset = constraints.encryption_context_equals, constraints.encryption_context_subset
    if constraints.source_arn:
        raise KmsUnsupportedOperationError("SourceArn is not supported: no service calls on behalf of a resource.")
    if equals and subset:
        raise KmsValidationError("A grant has one constraint: EncryptionContextEquals or EncryptionContextSubset.")
    constraint = EQUALS if equals else SUBSET if subset else ""
    return constraint, tuple(sorted((equals or subset).items()))


def _bind(reader: Reader, *principals: str) -> Pairs:
    """Return the unique ids of a grant's principals. Raises KmsInvalidArnError for one that does not exist."""
    bindings: list[tuple[str, str]] = []
    for arn in filter(None, principals):
        if not _PRINCIPAL.fullmatch(arn):
            raise KmsInvalidArnError(f"{arn} is not the ARN of a principal.")
        try:
            named = read_principals({"AWS": (arn,)}, {})
        except PolicyError as error:
            raise KmsInvalidArnError(str(error)) from error
        for name in named.names:
            unique_id = unique_id_of(reader, name)
            if unique_id is None:
                raise KmsInvalidArnError(f"The principal {name} does not exist.")
            bindings.append((name, unique_id))
    if not principals[0]:
        raise KmsValidationError("GranteePrincipal is missing.")
    return tuple(bindings)


def _is_within(parent: Grant, ask: CreateGrant, constraint: str) -> bool:
    """Tell whether what is asked for goes nowhere beyond the grant by which it may be given."""
    return set(ask.operations) <= set(parent.operations) and parent.constraint in {"", SUBSET, constraint}


def _is_same(known: Grant, grant: Grant) -> bool:
    return (
        known.name == grant.name
        and known.grantee == grant.grantee
        and known.retiring == grant.retiring
        and known.bindings == grant.bindings
        and set(known.operations) == set(grant.operations)
        and (known.constraint, known.context) == (grant.constraint, grant.context)
    )


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {
    "ListGrants": list_grants,
    "ListRetirableGrants": list_retirable_grants,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "CreateGrant": create_grant,
    "RevokeGrant": revoke_grant,
    "RetireGrant": retire_grant,
}
