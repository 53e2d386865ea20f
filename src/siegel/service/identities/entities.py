"""One account's users, groups, roles, managed policies and identity providers, as a transaction or a read sees them."""

from collections.abc import Iterator
from typing import Final, TypeVar

from siegel.domain.errors import StorageError
from siegel.domain.identities import (
    Entity,
    Group,
    Holder,
    ManagedPolicy,
    OidcProvider,
    Role,
    UniqueName,
    User,
    entity_arn,
    name_key,
)
from siegel.domain.limits import GROUPS_MAX, MANAGED_POLICIES_MAX, OIDC_PROVIDERS_MAX, ROLES_MAX, USERS_MAX
from siegel.domain.ports import Reader, Writer
from siegel.domain.query_errors import EntityAlreadyExistsError, LimitExceededError, NoSuchEntityError
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, account_scope, decode_document, encode_document
from siegel.service.identities.provided import OWNER, PROVIDED

E = TypeVar("E", bound=Entity)

HOLDERS: Final[tuple[type[Holder], ...]] = (User, Group, Role)
_AT_ONCE: Final = 500
_MAX: Final[dict[type[Entity], int]] = {
    User: USERS_MAX,
    Group: GROUPS_MAX,
    Role: ROLES_MAX,
    ManagedPolicy: MANAGED_POLICIES_MAX,
    OidcProvider: OIDC_PROVIDERS_MAX,
}


class Entities:
    """Reads. Names are found in the case in which they were given, managed policies and providers by their ARNs."""

    def __init__(self, reader: Reader, account_id: str) -> None:
        """Read what belongs to one account."""
        self.reader = reader
        self.account_id = account_id
        self._scope = account_scope(account_id)

    def arn(self, entity: Entity) -> str:
        """Return an entity's ARN."""
        return entity_arn(self.account_id, entity.resource, entity.path, entity.name)

    def find(self, entity_type: type[E], name: str) -> E | None:
        """Return the entity of that name, or None. Raises StorageError if it cannot be read."""
        stored = self.reader.records.find(self._scope, entity_type.kind, name_key(name))
        found = None if stored is None else decode_document(stored, entity_type)
        return found if found is not None and found.name == name else None

    def get(self, entity_type: type[E], name: str) -> E:
        """Return the entity of that name; managed policies and providers are asked for by ARN. Raises NoSuchEntityError."""
        if entity_type is ManagedPolicy or entity_type is OidcProvider:
            found = self.policy(name) if entity_type is ManagedPolicy else self.provider(name)
            assert isinstance(found, entity_type)  # noqa: S101  (it is this very class)
            return found
        entity = self.find(entity_type, name)
        if entity is None:
            raise NoSuchEntityError(f"The {entity_type.resource} with name {name} cannot be found.")
        return entity

    def policy(self, arn: str) -> ManagedPolicy:
        """Return the managed policy of an ARN, one of the account's or one that every account has. Raises NoSuchEntityError."""
        found = PROVIDED.get(arn) or self.find(ManagedPolicy, arn.rpartition("/")[2])
        if found is None or self.policy_arn(found) != arn:
            raise NoSuchEntityError(f"Policy {arn} does not exist or is not attachable.")
        return found

    def policy_arn(self, policy: ManagedPolicy) -> str:
        """Return a managed policy's ARN, whoever owns it."""
        owner = OWNER if policy in PROVIDED.values() else self.account_id
        return entity_arn(owner, policy.resource, policy.path, policy.name)

    def provider(self, arn: str) -> OidcProvider:
        """Return the identity provider of an ARN. Raises NoSuchEntityError."""
        found = self.find(OidcProvider, arn.partition("/")[2])
        if found is None or self.arn(found) != arn:
            raise NoSuchEntityError(f"OpenIDConnect Provider not found for arn {arn}")
        return found

    def scan(self, entity_type: type[E], after: str = "") -> Iterator[E]:
        """Yield all entities of a kind in order of their names, beginning behind the key `after`."""
        while True:
            rows = self.reader.records.scan(self._scope, entity_type.kind, after, _AT_ONCE)
            for _, stored in rows:
                yield decode_document(stored, entity_type)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1][0]

    def members(self, group: Group) -> Iterator[User]:
        """Yield the users of a group in order of their names."""
        return (user for user in self.scan(User) if group.name in user.groups)

    def holders(self) -> Iterator[Holder]:
        """Yield all users, groups and roles."""
        for holder_type in HOLDERS:
            yield from self.scan(holder_type)


class EntityWriter(Entities):
    """Changes, inside a transaction; whoever makes one invalidates what is remembered."""

    def __init__(self, writer: Writer, account_id: str) -> None:
        """Change what belongs to one account."""
        super().__init__(writer, account_id)
        self.writer = writer

    def insert(self, entity: Entity) -> None:
        """Add an entity. Raises EntityAlreadyExistsError, LimitExceededError."""
        self._check_free(type(entity), entity.name)
        limit = _MAX[type(entity)]
        if len(self.writer.records.scan(self._scope, entity.kind, "", limit)) >= limit:
            raise LimitExceededError(f"Cannot exceed quota for {entity.resource} entities of an account: {limit}")
        self.put(entity)
        if isinstance(entity, User | Role):
            unique = UniqueName(account_id=self.account_id, kind=entity.kind.value, name=entity.name)
            self.writer.records.put(DEPLOYMENT_SCOPE, Kind.UNIQUE_ID, entity.unique_id, encode_document(unique))

    def put(self, entity: Entity) -> None:
        """Store an entity in place of what it was."""
        self.writer.records.put(self._scope, entity.kind, name_key(entity.name), encode_document(entity))

    def rename(self, old: User | Group, new: User | Group) -> None:
        """Store an entity under another name. Raises EntityAlreadyExistsError."""
        if name_key(old.name) != name_key(new.name):
            self._check_free(type(new), new.name)
        self.remove(old)
        self.put(new)
        if isinstance(new, User):
            unique = UniqueName(account_id=self.account_id, kind=new.kind.value, name=new.name)
            self.writer.records.put(DEPLOYMENT_SCOPE, Kind.UNIQUE_ID, new.unique_id, encode_document(unique))

    def remove(self, entity: Entity) -> None:
        """Remove an entity."""
        self.writer.records.remove(self._scope, entity.kind, name_key(entity.name))
        if isinstance(entity, User | Role):
            self.writer.records.remove(DEPLOYMENT_SCOPE, Kind.UNIQUE_ID, entity.unique_id)

    def _check_free(self, entity_type: type[Entity], name: str) -> None:
        if self.writer.records.find(self._scope, entity_type.kind, name_key(name)) is not None:
            word = entity_type.resource.capitalize()
            raise EntityAlreadyExistsError(f"{word} with name {name} already exists.")


def read_unique_name(reader: Reader, unique_id: str) -> UniqueName | None:
    """Return whose unique id it is, None if nobody has it. Raises StorageError if that cannot be read."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.UNIQUE_ID, unique_id)
    return None if stored is None else decode_document(stored, UniqueName)


def find_by_unique_id(reader: Reader, unique_id: str) -> tuple[str, User | Role] | None:
    """Return account id and entity of a user's or role's unique id, None if nobody has it. Raises StorageError."""
    unique = read_unique_name(reader, unique_id)
    if unique is None:
        return None
    entities = Entities(reader, unique.account_id)
    found: User | Role | None = entities.find(User, unique.name) if unique.kind == Kind.USER else entities.find(Role, unique.name)
    if found is None or found.unique_id != unique_id:
        raise StorageError(f"the unique id {unique_id} leads nowhere")
    return unique.account_id, found
