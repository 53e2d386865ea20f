"""Keys as decisions see them: the key, its policy, its grants; remembered while the store's generation stands."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import Caller
from siegel.access.decide import Permit, decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.access.policy import Policy, PolicyKind, parse_policy
from siegel.access.statement import Statements
from siegel.domain.errors import AccessDeniedError, PolicyError, StorageError
from siegel.domain.key_stores import KeyServerError, KeyStore, Lapse, Proxy
from siegel.domain.ports import Clock, MetaStore, Reader
from siegel.domain.wrapping_keys import Grant, KeyState, WrappingKey
from siegel.service.kms.keybook import KeyBook
from siegel.service.kms.material import Materials

REMEMBERED_MAX: Final = 10_000
EQUALS: Final = "Equals"
# Constraints of a grant bind where there is an encryption context.
_WITHOUT_CONTEXT: Final = frozenset({"DescribeKey", "RetireGrant"})
_SESSION: Final = "arn:aws:sts::"

Context = Mapping[str, str]
Settle = Callable[[Caller, Asked, ResourceSide], Permit]


class GrantView(Struct, frozen=True):
    """A grant, and the policies that it amounts to, made when they are needed."""

    grant: Grant

    @property
    def rights(self) -> Policy:
        """What it gives to its grantee."""
        return _policy_for(self.grant, self.grant.grantee, self.grant.operations)

    @property
    def retirement(self) -> Policy | None:
        """What it gives to whoever may retire it, None if it names nobody."""
        return _policy_for(self.grant, self.grant.retiring, ("RetireGrant",)) if self.grant.retiring else None

    @property
    def grantee_id(self) -> str:
        """The unique id of its grantee, for a session its own; the account's id where it is a whole account."""
        grantee = self.grant.grantee
        unique_id = dict(self.grant.bindings).get(grantee)
        if unique_id is None:
            return grantee.split(":")[4]
        return f"{unique_id}:{grantee.rpartition('/')[2]}" if grantee.startswith(_SESSION) else unique_id

    def fits(self, operation: str, context: Context) -> bool:
        """Tell whether the grant speaks of an operation under an encryption context."""
        grant = self.grant
        if operation not in grant.operations:
            return False
        if operation in _WITHOUT_CONTEXT:
            return True
        wanted = dict(grant.context)
        if grant.constraint == EQUALS:
            return wanted == dict(context)
        return wanted.items() <= context.items()


class KeyView(Struct, frozen=True):
    """A key with all that decides on its use; `store` is the key store of an external one."""

    account_id: str
    key: WrappingKey
    side: ResourceSide
    grants: tuple[GrantView, ...]
    by_grantee: Mapping[str, Sequence[GrantView]]
    store: KeyStore | None = None

    @property
    def state(self) -> KeyState:
        """The key's state: what would be enabled is unavailable while its key store is not connected."""
        state = self.key.state
        if state is KeyState.ENABLED and self.key.is_external and (self.store is None or not self.store.is_connected):
            return KeyState.UNAVAILABLE
        return state

    @property
    def spell(self) -> tuple[int, int]:
        """Since when the key may be used: another pair each time that it is enabled, or its key store connected or changed."""
        return self.key.enabled_at_ms, 0 if self.store is None else self.store.renewed_at_ms

    def policies_for(self, caller: Caller, suits: Callable[[GrantView], bool]) -> list[Policy]:
        """Return the policies of grants that may speak of a caller, one for each way to name it: what one allows, all do."""
        names = dict.fromkeys((caller.principal_id, caller.role_id, caller.account_id))
        found = (next(filter(suits, self.by_grantee.get(name, ())), None) for name in names)
        return [one.rights for one in found if one is not None]

    def side_with(self, policies: list[Policy]) -> ResourceSide:
        """Return the key's own policy together with further ones; what the key's policy denies stays denied."""
        own = self.side.policy
        if own is not None:
            policies = [own, *policies]
        statements = Statements(statement for policy in policies for statement in policy.statements.all)
        return replace(self.side, policy=replace(policies[0], statements=statements))


def decide_on_key(
    caller: Caller, asked: Asked, view: KeyView, suits: Callable[[GrantView], bool], settle: Settle = decide
) -> Permit:
    """Return the permit, by the key's policy or by a grant that `suits`. Raises AccessDeniedError.

    `settle` decides by the policies alone, and may remember what it decided.
    """
    try:
        return settle(caller, asked, view.side)
    except AccessDeniedError:
        policies = view.policies_for(caller, suits)
        if not policies:
            raise
        return decide(caller, asked, view.side_with(policies))


class Views(Protocol):
    """Where keys are found."""

    def find(self, account_id: str, key_id: str) -> KeyView | None:
        """Return the key of an account, None if there is none. Raises StorageError if it cannot be read."""
        ...

    def key_id_of(self, account_id: str, alias: str) -> str | None:
        """Return the id of the key that an alias names, None if there is none. Raises StorageError."""
        ...


class FreshViews:
    """Keys as a transaction sees them."""

    def __init__(self, reader: Reader, now_ms: int) -> None:
        self._reader = reader
        self._now_ms = now_ms

    def find(self, account_id: str, key_id: str) -> KeyView | None:
        """Return the key of an account."""
        found = load_view(self._reader, account_id, key_id)
        return None if found is None else replace(found, key=found.key.without_expired(self._now_ms))

    def key_id_of(self, account_id: str, alias: str) -> str | None:
        """Return the id of the key that an alias names."""
        return _key_id_of(self._reader, account_id, alias)


class KeyDirectory:
    """Keys and opened material from memory; asks the store again after any change, of whichever worker."""

    def __init__(self, store: MetaStore, materials: Materials, clock: Clock) -> None:
        self._store = store
        # The generation that answers from now on are true for.
        self.generation: Final = store.generation
        self._materials = materials
        self._clock = clock
        self._generation = -1
        self._views: dict[tuple[str, str], KeyView] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._opened: dict[tuple[str, str, int], bytes] = {}
        self._proxies: dict[tuple[str, str], Proxy] = {}

    def aliases_of(self, view: KeyView) -> list[str]:
        """Return the names of a key's aliases."""
        return [alias.name for alias in KeyBook(self._store.reader, view.account_id).aliases_of(view.key.key_id)]

    def find(self, account_id: str, key_id: str) -> KeyView | None:
        """Return the key of an account."""
        self._refresh()
        known = self._views.get((account_id, key_id))
        if known is None:
            known = load_view(self._store.reader, account_id, key_id)
            if known is not None:
                self._views[account_id, key_id] = known
        if known is not None and self.has_expired(known):
            # The steward takes the material away; nobody uses it until he has come.
            return replace(known, key=known.key.without_expired(self._clock.now_ms()))
        return known

    def has_expired(self, view: KeyView) -> bool:
        """Tell whether a key's imported material, as it was found, has expired since: no change of anything says so."""
        return 0 < view.key.expires_at_ms <= self._clock.now_ms()

    def key_id_of(self, account_id: str, alias: str) -> str | None:
        """Return the id of the key that an alias names."""
        self._refresh()
        known = self._aliases.get((account_id, alias))
        if known is None:
            known = _key_id_of(self._store.reader, account_id, alias)
            if known is not None:
                self._aliases[account_id, alias] = known
        return known

    def material(self, view: KeyView, number: int) -> bytes | None:
        """Return a material of a key, None if the key has none of that number now. Raises SealBrokenError."""
        found = next((material for material in view.key.materials if material.number == number), None)
        if found is None or not found.sealed:
            return None
        place = view.account_id, view.key.key_id, number
        known = self._opened.get(place)
        if known is None:
            known = self._opened[place] = self._materials.open(view.account_id, view.key.key_id, found)
        return known

    def proxy(self, view: KeyView) -> Proxy:
        """Return the proxy of an external key's key store.

        Raises KeyServerError (STATE) if that is not connected, SealBrokenError.
        """
        if view.store is None or not view.store.is_connected:
            raise KeyServerError(Lapse.STATE, "The external key store is not connected.")
        place = view.account_id, view.store.store_id
        known = self._proxies.get(place)
        if known is None:
            known = self._proxies[place] = self._materials.proxy(view.account_id, view.store)
        return known

    def _refresh(self) -> None:
        generation = self._store.generation()
        is_full = max(len(self._views), len(self._aliases), len(self._opened)) >= REMEMBERED_MAX
        if generation != self._generation or is_full:
            self._views.clear()
            self._aliases.clear()
            self._opened.clear()
            self._proxies.clear()
            self._generation = generation


def load_view(reader: Reader, account_id: str, key_id: str) -> KeyView | None:
    """Return a key with its policy and grants. Raises StorageError if one of them cannot be read: then nobody may use it."""
    book = KeyBook(reader, account_id)
    key = book.find_key(key_id)
    if key is None:
        return None
    try:
        policy = parse_policy(key.policy_text, PolicyKind.KEY, bindings=dict(key.policy_bindings))
    except PolicyError as error:
        raise StorageError(f"the stored policy of key {key_id} cannot be read: {error}") from error
    grants = tuple(map(GrantView, book.grants_of(key_id)))
    by_grantee = defaultdict[str, list[GrantView]](list)
    for one in grants:
        by_grantee[one.grantee_id].append(one)
    store = book.find_store(key.key_store_id) if key.is_external else None
    side = ResourceSide(account_id, policy, kind=PolicyKind.KEY)
    return KeyView(account_id, key, side, grants, dict(by_grantee), store)


def _key_id_of(reader: Reader, account_id: str, alias: str) -> str | None:
    found = KeyBook(reader, account_id).find_alias(alias)
    return None if found is None else found.key_id


@lru_cache(maxsize=1024)
def _policy_for(grant: Grant, principal: str, operations: tuple[str, ...]) -> Policy:
    actions = [f"kms:{operation}" for operation in operations]
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = parse_policy(text, PolicyKind.KEY, bindings=dict(grant.bindings))
    named = (replace(one, policy=f"grant {grant.grant_id}") for one in policy.statements.all)
    return replace(policy, statements=Statements(named))
