"""The policy file of an account's log: which witnesses its heads are sent to, and which of them are enough.

Source: c2sp.org/tlog-policy.
"""

from typing import ClassVar

from siegel.domain.entry import Entry
from siegel.domain.errors import InvalidRequestError
from siegel.domain.ledgers import LedgerFormError
from siegel.domain.limits import LEDGER_WITNESSES_MAX
from siegel.domain.outbound import OutboundError
from siegel.domain.ports import Clock, MetaStore, Outbound, Reader, Writer
from siegel.domain.records import DEPLOYMENT_SCOPE, Document, Kind, decode_document, encode_document
from siegel.ledger.policies import read_policy
from siegel.service.ledgers.showing import show_newest


class LedgerPolicy(Document, frozen=True, array_like=True):
    """A policy file as it was put, kept under the account's id."""

    kind: ClassVar[Kind] = Kind.LEDGER_POLICY

    text: bytes = b""
    put_at_ms: int = 0


class WitnessPolicies:
    """The use cases of policy files."""

    def __init__(self, store: MetaStore, outbound: Outbound, clock: Clock) -> None:
        self._store = store
        self._outbound = outbound
        self._clock = clock

    async def put(self, account_id: str, text: bytes, entry: Entry) -> None:
        """Store an account's policy in place of the one before; its witnesses are asked for the next head.

        Raises InvalidRequestError: it cannot be read, has too many witnesses, or one at an address that may not be asked.
        """
        self._check(text)
        document = encode_document(LedgerPolicy(text=text, put_at_ms=self._clock.now_ms()))

        def change(tx: Writer) -> None:
            tx.records.put(DEPLOYMENT_SCOPE, Kind.LEDGER_POLICY, account_id, document)
            # What was shown so far was shown by the policy before: nothing older is shown by this one.
            show_newest(tx, account_id)

        await self._store.write(change, entry)

    def _check(self, text: bytes) -> None:
        try:
            urls = [witness.url for witness in read_policy(text).witnesses if witness.url]
            for url in urls:
                self._outbound.check(url)
        except (LedgerFormError, OutboundError) as error:
            raise InvalidRequestError(f"The policy is not accepted: {error}.") from error
        if len(urls) > LEDGER_WITNESSES_MAX:
            raise InvalidRequestError(f"The policy names more than {LEDGER_WITNESSES_MAX} witnesses that would be asked.")


def find_policy(reader: Reader, account_id: str) -> LedgerPolicy | None:
    """Return an account's policy, None if it has put none. Raises StorageError if it is damaged."""
    stored = reader.records.find(DEPLOYMENT_SCOPE, Kind.LEDGER_POLICY, account_id)
    return None if stored is None else decode_document(stored, LedgerPolicy)


def scan_policies(reader: Reader, after: str, limit: int) -> list[tuple[str, LedgerPolicy]]:
    """Return up to `limit` (account id, policy), beginning behind the account `after`. Raises StorageError for damage."""
    page = reader.records.scan(DEPLOYMENT_SCOPE, Kind.LEDGER_POLICY, after, limit)
    return [(account_id, decode_document(stored, LedgerPolicy)) for account_id, stored in page]
