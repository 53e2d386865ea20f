"""Patterns of wildcards fit what they should, as fast for hostile ones as for others."""

import itertools
import re

from tests.unit.access.stage import OBJECT, alice, is_allowed, own, policy, statement

from siegel.access.statement import ACTIONS_REMEMBERED_MAX
from siegel.access.wildcards import like, read_atoms


def test_every_short_pattern_fits_what_the_regular_expression_fits():
    texts = ["".join(chars) for length in range(5) for chars in itertools.product("ab", repeat=length)]
    for length in range(5):
        for chars in itertools.product("ab*?", repeat=length):
            pattern = "".join(chars)
            expression = re.compile(pattern.replace("*", ".*").replace("?", "."), re.DOTALL)
            fits = like(read_atoms(pattern))
            assert [text for text in texts if fits(text)] == [text for text in texts if expression.fullmatch(text)], pattern


def test_a_hostile_pattern_costs_no_more_than_its_length_times_the_text():
    assert not like(read_atoms("*a" * 1000 + "b"))("a" * 5000)
    assert like(read_atoms("?*" * 1000))("a" * 1000)


def test_actions_without_end_do_not_fill_the_memory():
    statements = policy(statement(Action="s3:*")).statements
    for number in range(ACTIONS_REMEMBERED_MAX + 1):
        assert len(statements.of_action(f"s3:Action{number}").allows) == 1
    assert len(statements._by_action) == 1


def test_a_request_for_something_that_is_no_arn_fits_a_star_only():
    assert is_allowed(alice(statement(Resource="*")), own(), arn="*")
    assert not is_allowed(alice(statement(Resource=OBJECT)), own(), arn="*")


class Watched(str):
    """A text that counts how often it is looked into."""

    __slots__ = ("looks",)

    def __getitem__(self, place):
        self.looks += 1
        return super().__getitem__(place)

    def startswith(self, *args):
        self.looks += 1
        return super().startswith(*args)


def test_t34_a_pattern_of_many_question_marks_looks_at_each_character_once():
    """Class: a policy that costs others more than its author."""
    value = Watched("a" * 1000)
    value.looks = 0
    assert not like(read_atoms("*" + "?a" * 200 + "b*"))(value)
    assert value.looks <= len(value) + 2
    assert like(read_atoms("*" + "?a" * 200 + "b*"))("xy" + "ca" * 200 + "bz")
