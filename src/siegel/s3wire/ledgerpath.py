"""The reserved prefixes under which accounts read their logs and answer requests for consent.

    /.ledger/<account id>/<file>           level "ledger"
    /.ledger/warnings                      level "warnings", of no account
    /.consent/<account id>/                level "consents"
    /.consent/<account id>/keys            level "consent-keys"
    /.consent/<account id>/<id>[/<name>]   level "consent"

No bucket can have such a name, since names of buckets begin with a letter or a digit.
"""

import re
from typing import Final

from siegel.domain.errors import InvalidURIError

WARNINGS: Final = "warnings"

_FRONT: Final = b"/."
_LEDGER: Final = b"/.ledger/"
_CONSENT: Final = b"/.consent/"
_FILE: Final = re.compile(rb"/\.ledger/([0-9]{12})/([a-z0-9./]{1,200})")
_WARNINGS: Final = _LEDGER + WARNINGS.encode()
_DOCUMENT: Final = re.compile(rb"/\.consent/([0-9]{12})/((?:keys|[0-9a-f]{16}(?:/[a-z]{1,20})?)?)")
_NONE: Final = ("", "", "")


def split_own_path(raw_path: bytes) -> tuple[str, str, str]:
    """Return the level of a reserved path, the account that it is about, and the rest; all are empty for any other path.

    Raises InvalidURIError for what is below a reserved prefix and names nothing there.
    """
    if not raw_path.startswith(_FRONT):
        return _NONE
    if raw_path == _WARNINGS:
        return WARNINGS, "", WARNINGS
    if raw_path.startswith(_LEDGER):
        found = _FILE.fullmatch(raw_path)
        if found is None:
            raise InvalidURIError("The path names no file of an account's ledger.")
        return "ledger", found[1].decode(), found[2].decode()
    if raw_path.startswith(_CONSENT):
        found = _DOCUMENT.fullmatch(raw_path)
        if found is None:
            raise InvalidURIError("The path names no consent of an account.")
        rest = found[2].decode()
        level = "consents" if not rest else "consent-keys" if rest == "keys" else "consent"
        return level, found[1].decode(), rest
    return _NONE
