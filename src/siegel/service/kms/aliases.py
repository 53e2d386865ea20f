"""Aliases: names of keys that can be moved to another key. Both sides decide: the account on the name, the key on itself."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.kms_errors import (
    KmsAlreadyExistsError,
    KmsInvalidAliasNameError,
    KmsLimitExceededError,
    KmsNotFoundError,
)
from siegel.domain.limits import KMS_ALIASES_MAX, KMS_ALIASES_PER_KEY_MAX
from siegel.domain.wrapping_keys import KeyAlias, alias_arn
from siegel.kmswire.answers import Answer, alias_view, page_view
from siegel.kmswire.asks import AliasTarget, ListAliases, OfAlias
from siegel.kmswire.names import NamedKey
from siegel.service.kms.scene import Change, Scene, page_start, take_page

_RESERVED: Final = "alias/aws/"


def create_alias(change: Change, ask: AliasTarget) -> None:
    """Give a key one more name."""
    arn = _admit_name(change, ask)
    view = change.key(ask.target_key_id)
    book = change.book_of(change.account_id)
    if book.find_alias(ask.alias_name) is not None:
        raise KmsAlreadyExistsError(f"An alias with the name {arn} already exists")
    _check_count(change, view.key.key_id)
    now_ms = change.now_ms
    book.put_alias(KeyAlias(name=ask.alias_name, key_id=view.key.key_id, created_at_ms=now_ms, updated_at_ms=now_ms))


def update_alias(change: Change, ask: AliasTarget) -> None:
    """Let a name mean another key; the caller needs the right to do so on both keys."""
    alias = _find(change, _admit_name(change, ask), ask)
    change.admit(change.look_up(NamedKey(change.account_id, key_id=alias.key_id)))
    view = change.key(ask.target_key_id)
    if alias.key_id != view.key.key_id:
        _check_count_of_key(change, view.key.key_id)
    change.book_of(change.account_id).put_alias(replace(alias, key_id=view.key.key_id, updated_at_ms=change.now_ms))


def delete_alias(change: Change, ask: OfAlias) -> None:
    """Take a name from its key."""
    alias = _find(change, _admit_name(change, ask), ask)
    change.admit(change.look_up(NamedKey(change.account_id, key_id=alias.key_id)))
    change.book_of(change.account_id).remove_alias(alias.name)


def list_aliases(scene: Scene, ask: ListAliases) -> Answer:
    """List the account's aliases, or those of one key."""
    scene.admit_account()
    aliases = scene.book.aliases(page_start(ask))
    if ask.key_id is not None:
        aliases = scene.book.aliases_of(scene.find(ask.key_id).key.key_id)
    entries = ((alias.name, alias_view(scene.region, scene.account_id, alias)) for alias in aliases)
    return page_view("Aliases", *take_page(entries, ask))


def _admit_name(change: Change, ask: OfAlias) -> str:
    """Return an alias's ARN, if the caller's policies allow the operation on it. Raises AccessDeniedError."""
    arn = alias_arn(change.region, change.account_id, ask.alias_name)
    change.setting.trail.object_key = arn
    change.admit_account(arn)
    if ask.alias_name.startswith(_RESERVED):
        raise KmsInvalidAliasNameError
    return arn


def _find(change: Change, arn: str, ask: OfAlias) -> KeyAlias:
    alias = change.book.find_alias(ask.alias_name)
    if alias is None:
        raise KmsNotFoundError(f"Alias {arn} is not found.")
    return alias


def _check_count(change: Change, key_id: str) -> None:
    _check_count_of_key(change, key_id)
    if sum(1 for _ in change.book.aliases()) >= KMS_ALIASES_MAX:
        raise KmsLimitExceededError(f"An account has at most {KMS_ALIASES_MAX} aliases.")


def _check_count_of_key(change: Change, key_id: str) -> None:
    if sum(1 for _ in change.book.aliases_of(key_id)) >= KMS_ALIASES_PER_KEY_MAX:
        raise KmsLimitExceededError(f"A key has at most {KMS_ALIASES_PER_KEY_MAX} aliases.")


READS: Final[Mapping[str, Callable[[Scene, Any], Answer | None]]] = {"ListAliases": list_aliases}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Answer | None]]] = {
    "CreateAlias": create_alias,
    "UpdateAlias": update_alias,
    "DeleteAlias": delete_alias,
}
