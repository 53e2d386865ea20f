import re

import pytest

from tests.house.pages import PAGES
from tests.house.tree import ROOT, shown, tracked


@pytest.mark.parametrize("place", PAGES)
def test_the_page_says_what_the_code_does(place):
    assert (ROOT / place).read_text(encoding="utf-8") == PAGES[place](), "run: make docs"


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make run" in text
    assert "make test" in text


def test_no_link_between_pages_leads_nowhere():
    broken = []
    for page in tracked(".md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{shown(page)}: {target}")
    assert broken == []


def test_every_path_that_a_page_or_docstring_names_exists():
    missing = []
    for file in tracked(".md", ".py"):
        for named in re.findall(r"`((?:src|docs|tests|tools|bench)/[\w./-]+)`", file.read_text(encoding="utf-8")):
            if not (ROOT / named).exists():
                missing.append(f"{shown(file)}: {named}")
    assert missing == []
