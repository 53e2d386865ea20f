"""Two evaluators of policies, written apart, agree; and whatever is planted in one of them, the comparison finds."""

from collections import Counter

import pytest

from siegel.access import comparisons, conditions, policy, wildcards
from siegel.access.conditions import NULL, OPERATORS, Condition, Quantifier
from siegel.access.evaluation import Decision, ResourceSide, Source, _Case
from siegel.access.principals import Naming, Principals
from siegel.access.request_keys import RequestKeys
from siegel.access.statement import Effect, Statement
from tests.property.policy_cases import compare

PAIRS_PER_SEED = 25_000
KINDS = ("IDENTITY", "BOUNDARY", "SESSION", "BUCKET", "TRUST", "KEY")
ELEMENTS = ("Effect", "Action", "NotAction", "Condition")


@pytest.mark.parametrize("seed", range(4))
def test_both_evaluators_agree_on_generated_policies_and_requests(seed):
    seen = Counter()
    assert compare(seed, PAIRS_PER_SEED, seen) == []
    wanted = {f"{kind} {element}" for kind in KINDS for element in ELEMENTS}
    wanted |= {f"{kind} {element}" for kind in set(KINDS) - {"TRUST"} for element in ("Resource", "NotResource")}
    wanted |= {f"{kind} {element}" for kind in ("BUCKET", "TRUST", "KEY") for element in ("Principal", "NotPrincipal")}
    wanted |= {f"operator {name}" for name in (*OPERATORS, NULL)}
    wanted |= {f"caller {kind}" for kind in ("anonymous", "root", "user", "role")}
    wanted |= {"has boundary", "has session", "cross-account", "public restricted", *Decision}
    assert wanted - set(seen) == set()
    assert min(seen[decision] for decision in Decision) > PAIRS_PER_SEED / 20


def slashes_end_a_star(atoms, like=wildcards.like):
    return lambda value: like(atoms)(value) and value.count("/") <= sum(str(atom).count("/") for atom in atoms)


def variables_hold_wildcards(atoms, keys, bind=wildcards.bind):
    bound = bind(atoms, keys)
    return None if bound is None else tuple(part for atom in bound for part in again(atom))


def again(atom):
    return wildcards.read_atoms(atom, variables=False) if isinstance(atom, str) else (atom,)


def holds_for_all_fails_where_nothing_is(self, keys, holds=Condition.holds):
    return holds(self, keys) and not (self.quantifier is Quantifier.ALL and not keys.get(self.key) and not self.if_exists)


def holds_for_any_where_nothing_is(self, keys, holds=Condition.holds):
    return holds(self, keys) or (self.quantifier is Quantifier.ANY and self.is_negated and not keys.get(self.key))


def holds_not_if_negated_and_absent(self, keys, holds=Condition.holds):
    absent = self.is_negated and self.quantifier is None and not self.if_exists and not keys.get(self.key)
    return holds(self, keys) and not absent


def holds_without_if_exists(self, keys, holds=Condition.holds):
    return holds(self, keys) and not (self.if_exists and not keys.get(self.key))


def passes_in_doubt(self, value, keys):
    results = [match(value, keys) for match in self.matchers]
    return True not in results if self.is_negated else True in results


def ignores_the_boundary(self, limits=_Case.limits):
    return (found for found in limits(self) if found[0] is not Source.BOUNDARY)


def ignores_the_session(self, limits=_Case.limits):
    return (found for found in limits(self) if found[0] is not Source.SESSION)


def grants_as_if_named_itself(self, grants=_Case.grants):
    return ((Naming.DIRECT, statement) for _, statement in grants(self))


def grants_as_if_the_role_were_named(self, grants=_Case.grants):
    return ((min(naming, Naming.ROLE), statement) for naming, statement in grants(self))


def grants_although_restricted(self):
    return (
        (statement.naming(self.caller), statement)
        for statement in self._of_resource().allows
        if statement.naming(self.caller) and statement.covers(self.asked.resource, self.keys)
    )


def names_in_part(self, caller):
    return self.naming(caller) is not Naming.NOT


def names_a_role_as_itself(self, caller, naming=Principals.naming):
    found = naming(self, caller)
    return Naming.DIRECT if found is Naming.ROLE else found


def covers_an_action_in_its_case(self, action):
    return any(test(action) for test in self.actions) is not self.except_actions and "S3:GETOBJECT" not in self.action_texts


def covers_in_doubt(self, resource, keys):
    results = [match(resource, keys) for match in self.resources or ()]
    return (self.resources is None) or ((True in results) is not self.except_resources)


def believes_the_request(self, name, find=RequestKeys._find):
    return self._keys.get(name) or find(self, name)


def reads_no_mapped_address(text, read=comparisons.read_address):
    return None if "ffff" in text else read(text)


def reads_no_time_zone(text, read=comparisons.read_date):
    return read(text.replace("+02:00", "Z"))


def covers_everyone_anonymous(self, caller, naming=Statement.naming):
    return Naming.NOT if not caller.account_id and self.effect is Effect.DENY else naming(self, caller)


MUTANTS = [
    (conditions, "like", slashes_end_a_star),
    (wildcards, "like", slashes_end_a_star),
    (wildcards, "bind", variables_hold_wildcards),
    (conditions, "_is_null", lambda values: values is None),
    (Condition, "holds", holds_for_all_fails_where_nothing_is),
    (Condition, "holds", holds_for_any_where_nothing_is),
    (Condition, "holds", holds_not_if_negated_and_absent),
    (Condition, "holds", holds_without_if_exists),
    (Condition, "_passes", passes_in_doubt),
    (_Case, "limits", ignores_the_boundary),
    (_Case, "limits", ignores_the_session),
    (_Case, "grants", grants_as_if_named_itself),
    (_Case, "grants", grants_as_if_the_role_were_named),
    (_Case, "grants", grants_although_restricted),
    (_Case, "_may_recover", lambda _self: False),
    (ResourceSide, "needs_policy", property(lambda _self: False)),
    (Principals, "names_wholly", names_in_part),
    (Principals, "naming", names_a_role_as_itself),
    (Statement, "covers_action", covers_an_action_in_its_case),
    (Statement, "_covers_resource", covers_in_doubt),
    (Statement, "naming", covers_everyone_anonymous),
    (RequestKeys, "_find", believes_the_request),
    (comparisons, "read_address", reads_no_mapped_address),
    (comparisons, "read_date", reads_no_time_zone),
    (policy, "grants_to_public", lambda one: one.principals.everyone and one.effect is Effect.ALLOW),
]


@pytest.mark.parametrize(("where", "name", "planted"), MUTANTS)
def test_the_comparison_finds_a_planted_error(monkeypatch, where, name, planted):
    monkeypatch.setattr(where, name, planted)
    if name == "read_date":
        monkeypatch.setitem(comparisons.READERS, "Date", planted)
    assert compare(99, PAIRS_PER_SEED, enough=1) != []
