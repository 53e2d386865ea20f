"""`siegel audit`: whether a ledger is whole, unchanged and witnessed. It needs nothing of the server's."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from siegel.app.commands.counting import counting
from siegel.app.commands.files import read_file, write_file
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_piece, print_text
from siegel.customer.audit.book import Book, initialise
from siegel.customer.audit.compare import compare as compare_heads
from siegel.customer.audit.dates import DELAY_S_MAX, MAX_AGE_S_MAX, Promise
from siegel.customer.audit.findings import Report, summary, time_text
from siegel.customer.audit.receipts import check_receipt, make_receipts
from siegel.customer.audit.sources import FolderSource, HttpSource, Source, SourceError, find_credential
from siegel.customer.audit.sync import sync as sync_book
from siegel.customer.audit.verify import verify as verify_mirror
from siegel.customer.consent.pins import pin, read_keys
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerError, UnsignedError
from siegel.ledger.notes import NOTE_BYTES_MAX
from siegel.ledger.policies import POLICY_BYTES_MAX, read_policy
from siegel.ledger.proof_files import PROOF_FILE_BYTES_MAX

EXIT_BROKEN: Final = 3

Folder = Annotated[Path, Parameter(name="DIR", help="The directory of audits.")]
Region = Annotated[str, Parameter(env_var=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Region that requests are signed for.")]
Authority = Annotated[Path | None, Parameter(help="PEM file of the authorities to believe, in place of the system's.")]
PolicyFile = Annotated[Path, Parameter(help="Policy file (c2sp.org/tlog-policy): the ledger's keys, the witnesses, the quorum.")]


def init(
    folder: Folder,
    /,
    *,
    from_: Annotated[str, Parameter(name="--from", help="The ledger: https://HOST/.ledger/ACCOUNT, or a directory.")],
    policy: PolicyFile,
    max_age_s: Annotated[
        int, Parameter(validator=Number(gte=1, lte=MAX_AGE_S_MAX), help="How old the ledger's head may be.")
    ] = Promise().max_age_s,
    delay_s: Annotated[
        int,
        Parameter(
            validator=Number(gte=0, lte=DELAY_S_MAX),
            help="How soon an entry must be in the ledger, differences of clocks included.",
        ),
    ] = Promise().delay_s,
    consent_keys: Annotated[
        Path | None, Parameter(help="The file of consent keys: whose signatures let the provider's people in.")
    ] = None,
) -> None:
    """Make a directory for the audits of a ledger; the help text is in `audit_cli.py`."""
    source = from_ if "://" in from_ else str(Path(from_).absolute())
    if "://" in source:
        HttpSource(source, None)
    keys = None if consent_keys is None else read_keys(consent_keys)
    try:
        initialise(folder, source, read_file(policy, POLICY_BYTES_MAX), Promise(max_age_s, delay_s))
    except LedgerError as error:
        raise ConfigurationError(f"{policy}: {error}") from None
    if keys is not None:
        pin(folder, keys, int(time.time()))
    print_text(f"{folder} is ready\nnext: siegel audit sync {folder}")


def sync(
    folder: Folder,
    /,
    *,
    from_: Annotated[str | None, Parameter(name="--from", help="Another place of the same ledger, this once.")] = None,
    region: Region = "us-east-1",
    ca: Authority = None,
    json: AsJson = False,
) -> None:
    """Fetch what is new and verify it; the help text is in `audit_cli.py`."""
    book = Book(folder)
    with opened(from_ or book.settings.source, region, ca) as source, counting(json) as begin:
        done = sync_book(book, source, int(time.time()), lambda files: begin("files", files))
    _tell(done.report, as_json=json, evidence=str(done.evidence) if done.evidence else None)


def verify(folder: Folder, /, *, json: AsJson = False) -> None:
    """Verify the whole mirror again, offline; the help text is in `audit_cli.py`."""
    _tell(_verified(folder, quiet=json), as_json=json)


def report(
    folder: Folder,
    /,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="File for the report, in place of the terminal.")
    ] = None,
) -> None:
    """Verify the whole mirror again, and write a page about it."""
    found = _verified(folder, quiet=False)
    page = f"Audit of a ledger, {time_text(found.checked_at_s)}\n\n{summary(found)}\n"
    if output is None:
        print_piece(page)
    else:
        write_file(output, page.encode())
    _leave(found)


def receipt(
    folder: Folder,
    entry: Annotated[
        str, Parameter(name="ENTRY", help="What x-siegel-entry says, 16 hex digits; or #N for the entry of index N.")
    ],
    /,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Directory for the files; the current one unless given.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write receipts for the entries of a request; the help text is in `audit_cli.py`."""
    files = {}
    for index, data in make_receipts(Book(folder), entry).items():
        path = (output or Path()) / f"entry-{index}.tlog-proof"
        write_file(path, data)
        files[index] = str(path)
    if json:
        print_json({"receipts": [{"index": index, "file": file} for index, file in files.items()]})
    else:
        print_text("\n".join(files.values()))


def check(
    file: Annotated[Path, Parameter(name="FILE", help="A receipt (.tlog-proof).")],
    /,
    *,
    policy: PolicyFile,
    hand_over: Annotated[
        tuple[Path, ...],
        Parameter(negative="", help="Hand-over of the ledger's keys (DIR/ledger/handover/000); may be repeated, in their order."),
    ] = (),
    json: AsJson = False,
) -> None:
    """Check a receipt offline, with a policy alone, and the hand-overs since that was written."""
    try:
        trusted = read_policy(read_file(policy, POLICY_BYTES_MAX))
    except LedgerError as error:
        raise ConfigurationError(f"{policy}: {error}") from None
    told: dict[str, Any] = {"holds": False}
    try:
        found = check_receipt(
            read_file(file, PROOF_FILE_BYTES_MAX + 1), trusted, [read_file(each, PROOF_FILE_BYTES_MAX + 1) for each in hand_over]
        )
    except UnsignedError as error:
        told["problem"] = str(error)
        text = (
            f"DOES NOT HOLD: {error}\n"
            "If the ledger's keys were handed over since the policy was written, say how: --hand-over DIR/ledger/handover/000"
        )
    except LedgerError as error:
        told["problem"] = str(error)
        text = f"DOES NOT HOLD: {error}"
    else:
        head = found.judgement.checkpoint
        told = {
            "holds": True,
            "ledger": head.origin,
            "index": found.index,
            "size": head.size,
            "root": head.root.hex(),
            "witnesses": found.judgement.witnessed,
            "entry": found.entry.hex(),
        }
        seen = ", ".join(f"{name} at {time_text(at_s)}" for name, at_s in found.judgement.witnessed.items()) or "nobody"
        text = f"HOLDS: it is entry {found.index} of {head.size} in {head.origin}, witnessed by {seen}"
    if json:
        print_json(told)
    else:
        print_text(text)
    if not told["holds"]:
        sys.exit(EXIT_BROKEN)


def compare(
    folder: Folder,
    head: Annotated[Path, Parameter(name="HEAD", help="A file with the head (checkpoint) that somebody else was shown.")],
    /,
    *,
    json: AsJson = False,
) -> None:
    """Tell whether somebody else was shown the same history; the help text is in `audit_cli.py`."""
    _tell(compare_heads(Book(folder), read_file(head, NOTE_BYTES_MAX + 1), int(time.time())), as_json=json)


def _verified(folder: Path, *, quiet: bool) -> Report:
    with counting(quiet) as begin:
        return verify_mirror(Book(folder), int(time.time()), lambda entries: begin("entries", entries))


@contextmanager
def opened(place: str, region: str, authority: Path | None) -> Iterator[Source]:
    """Yield a ledger's source: a directory, or a server that is asked in the environment's name.

    Raises SourceError for a directory that is not there: a disk that is not mounted has no ledger that could be broken.
    """
    if "://" not in place:
        if not Path(place).is_dir():
            raise SourceError(f"the ledger cannot be had: {place} is no directory")
        yield FolderSource(Path(place))
        return
    source = HttpSource(place, find_credential(), region=region, authority=authority)
    try:
        yield source
    finally:
        source.close()


def _tell(found: Report, *, as_json: bool, evidence: str | None = None) -> None:
    if as_json:
        print_json({"holds": found.holds(), **msgspec.to_builtins(found), "evidence": evidence})
    else:
        print_text(summary(found) + (f"\n  evidence       {evidence}" if evidence else ""))
    _leave(found)


def _leave(found: Report) -> None:
    if not found.holds():
        sys.exit(EXIT_BROKEN)
