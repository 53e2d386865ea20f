from pathlib import Path

from tests.house.tree import ROOT, shown, tracked

MEANINGLESS = {"util", "utils", "helper", "helpers", "common", "misc", "core", "base"}


def test_no_room_or_module_is_named_after_nothing():
    named = {part for path in tracked(".py") for part in (*path.relative_to(ROOT).parts[:-1], path.stem)}
    assert named & MEANINGLESS == set()


def test_names_of_errors_end_in_error():
    errors = (ROOT / "src/siegel/domain/errors.py").read_text(encoding="utf-8")
    classes = [line.split()[1].split("(")[0] for line in errors.splitlines() if line.startswith("class ")]
    assert [name for name in classes if not name.endswith("Error")] == []


def test_every_package_says_what_it_is():
    silent = [
        shown(path)
        for path in tracked("__init__.py")
        if path.is_relative_to(ROOT / "src") and not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def test_tests_lie_in_the_room_that_they_test():
    rooms = {path.name for path in (ROOT / "src/siegel").iterdir() if path.is_dir()}
    tested = {path.name for path in (ROOT / "tests/unit").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert tested <= rooms, Path("tests/unit")
