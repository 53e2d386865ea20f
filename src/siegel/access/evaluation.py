"""The evaluation of policies: explicit deny, then what is granted, then what limits it.

The order is the one that AWS documents. An explicit Deny anywhere decides. Then, within one account, the identity's policies or
the resource's policy must allow; between accounts both must. A boundary and session policies limit what the identity's policies
allow, and what the resource's policy allows to a role as a whole, but not what it allows to this very user or session, or to
everyone. The policies of roles and keys must allow by themselves: there the account has no right of its own.

Sources: AWS IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic"; AWS KMS Developer Guide, "Key
policies"; Amazon S3 User Guide, "Blocking public access" (RestrictPublicBuckets); S3 API Reference, PutBucketPolicy.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from siegel.access.caller import Caller, CallerKind
from siegel.access.condition_keys import ConditionKeys
from siegel.access.policy import Policy, PolicyKind
from siegel.access.principals import Naming
from siegel.access.request_keys import NO_KEYS, RequestKeys
from siegel.access.statement import Relevant, Statement, Statements

# The root of the owning account can always take back a bucket policy that shuts it out.
RECOVERY_ACTIONS: Final = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
_NOTHING: Final = Relevant((), ())


class Asked(Struct, frozen=True):
    """What a caller wants: the action as AWS names it, the resource's ARN, the request's condition keys.

    An action that is about no single resource asks for the service's ARN without a name, such as `arn:aws:s3:::*`. `via_service`:
    a service asks on the caller's behalf, as S3 does where an object's key is one of the key service.
    """

    action: str
    resource: str
    keys: ConditionKeys = NO_KEYS
    via_service: bool = False


class ResourceSide(Struct, frozen=True):
    """Who owns the resource, and its own policy if it has one. `kind` tells roles and keys from buckets and all others.

    `restrict_public`: a public policy grants nothing outside of the account.
    """

    account_id: str
    policy: Policy | None = None
    restrict_public: bool = False
    kind: PolicyKind = PolicyKind.BUCKET

    @property
    def needs_policy(self) -> bool:
        """Whether nobody, not even the account's root, has a right that the resource's own policy does not give."""
        return self.kind is PolicyKind.TRUST or self.kind is PolicyKind.KEY


class Decision(StrEnum):
    """What comes of an evaluation, in the words of the IAM API."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class Source(StrEnum):
    """Where the deciding statement stands, or where one is missing."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


class Verdict(Struct, frozen=True):
    """A decision and its reason. Without a statement, either none allows, or the root of the account needs none."""

    decision: Decision
    source: Source
    statement: Statement | None = None


class Matched(Struct, frozen=True):
    """A statement that speaks of the request."""

    source: Source
    statement: Statement


class Simulation(Struct, frozen=True):
    """What would be decided, and by which statements."""

    decision: Decision
    matched: tuple[Matched, ...]


class _Case:
    """One request against all policies that have a say in it."""

    __slots__ = ("asked", "caller", "keys", "resource")

    def __init__(self, caller: Caller, asked: Asked, resource: ResourceSide) -> None:
        self.caller = caller
        self.asked = asked
        self.resource = resource
        self.keys = RequestKeys(caller, asked.keys, resource.account_id, via_service=asked.via_service)

    @property
    def is_own(self) -> bool:
        """Whether the caller belongs to the account that owns the resource."""
        return self.caller.kind is not CallerKind.ANONYMOUS and self.caller.account_id == self.resource.account_id

    def denies(self) -> Iterator[Matched]:
        """Find explicit denials, wherever they stand."""
        for source, statements in self._of_caller():
            for statement in statements.of_action(self.asked.action).denies:
                if statement.covers(self.asked.resource, self.keys):
                    yield Matched(source, statement)
        if self._may_recover():
            return
        for statement in self._of_resource().denies:
            if statement.naming(self.caller) and statement.covers(self.asked.resource, self.keys):
                yield Matched(Source.RESOURCE, statement)

    def allows(self, statements: Statements) -> Iterator[Statement]:
        """Find what allows among statements about the caller."""
        for statement in statements.of_action(self.asked.action).allows:
            if statement.covers(self.asked.resource, self.keys):
                yield statement

    def grants(self) -> Iterator[tuple[Naming, Statement]]:
        """Find what the resource's policy grants to the caller, and how closely it names it."""
        policy = self.resource.policy
        if policy is not None and policy.is_public and self.resource.restrict_public and not self.is_own:
            return
        for statement in self._of_resource().allows:
            naming = statement.naming(self.caller)
            if naming and statement.covers(self.asked.resource, self.keys):
                yield naming, statement

    def limits(self) -> Iterator[tuple[Source, Statements]]:
        """Return what must allow too."""
        rights = self.caller.rights
        if rights.boundary is not None:
            yield Source.BOUNDARY, rights.boundary
        if rights.session is not None:
            yield Source.SESSION, rights.session

    def _of_caller(self) -> Iterator[tuple[Source, Statements]]:
        yield Source.IDENTITY, self.caller.rights.identity
        yield from self.limits()

    def _of_resource(self) -> Relevant:
        policy = self.resource.policy
        return _NOTHING if policy is None else policy.statements.of_action(self.asked.action)

    def _may_recover(self) -> bool:
        return self.caller.kind is CallerKind.ROOT and self.is_own and self.asked.action in RECOVERY_ACTIONS


def evaluate(caller: Caller, asked: Asked, resource: ResourceSide) -> Verdict:
    """Decide about one request. It never raises because of a policy."""
    case = _Case(caller, asked, resource)
    # 1. One explicit Deny is enough.
    for found in case.denies():
        return Verdict(Decision.EXPLICIT_DENY, found.source, found.statement)
    # 2. What the resource's policy grants; to some callers that is all there is, or all that is needed.
    naming, granting = max(case.grants(), key=lambda grant: grant[0], default=(Naming.NOT, None))
    if caller.kind is CallerKind.ANONYMOUS or (case.is_own and naming is Naming.DIRECT):
        return Verdict(Decision.ALLOWED if granting else Decision.IMPLICIT_DENY, Source.RESOURCE, granting)
    if granting is None and (not case.is_own or resource.needs_policy):
        return Verdict(Decision.IMPLICIT_DENY, Source.RESOURCE)
    verdict = Verdict(Decision.ALLOWED, Source.RESOURCE, granting)
    # 3. The identity's own policies, unless its role was granted it.
    if not (case.is_own and naming is Naming.ROLE):
        allowing = next(case.allows(caller.rights.identity), None)
        if allowing is None and caller.kind is not CallerKind.ROOT:
            return Verdict(Decision.IMPLICIT_DENY, Source.IDENTITY)
        if case.is_own:
            verdict = Verdict(Decision.ALLOWED, Source.IDENTITY, allowing)
    # 4. Nothing goes beyond the boundary and the session.
    for source, statements in case.limits():
        if next(case.allows(statements), None) is None:
            return Verdict(Decision.IMPLICIT_DENY, source)
    return verdict


def simulate(caller: Caller, asked: Asked, resource: ResourceSide) -> Simulation:
    """Tell what `evaluate` would decide, and name every statement that has a part in it."""
    decision = evaluate(caller, asked, resource).decision
    case = _Case(caller, asked, resource)
    matched: list[Matched] = []
    if decision is Decision.EXPLICIT_DENY:
        matched += case.denies()
    elif decision is Decision.ALLOWED:
        matched += (Matched(Source.IDENTITY, statement) for statement in case.allows(caller.rights.identity))
        matched += (Matched(source, found) for source, statements in case.limits() for found in case.allows(statements))
        matched += (Matched(Source.RESOURCE, statement) for _, statement in case.grants())
    return Simulation(decision, tuple(matched))
