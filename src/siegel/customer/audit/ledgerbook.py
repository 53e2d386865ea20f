"""The provider's book: what the ledger says of requests, of the keys that they used, and of what was written under which key."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from siegel.customer.audit.openings import Line, read_lines
from siegel.customer.audit.sources import Source
from siegel.customer.audit.walk import Progress

# What makes a version, or gives it another key.
WRITES: Final = frozenset({"object.write", "object.copy", "upload.complete"})
REKEYED: Final = "object.encryption.write"
# What opens a version's keys.
READS: Final = frozenset({"object.read", "object.head", "object.attributes"})
NULL: Final = "null"
COMPLETE: Final = "upload.complete"
UNWRAP: Final = "kms.decrypt"

# What uses a key.
WRAPS: Final = frozenset({"kms.generate_data_key", "kms.generate_data_key_without_plaintext", "kms.encrypt"})
REENCRYPT: Final = "kms.re_encrypt"

_USES: Final = WRAPS | {UNWRAP, REENCRYPT}
# Kinds of what nobody can have done but a request.
_ASKED: Final = ("object.", "upload.", "bucket.", "kms.", "iam.", "sts.")
_DONE: Final = frozenset({200, 204, 206})
_PROGRESS_EVERY: Final = 256


class Said(Struct, frozen=True, gc=False):
    """What one entry says. `names` tells whether its opening is there; without it, the names are empty.

    `ledger` is whose entry it is, empty where one ledger is all there is.
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

    @property
    def place(self) -> int | str:
        """Where the entry is, for evidence."""
        return f"{self.index} of {self.ledger}" if self.ledger else self.index

    @property
    def is_done(self) -> bool:
        """Whether the service did what was asked for."""
        return self.status in _DONE


class Request(Struct):
    """The entries of one request: its own, and those of the keys that it used."""

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
    `nameless` are entries that a request must have made and that name none. `buckets` are all that are named.
    """

    requests: dict[str, Request] = field(default_factory=dict)
    changes: dict[tuple[str, str, str], list[Change]] = field(default_factory=lambda: defaultdict(list))
    wrappers: set[str] = field(default_factory=set)
    unwrappers: set[str] = field(default_factory=set)
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
    if said.bucket:
        book.buckets.add(said.bucket)
    is_use = said.kind in _USES
    if is_use and said.is_done and not keys.isdisjoint(said.key_ids):
        (book.unwrappers if said.kind == UNWRAP else book.wrappers).add(said.request_id)
    if said.is_done and (said.kind == REKEYED or (said.kind in WRITES and said.version == NULL)):
        if said.names:
            change = Change(said.asked_ms, said.recorded_ms, said.request_id, said.kind)
            book.changes[said.bucket, said.object_key, said.version].append(change)
        else:
            book.blind_ms.append(said.recorded_ms)
    if said.recorded_ms < span.since_ms or said.asked_ms >= span.before_ms:
        return
    if not said.request_id:
        if said.kind.startswith(_ASKED):
            book.nameless.append(said)
        return
    request = book.requests.setdefault(said.request_id, Request())
    (request.uses if is_use else request.own).append(said)


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
