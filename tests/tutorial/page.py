"""A page whose commands can be played: whose machine, what is typed there, what it says, how it ends.

Indented lines of the page are a terminal's. `customer$ COMMAND` is typed on the customer's machine, lines that begin with `> ` or
follow a backslash go on with it, `customer$ ^C` ends the newest server there. The other lines are what the command says:

    ...                   any number of lines; within a line, any text
    ACCOUNT, KEY_ARN      a value that differs from run to run: what it was first, it stays for the rest of the page
    127.0.0.1:9000        an address of the page; the machine that plays it gives another port
    [exit status 3]       how it ends, unless with 0

Spaces are as wide as they like, and empty lines are left out. A command below which nothing is shown may say anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

INTERRUPT = "^C"
_PROMPT = re.compile(r"([a-z]+)\$ (.*)")
_STATUS = re.compile(r"\[exit status (\d+)\]")
_WORD = re.compile(r"(\.\.\.|[A-Z][A-Z_]{2,}[A-Z0-9]|\s+)")
_SHIFT = " " * 4


@dataclass
class Step:
    """A command of a page, and what is shown below it."""

    line: int
    who: str
    command: str
    shown: list[str] = field(default_factory=list)
    status: int = 0

    @property
    def place(self) -> str:
        return f"line {self.line}: {self.who}$ {self.command}"


def read_steps(page: Path) -> list[Step]:
    """Return the steps of a page, in order. Every indented line must belong to one."""
    steps: list[Step] = []
    is_open = False
    for number, line in _terminal(page):
        found = _PROMPT.fullmatch(line)
        if found:
            steps.append(Step(number, found[1], found[2]))
            is_open = True
        elif not line:
            is_open = False
        else:
            assert is_open, f"{page.name}, line {number}: whose terminal is that?"
            _go_on(steps[-1], line)
    return steps


def _terminal(page: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each indented line, and an empty text where a block ends."""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        yield number, line.removeprefix(_SHIFT) if line.startswith(_SHIFT) else ""


def _go_on(step: Step, line: str) -> None:
    if step.command.endswith("\\"):
        step.command += f"\n{line}"
    elif line.startswith("> ") and not step.shown:
        step.command += "\n" + line.removeprefix("> ")
    elif status := _STATUS.fullmatch(line):
        step.status = int(status[1])
    else:
        step.shown.append(line)


def fill(text: str, known: dict[str, str]) -> str:
    """Return `text` with the values that are known in the place of their words."""
    return _WORD.sub(lambda found: known.get(found[0], found[0]), text)


def match(shown: list[str], said: str, words: dict[str, str], known: dict[str, str]) -> dict[str, str] | None:
    """Return the values that `said` has for words of `shown`, None if it is not what is shown.

    `words`: what values look like, as patterns; `known`: those that are known.
    """
    fresh: set[str] = set()
    pattern = "".join(_line_pattern(line, words, known, fresh) for line in shown)
    lines = "".join(f"{line.strip()}\n" for line in said.splitlines() if line.strip())
    found = re.fullmatch(pattern, lines)
    return found and found.groupdict()


def _line_pattern(line: str, words: dict[str, str], known: dict[str, str], fresh: set[str]) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    pattern = ""
    for part in _WORD.split(line.strip()):
        if part == "...":
            pattern += r".*?"
        elif part.isspace():
            pattern += r"[ \t]+"
        elif part in known:
            pattern += re.escape(known[part])
        elif part in fresh:
            pattern += f"(?P={part})"
        elif part in words:
            fresh.add(part)
            pattern += f"(?P<{part}>{words[part]})"
        else:
            pattern += re.escape(part)
    return pattern + r"\n"
