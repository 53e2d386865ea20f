"""The nouns of the ledger as they are stored: an account's log, and the runs of entries in it.

Format page: `docs/design/formats/entry.md`.
"""

from typing import Final

from msgspec import Struct

from siegel.domain.entry import Entry

DEPLOYMENT_LOG: Final = "deployment"
"""In place of an account: the log of what concerns the deployment and no customer."""


class Batch(Struct, frozen=True):
    """One row of the journal: the entries of one group commit, and when they became durable."""

    number: int
    recorded_at_ms: int
    entries: list[Entry]


class Log(Struct, frozen=True):
    """An account's log. `size` entries are in the tree, whose root is `root`; `head_size` of them are under a signed head.

    `origin` is the log's name; `sealed_secrets` its signing seeds and the key of its openings, sealed by the custodian. Of the
    last signed head, `checkpoint` is the whole note and `signed_at_ms` its time; before the first one they are empty. `witnessed`
    is the newest head with the signatures of a quorum of the account's witnesses, `witnessed_at_ms` when the log signed that one.
    """

    log_id: int
    account_id: str
    origin: str
    created_at_ms: int
    sealed_secrets: bytes
    size: int = 0
    root: bytes = b""
    head_size: int = 0
    signed_at_ms: int = 0
    checkpoint: bytes = b""
    witnessed_size: int = 0
    witnessed_at_ms: int = 0
    witnessed: bytes = b""


class Head(Struct, frozen=True):
    """A head that was signed: it is to take the place of one of `old_size` entries."""

    log_id: int
    old_size: int
    size: int
    root: bytes
    signed_at_ms: int
    checkpoint: bytes


class Run(Struct, frozen=True):
    """Consecutive entries as they were added, never across the border of a bundle.

    `entries` are framed as in an entry bundle; `sealed_openings` holds as many openings, framed alike and sealed as one.
    """

    log_id: int
    first: int
    count: int
    entries: bytes
    sealed_openings: bytes


class LedgerFile(Struct, frozen=True):
    """A file of a log as it is shown. One that `is_fixed` never has other bytes."""

    content: bytes
    is_fixed: bool = False
    is_text: bool = False
