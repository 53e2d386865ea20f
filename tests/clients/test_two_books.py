"""The page `docs/tutorial/two-books.md` with the real AWS command line, which the tests without it only imitate."""

from pathlib import Path

from bench import INSTALLED
from tests.tutorial.stage import Stage, lend
from tests.tutorial.test_two_books import PAGE, WORDS


def test_the_page_two_books(tmp_path: Path) -> None:
    programs = lend(tmp_path / "programs", "cheat", aws=INSTALLED / "a" / "bin" / "aws")
    with Stage(tmp_path, programs, WORDS) as stage:
        stage.play(PAGE)
