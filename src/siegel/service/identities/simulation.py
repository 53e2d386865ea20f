"""Simulations: what would be decided, and by which statements, without doing it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.access.caller import Caller, CallerKind, Rights, root_caller
from siegel.access.evaluation import Asked, Matched, ResourceSide, Source, evaluate, simulate
from siegel.access.policy import Policy, PolicyKind, parse_policy, principals_of
from siegel.domain.errors import PolicyError
from siegel.domain.identities import Group, Holder, Role, User
from siegel.domain.query_errors import InvalidInputError, MalformedPolicyDocumentError, NoSuchEntityError, ValidationError
from siegel.iamwire.iam_asks import SimulateCustomPolicy, SimulatePrincipalPolicy
from siegel.iamwire.iam_views import page_view
from siegel.iamwire.xml import Node
from siegel.service.identities.provided import PROVIDED
from siegel.service.identities.scene import Result, Scene
from siegel.service.principals import policies_of, rights_of, unique_id_of, user_caller

_ARN: Final = re.compile(
    r"arn:aws:iam::[0-9]{12}:(?P<resource>user|group|role)/(?:[\x21-\x7e]+/)?(?P<name>[\w+=,.@-]+)", re.ASCII
)
_ACCOUNT: Final = re.compile(r"(?:arn:aws:iam::)?(?P<id>[0-9]{12})(?::root)?")
_TYPES: Final[dict[str, type[Holder]]] = {"user": User, "group": Group, "role": Role}
_INPUT: Final = "IAM Policy"
# Statements that one call looks at: some tenths of a second at the very worst, in which a worker does nothing else.
CHECKS_MAX: Final = 10_000
_MARKER_DIGITS_MAX: Final = 9
_RESOURCE_POLICY: Final = "ResourcePolicy"

Labelled = Sequence[tuple[str, Policy]]


class _Stage(Struct, frozen=True):
    """One simulation: who asks, what the resource's policy is, what the request says. `types` are those of policies by name."""

    caller: Caller
    side: ResourceSide
    keys: dict[str, tuple[str, ...]]
    types: dict[str, str]

    @property
    def statement_count(self) -> int:
        """How many statements each result looks at, at least one."""
        rights, policy = self.caller.rights, self.side.policy
        looked_at = (rights.identity, rights.boundary, policy.statements if policy else None)
        return max(1, sum(len(statements.all) for statements in looked_at if statements is not None))


def simulate_custom(scene: Scene, ask: SimulateCustomPolicy) -> Result:
    """Try policies that the call brings along."""
    given = _read_all(ask.policy_input_list, PolicyKind.IDENTITY, "PolicyInputList")
    caller = _caller_of(scene, ask) or root_caller(scene.account_id, "")
    caller = replace(caller, kind=CallerKind.USER, rights=_rights(given, None, ask))
    return _run(ask, _stage(scene, ask, caller, {name: _INPUT for name, _ in given}))


def simulate_principal(scene: Scene, ask: SimulatePrincipalPolicy) -> Result:
    """Try the policies of a user, group or role as they are, with what the call brings along."""
    holder = _holder(scene, ask.policy_source_arn)
    own = list(policies_of(scene.entities, holder))
    given = _read_all(ask.policy_input_list, PolicyKind.IDENTITY, "PolicyInputList")
    types = {name: _type_of(owner, name) for owner, (name, _) in own} | {name: _INPUT for name, _ in given}
    rights = rights_of(scene.entities.reader, scene.account_id, holder)
    caller = _caller_of(scene, ask) or _as_caller(scene, holder)
    caller = replace(caller, rights=_rights([*(policy for _, policy in own), *given], rights, ask))
    return _run(ask, _stage(scene, ask, caller, types))


def _read_all(texts: Sequence[str], kind: PolicyKind, word: str) -> Labelled:
    return [(f"{word}.{number}", _read(text, kind)) for number, text in enumerate(texts, 1)]


def _read(text: str, kind: PolicyKind, bindings: Mapping[str, str] | None = None) -> Policy:
    try:
        return parse_policy(text, kind, bindings=bindings or {})
    except PolicyError as error:
        raise MalformedPolicyDocumentError(str(error)) from error


def _rights(identity: Labelled, own: Rights | None, ask: SimulateCustomPolicy) -> Rights:
    """Return the rights to be tried: a boundary that the call brings along takes the place of the principal's own."""
    word = "PermissionsBoundaryPolicyInputList"
    brought = _read_all(ask.permissions_boundary_policy_input_list, PolicyKind.BOUNDARY, word)
    made = Rights.of(identity, boundary=brought[0] if brought else None)
    if own is not None and not brought:
        return Rights(made.identity, own.boundary, None)
    return made


def _holder(scene: Scene, arn: str) -> Holder:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise InvalidInputError(f"{arn} is not the ARN of a user, group or role.")
    holder = scene.entities.get(_TYPES[found["resource"]], found["name"])
    if scene.entities.arn(holder) != arn:
        raise NoSuchEntityError(f"The {holder.resource} {arn} cannot be found.")
    return holder


def _as_caller(scene: Scene, holder: Holder) -> Caller:
    """Return a principal that stands for a holder: for a group some user in it, for a role its sessions."""
    arn = scene.entities.arn(holder)
    if isinstance(holder, User):
        return user_caller(scene.entities.reader, scene.account_id, holder, "")
    if isinstance(holder, Role):
        return Caller(
            kind=CallerKind.ROLE,
            account_id=scene.account_id,
            arn=arn,
            principal_id=holder.unique_id,
            role_arn=arn,
            tags=dict(holder.tags),
        )
    return Caller(kind=CallerKind.USER, account_id=scene.account_id, arn=arn)


def _caller_of(scene: Scene, ask: SimulateCustomPolicy) -> Caller | None:
    """Return the user whom the call names as the one who asks, if it names one."""
    if not ask.caller_arn:
        return None
    holder = _holder(scene, ask.caller_arn)
    if not isinstance(holder, User):
        raise InvalidInputError("CallerArn must be the ARN of a user.")
    return _as_caller(scene, holder)


def _stage(scene: Scene, ask: SimulateCustomPolicy, caller: Caller, types: dict[str, str]) -> _Stage:
    owner = _ACCOUNT.fullmatch(ask.resource_owner) if ask.resource_owner else None
    if ask.resource_owner and owner is None:
        raise InvalidInputError(f"{ask.resource_owner} is not the ARN of an account.")
    policy = None
    if ask.resource_policy:
        named = principals_of(_read(ask.resource_policy, PolicyKind.BUCKET))
        ids = {arn: unique_id for arn in named if (unique_id := unique_id_of(scene.entities.reader, arn)) is not None}
        policy = _read(ask.resource_policy, PolicyKind.BUCKET, ids)
    side = ResourceSide(owner["id"] if owner else scene.account_id, policy)
    keys = {entry.context_key_name.lower(): entry.context_key_values for entry in ask.context_entries}
    return _Stage(caller, side, keys, types)


def _type_of(holder: Holder, name: str) -> str:
    if name in PROVIDED:
        return "aws-managed"
    return "user-managed" if name in holder.attached and name.startswith("arn:") else holder.resource


def _run(ask: SimulateCustomPolicy, stage: _Stage) -> Result:
    """Return one page of the results; the more statements there are to look at, the shorter it is."""
    actions, resources = ask.action_names, ask.resource_arns
    start, total = _read_start(ask.marker), len(actions) * len(resources)
    stop = min(start + min(ask.max_items, max(1, CHECKS_MAX // stage.statement_count)), total)
    results = [
        _result(stage, actions[number // len(resources)], resources[number % len(resources)]) for number in range(start, stop)
    ]
    return page_view("EvaluationResults", results, str(stop) if stop < total else "")


def _read_start(marker: str) -> int:
    if marker and not (marker.isdecimal() and len(marker) <= _MARKER_DIGITS_MAX):
        raise ValidationError("Invalid Marker: it is none that a page of this list ended with.")
    return int(marker or 0)


def _result(stage: _Stage, action: str, resource: str) -> Mapping[str, Node]:
    asked = Asked(action, resource, stage.keys)
    simulation = simulate(stage.caller, asked, stage.side)
    boundary = None
    if stage.caller.rights.boundary is not None:
        verdict = evaluate(stage.caller, asked, stage.side)
        boundary = {"AllowedByPermissionsBoundary": verdict.source is not Source.BOUNDARY}
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": simulation.decision.value,
        "MatchedStatements": list(_matched(stage, simulation.matched)),
        "MissingContextValues": [],
        "PermissionsBoundaryDecisionDetail": boundary,
    }


def _matched(stage: _Stage, found: Sequence[Matched]) -> Iterator[Mapping[str, Node]]:
    for matched in found:
        of_resource = matched.source is Source.RESOURCE
        name = _RESOURCE_POLICY if of_resource else matched.statement.policy
        kind = "resource" if of_resource else stage.types.get(name, _INPUT)
        yield {"SourcePolicyId": name, "SourcePolicyType": kind}


READS: Final[Mapping[str, Callable[[Scene, Any], Result]]] = {
    "SimulateCustomPolicy": simulate_custom,
    "SimulatePrincipalPolicy": simulate_principal,
}
