"""Object Lock as it is stored: what a bucket locks by default, what a write asks for, and the clock that locks go by.

Format page: `docs/design/formats/records.md`.
"""

from msgspec import Struct

from siegel.domain.objects import Lock
from siegel.domain.records import Document


class ObjectLock(Document, frozen=True, array_like=True):
    """That the versions of a bucket can be locked. A bucket without this document locks nothing; it is never removed.

    A new version that asks for no retention gets the default: `mode` is the number of a Lock, for `days` or `years`, of which one
    is 0. With mode 0 there is no default.
    """

    mode: int = 0
    days: int = 0
    years: int = 0


class LockClock(Document, frozen=True, array_like=True):
    """What is known of the time that has really passed. The rules are those of `service/lockclock.py`.

    `upper_ms` is the latest that it can have been when the machine, started as `boot_id`, had run for `boot_ms`; `lock_ms` is
    the latest time that locks were judged by; `allowance_ms` is how much time without the machine may still be believed.
    """

    upper_ms: int = 0
    boot_id: str = ""
    boot_ms: int = 0
    lock_ms: int = 0
    allowance_ms: int = 0


class LockWish(Struct, frozen=True):
    """How a write wants its version locked. `mode` is GOVERNANCE, COMPLIANCE or NONE; `hold` is a legal hold."""

    mode: Lock = Lock.NONE
    retain_until_ms: int = 0
    hold: bool = False

    def __bool__(self) -> bool:
        return self.mode is not Lock.NONE or self.hold

    @property
    def lock(self) -> Lock:
        """The flags of a version that is locked like this."""
        return self.mode | Lock.HOLD if self.hold else self.mode


NO_LOCK = LockWish()
"""A write that asks for no lock."""

RETENTION_MODES = Lock.GOVERNANCE | Lock.COMPLIANCE
"""The flags of which a version has one at most, and which end with `retain_until_ms`."""
