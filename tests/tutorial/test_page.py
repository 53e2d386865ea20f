"""A page that shows something else than what is said does not pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from .page import Step, fill, match, read_steps

WORDS = {"NUMBER": r"\d+", "OTHER": r"\d+"}


def test_steps_are_whose_what_and_what_is_said(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\nText.\n\n"
        "    here$ echo a \\\n        b\n    a b\n    there$ cat <<END\n    > text\n    > END\n    text\n    [exit status 3]\n\n"
        "    here$ ^C\n"
    )
    assert read_steps(page) == [
        Step(5, "here", "echo a \\\n    b", ["a b"]),
        Step(8, "there", "cat <<END\ntext\nEND", ["text"], 3),
        Step(14, "here", "^C"),
    ]
    page.write_text("    nobody's\n")
    with pytest.raises(AssertionError, match="line 1: whose terminal"):
        read_steps(page)


@pytest.mark.parametrize(
    ("shown", "said", "found"),
    [
        (["a  b"], "  a b\n\n", {}),
        (["a b"], "a c\n", None),
        (["a b"], "a b\nmore\n", None),
        (["a b"], "a bc\n", None),
        (["a", "..."], "a\n", {}),
        (["a", "...", "d"], "a\nb\nc\nd\n", {}),
        (["...", "a"], "b\n", None),
        (["a ... d"], "a b c d\n", {}),
        (["a NUMBER", "b NUMBER"], "a 1\nb 1\n", {"NUMBER": "1"}),
        (["a NUMBER", "b NUMBER"], "a 1\nb 2\n", None),
        (["a NUMBER OTHER"], "a 1 2\n", {"NUMBER": "1", "OTHER": "2"}),
        (["NUMBER"], "one\n", None),
        (["a+b (c)"], "a+b (c)\n", {}),
        (["a+b"], "aab\n", None),
        (["HOLDS NAME"], "HOLDS NAME\n", {}),
    ],
)
def test_what_is_said_is_what_is_shown(shown: list[str], said: str, found: dict[str, str] | None) -> None:
    assert match(shown, said, WORDS, {}) == found


def test_what_a_word_stood_for_it_stands_for() -> None:
    assert match(["NUMBER"], "7\n", WORDS, {"NUMBER": "7"}) == {}
    assert match(["NUMBER"], "8\n", WORDS, {"NUMBER": "7"}) is None
    assert fill("a/NUMBER/OTHER", {"NUMBER": "7"}) == "a/7/OTHER"
