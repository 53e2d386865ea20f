"""What is said to people only, programs do not get."""

import io

import pytest

from siegel.app.output import print_waiting


@pytest.mark.parametrize(("is_terminal", "said"), [(True, "for a witness ...\n"), (False, "")])
def test_who_waits_at_a_terminal_is_told_what_for(monkeypatch, is_terminal, said):
    stream = io.StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr("sys.stderr", stream)
    print_waiting("for a witness")
    assert stream.getvalue() == said
