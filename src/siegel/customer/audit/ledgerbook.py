"""The provider's book: what the ledger says of requests, of the keys that they used, and of what was written under which key."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from siegel.customer.audit.openings import Line, read_lines
from siegel.customer.audit.sources import Source
from siegel.customer.audit.walk import Progress
from siegel.domain.entry import CARRIED, DONE, UNWRAP, WRAP

# What makes a version, or gives it another key.
WRITES: Final = frozenset({"object.write", "object.copy", "upload.complete"})
REKEYED: Final = "object.encryption.write"
# What opens a version's keys.
READS: Final = frozenset({"object.read", "object.head", "object.attributes"})
NULL: Final = "null"
COMPLETE: Final = "upload.complete"

# What uses a key.
WRAPS: Final = frozenset({WRAP, "kms.generate_data_key_without_plaintext", "kms.encrypt"})
REENCRYPT: Final = "kms.re_encrypt"

_USES: Final = WRAPS | {UNWRAP, REENCRYPT}
# Kinds of what nobody can have done but a request.
_ASKED: Final = ("object.", "upload.", "bucket.", "kms.", "iam.", "sts.")
_PROGRESS_EVERY: Final = 256


class Said(Struct, frozen=True, gc=False):
    """What one entry says. `names` tells whether its opening is there; without it, the names are empty.

    `ledger` is whose entry it is, empty where one ledger is all there is. Of a use of a key that the entry of an object carries,
    `carrier` is that entry's kind; it is empty where the use has an entry of its own.
    """

    index: int
    recorded_ms: int
    asked_ms: int
    request_id: str
    kind: str
    status: int
    key_ids: tuple[str, ...]
    call_id: str
    version: str
    names: bool
    principal: str = ""
    bucket: str = ""
    object_key: str = ""
    ledger: str = ""
    carrier: str = ""

    @property
    def place(self) -> int | str:
        """Where the entry is, for evidence."""
        return f"{self.index} of {self.ledger}" if self.ledger else self.index

    @property
    def is_of_key(self) -> bool:
        """Whether it is a use of a key, in an entry of its own or carried by another."""
        return self.kind in _USES

    @property
    def is_done(self) -> bool:
        """Whether the service did what was asked for."""
        return self.status in DONE


class Request(Struct):
    """What is said of one request: of itself, and of the keys that it used, in entries of their own or carried by its own."""

    own: list[Said] = field(default_factory=list)
    uses: list[Said] = field(default_factory=list)


class Span(Struct, frozen=True):
    """Which requests are to be read: those recorded from `since_ms` on, and asked before `before_ms`."""

    since_ms: int
    before_ms: int


class Change(Struct, frozen=True, gc=False):
    """A write of a version: by which request, of which kind, and between which times it became true."""

    asked_ms: int
    recorded_ms: int
    request_id: str
    kind: str


class LedgerBook(Struct):
    """Requests of an interval; and from the first entry on what was written, and which requests have wrapped and unwrapped keys.

    Changes are in the order of their times, as are `blind_ms`, the times of writes of which is not known what they wrote.
    `rekeyers` have given another key to a version that was there, or tried to.
    `nameless` are entries that a request must have made and that name none. `buckets` are all of which something was asked.
    """

    requests: dict[str, Request] = field(default_factory=dict)
    changes: dict[tuple[str, str, str], list[Change]] = field(default_factory=lambda: defaultdict(list))
    wrappers: set[str] = field(default_factory=set)
    unwrappers: set[str] = field(default_factory=set)
    rekeyers: set[str] = field(default_factory=set)
    blind_ms: list[int] = field(default_factory=list)
    nameless: list[Said] = field(default_factory=list)
    buckets: set[str] = field(default_factory=set)
    first_ms: int | None = None


class Shelf(Struct, frozen=True):
    """A ledger of `size` entries that is to be read. `name` is empty where it is the only one."""

    source: Source
    size: int
    name: str = ""


def read_ledger_book(
    shelves: Sequence[Shelf], keys: frozenset[str], span: Span, progress: Progress = lambda _count: None
) -> LedgerBook:
    """Read the ledgers of one service as one: its requests have ids of one kind, and some touch two accounts.

    `keys` are the customer's. Raises LedgerFormError, SourceError.
    """
    book = LedgerBook()
    for shelf in shelves:
        for line in read_lines(shelf.source, 0, shelf.size):
            if line.leaf is not None:
                _note(book, line, shelf.name, keys, span)
            if (line.index + 1) % _PROGRESS_EVERY == 0:
                progress(_PROGRESS_EVERY)
    _complete(book, shelves, span)
    for changes in book.changes.values():
        changes.sort(key=lambda change: change.recorded_ms)
    book.blind_ms.sort()
    return book


def _note(book: LedgerBook, line: Line, ledger: str, keys: frozenset[str], span: Span) -> None:
    said = _read(line, ledger)
    if said is None:
        return
    if book.first_ms is None or said.recorded_ms < book.first_ms:
        book.first_ms = said.recorded_ms
    use = _use_in(said)
    if said.bucket and use is not said:
        # A key alone may have been used for a bucket of another account.
        book.buckets.add(said.bucket)
    _note_change(book, said)
    if said.kind == REKEYED:
        book.rekeyers.add(said.request_id)
    if use is not None and use.is_done and not keys.isdisjoint(use.key_ids):
        (book.unwrappers if use.kind == UNWRAP else book.wrappers).add(said.request_id)
    if said.recorded_ms < span.since_ms or said.asked_ms >= span.before_ms:
        return
    if not said.request_id:
        if said.kind.startswith(_ASKED):
            book.nameless.append(said)
        return
    _put(book.requests.setdefault(said.request_id, Request()), said, use)


def _put(request: Request, said: Said, use: Said | None) -> None:
    if use is not None:
        request.uses.append(use)
    if use is not said:
        request.own.append(said)


def _complete(book: LedgerBook, shelves: Sequence[Shelf], span: Span) -> None:
    """Find the rest of requests that began so long before that only later uses of keys are there: of a body that streams.

    That is rare, and takes a second reading: what was asked for in all time would not fit into memory.
    """
    parted = {
        name
        for name, request in book.requests.items()
        if not request.own and any(use.bucket and use.asked_ms < span.since_ms for use in request.uses)
    }
    if not parted:
        return
    for shelf in shelves:
        for line in read_lines(shelf.source, 0, shelf.size):
            said = _read(line, shelf.name)
            if said is not None and said.request_id in parted and said.recorded_ms < span.since_ms:
                _put(book.requests[said.request_id], said, _use_in(said))


def _note_change(book: LedgerBook, said: Said) -> None:
    if not said.is_done or (said.kind != REKEYED and (said.kind not in WRITES or said.version != NULL)):
        return
    if said.names:
        change = Change(said.asked_ms, said.recorded_ms, said.request_id, said.kind)
        book.changes[said.bucket, said.object_key, said.version].append(change)
    else:
        book.blind_ms.append(said.recorded_ms)


def _use_in(said: Said) -> Said | None:
    """Return what an entry says of a use of a key: all that it says, what it carries, or None."""
    if said.kind in _USES:
        return said
    kind = CARRIED.get(said.kind)
    return replace(said, kind=kind, carrier=said.kind) if kind and said.key_ids else None


def _read(line: Line, ledger: str) -> Said | None:
    leaf, opening = line.leaf, line.opening
    if leaf is None:
        return None
    facts = leaf.facts
    return Said(
        line.index,
        leaf.recorded_at_ms,
        facts.asked_at_ms,
        leaf.request_id,
        facts.kind,
        facts.status,
        facts.key_ids,
        facts.key_call_id,
        facts.version_id,
        names=opening is not None,
        principal=opening.principal if opening else "",
        bucket=opening.bucket if opening else "",
        object_key=opening.object_key if opening else "",
        ledger=ledger,
    )
