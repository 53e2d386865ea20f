"""Which head of a log is shown, where witnesses are asked: the newest that they have signed, unless they do not answer.

Once witnesses were awaited for WITNESSES_AWAITED_MS, the newest head is shown without them: that one is kept, and from then on
nothing older is shown, whatever they sign later. So what is shown never goes back, whichever process shows it.
"""

from typing import ClassVar, Final

from siegel.domain.logs import Log
from siegel.domain.ports import Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document
from siegel.ledger.policies import read_policy

WITNESSES_AWAITED_MS: Final = 10_000


class ShownHead(Document, frozen=True, array_like=True):
    """A head that was shown without its witnesses, kept under the account's id: its size, when it was signed, the note."""

    kind: ClassVar[Kind] = Kind.LEDGER_SHOWN

    size: int = 0
    signed_at_ms: int = 0
    note: bytes = b""


def asks_witnesses(policy: bytes) -> bool:
    """Whether a policy file names witnesses that are asked."""
    return any(witness.url for witness in read_policy(policy).witnesses)


def find_shown(reader: Reader, account_id: str) -> ShownHead | None:
    """Return the head that was last shown without witnesses. Raises StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, ShownHead.kind, account_id)
    return None if stored is None else decode_document(stored, ShownHead)


def show_newest(tx: Writer, account_id: str) -> None:
    """Show the log's newest head from now on, and nothing older."""
    log = tx.ledgers.find(account_id)
    if log is not None and log.head_size:
        shown = ShownHead(size=log.head_size, signed_at_ms=log.signed_at_ms, note=log.checkpoint)
        tx.records.put(DEPLOYMENT_SCOPE, ShownHead.kind, account_id, encode_document(shown))


def shown_head(reader: Reader, log: Log, policy: bytes | None) -> bytes:
    """Return the note that is shown of a log, empty for a moment before the first. Raises StorageError, LedgerFormError."""
    if policy is None or not asks_witnesses(policy):
        return log.checkpoint
    shown = find_shown(reader, log.account_id) or ShownHead()
    is_witnessed = (log.witnessed_size, log.witnessed_at_ms) >= (shown.size, shown.signed_at_ms)
    return log.witnessed if is_witnessed else shown.note
