"""A provider's ledger and a customer's log of keys that tell one story, until a test changes one of them."""

import json
from datetime import UTC, datetime

from tests.unit.customer.ledgers import Desk
from tests.unit.ledger.log import ORIGIN, Log

from siegel.customer.audit.accounts import Wanted, balance_books
from siegel.customer.audit.book import Book
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.openings import openings_path
from siegel.customer.audit.reconcile import Terms
from siegel.customer.keybox.chain import EMPTY, link
from siegel.customer.receipts import ClientReceipt
from siegel.domain.entry import CARRIED
from siegel.domain.moments import encode_time_ms
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.leaves import Facts, Leaf, Opening, commit_name, commit_person, encode_leaf, encode_opening
from siegel.ledger.tiles import ENTRIES, new_tiles

BEGAN_MS = 1_800_000_000_000
KEY, OTHER = "1c9b2f6e-5b0e-4d0a-9a53-0a6f5c0e9d11", "2d0c3a7f-6c1f-4e1b-8b64-1b706d1fae22"
ALICE = "arn:aws:iam::1:user/alice"
FILM = ("photos", "film.mp4", "v1")
# Where a process of the service began to count.
FIRST_ID = 0x4000000000000000


def arn(key_id):
    return f"arn:aws:kms:r:1:key/{key_id}"


def name_of(number):
    return f"{number:016X}"


class Story:
    """Requests one after the other, a second apart, as they go into both books.

    `carries`: entries of objects carry the uses of keys, as they do now; else each use has an entry of its own, as it once had.
    """

    def __init__(self, folder, delay_s=1, began_ms=BEGAN_MS, origin=ORIGIN, *, carries=True):
        self.folder, self.origin, self.carries = folder, origin, carries
        self.account_id = origin.rpartition("/")[2]
        self.desk = Desk(folder, promise=Promise(delay_s=delay_s), origin=origin)
        self.now_ms, self.number = began_ms, FIRST_ID
        self.entries, self.lines, self.receipts = [], [], []

    # The books, entry by entry and line by line

    def begin(self, later_ms=1000):
        """Begin a request: return its id."""
        self.now_ms += later_ms
        self.number += 1
        return name_of(self.number)

    def entry(self, request, kind, place=FILM, **more):
        """Write an entry into the ledger; return its fields, for a test to change."""
        fields = {
            "request": request, "kind": kind, "asked_ms": self.now_ms, "recorded_ms": self.now_ms + 20, "status": 200,
            "bucket": place[0], "object": place[1], "version": place[2], "principal": ALICE, "keys": (), "call": "", "reason": "",
            "erased": False,
        } | more  # fmt: skip
        self.entries.append(fields)
        return fields

    def use(self, request, kind="kms.decrypt", key=KEY, bucket=FILM[0], **more):
        """Write down a use of a key: in the last entry if that can carry it, else in one of its own."""
        last = self.of(request)[-1:]
        if self.carries and "status" not in more and last and CARRIED.get(last[0]["kind"]) == kind and not last[0]["keys"]:
            last[0] |= {"keys": (key,), "call": more.get("call", request)}
            return last[0]
        return self.entry(request, kind, (bucket, arn(key), ""), **({"keys": (key,), "call": request} | more))

    def line(self, request, operation, place=FILM, **more):
        """Write a line into the log of the key server."""
        fields = {
            "at_ms": self.now_ms + 5, "operation": f"xks.{operation}", "result": "ok", "request_id": request, "principal": ALICE,
            "key": KEY, "reason": "object.read", "via": "s3",
            "context": dict(zip(("account", "bucket", "key", "version"), (self.account_id, *place), strict=True)),
        } | more  # fmt: skip
        self.lines.append(fields)
        return fields

    def of(self, request):
        """Return the entries of a request."""
        return [one for one in self.entries if one["request"] == request]

    # Requests that are in both

    def write(self, place=FILM, shown=None, **more):
        """Write an object under the key. `shown`: the version as clients see it."""
        request = self.begin()
        self.line(request, "encrypt", place, reason="object.write", **more)
        self.line(request, "decrypt", place, reason="object.write", **more)
        self.entry(request, "object.write", (place[0], place[1], shown or place[2]))
        self.use(request, "kms.generate_data_key", bucket=place[0], **({"key": more["key"]} if "key" in more else {}))
        return request

    def read(self, place=FILM, shown=None, call=None, later_ms=1000):
        """Read an object: the key server is asked, or with `call` the use rests on an earlier request."""
        request = self.begin(later_ms)
        if call is None:
            self.line(request, "decrypt", place)
        self.entry(request, "object.read", (place[0], place[1], shown or place[2]))
        self.use(request, bucket=place[0], call=call or request)
        self.receipts.append(self.receipt(request, place))
        return request

    def receipt(self, request, place=FILM, method="GET", status=200):
        at = datetime.fromtimestamp((self.now_ms + 30) / 1000, UTC)
        return ClientReceipt(at, request, method, place[0], place[1], place[2], status)

    # What comes of it

    def box_log(self):
        head, lines = EMPTY, []
        for fields in self.lines:
            metadata = {"kmsKeyArn": arn(fields["key"]), "reason": fields["reason"]}
            if fields["via"]:
                metadata["kmsViaService"] = fields["via"]
            line = {name: fields[name] for name in ("operation", "result", "request_id", "principal", "context")}
            line, head = link(head, json.dumps({"at": encode_time_ms(fields["at_ms"]), **line, "metadata": metadata}).encode())
            lines.append(line)
        return b"".join(lines)

    def publish_ledger(self, end_ms=60_000):
        """Publish the ledger under a head of some time later."""
        leaves = [_leaf(fields, number) for number, fields in enumerate(self.entries)]
        self.now_ms += end_ms
        log = Log([entry for entry, _ in leaves], origin=self.origin)
        self.desk.publish(log, at_s=self.now_ms // 1000)
        for tile in new_tiles(0, log.size):
            if tile.level == ENTRIES:
                path = self.desk.ledger / openings_path(tile)
                path.parent.mkdir(parents=True, exist_ok=True)
                some = leaves[tile.index * 256 : tile.index * 256 + tile.width]
                path.write_bytes(encode_bundle(opening for _, opening in some))

    def publish(self, end_ms=60_000):
        """Put the ledger into the mirror, and the log into a box's directory, some time later."""
        self.publish_ledger(end_ms)
        self.desk.sync(now_s=self.now_ms // 1000)
        box = self.folder / "box"
        box.mkdir(exist_ok=True)
        (box / "log.jsonl").write_bytes(self.box_log())
        (self.folder / "receipts.jsonl").write_bytes(b"".join(json_line(one) for one in self.receipts))

    def balance(self, *, from_ms=None, to_ms=None, log=None, also=(), receipts=True, others=(), **terms):
        wanted = Wanted(
            logs=[log or self.folder / "box", *also],
            receipts=[self.folder / "receipts.jsonl"] if receipts else [],
            from_ms=from_ms,
            to_ms=to_ms,
            terms=Terms(from_ms=0, to_ms=0, **terms),
        )
        books = [Book(each.desk.book.folder) for each in (self, *others)]
        return balance_books(books, wanted, self.now_ms + 1000)

    def told(self, **more):
        """Publish, compare, and return kinds and first words of what differs."""
        self.publish()
        return [(str(one.kind), one.message) for one in self.balance(**more).mismatches]


def json_line(receipt):
    fields = {name: getattr(receipt, name) for name in ("entry", "method", "bucket", "key", "version", "status")}
    return json.dumps({"at": receipt.at.isoformat(), **fields}).encode() + b"\n"


def _leaf(fields, number):
    opening = Opening(number.to_bytes(32), fields["principal"], "192.0.2.7", "", fields["bucket"], fields["object"])
    facts = Facts(
        fields["asked_ms"],
        fields["kind"],
        fields["status"],
        commit_person(opening),
        commit_name(opening),
        version_id=fields["version"],
        reason=fields["reason"],
        key_ids=fields["keys"],
        key_call_id=fields["call"],
    )
    return encode_leaf(Leaf(fields["recorded_ms"], fields["request"], facts)), b"" if fields["erased"] else encode_opening(
        opening
    )


def words(told):
    """Return the kinds, and of each message what comes before a comma."""
    return [(kind, message.partition(",")[0]) for kind, message in told]
