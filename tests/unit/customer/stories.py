"""A ledger that tells of a consent, as a provider publishes it, and a customer who audits it."""

from hashlib import sha256

from msgspec.structs import replace
from tests.unit.customer.ledgers import WITNESSES, Desk, publish
from tests.unit.ledger.consenting import APPROVAL, AT_S, KEYS, REQUEST, approval_note
from tests.unit.ledger.log import ORIGIN, Log

from siegel.customer.audit.consents import consent_path
from siegel.customer.audit.dates import Promise
from siegel.customer.audit.findings import Name
from siegel.customer.audit.openings import openings_path
from siegel.customer.consent.pins import pin
from siegel.domain.entry import Entry
from siegel.ledger.bundles import encode_bundle
from siegel.ledger.consent_evidence import Evidence
from siegel.ledger.consents import Action
from siegel.ledger.handover import HandOver
from siegel.ledger.tiles import ENTRIES, new_tiles
from siegel.service.ledgers.entries import make_leaf

ID = REQUEST.consent_id
PERSON = f"arn:aws:siegel:::support/{ID}/{REQUEST.person}"
ALICE = "arn:aws:iam::111122223333:user/alice"
OPERATOR = "operator/AKIAOPERATOR"
VIDEO = "case 7/video.mp4"
ALL = replace(APPROVAL, request=replace(REQUEST, actions=tuple(Action), max_reads=0))


class Story:
    """A ledger that tells of a consent, its documents, and a customer who audits it."""

    def __init__(self, folder, approval=ALL, keys=KEYS):
        self.desk = Desk(folder, promise=Promise(max_age_s=100_000, delay_s=10))
        if keys:
            pin(self.desk.book.folder, keys.encode(), AT_S - 3600)
        self.approval = approval
        self.entries, self.openings, self.documents = [], [], {}
        self.evidence_of = None

    def add(self, kind, at_s, principal=ALICE, bucket="", key="", *, status=200, content=b"", consent_id="", bucket_id=0):
        number = len(self.entries)
        at_ms = int((AT_S + at_s) * 1000)
        made = Entry(
            at_ms,
            f"{number + 1:016X}",
            kind,
            "",
            principal,
            bucket,
            key,
            status=status,
            source="192.0.2.7",
            bucket_id=bucket_id,
            manifest=content,
            consent_id=consent_id,
        )
        entry, opening = make_leaf(made, at_ms, number.to_bytes(32))
        self.entries.append(entry)
        self.openings.append(opening)
        return self

    @staticmethod
    def entry_of(kind):
        """Return an entry of a kind, of nobody and nothing."""
        return make_leaf(Entry(AT_S * 1000, f"{1:016X}", kind, "", "", ""), AT_S * 1000, bytes(32))[0]

    def asked(self, at_s=1):
        digest = sha256(self.approval.request.text.encode()).digest()
        self.documents[ID, "request"] = self.approval.request.text.encode()
        return self.add("consent.request", at_s, OPERATOR, content=digest, consent_id=ID)

    def approved(self, at_s=61, witnessed_at_s=63, note=None, **more):
        self.documents[ID, "approval"] = note or approval_note(self.approval)
        self.evidence_of = len(self.entries), witnessed_at_s
        return self.add("consent.approve", at_s, content=self.approval.digest, **{"consent_id": ID, **more})

    def used(self, at_s=100, kind="object.read", principal=PERSON, bucket="film", key=VIDEO, **more):
        return self.add(kind, at_s, principal, bucket, key, bucket_id=1, **{"consent_id": ID, **more})

    def publish(self, hidden=(), head_at_s=40_000):
        log, folder = Log(self.entries), self.desk.ledger
        publish(log, folder, at_s=AT_S + head_at_s)
        for tile in new_tiles(0, log.size):
            if tile.level == ENTRIES:
                path = folder / openings_path(tile)
                path.parent.mkdir(parents=True, exist_ok=True)
                numbers = range(tile.index * 256, tile.index * 256 + tile.width)
                path.write_bytes(encode_bundle(b"" if number in hidden else self.openings[number] for number in numbers))
        if self.evidence_of:
            self.documents[ID, "evidence"] = self.evidence()
        for (consent_id, name), data in self.documents.items():
            self.put(consent_path(consent_id, name), data)
        self.put("consents/index", "".join(f"{each}\n" for each in sorted({each for each, _ in self.documents})).encode())
        return self

    def evidence(self, at_s=None, witnesses=WITNESSES, keys=None):
        """Return the evidence of the approval, as it was when the head over it was signed at a time, by these keys."""
        index, first_s = self.evidence_of
        log = Log(self.entries[: index + 1], keys)
        at_s = AT_S + (first_s if at_s is None else at_s)
        proof = log.proof_file(index, self.entries[index], witnesses=witnesses, at_s=at_s)
        return Evidence(self.documents[ID, "approval"], self.openings[index], proof).encode()

    def proven(self, *evidence):
        """Show this evidence of the approval, the oldest first."""
        *earlier, self.documents[ID, "evidence"] = evidence
        self.documents[ID, "earlier"] = b"".join(earlier)
        self.evidence_of = None
        return self

    def handed_over(self, old, new, at_s=110):
        """Hand the log over to other keys, under a head of that time."""
        number = len(self.entries)
        statement = HandOver(ORIGIN, tuple(key.verifier for key in old), tuple(key.verifier for key in new)).encode()
        self.entries.append(statement)
        self.openings.append(b"")
        proof = Log(self.entries, [*old, *new]).proof_file(number, statement, witnesses=WITNESSES, at_s=AT_S + at_s)
        self.put("handover/000", proof)

    def put(self, path, data):
        place = self.desk.ledger / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def report(self, **how):
        self.publish(**how)
        return self.desk.sync(AT_S + how.get("head_at_s", 40_000)).report


def found(report):
    """Return what was found, without the numbers of entries; nothing else may be wrong."""
    assert {finding.check for finding in report.findings} <= {Name.CONSENT}, report.findings
    return [finding.message.partition(": ")[2] or finding.message for finding in report.findings]
