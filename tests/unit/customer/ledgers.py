"""A ledger in a directory, as a provider publishes it, and an auditor's directory beside it."""

from pathlib import Path

from tests.unit.ledger.log import ORIGIN, Log, log_keys, policy_text, witness_key

from siegel.customer.audit.book import Book, initialise
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.openings import openings_path
from siegel.customer.audit.sources import FolderSource
from siegel.customer.audit.sync import sync
from siegel.customer.audit.walk import audit
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.leaves import Facts, Leaf, Opening, commit_name, commit_person, encode_leaf, encode_opening
from siegel.ledger.tiles import ENTRIES, new_tiles

NOW_S = 1_800_000_000
WITNESSES = [witness_key(0), witness_key(1)]


# When the ledger began; ten entries a second from then on.
BEGAN_S = NOW_S - 120


def entry(number, at_s=None, request=None):
    """Return an entry as ledgers have them: a version, a time, a request id, the rest."""
    at_ms = BEGAN_S * 1000 + number * 100 if at_s is None else int(at_s * 1000)
    request = number + 1 if request is None else request
    made = opening(number)
    facts = Facts(at_ms, "object.read", 200, commit_person(made), commit_name(made), version_id=f"access {number}")
    return encode_leaf(Leaf(at_ms, f"{request:016X}", facts))


def opening(number, who="alice"):
    """Return what the entry of that number was made with."""
    return Opening(number.to_bytes(32), f"arn:aws:iam::1:user/{who}", "192.0.2.7", "Read of home", "photos", f"picture-{number}")


def entries(count, start=0):
    return [entry(number) for number in range(start, start + count)]


def head_at(log):
    """Return when an honest log signs its head: a second after the last entry, at most."""
    return BEGAN_S + log.size // 10 + 1


def publish_openings(log, folder, change=lambda _number, stored: stored):
    """Write the openings beside the entries."""
    for tile in new_tiles(0, log.size):
        if tile.level == ENTRIES:
            path = folder / openings_path(tile)
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = range(tile.index * 256, tile.index * 256 + tile.width)
            path.write_bytes(encode_bundle(change(number, encode_opening(opening(number))) for number in numbers))


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

    def __init__(self, folder: Path, quorum="all", witnesses=WITNESSES, promise=None, origin=ORIGIN):
        self.ledger = folder / "provider"
        self.policy = policy_text(quorum, log=log_keys(origin), witnesses=witnesses)
        self.book = initialise(folder / "audits", str(self.ledger), self.policy, promise or Promise())

    def publish(self, log, **how):
        publish(log, self.ledger, **how)
        return self

    def sync(self, now_s=NOW_S, wait=lambda _delay_s: None):
        return sync(Book(self.book.folder), FolderSource(self.ledger), now_s, wait=wait)

    def checks(self, now_s=NOW_S):
        """Return the names of the checks that do not hold."""
        return {str(finding.check) for finding in self.sync(now_s).report.findings}


def log_of(count, **more):
    return Log(entries(count), **more)


def verified(desk, now_s=NOW_S):
    """Verify the mirror from the first entry on, as the command does."""
    book = Book(desk.book.folder)
    trust = book.trust(book.mirror)
    before = book.before(trust)
    whole = type(before)(before.checkpoint, before.signed_at_s) if before else None
    return audit(book.mirror, trust, whole, now_s)


def names(report):
    return {str(finding.check) for finding in report.findings}


class Files:
    """A ledger's files in memory."""

    def __init__(self, files):
        self.files = files

    def get(self, path):
        return self.files.get(path)
