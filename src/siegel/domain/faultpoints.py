"""Named moments at which the process can be made to die, so that tests can show that no moment loses data.

`SIEGEL_FAULT_POINT=name:N` makes the process kill itself with SIGKILL when it reaches the point for the Nth time (`:1` may be
left out). The environment is read once, at import: the only thing on this floor that is not an argument, so that a
service that was started without it pays one comparison per point and can never be armed later.
"""

import os
import signal
from itertools import count
from typing import Final

from siegel.domain.errors import ConfigurationError

VARIABLE: Final = "SIEGEL_FAULT_POINT"

FAULT_POINTS: Final = (
    "blob.before_fsync",  # all bytes of a blob are written, none is synced
    "blob.before_rename",  # the bytes are synced, under the temporary name
    "blob.after_rename",  # the blob has its name, the folder is not synced
    "blob.after_dirsync",  # the blob is durable, no row names it yet
    "meta.before_commit",  # a batch of changes is applied, its commit has not begun
    "meta.after_commit",  # a batch is durable, nobody has been told
    "entries.before_sync",  # the entries of reads are sealed, none is written to its file
    "entries.after_sync",  # they are durable beside the journal, nobody has been told
    "put.before_commit",  # PutObject: the body is durable, its row is not
    "overwrite.before_commit",  # PutObject onto a key that has a current version
    "part.before_commit",  # UploadPart: the part's blob is durable, its row is not
    "complete.before_commit",  # CompleteMultipartUpload: the layout is ready, its row is not
    "copy.before_commit",  # CopyObject: the new body is durable, its row is not
    "delete.before_commit",  # DeleteObject: decided, not committed
    "chest.before_rename",  # a new key chest is synced, under a temporary name
    "chest.after_rename",  # the key chest has its name, the folder is not synced
    "rekey.copying",  # some pages of the database are copied under a new key
    "rekey.after_copy",  # the copy is whole and durable, the old one is the database
    "rekey.before_removal",  # the copy is the database, the old one is still there
    "ledger.before_append",  # entries are on their way from the journal into their logs, none has left it
    "ledger.after_append",  # entries are in their logs, and no head is over them
    "ledger.before_head",  # heads are signed, none is stored
    "ledger.after_head",  # heads are stored
    "ledger.before_hand_over",  # the hand-over of a log's keys is proven, the log has the old ones
    "ledger.after_hand_over",  # the log has the new keys
    "consent.before_request",  # an operator's request for access is made, and not stored
    "consent.after_request",  # it is stored, and the operator has not heard of it
    "consent.before_approval",  # the customer's approval is checked, and not stored
    "consent.after_approval",  # it is stored with its entry, and the customer has not heard of it
    "consent.before_active",  # the evidence of an approval holds, and the consent is not active
    "consent.after_active",  # the consent is active
    "consent.before_use",  # a use is permitted, and not counted
    "consent.after_use",  # it is counted, and its entry is not written
    "consent.before_refusal",  # a denial or revocation is checked, and not stored
    "consent.after_refusal",  # it is stored, and the customer has not heard of it
    "consent.before_end",  # the time of a request or consent is over, which is not written down
    "consent.after_end",  # it is written down
    "answer.before",  # all is durable, the first byte of the answer has not left
)


class Fuse:
    """Burns through when one point has been reached often enough."""

    __slots__ = ("_hits", "_last", "name")

    def __init__(self, setting: str) -> None:
        """Read `name:N`. Raises ConfigurationError for a name that is no fault point or an N below 1."""
        self.name, _, number = setting.partition(":")
        if self.name not in FAULT_POINTS or not (number or "1").isdecimal() or int(number or "1") < 1:
            raise ConfigurationError(
                f"{VARIABLE} must be one of the fault points, with :N behind it for the Nth time: {setting!r}"
            )
        self._last = int(number or "1")
        self._hits = count(1)

    def burn(self) -> None:
        """Count one hit, from any thread; at the last one the process is gone at once, as if the power had failed."""
        if next(self._hits) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


_FUSE: Final = Fuse(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(name: str) -> None:
    """Pass the fault point `name`: nothing happens unless the process was started to die here."""
    if _FUSE is not None and _FUSE.name == name:
        _FUSE.burn()
