"""Access keys of users and of the account's root: at most two each, so that one can be replaced while the other works."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from siegel.domain.identities import KeyUse, User
from siegel.domain.limits import ACCESS_KEYS_PER_USER_MAX
from siegel.domain.objects import Credential, CredentialKind
from siegel.domain.query_errors import DeleteConflictError, LimitExceededError, NoSuchEntityError
from siegel.domain.records import Kind, account_scope, decode_document
from siegel.iamwire.iam_asks import KeyLastUsed, KeyNamed, KeyStatus, Named, NamedPage
from siegel.iamwire.iam_views import key_view, page_view
from siegel.iamwire.xml import moment
from siegel.service.access_keys import make_access_key
from siegel.service.identities.entities import Entities
from siegel.service.identities.scene import ROOT_NAME, Change, Result, Scene, take_page

_NEVER: Final = "N/A"


def create_access_key(change: Change, ask: Named) -> Result:
    """Make an access key; its secret is shown this once."""
    name = _owner(change, ask)
    if len(change.writer.identities.credentials_of(change.account_id, name)) >= ACCESS_KEYS_PER_USER_MAX:
        raise LimitExceededError(f"Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_PER_USER_MAX}")
    access_key, credential = make_access_key(
        change.means.key_ring,
        change.means.randomness,
        kind=CredentialKind.ROOT if name == ROOT_NAME else CredentialKind.USER,
        account_id=change.account_id,
        user_name=name,
        now_ms=change.now_ms,
    )
    change.writer.identities.insert_credential(credential)
    # Clients insist on a name, also where there is no user.
    view = key_view(credential) | {"UserName": name or change.account_id, "SecretAccessKey": access_key.secret_access_key}
    return {"AccessKey": view}


def list_access_keys(scene: Scene, ask: NamedPage) -> Result:
    """List access keys without their secrets."""
    found = scene.entities.reader.identities.credentials_of(scene.account_id, _owner(scene, ask))
    entries = ((key.access_key_id, key_view(key)) for key in sorted(found, key=lambda key: key.access_key_id))
    return page_view("AccessKeyMetadata", *take_page(entries, ask))


def update_access_key(change: Change, ask: KeyStatus) -> Result:
    """Switch an access key off or on."""
    credential = _key(change, ask)
    is_active = ask.status == "Active"
    if not is_active:
        _keep_a_way_in(change, credential)
    change.writer.identities.replace_credential(replace(credential, is_active=is_active))
    return None


def delete_access_key(change: Change, ask: KeyNamed) -> Result:
    """Delete an access key."""
    credential = _key(change, ask)
    _keep_a_way_in(change, credential)
    change.writer.identities.remove_credential(credential.access_key_id)
    change.writer.records.remove(account_scope(change.account_id), Kind.KEY_USE, credential.access_key_id)
    return None


def get_last_use(scene: Scene, ask: KeyLastUsed) -> Result:
    """Tell when, for which service and where a key was used last; it is written down at most once in a quarter of an hour."""
    credential = find_own_key(scene.entities, ask.access_key_id)
    if credential is None:
        raise _no_key(ask.access_key_id)
    stored = scene.entities.reader.records.find(account_scope(scene.account_id), Kind.KEY_USE, ask.access_key_id)
    use = KeyUse(service=_NEVER, region=_NEVER) if stored is None else decode_document(stored, KeyUse)
    return {
        "UserName": credential.user_name or scene.account_id,
        "AccessKeyLastUsed": {
            "LastUsedDate": moment(use.at_ms) if stored is not None else None,
            "ServiceName": use.service,
            "Region": use.region,
        },
    }


def find_own_key(entities: Entities, access_key_id: str) -> Credential | None:
    """Return the access key if it is one of the account."""
    found = entities.reader.identities.find_credential(access_key_id)
    return found if found is not None and found.account_id == entities.account_id else None


def rename_owner(change: Change, old_name: str, new_name: str) -> None:
    """Let the keys of a user who is called otherwise from now on stay that user's."""
    for credential in change.writer.identities.credentials_of(change.account_id, old_name):
        change.writer.identities.replace_credential(replace(credential, user_name=new_name))


def _owner(scene: Scene, ask: Named) -> str:
    name = scene.subject(ask)
    return name if name == ROOT_NAME else scene.entities.get(User, name).name


def _key(change: Change, ask: KeyNamed) -> Credential:
    name = _owner(change, ask)
    credential = find_own_key(change.entities, ask.access_key_id)
    if credential is None or credential.user_name != name:
        raise _no_key(ask.access_key_id)
    return credential


def _keep_a_way_in(change: Change, credential: Credential) -> None:
    """Raise DeleteConflictError where the account's root would be left without a key that works: nobody could give it one."""
    keys = change.writer.identities.credentials_of(change.account_id, ROOT_NAME)
    active = [key.access_key_id for key in keys if key.is_active]
    if credential.kind is CredentialKind.ROOT and active == [credential.access_key_id]:
        raise DeleteConflictError("Cannot take away the last active access key of the account's root.")


def _no_key(access_key_id: str) -> NoSuchEntityError:
    return NoSuchEntityError(f"The Access Key with id {access_key_id} cannot be found.")


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "ListAccessKeys": list_access_keys,
    "GetAccessKeyLastUsed": get_last_use,
}
CHANGES: Final[Mapping[str, Callable[[Change, Any], Result]]] = {
    "CreateAccessKey": create_access_key,
    "UpdateAccessKey": update_access_key,
    "DeleteAccessKey": delete_access_key,
}
