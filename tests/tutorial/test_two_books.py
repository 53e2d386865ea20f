"""The page `docs/tutorial/two-books.md`, played: provider, customer, witness, engineer, auditor, each with a directory."""

from __future__ import annotations

from pathlib import Path

from .stage import SOURCES, Stage, lend

PAGE = SOURCES / "docs" / "tutorial" / "two-books.md"
HEX = "[0-9a-f]"
WORDS = {
    "ACCOUNT": r"\d{12}",
    "OPERATOR_ID": "SGO[A-Z0-9]+",
    "XKS_ID": "[A-Z2-7]{20,30}",
    "XKS_SECRET": r"\S+",
    "BOX_KEY": f"{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}",
    "KEY_STORE": r"cks-\w+",
    "KEY_ARN": r"arn:aws:kms:\S+",
    "LOG_KEY": r"\S+",
    "LOG_KEY_TOO": r"\S+",
    "WITNESS_KEY": r"\S+",
    "NUMBER": r"\d+",
    "CONSENT": f"{HEX}{{16}}",
}


def test_the_page_two_books(tmp_path: Path) -> None:
    with Stage(tmp_path, lend(tmp_path / "programs", "aws", "cheat"), WORDS) as stage:
        stage.play(PAGE)
