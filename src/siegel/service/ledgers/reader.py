"""Reading an account's log: the files that the specifications of C2SP name, and the openings beside the entries.

    checkpoint                    the newest signed head, signed by the account's witnesses too unless they do not answer
    policy                        the account's policy file
    vkeys                         the log's public keys, one vkey a line
    handover/<NNN>                proof files of the hand-overs of its keys, from 000 on
    warning                       since when no head has had its quorum; empty where all is well
    tile/<L>/<N>[.p/<W>]          hashes
    tile/entries/<N>[.p/<W>]      entries
    openings/<N>[.p/<W>]          their openings, framed as entries are; an erased one is empty
    consents/...                  the documents of consents (`service/consents/files.py`)

Nothing is shown that no signed head covers. Source: c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint, c2sp.org/signed-note.
"""

from itertools import islice
from typing import Final

from siegel.domain.ledgers import LedgerFormError
from siegel.domain.logs import LedgerFile, Log
from siegel.domain.ports import KeyCustodian, MetaStore
from siegel.ledger.tiles import TILE_WIDTH, parse_tile_path
from siegel.service.consents.files import CONSENTS, read_consent_file
from siegel.service.ledgers.files import read_file, read_openings
from siegel.service.ledgers.keychanges import find_hand_over
from siegel.service.ledgers.policies import find_policy
from siegel.service.ledgers.secrets import open_secrets
from siegel.service.ledgers.showing import shown_head
from siegel.service.ledgers.warnings import WARNINGS_SHOWN_MAX, find_warning, scan_warnings

_OPENINGS: Final = "openings/"
_HAND_OVERS: Final = "handover/"
_RECORDS: Final = {"policy", "warning"}
_ENTRIES: Final = "tile/entries/"


class LedgerReader:
    """Reads the accounts' logs."""

    def __init__(self, store: MetaStore, custodian: KeyCustodian) -> None:
        self._reader = store.reader
        self._ledgers = store.reader.ledgers
        self._custodian = custodian

    def read(self, account_id: str, path: str) -> LedgerFile | None:
        """Return a file of an account's log, None if there is no such. Raises StorageError, SealBrokenError for damage."""
        if path.startswith(CONSENTS):
            return read_consent_file(self._reader, account_id, path.removeprefix(CONSENTS))
        if path in _RECORDS or path.startswith(_HAND_OVERS):
            return self._record(account_id, path)
        return self._of_log(account_id, path)

    def _of_log(self, account_id: str, path: str) -> LedgerFile | None:
        log = self._ledgers.find(account_id)
        if log is None or not log.head_size:
            return None
        if path == "checkpoint":
            policy = find_policy(self._reader, account_id)
            note = shown_head(self._reader, log, policy.text if policy else None)
            return LedgerFile(note, is_text=True) if note else None
        if path == "vkeys":
            return self._keys(log)
        return self._openings(log, path) if path.startswith(_OPENINGS) else self._tile(log, path)

    def _record(self, account_id: str, path: str) -> LedgerFile | None:
        """Return what is kept beside the log."""
        if path == "policy":
            return self._policy(account_id)
        if path == "warning":
            warning = find_warning(self._reader, account_id)
            return LedgerFile(warning.line.encode() if warning else b"", is_text=True)
        file = find_hand_over(self._reader, account_id, path.removeprefix(_HAND_OVERS))
        return None if file is None else LedgerFile(file, is_fixed=True, is_text=True)

    def warnings(self) -> bytes:
        """Return what everybody may know: the logs that have had no quorum for a day, a line each. Raises StorageError."""
        some = islice(scan_warnings(self._reader), WARNINGS_SHOWN_MAX)
        return "".join(warning.line for _, warning in some).encode()

    def _policy(self, account_id: str) -> LedgerFile | None:
        policy = find_policy(self._reader, account_id)
        return None if policy is None else LedgerFile(policy.text, is_text=True)

    def _keys(self, log: Log) -> LedgerFile:
        signers = open_secrets(self._custodian, log.origin, log.sealed_secrets).signers
        return LedgerFile("".join(f"{signer.verifier}\n" for signer in signers).encode(), is_text=True)

    def _openings(self, log: Log, path: str) -> LedgerFile | None:
        try:
            bundle = parse_tile_path(_ENTRIES + path.removeprefix(_OPENINGS))
        except LedgerFormError:
            return None
        if bundle.index * TILE_WIDTH + bundle.width > log.head_size:
            return None
        secrets = open_secrets(self._custodian, log.origin, log.sealed_secrets)
        return LedgerFile(read_openings(self._ledgers, log, secrets, bundle))

    def _tile(self, log: Log, path: str) -> LedgerFile | None:
        try:
            tile = parse_tile_path(path)
        except LedgerFormError:
            return None
        content = read_file(self._ledgers, log, tile, log.head_size)
        return None if content is None else LedgerFile(content, is_fixed=True)
