"""The table against AWS's own model: every action, every parameter."""

import msgspec
import pytest
from tests.unit.iamwire.model import service_model

from siegel.domain.identities import Group, ManagedPolicy, OidcProvider, Role, User
from siegel.domain.query_errors import ValidationError
from siegel.iamwire import iam_asks as asks
from siegel.iamwire.action import About, read_call
from siegel.iamwire.ask import list_names
from siegel.iamwire.iam_actions import ACTIONS, IAM
from siegel.iamwire.iam_asks import of
from siegel.iamwire.iam_refused import REFUSED
from siegel.iamwire.statuspage import render_status_page

MODEL = service_model("iam")
# Parameters of AWS that are refused by name, since what they ask for does not exist here.
UNKNOWN = {
    "SimulateCustomPolicy": {"OrderedOrganizationPolicyInputList"},
    "SimulatePrincipalPolicy": {"PolicyExclusionList"},
}


def test_every_action_of_the_model_works_or_is_refused_with_a_reason():
    assert set(ACTIONS) | set(REFUSED) == set(MODEL.operation_names)
    assert set(ACTIONS) & set(REFUSED) == set()
    assert all(REFUSED.values())
    assert MODEL.api_version == IAM.version
    assert MODEL.metadata["xmlNamespace"] == IAM.namespace


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_an_action_takes_exactly_the_parameters_of_the_model(name):
    shape = MODEL.operation_model(name).input_shape
    members = set(shape.members) if shape else set()
    fields = {field.encode_name: field for field in msgspec.structs.fields(ACTIONS[name].ask)}
    assert set(fields) == members - UNKNOWN.get(name, set())
    assert {name for name, field in fields.items() if field.required} == set(shape.required_members if shape else ())
    lists = {member for member in fields if shape.members[member].type_name == "list"}
    assert list_names(ACTIONS[name].ask) == lists


def test_permissions_and_kinds_are_those_of_the_actions_names():
    assert {action.permission for action in ACTIONS.values()} == {f"iam:{name}" for name in ACTIONS}
    assert len({action.kind for action in ACTIONS.values()}) == len(ACTIONS)
    assert ACTIONS["CreateUser"].kind == "iam.create_user"


def test_what_changes_is_said_to_change():
    harmless = {name for name, action in ACTIONS.items() if not action.changes}
    assert {name for name in ACTIONS if name.startswith(("Get", "List", "Simulate"))} == harmless


@pytest.mark.parametrize(
    ("entity_type", "parameter", "name"),
    [
        (User, "UserName", "bob"),
        (Group, "GroupName", "b"),
        (Role, "RoleName", "r"),
        (ManagedPolicy, "PolicyArn", "arn:aws:iam::aws:policy/P"),
        (OidcProvider, "OpenIDConnectProviderArn", "arn:aws:iam::1:oidc-provider/idp"),
    ],
)
def test_one_class_serves_every_kind_of_entity(entity_type, parameter, name):
    ask_type = of(entity_type, asks.Named)
    assert ask_type.entity_type is entity_type
    ask = read_call(_action(ask_type), {parameter: name}).ask
    assert (ask.name, isinstance(ask, asks.Named)) == (name, True)
    with pytest.raises(ValidationError):
        read_call(_action(ask_type), {})
    assert read_call(_action(of(entity_type, asks.Named, optional=True)), {}).ask.name == ""


def _action(ask_type):
    return msgspec.structs.replace(ACTIONS["GetUser"], ask=ask_type)


def test_the_status_page_lists_every_action():
    page = render_status_page("IAM", IAM)
    for name in (*ACTIONS, *REFUSED):
        assert f"| {name} |" in page
    assert "| ListMFADevices | user; there are none | `iam:ListMFADevices` | `iam.list_mfa_devices` |" in page
    without = render_status_page("IAM", msgspec.structs.replace(IAM, refused={}))
    assert "InvalidAction" not in without
    assert About.USER.value in without
