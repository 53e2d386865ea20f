"""The reserved prefix under which accounts read their logs: `/.ledger/<account id>/<file>`.

No bucket can have this name, since names of buckets begin with a letter or a digit.
"""

import re
from typing import Final

from siegel.domain.errors import InvalidURIError

_PREFIX: Final = b"/.ledger/"
_PATH: Final = re.compile(rb"/\.ledger/([0-9]{12})/([a-z0-9./]{1,200})")


def split_ledger_path(raw_path: bytes) -> tuple[str, str]:
    """Return the account whose log a path is about, and the file in it; both empty for any other path.

    Raises InvalidURIError for what is below the prefix and names no file of a log.
    """
    if not raw_path.startswith(_PREFIX):
        return "", ""
    found = _PATH.fullmatch(raw_path)
    if found is None:
        raise InvalidURIError("The path names no file of an account's ledger.")
    return found[1].decode(), found[2].decode()
