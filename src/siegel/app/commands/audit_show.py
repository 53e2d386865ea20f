"""`siegel audit show`: the entries of a mirror as people read them."""

import json as json_words
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from msgspec import Struct

from siegel.app.commands.options import AsJson
from siegel.app.output import print_error, print_text
from siegel.customer.audit.book import Book
from siegel.customer.audit.findings import shown, time_text
from siegel.customer.audit.openings import Line, read_lines
from siegel.customer.audit.receipts import REQUEST_ID, NoSuchEntryError
from siegel.domain.entry import CARRIED, WRAP
from siegel.ledger.leaves import Facts

EXIT_BROKEN: Final = 3

Pattern = Annotated[str, Parameter(help="Only entries that match; * and ? stand for anything.")]


class _Wanted(Struct, frozen=True):
    """What is to be shown."""

    request: str
    kind: str
    who: str
    bucket: str
    object_key: str
    key: str

    def holds(self, line: Line) -> bool:
        if line.leaf is None:
            return self == _EVERYTHING
        if self.request not in {"", line.leaf.request_id} or not fnmatchcase(line.leaf.facts.kind, self.kind):
            return False
        if self.key != "*" and not any(fnmatchcase(key_id, self.key) for key_id in line.leaf.facts.key_ids):
            return False
        if line.opening is None:
            return (self.who, self.bucket, self.object_key) == ("*", "*", "*")
        opening = line.opening
        pairs = ((opening.principal, self.who), (opening.bucket, self.bucket), (opening.object_key, self.object_key))
        return all(fnmatchcase(value, pattern) for value, pattern in pairs)


_EVERYTHING: Final = _Wanted("", "*", "*", "*", "*", "*")


def show(
    folder: Annotated[Path, Parameter(name="DIR", help="The directory of audits.")],
    /,
    *,
    request: Annotated[str, Parameter(help="What x-siegel-entry said: only entries of that request.")] = "",
    kind: Pattern = "*",
    who: Pattern = "*",
    bucket: Pattern = "*",
    object_key: Annotated[str, Parameter(name="--object", help="As above, of the object's key.")] = "*",
    key: Annotated[str, Parameter(help="Only uses of the keys whose ids match; the ARN of one key will do.")] = "*",
    first: Annotated[int, Parameter(help="Index of the first entry to show.")] = 0,
    json: AsJson = False,
) -> None:
    """Show the entries of the mirror; the help text is in `audit_cli.py`."""
    if request and not REQUEST_ID.fullmatch(request):
        raise NoSuchEntryError(f"{request!r} is no request id of 16 hex digits")
    book = Book(folder)
    _, size = book.mirrored()
    wanted = _Wanted(request, kind, who, bucket, object_key, key.rpartition(":key/")[2])
    forged = 0
    for line in read_lines(book.mirror, max(first, 0), size):
        forged += bool(line.problem)
        if wanted.holds(line):
            print_text(json_words.dumps(_fields(line)) if json else "  ".join(_words(line)))
    if forged:
        print_error(f"{forged} entries or openings are not what they should be\ntry: siegel audit verify {folder}")
        sys.exit(EXIT_BROKEN)


def _words(line: Line) -> Iterator[str]:
    yield f"{line.index:>8}"
    if line.leaf is None:
        yield line.problem or "the ledger's keys are handed over"
        return
    facts = line.leaf.facts
    yield time_text(line.leaf.recorded_at_ms / 1000)
    yield line.leaf.request_id or "-" * 16
    yield shown(f"{facts.kind} {facts.status}" + (f" {facts.reason}" if facts.reason else ""))
    if line.problem:
        yield f"!! {line.problem}"
    elif line.opening is None:
        yield "(erased)"
    else:
        opening = line.opening
        place = opening.bucket + (f"/{opening.object_key}" if opening.object_key else "")
        told = (opening.principal, place, facts.byte_range, f"from {opening.source}" if opening.source else "")
        yield from (shown(word) for word in told if word)
    yield from _keys(facts)


def _keys(facts: Facts) -> Iterator[str]:
    """Tell of the key whose use an entry carries; the entry of a use alone names it as what it is about."""
    if facts.key_ids and facts.kind in CARRIED:
        done = "sealed" if CARRIED[facts.kind] == WRAP else "opened"
        asked = f", asked for in {facts.key_call_id}" if facts.key_call_id else ""
        yield shown(f"{done} with key {', '.join(facts.key_ids)}{asked}")


def _fields(line: Line) -> dict[str, object]:
    fields: dict[str, object] = {"index": line.index}
    if line.leaf is not None:
        facts = line.leaf.facts
        fields |= {"recorded_at_ms": line.leaf.recorded_at_ms, "request_id": line.leaf.request_id}
        fields |= {name: getattr(facts, name) for name in ("asked_at_ms", "kind", "status", "reason", "bucket_id", "version_id")}
        fields |= {name: getattr(facts, name) for name in ("byte_range", "key_ids", "consent_id", "key_call_id")}
    if line.opening is not None:
        names = ("principal", "source", "permit", "bucket", "object_key")
        fields |= {name: getattr(line.opening, name) for name in names}
    return fields | ({"problem": line.problem} if line.problem else {})
