"""What broke others has a test here, found by its name: the protocol traps, and the rows of known advisories.

Left out: those on the console, which is not built (75, 77, and its part of 76). What no request to the service reaches one by one
is tested below it (`BELOW`).
"""

import ast
import re

import pytest

from tests.house.tree import ROOT

TRAPS = set(range(1, 47))
ROWS = {
    *range(1, 29),
    30,
    *range(34, 37),
    *range(43, 47),
    *range(50, 72),
    73,
    74,
    76,
    *range(80, 87),
    *range(91, 97),
    *range(99, 103),
}
# Sets and variables of policies, peers behind proxies, documents that cannot be read; our wrappers around ciphers.
BELOW = [
    (29, "tests/unit/access"),
    (31, "tests/unit/access"),
    (32, "tests/unit/web"),
    (33, "tests/unit/service"),
    (87, "tests/unit/envelope"),
    (87, "tests/unit/ledger"),
]
CASES_FLOOR = 900


def gateway_tests():
    """Yield the name and the docstring of every test that speaks to the running service."""
    return named_in("tests/gateway")


def named_in(folder):
    for path in sorted((ROOT / folder).rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name, ast.get_docstring(node) or ""


def numbered(pattern):
    return {int(found[1]) for name, _ in gateway_tests() if (found := re.match(pattern, name))}


def test_every_trap_has_a_test_named_after_it():
    assert numbered(r"test_trap_(\d\d)_\w+") == TRAPS


def test_every_row_of_known_weaknesses_has_a_test_named_after_it():
    assert ROWS - numbered(r"test_t(\d\d+)_\w+") == set()


@pytest.mark.parametrize(("row", "folder"), BELOW)
def test_rows_on_what_lies_below_the_service_have_tests_there(row, folder):
    assert [name for name, _ in named_in(folder) if name.startswith(f"test_t{row}_")]


def test_the_first_test_of_every_row_names_its_precedent():
    """An advisory or an issue in a name of the row; rows without one say of which class they are."""
    told = {
        int(found[1])
        for name, story in gateway_tests()
        if (found := re.match(r"test_t(\d+)_", name)) and (re.search(r"cve_\d{4}|ghsa_|_\d{3,}_|\d{5,}", name) or story)
    }
    assert ROWS - told == set()


def test_the_number_of_tests_does_not_shrink():
    assert sum(1 for _ in gateway_tests()) >= CASES_FLOOR


SECRETS = re.compile(r"signature|secret|verifier|commitment|\bmac\b", re.IGNORECASE)
# Where a signature is compared with one that was computed: a `==` here would tell its place of difference by its time.
COMPARING = ("s3wire/sigv4.py", "s3wire/chunked.py", "envelope/wrap.py", "envelope/segment.py")


def test_t17_garage_737_secrets_are_compared_in_constant_time():
    for name in COMPARING:
        path = ROOT / "src/siegel" / name
        text = path.read_text(encoding="utf-8")
        assert "compare_digest" in text, f"{name} compares nothing in constant time"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Compare) and any(isinstance(step, ast.Eq | ast.NotEq) for step in node.ops):
                sides = [node.left, *node.comparators]
                constant = any(
                    isinstance(side, ast.Constant | ast.Compare) or ast.unparse(side).startswith("len(") for side in sides
                )
                assert constant or not SECRETS.search(ast.unparse(node)), f"{name}:{node.lineno}: {ast.unparse(node)}"
