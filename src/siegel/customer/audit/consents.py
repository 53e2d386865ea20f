"""The documents of consents in a mirror, as far as they can be believed: by the customer's own keys, his policy, and the tree.

- consents/index: the ids, one a line
- consents/<id>/<name>: request, approval, evidence, earlier, denial, revocation, report
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from siegel.customer.audit.former import Former
from siegel.customer.audit.sources import Source, SourceError
from siegel.customer.audit.walk import read_bundle
from siegel.customer.consent.pins import Pins
from siegel.customer.keybox.consents import EVIDENCE_BYTES_MAX
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.consent_evidence import EARLIER_MAX, Proven, parse_evidence, recorded_at, split_evidence, verify_by_any
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.consents import AccessRequest, Approval, is_consent_id, parse_approval, parse_request
from siegel.ledger.leaves import Opening, decode_opening
from siegel.ledger.notes import NOTE_BYTES_MAX, parse_note
from siegel.ledger.proof_files import parse_proof_file
from siegel.ledger.tiles import ENTRIES, TILE_WIDTH, tile_at

INDEX: Final = "consents/index"
# A request never changes, and without one there is nothing else. What was evidence before is asked for behind what is: if it
# is made anew meanwhile, it is here twice, and never not at all.
DOCUMENTS: Final = ("request", "approval", "evidence", "earlier", "denial", "revocation", "report")
CONSENTS_MAX: Final = 100_000
NEW_MAX: Final = 1000
_BYTES_MAX: Final = dict.fromkeys(DOCUMENTS, NOTE_BYTES_MAX) | {
    "evidence": EVIDENCE_BYTES_MAX,
    "earlier": EARLIER_MAX * EVIDENCE_BYTES_MAX,
}
# So long after its end nothing more is expected of a consent.
_SETTLED_S: Final = 7 * 24 * 3600


class Known(Struct):
    """One consent, as the mirror tells of it. `approval` is None where none was signed as it must be; `problem` says why.

    `index` and `witnessed_at_s` are of the evidence, None where there is none. `opening` is the one in the evidence. `unproven`
    says what is wrong with evidence that would be of before that time, and does not hold; it is empty if there is none.
    """

    consent_id: str
    approval: Approval | None = None
    problem: str = "no approval of it is there"
    index: int | None = None
    witnessed_at_s: int | None = None
    opening: Opening | None = None
    unproven: str = ""


class Judging(Struct, frozen=True):
    """By what consents are judged: the keys that were pinned, the policies of now and of before, how much clocks are forgiven."""

    pins: Pins
    policies: Sequence[Former]
    slack_s: int

    def keys(self, at_s: int) -> Sequence[ConsentKeys]:
        """Return the keys that counted at a time. Raises LedgerFormError if none are pinned."""
        found = self.pins.at(at_s, self.slack_s)
        if not found:
            raise LedgerFormError("no consent keys are pinned here, so nobody could consent")
        return found

    def verify(self, data: bytes) -> Proven:
        """Return what evidence proves by the first of the policies by which it holds. Raises LedgerError, that of the first."""
        keys = self.keys(recorded_at(data))
        problem: LedgerError | None = None
        for former in self.policies:
            try:
                proven = verify_by_any(data, keys, [former.policy])
            except LedgerError as error:
                problem = problem or error
                continue
            if proven.witnessed_at_s <= former.until_s + self.slack_s:
                return proven
        raise problem or LedgerFormError("nobody's word is believed")


def consent_path(consent_id: str, name: str) -> str:
    """Return where a document of a consent lies."""
    return f"consents/{consent_id}/{name}"


def read_index(source: Source) -> list[str]:
    """Return the ids of all consents. Raises SourceError for an index that is none, or has no end."""
    ids = (source.get(INDEX) or b"").decode(errors="replace").split("\n")
    if ids.pop() or len(ids) > CONSENTS_MAX or not all(is_consent_id(each) for each in ids):
        raise SourceError(f"{INDEX} is no list of at most {CONSENTS_MAX} ids")
    return ids


def _index_here(mirror: Source) -> list[str]:
    try:
        return read_index(mirror)
    except SourceError as error:
        raise SourceError(
            f"the mirror is damaged: {error}\ntry: remove {INDEX} in the mirror, and sync; it is made anew"
        ) from None


def fetch_consents(remote: Source, mirror: Source, now_s: int, write: Callable[[str, bytes], None]) -> None:
    """Fetch what is new, and hand it to `write`. What the mirror has once is not forgotten. Raises SourceError.

    Of what was not there before, NEW_MAX at most are fetched, the newest first: nobody is kept busy by ids that are made up.
    """
    known = _index_here(mirror)
    listed = set(read_index(remote))
    fresh = sorted(listed.difference(known), reverse=True)[:NEW_MAX]
    shown = [each for each in fresh if _fetch(each, DOCUMENTS[:1], remote, mirror, write)]
    if shown:
        write(INDEX, "".join(f"{each}\n" for each in sorted([*known, *shown])).encode())
    for each in [*shown, *listed.intersection(known)]:
        if not _is_settled(each, mirror, now_s):
            _fetch(each, DOCUMENTS[1:], remote, mirror, write)


def _fetch(consent_id: str, names: Sequence[str], remote: Source, mirror: Source, write: Callable[[str, bytes], None]) -> bool:
    """Fetch documents; return whether the last of them is there. One that is larger than any is as good as none."""
    is_there = False
    for name in names:
        path = consent_path(consent_id, name)
        data = remote.get(path)
        is_there = data is not None and len(data) <= _BYTES_MAX[name]
        if data is not None and is_there and data != mirror.get(path):
            write(path, data)
    return is_there


class Consents:
    """The consents of a mirror of `size` entries. Each is read, and verified, when it is first asked for."""

    def __init__(self, source: Source, judging: Judging, size: int) -> None:
        """Read the index. Raises SourceError, as every method does."""
        self.ids = _index_here(source)
        self._source = source
        self._judging = judging
        self._size = size
        self._listed = set(self.ids)
        self._known: dict[str, Known] = {}

    def find(self, consent_id: str) -> Known:
        """Return what is known of a consent; of one that is not listed, that nothing is shown."""
        if consent_id not in self._listed:
            return Known(consent_id, problem="nothing of it is shown")
        if consent_id not in self._known:
            self._known[consent_id] = _read(consent_id, self._source, self._judging, self._size)
        return self._known[consent_id]

    def open_at(self, at_s: float) -> Iterator[Known]:
        """Yield those that were approved, and may still be used at a time.

        When one ends, its approval says, and not the request that is shown beside it: nobody signed that one.
        """
        for each in self.ids:
            ends_s = _end_of_approval(each, self._source)
            if ends_s is None or ends_s + self._judging.slack_s >= at_s:
                known = self.find(each)
                if known.approval is not None:
                    yield known

    def unanswered(self, now_s: int) -> Iterator[AccessRequest]:
        """Yield the requests that may still be answered, and were not yet."""
        for each in self.ids:
            request = _request_of(each, self._source)
            if request is None or request.answer_by_s <= now_s:
                continue
            answers = (self._source.get(consent_path(each, name)) for name in ("denial", "report"))
            if all(answer is None for answer in answers) and self.find(each).approval is None:
                yield request


def _request_of(consent_id: str, source: Source) -> AccessRequest | None:
    """Return a request, None where it cannot be read."""
    request = source.get(consent_path(consent_id, "request"))
    try:
        return None if request is None else parse_request(request.decode())
    except (LedgerError, UnicodeDecodeError):
        return None


def _end_of(consent_id: str, source: Source) -> int | None:
    """Return when the access would end that was asked for, None where that cannot be read."""
    request = _request_of(consent_id, source)
    return None if request is None else request.expires_s


def _end_of_approval(consent_id: str, source: Source) -> int | None:
    """Return when an approval ends, None where there is none to be read.

    It is not verified. One that does not hold gives nobody a consent: whatever is done under it is told of.
    """
    evidence, note = _signed_documents(consent_id, source)
    try:
        if evidence is not None:
            note = parse_evidence(evidence).approval
        return None if note is None else parse_approval(parse_note(note).text).expires_s
    except LedgerError:
        return None


def _signed_documents(consent_id: str, source: Source) -> tuple[bytes | None, bytes | None]:
    """Return the evidence of a consent, and its approval alone, which counts where there is no evidence."""
    return source.get(consent_path(consent_id, "evidence")), source.get(consent_path(consent_id, "approval"))


def _is_settled(consent_id: str, mirror: Source, now_s: int) -> bool:
    """Tell whether nothing of a consent changes any more."""
    if mirror.get(consent_path(consent_id, "report")) is not None:
        return True
    ends_s = _end_of(consent_id, mirror)
    return ends_s is not None and ends_s + _SETTLED_S < now_s


def _read(consent_id: str, source: Source, judging: Judging, size: int) -> Known:
    evidence, note = _signed_documents(consent_id, source)
    try:
        if evidence is not None:
            known = _of_evidence(consent_id, evidence, source, judging, size)
        elif note is not None:
            known = Known(consent_id, _signed(note, judging))
        else:
            return Known(consent_id)
    except LedgerError as error:
        what = "approval" if evidence is None else "evidence"
        return Known(consent_id, problem=f"its {what} does not hold: {error}")
    if known.approval is not None and known.approval.request.consent_id != consent_id:
        return Known(consent_id, problem="what is shown of it is that of another consent")
    return known


def _of_evidence(consent_id: str, data: bytes, source: Source, judging: Judging, size: int) -> Known:
    """Return what the evidence says of a consent, with the time of the earliest that holds. Raises LedgerError if none does."""
    found, problems = list[tuple[Proven, bytes]](), list[LedgerError]()
    earlier = split_evidence(source.get(consent_path(consent_id, "earlier")) or b"")
    for each in (data, *reversed(earlier[:EARLIER_MAX])):
        try:
            proven = judging.verify(each)
            _check_in_tree(each, source, size)
        except LedgerError as error:
            problems.append(error)
            continue
        # What is about another entry is evidence of another approval.
        if not found or proven.entry == found[0][0].entry:
            found.append((proven, each))
    if not found:
        raise problems[0]
    first, its_file = min(found, key=lambda one: one[0].witnessed_at_s)
    return Known(
        consent_id,
        first.approval,
        index=first.index,
        witnessed_at_s=first.witnessed_at_s,
        opening=decode_opening(parse_evidence(its_file).opening),
        unproven=str(problems[-1]) if problems else "",
    )


def _check_in_tree(data: bytes, source: Source, size: int) -> None:
    """Raise LedgerFormError unless the entry that the evidence is about stands in this mirror, where it says."""
    proof = parse_proof_file(parse_evidence(data).proof)
    if proof.index >= size:
        raise LedgerFormError(f"it is about the entry {proof.index}, and the ledger has {size}")
    tile = tile_at(ENTRIES, proof.index // TILE_WIDTH, size)
    if read_bundle(source, tile)[proof.index % TILE_WIDTH] != proof.extra:
        raise LedgerFormError(f"it is about another entry {proof.index} than this ledger has")


def _signed(note: bytes, judging: Judging) -> Approval:
    """Return the approval in a note that as many keys have signed as had to. Raises LedgerError."""
    problem: LedgerError | None = None
    for keys in judging.keys(parse_approval(parse_note(note).text).decided_at_s):
        try:
            return keys.open_approval(note)
        except LedgerError as error:
            problem = problem or error
    raise problem or LedgerFormError("nobody's word is believed")
