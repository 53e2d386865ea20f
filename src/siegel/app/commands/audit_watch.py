"""`siegel audit watch`: looks at ledgers again and again, and tells somebody what is new."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NoReturn

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.app.commands.audit import EXIT_BROKEN, Region, opened
from siegel.app.commands.audit_books import NO_BOOKS, TheirBooks
from siegel.app.commands.options import AsJson
from siegel.app.output import flush_output, print_error, print_json, print_text
from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import shown, time_text
from siegel.customer.audit.notices import (
    ASKED,
    FINDING,
    WARNED,
    WARNING_OVER,
    WELL,
    Channel,
    CommandChannel,
    MailChannel,
    WebhookChannel,
)
from siegel.customer.audit.watch import LOCK_NAME, Comparing, Round, Watch
from siegel.customer.keybox.folder import locked
from siegel.domain.errors import ConfigurationError, StorageError

WEBHOOK_VARIABLE: Final = "SIEGEL_AUDIT_WEBHOOK"
EXIT_UNKNOWN: Final = 1
_EVENTS: Final = {FINDING: "NEW", WELL: "WELL AGAIN", ASKED: "ASKED", WARNED: "WARNED", WARNING_OVER: "WARNED NO MORE"}

_log = logging.getLogger(__name__)


def watch(
    folders: Annotated[
        tuple[Path, ...], Parameter(name="DIR", help="The directory of audits; of each ledger, if these are several.")
    ],
    /,
    *,
    every_s: Annotated[int, Parameter(validator=Number(gte=1), help="Seconds between two looks.")] = 60,
    verify_every_s: Annotated[
        int, Parameter(validator=Number(gte=0), help="Seconds between two verifications of the whole mirror.")
    ] = 86_400,
    books: TheirBooks = NO_BOOKS,
    compare_every_s: Annotated[
        int, Parameter(validator=Number(gte=1), help="Seconds between two comparisons with your own books.")
    ] = 3600,
    once: Annotated[bool, Parameter(negative="", help="Look once, and end: for cron.")] = False,
    exec_: Annotated[
        str | None, Parameter(name="--exec", help="Command that gets each notice as JSON on standard input; no shell takes part.")
    ] = None,
    webhook: Annotated[
        str | None,
        Parameter(env_var=WEBHOOK_VARIABLE, help="Address that gets each notice as JSON by POST: https, or on this machine."),
    ] = None,
    mail_to: Annotated[tuple[str, ...], Parameter(negative="", help="Mail address that gets each notice; may be repeated.")] = (),
    mail_from: Annotated[str | None, Parameter(help="Mail address that notices come from.")] = None,
    smtp: Annotated[
        str, Parameter(help="HOST:PORT of the mail server; SIEGEL_SMTP_USER and SIEGEL_SMTP_PASSWORD sign in, if it wants that.")
    ] = "localhost:25",
    from_: Annotated[str | None, Parameter(name="--from", help="Another place of the same ledger, where one is watched.")] = None,
    region: Region = "us-east-1",
    ca: Annotated[
        Path | None, Parameter(help="PEM file of the authorities to believe of the ledger's server, not the system's.")
    ] = None,
    notify_ca: Annotated[Path | None, Parameter(help="As above, of webhook and mail server.")] = None,
    json: AsJson = False,
) -> None:
    """Watch ledgers; the help text is in `audit_cli.py`."""
    if from_ is not None and len(folders) > 1:
        raise ConfigurationError("--from is another place of one ledger, and these are several")
    channels: list[Channel] = []
    if exec_ is not None:
        channels.append(CommandChannel(exec_))
    if webhook is not None:
        channels.append(WebhookChannel(webhook, notify_ca))
    if mail_to:
        if mail_from is None:
            raise ConfigurationError("mail needs a sender\ntry: --mail-from ADDRESS")
        channels.append(MailChannel(smtp, mail_from, mail_to, authority=notify_ca))
    comparing = Comparing(books.wanted(), compare_every_s) if books.are_there else None

    def make(folder: Path) -> Watch:
        return Watch(
            folder, lambda place: opened(from_ or place, region, ca), channels, verify_every_s=verify_every_s, comparing=comparing
        )

    looking = _Looking(make, every_s, json)
    with _stopping():
        if once:
            _leave(looking.once(folders))
        looking.on(folders)


class _Looking:
    """Looks at ledgers, each in its own directory, at its own pace: what goes wrong with one holds up no other."""

    def __init__(self, make: Callable[[Path], Watch], every_s: int, as_json: bool) -> None:  # noqa: FBT001 - of this module
        self._make = make
        self._every_s = every_s
        self._as_json = as_json

    def once(self, folders: tuple[Path, ...]) -> list[Round | None]:
        """Return what one look at each gave, None where it could not be looked at. Raises ConfigurationError where it is one."""
        if len(folders) == 1:
            return [self._look_once(folders[0])]
        found: dict[int, Round | None] = {}

        def look(number: int, folder: Path) -> None:
            with _told(folder):
                found[number] = self._look_once(folder)

        _side_by_side(look, folders)
        return [found.get(number) for number in range(len(folders))]

    def on(self, folders: tuple[Path, ...]) -> None:
        """Look until the process ends. Raises ConfigurationError where it is one that cannot be watched."""
        if len(folders) == 1:
            self._look_on(folders[0])

        def look(_number: int, folder: Path) -> None:
            # One that could not be watched is tried again: somebody may have mended it.
            while True:
                with _told(folder):
                    self._look_on(folder)
                time.sleep(self._every_s)

        _side_by_side(look, folders)

    def _look_once(self, folder: Path) -> Round | None:
        with _alone(folder):
            return _round(self._make(folder), folder, as_json=self._as_json)

    def _look_on(self, folder: Path) -> NoReturn:
        with _alone(folder):
            watching = self._make(folder)
            while True:
                _round(watching, folder, as_json=self._as_json)
                time.sleep(self._every_s)


def _side_by_side(look: Callable[[int, Path], None], folders: tuple[Path, ...]) -> None:
    # Threads that need not be waited for at the end: what is kept is whole at any moment.
    threads = [threading.Thread(target=look, args=each, daemon=True) for each in enumerate(folders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    # What cannot be read at the start is a mistake of whoever starts it; later, it is something to tell.
    Book(folder)
    with locked(folder / LOCK_NAME, refusal=f"another watch runs on {folder}"):
        yield


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say why a ledger cannot be watched, and leave it at that: the others are watched."""
    try:
        yield
    except (ConfigurationError, StorageError) as error:
        print_error(f"{folder} is not watched: {error}")
    except Exception:  # noqa: BLE001 - whatever it is, it is said, and the others are watched
        _log.exception("%s is not watched", folder)


def _round(watching: Watch, folder: Path, *, as_json: bool) -> Round | None:
    """Look once and say what came of it; None where nothing could be kept."""
    try:
        done = watching.round()
    except StorageError as error:
        # The state cannot be written: nothing was sent, so that nothing is sent again and again.
        print_error(f"{folder}: {error}")
        return None
    if as_json:
        print_json({"directory": str(folder), "holds": done.holds, "could_check": done.could_check, **msgspec.to_builtins(done)})
    else:
        print_text(_words(done, folder))
    for line in done.undelivered:
        print_error(f"{folder}: not delivered, and tried again: {line}")
    flush_output()
    return done


def _words(done: Round, folder: Path) -> str:
    size = "" if done.report is None else f" {done.report.size} entries"
    verdict = "HOLDS" if done.holds else f"{done.standing} findings stand"
    if done.problem or (done.unread and not done.against):
        verdict = f"NOT CHECKED: {shown(done.problem or done.unread)}"
    lines = [f"{time_text(done.at_s)}  {shown(str(folder))}  {verdict}{size}"]
    for notice in done.notices:
        lines.append(f"  {_EVENTS[notice.event]}  {notice.check}: {shown(notice.message)}")
        lines += [f"        {name}: {shown(str(value))}" for name, value in notice.evidence.items()]
    return "\n".join(lines)


def _leave(rounds: list[Round | None]) -> NoReturn:
    if any(done is not None and done.against and done.report is not None for done in rounds):
        sys.exit(EXIT_BROKEN)
    sys.exit(0 if all(done is not None and done.could_check and done.holds for done in rounds) else EXIT_UNKNOWN)


class _Stopped(BaseException):
    """SIGTERM came. What is kept is whole at any moment."""


@contextmanager
def _stopping() -> Iterator[None]:
    """End quietly, with status 0, at SIGTERM."""

    def stop(_number: int, _frame: object) -> NoReturn:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Stopped:
        flush_output()
        # Threads that still fetch are of no use to anybody; they would be waited for.
        os._exit(0)
    finally:
        signal.signal(signal.SIGTERM, before)
