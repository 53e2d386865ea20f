"""The policies that a directory of audits had: `policies/<since>`, one file for each change.

What a quorum signed while one of them counted stays signed. They say since when an approval was public, and whose the head is
that was verified last; of a new head none of them says anything.
"""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Final

from msgspec import Struct

from siegel.customer.datedfiles import list_dated, read_bounded, write_dated
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerError
from siegel.ledger.policies import POLICY_BYTES_MAX, Policy, read_policy

FOLDER_NAME: Final = "policies"


class Former(Struct, frozen=True):
    """A policy that counts for what was signed up to a time, in seconds since 1970."""

    policy: Policy
    until_s: float = inf


def read_former(folder: Path, current: Policy) -> list[Former]:
    """Return the policies of before `current`, the oldest first. Raises ConfigurationError for a file that is none."""
    noted = list(_read(folder))
    ends_s = (*(since_s for since_s, _ in noted[1:]), inf)
    former = [Former(policy, end_s) for (_, policy), end_s in zip(noted, ends_s, strict=False)]
    return former[:-1] if former and former[-1].policy == current else former


def note_policy(folder: Path, data: bytes, now_s: int) -> None:
    """Note that a policy counts from now on, unless the newest is the same. Raises ConfigurationError, StorageError."""
    noted = list(_read(folder))
    if noted and noted[-1][1] == read_policy(data):
        return
    write_dated(folder / FOLDER_NAME, data, max(now_s, noted[-1][0] + 1) if noted else now_s)


def _read(folder: Path) -> Iterator[tuple[int, Policy]]:
    for each in list_dated(folder / FOLDER_NAME):
        try:
            yield each.since_s, read_policy(read_bounded(each.path, POLICY_BYTES_MAX))
        except LedgerError as error:
            raise ConfigurationError(f"{each.path}: {error}") from None
