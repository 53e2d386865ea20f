"""A ledger in a directory, as a provider publishes it, and an auditor's directory beside it."""

from pathlib import Path

from tests.unit.ledger.log import Log, policy_text, witness_key

from siegel.customer.audit.book import Book, initialise
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.sources import FolderSource
from siegel.customer.audit.sync import sync
from siegel.ledger.tiles import ENTRIES, new_tiles

NOW_S = 1_800_000_000
WITNESSES = [witness_key(0), witness_key(1)]


# When the ledger began; ten entries a second from then on.
BEGAN_S = NOW_S - 120


def entry(number, at_s=None, request=None):
    """Return an entry as ledgers have them: a version, a time, a request id, the rest."""
    at_ms = BEGAN_S * 1000 + number * 100 if at_s is None else int(at_s * 1000)
    request = number + 1 if request is None else request
    return b"\x01" + at_ms.to_bytes(8) + request.to_bytes(8) + b"access %d" % number


def entries(count, start=0):
    return [entry(number) for number in range(start, start + count)]


def head_at(log):
    """Return when an honest log signs its head: a second after the last entry, at most."""
    return BEGAN_S + log.size // 10 + 1


def publish(log, folder, at_s=None, witnesses=WITNESSES):
    """Write what the log's head needs, and the head."""
    at_s = head_at(log) if at_s is None else at_s
    for tile in new_tiles(0, log.size):
        content = log.files.get(tile) if tile.level == ENTRIES else log.tile(tile)
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_bytes(log.checkpoint(at_s, witnesses))
    return folder


class Desk:
    """An auditor with a policy, and the ledger that it looks at."""

    def __init__(self, folder: Path, quorum="all", witnesses=WITNESSES, promise=None):
        self.ledger = folder / "provider"
        self.policy = policy_text(quorum, witnesses=witnesses)
        self.book = initialise(folder / "audits", str(self.ledger), self.policy, promise or Promise())

    def publish(self, log, **how):
        publish(log, self.ledger, **how)
        return self

    def sync(self, now_s=NOW_S):
        return sync(Book(self.book.folder), FolderSource(self.ledger), now_s)

    def checks(self, now_s=NOW_S):
        """Return the names of the checks that do not hold."""
        return {str(finding.check) for finding in self.sync(now_s).report.findings}


def log_of(count, **more):
    return Log(entries(count), **more)
