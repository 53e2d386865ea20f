"""Marks of what is unfinished, silenced or tied to one machine; spelled in halves, since this file is searched too."""

import ast
import re

from tests.house.tree import ROOT, shown, tracked

UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|XX" + "X|NotImplemented" + "Error|HA" + "CK")
SKIPPED = re.compile(r"pytest\.(sk" + r"ip|mark\.sk" + r"ip|mark\.xf" + r"ail|import" + r"orskip)")
UNREASONED = re.compile(r"# (type: ig" + r"nore(\[[\w-]+\])?|no" + r"qa(: [A-Z0-9, ]+)?)\s*$")
ONE_MACHINE = re.compile("/ro" + "ot/|/ho" + "me/[a-z]")


def lines_with(pattern, *suffixes):
    return [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in tracked(*suffixes)
        if path.suffix != ".lock"
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_unfinished():
    assert lines_with(UNFINISHED, ".py", ".sh", ".toml", "Makefile") == []


def test_no_test_is_skipped():
    assert lines_with(SKIPPED, ".py") == []


def test_no_error_is_swallowed():
    swallowing = [
        f"{shown(path)}:{node.lineno}"
        for path in tracked(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)
    ]
    assert swallowing == []


def test_every_silenced_warning_says_why():
    assert [line for line in lines_with(UNREASONED, ".py") if line.startswith("src/")] == []


def test_nothing_is_tied_to_one_machine():
    assert lines_with(ONE_MACHINE) == []


def test_every_script_stops_at_the_first_error():
    scripts = [path for path in [*tracked(".sh"), ROOT / ".ci/run"] if path.exists()]
    assert [shown(path) for path in scripts if "set -euo pipefail" not in path.read_text(encoding="utf-8")] == []
