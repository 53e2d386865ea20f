"""The table of STS against AWS's own model: every action, every parameter."""

import msgspec
import pytest
from tests.unit.iamwire.model import service_model

from siegel.iamwire.ask import list_names
from siegel.iamwire.statuspage import render_status_page
from siegel.iamwire.sts_actions import STS

MODEL = service_model("sts")
# Parameters of AWS that are refused by name, since what they ask for does not exist here.
UNKNOWN = {"ProvidedContexts", "MinimumSessionTokenSize"}


def test_every_action_of_the_model_works_or_is_refused_with_a_reason():
    assert set(STS.actions) | set(STS.refused) == set(MODEL.operation_names)
    assert set(STS.actions) & set(STS.refused) == set()
    assert all(STS.refused.values())
    assert (MODEL.api_version, MODEL.metadata["xmlNamespace"]) == (STS.version, STS.namespace)


@pytest.mark.parametrize("name", sorted(STS.actions))
def test_an_action_takes_exactly_the_parameters_of_the_model(name):
    shape = MODEL.operation_model(name).input_shape
    members = set(shape.members) if shape else set()
    fields = {field.encode_name: field for field in msgspec.structs.fields(STS.actions[name].ask)}
    assert set(fields) == members - UNKNOWN
    assert {name for name, field in fields.items() if field.required} == set(shape.required_members if shape else ())
    lists = {member for member in fields if shape.members[member].type_name == "list"}
    assert list_names(STS.actions[name].ask) == lists


def test_only_tokens_of_others_come_without_a_signature():
    assert [name for name, action in STS.actions.items() if action.unsigned] == ["AssumeRoleWithWebIdentity"]


def test_the_status_page_lists_every_action():
    page = render_status_page("STS", STS)
    assert all(f"| {name} |" in page for name in (*STS.actions, *STS.refused))
