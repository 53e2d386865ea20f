"""The documents of consents as plain files of the account's ledger, so that auditors and mirrors have them too.

consents/index           the ids, one a line
consents/<id>/<name>     request, approval, evidence, earlier, denial, revocation, report
"""

from typing import Final

from siegel.domain.consents import NoSuchConsentError
from siegel.domain.logs import LedgerFile
from siegel.domain.ports import Reader
from siegel.service.consents.book import find_consent, scan_consents
from siegel.service.consents.customer import documents_of

CONSENTS: Final = "consents/"
_PAGE: Final = 1000


def read_consent_file(reader: Reader, account_id: str, path: str) -> LedgerFile | None:
    """Return a file by its path behind `consents/`, None if there is no such. Raises StorageError."""
    if path == "index":
        return LedgerFile("".join(f"{consent_id}\n" for consent_id in _ids(reader, account_id)).encode(), is_text=True)
    consent_id, _, name = path.partition("/")
    try:
        content = documents_of(find_consent(reader, account_id, consent_id)).get(name, b"")
    except NoSuchConsentError:
        return None
    return LedgerFile(content, is_text=True) if content else None


def _ids(reader: Reader, account_id: str) -> list[str]:
    ids: list[str] = []
    while page := scan_consents(reader, account_id, ids[-1] if ids else "", _PAGE):
        ids += [consent.consent_id for consent in page]
    return ids
