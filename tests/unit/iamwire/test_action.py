from typing import Annotated

import pytest
from msgspec import Meta

from siegel.domain.entry import kind_of
from siegel.domain.query_errors import InvalidActionError, MissingActionError, ValidationError
from siegel.iamwire.action import About, Action, QueryProtocol, by_name, find_action, read_call
from siegel.iamwire.ask import Ask, Tag


class Paint(Ask, frozen=True, kw_only=True):
    fence_name: Annotated[str, Meta(pattern=r"\A[a-z]+\Z", max_length=8)]
    coats: int = 1
    is_quick: bool = False
    tags: tuple[Tag, ...] = ()
    colours: Annotated[tuple[str, ...], Meta(max_length=2)] = ()


PAINT = Action(name="Paint", permission="iam:Paint", kind="iam.paint", ask=Paint, about=About.ACCOUNT)
PROTOCOL = QueryProtocol("iam", "urn:x", "2010-05-08", by_name([PAINT]), {"Burn": "fences are kept"})


def call(**parameters):
    return {"Action": "Paint", "Version": "2010-05-08", **parameters}


def test_a_call_becomes_one_typed_value():
    tags = {"Tags.member.1.Key": "k", "Tags.member.1.Value": ""}
    parameters = call(FenceName="garden", Coats="3", IsQuick="true", Colours="", **tags)
    spoken = read_call(find_action(PROTOCOL, parameters), parameters)
    assert spoken.action is PAINT
    assert spoken.ask == Paint(fence_name="garden", coats=3, is_quick=True, tags=(Tag(key="k", value=""),))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "FenceName"),
        ({"FenceName": "G"}, "FenceName"),
        ({"FenceName": "a\n"}, "FenceName"),
        ({"FenceName": "abcdefghi"}, "FenceName"),
        ({"FenceName": "a", "Coats": "many"}, "Coats"),
        ({"FenceName": "a", "IsQuick": "perhaps"}, "IsQuick"),
        ({"FenceName": "a", "Unknown": "1"}, "Unknown"),
        ({"FenceName": "a", "Tags.member.1.Key": "k"}, "Tags"),
        ({"FenceName": "a", "Tags.member.1.Key": "k", "Tags.member.1.Value": "v", "Tags.member.1.More": "m"}, "Tags"),
        ({"FenceName": "a", "Tags.member.1.Key": "k", "Tags.member.1.Value": "a\n"}, "Tags"),
        ({"FenceName": "a", "Tags.member.1.Key": "<", "Tags.member.1.Value": ""}, "Tags"),
        ({"FenceName": "a", "Tags": "x"}, "Tags"),
        ({"FenceName": "a", "Colours.member.1": "r", "Colours.member.2": "g", "Colours.member.3": "b"}, "Colours"),
        ({"FenceName.member.1": "a"}, "FenceName"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_named(parameters, named):
    with pytest.raises(ValidationError, match=named):
        read_call(PAINT, call(**parameters))


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, MissingActionError),
        ({"Version": "2010-05-08"}, MissingActionError),
        ({"Action": "Paint"}, InvalidActionError),
        ({"Action": "Paint", "Version": "2011-06-15"}, InvalidActionError),
        ({"Action": "paint", "Version": "2010-05-08"}, InvalidActionError),
    ],
)
def test_an_action_that_is_not_in_the_table_is_refused(parameters, error):
    with pytest.raises(error):
        find_action(PROTOCOL, parameters)


def test_an_action_that_is_not_built_says_why():
    with pytest.raises(InvalidActionError, match="not implemented: fences are kept"):
        find_action(PROTOCOL, {"Action": "Burn", "Version": "2010-05-08"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CreateUser", "iam.create_user"),
        ("CreateOpenIDConnectProvider", "iam.create_open_id_connect_provider"),
        ("ListMFADevices", "iam.list_mfa_devices"),
    ],
)
def test_kinds_follow_from_names(name, kind):
    assert kind_of("iam", name) == kind
