import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.limits import QUERY_PARAMETERS_MAX
from siegel.domain.query_errors import ValidationError
from siegel.iamwire.form import read_form, read_tree


def test_a_form_is_read_in_its_order():
    read = read_form(b"Action=ListUsers&Version=2010-05-08&&Path=%2Fa+b%2B%C3%A9%2F&Empty=&Bare")
    assert list(read.items()) == [
        ("Action", "ListUsers"),
        ("Version", "2010-05-08"),
        ("Path", "/a b+\u00e9/"),
        ("Empty", ""),
        ("Bare", ""),
    ]


@pytest.mark.parametrize("raw", [b"A=1&A=1", b"A=1&%41=2", b"A=%", b"A=%4", b"A=%GG", b"%=1", b"A=%FF", b"A=\xff"])
def test_a_form_that_can_be_read_in_two_ways_is_refused(raw):
    with pytest.raises(ValidationError):
        read_form(raw)


def test_a_form_has_a_limited_number_of_parameters():
    pairs = [b"P%d=" % number for number in range(QUERY_PARAMETERS_MAX)]
    assert len(read_form(b"&".join(pairs))) == QUERY_PARAMETERS_MAX
    with pytest.raises(ValidationError, match=str(QUERY_PARAMETERS_MAX)):
        read_form(b"&".join([*pairs, b"Q="]))


@given(st.binary(max_size=200) | st.text(alphabet="AB.member12=&%+", max_size=60).map(str.encode))
def test_any_bytes_are_a_tree_or_refused(raw):
    with contextlib.suppress(ValidationError):
        read_tree(read_form(raw))


def test_dotted_names_spell_lists_and_structures():
    parameters = {
        "UserName": "bob",
        "Tags.member.2.Key": "b",
        "Tags.member.1.Key": "a",
        "Tags.member.1.Value": "1",
        "Inner.Name": "n",
        "Lists.member.1.Values.member.1": "x",
    }
    assert read_tree(parameters) == {
        "UserName": "bob",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}],
        "Inner": {"Name": "n"},
        "Lists": [{"Values": ["x"]}],
    }


@pytest.mark.parametrize(
    "names",
    [
        ["A", "A.B"],
        ["A.B", "A"],
        ["A.member.0"],
        ["A.member.2"],
        ["A.member.1", "A.member.3"],
        ["A.member.01"],
        ["A.member.one"],
        ["A.member"],
        ["A.member.1", "A.Other"],
        ["A..B"],
        [".A"],
        [""],
        ["A b"],
        ["A\u00e9"],
        [".".join("A" * 9)],
    ],
)
def test_names_that_contradict_each_other_are_refused(names):
    with pytest.raises(ValidationError):
        read_tree(dict.fromkeys(names, "x"))
