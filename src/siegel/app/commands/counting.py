"""A bar of progress for things that are counted."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting(quiet: bool) -> Iterator[Callable[[str, int], Callable[[int], None]]]:  # noqa: FBT001 - the one thing there is to say
    """Yield what begins a bar, by a name and how much there is, and returns what is to be told how much was done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _total: lambda _count: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only a terminal is worth
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  the same

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def begin(what: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(what, total=total)
            return lambda count: bars.advance(task, count)

        yield begin
