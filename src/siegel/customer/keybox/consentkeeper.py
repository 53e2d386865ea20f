"""What the box's owner does about consents: pin whose signatures count, put in what was signed, end it.

It needs nothing of what opens the box: who may write into its directory may change its policy as well. Every change is in the log
twice, as all changes of a box are.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from siegel.customer.keybox.consents import (
    FOLDER_NAME,
    KEYS_NAME,
    PLACE_NAME,
    POLICY_NAME,
    REVOKED,
    Consents,
    Held,
    hand_over_paths,
)
from siegel.customer.keybox.durable import replace_whole, sync_folder, write_new
from siegel.customer.keybox.folder import BOX_NAME
from siegel.customer.keybox.keeper import noted
from siegel.customer.keybox.uses import system_ms
from siegel.domain.errors import ConfigurationError, SiegelError, StorageError
from siegel.domain.ledgers import LedgerError, LedgerFormError
from siegel.ledger.consent_evidence import Proven
from siegel.ledger.consent_keys import parse_consent_keys
from siegel.ledger.consents import is_consent_id
from siegel.ledger.handover import HAND_OVERS_MAX, check_hand_over
from siegel.ledger.policies import Policy, read_policy

Fetching = Callable[[], Iterable[bytes]]
_PLACE_BYTES_MAX: Final = 4096
_TRY_TRUST: Final = "try: siegel keybox consent trust DIR --keys FILE --policy FILE"


class ConsentKeeper:
    """The owner's hand on the consents of a box; works beside the server that runs on it."""

    def __init__(self, folder: Path, now_ms: Callable[[], int] = system_ms) -> None:
        """Take the box in `folder`. Raises ConfigurationError if there is none."""
        if not (folder / BOX_NAME).exists():
            raise ConfigurationError(f"{folder} holds no box\ntry: siegel keybox init {folder}")
        self._folder = folder
        self._shelf = folder / FOLDER_NAME
        self._now_ms = now_ms

    def trust(self, keys: bytes, policy: bytes, place: str = "") -> None:
        """Pin whose signatures count, and which log under which witnesses, in the place of what was pinned.

        `place` is where hand-overs of that log's keys are to be looked for. Raises ConfigurationError for files that are none, or
        a policy that demands no witness; StorageError.
        """
        try:
            parse_consent_keys(keys)
            trusted = read_policy(policy)
        except LedgerError as error:
            raise ConfigurationError(str(error)) from None
        if trusted.is_quorum(()):
            raise ConfigurationError("a consent needs a quorum: the policy demands no witness")
        with noted(self._folder, "box.consent-trust", "", self._now_ms):
            self._make_shelf()
            replace_whole(self._shelf / KEYS_NAME, keys)
            replace_whole(self._shelf / POLICY_NAME, policy)
            replace_whole(self._shelf / PLACE_NAME, place.encode())

    @property
    def place(self) -> str:
        """Where hand-overs of the log's keys are looked for; empty where nobody has said. Raises StorageError."""
        try:
            with (self._shelf / PLACE_NAME).open("rb") as stream:
                return stream.read(_PLACE_BYTES_MAX).decode(errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StorageError(f"{self._shelf / PLACE_NAME} cannot be read: {error.strerror}") from None

    def follow(self, files: Iterable[bytes]) -> tuple[Policy, int]:
        """Take those of a log's hand-overs that lead on from the keys that the box knows; the log of the box tells of each.

        Returns the policy that counts then, and how many are new. Raises StorageError, ConfigurationError: nothing is pinned.
        """
        try:
            consents = Consents(self._folder)
            policy, known = consents.policies()[-1], list(consents.hand_overs())
        except LedgerError as error:
            raise ConfigurationError(f"{error}{self._hint()}") from None
        paths, taken = list(hand_over_paths(self._shelf)), 0
        for data in files:
            if data in known or len(known) >= HAND_OVERS_MAX:
                continue
            try:
                policy = check_hand_over(data, policy)
            except LedgerError:
                # Between keys that were never pinned here, or forged: nothing is believed because of it.
                continue
            with noted(self._folder, "box.consent-follow", " ".join(log_keys(policy)), self._now_ms):
                self._make_shelf(paths[0].parent)
                replace_whole(paths[len(known)], data)
            known.append(data)
            taken += 1
        return policy, taken

    def add(self, data: bytes, hand_overs: Fetching = tuple) -> Proven:
        """Put in the evidence of an approval, from the next call on.

        Where it does not hold by the keys of the log that the box knows, `hand_overs` is asked for those that may lead on. Raises
        ConfigurationError unless it holds, StorageError.
        """
        try:
            proven = self._verify(data, hand_overs)
        except LedgerError as error:
            raise ConfigurationError(f"the consent does not hold: {error}{self._hint()}") from None
        consent_id = proven.approval.request.consent_id
        with noted(self._folder, "box.consent-add", consent_id, self._now_ms):
            self._make_shelf()
            replace_whole(self._shelf / consent_id, data)
        return proven

    def revoke(self, consent_id: str) -> None:
        """End a consent, from the next call on, for good; also one that the box was not given yet.

        Raises ConfigurationError, StorageError.
        """
        if not is_consent_id(consent_id):
            raise ConfigurationError(f"{consent_id!r} is no id of a consent: 16 hexadecimal digits")
        with noted(self._folder, "box.consent-revoke", consent_id, self._now_ms):
            self._make_shelf()
            try:
                write_new(self._shelf / f"{consent_id}{REVOKED}", b"")
            except FileExistsError:
                return

    def list(self) -> list[tuple[Held, str]]:
        """Return the consents that the box was given, each with its state now."""
        now_ms = self._now_ms()
        return [(held, held.state_at(now_ms)) for held in Consents(self._folder).list()]

    def _verify(self, data: bytes, hand_overs: Fetching) -> Proven:
        """Raises LedgerError, of whether the hand-overs could be had, too."""
        consents = Consents(self._folder)
        try:
            return consents.verify(data)
        except LedgerError as error:
            try:
                _, taken = self.follow(hand_overs())
            except ConfigurationError:
                raise error from None
            except SiegelError as failed:
                raise LedgerFormError(f"{error}; and hand-overs of the log's keys cannot be had: {failed}") from None
            if not taken:
                raise
        return consents.verify(data)

    def _hint(self) -> str:
        is_pinned = all((self._shelf / name).exists() for name in (KEYS_NAME, POLICY_NAME))
        return "" if is_pinned else f"\n{_TRY_TRUST}"

    def _make_shelf(self, within: Path | None = None) -> None:
        try:
            for folder in (self._shelf, *([within] if within else [])):
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
        except OSError as error:
            raise StorageError(f"{self._shelf} cannot be made: {error.strerror}") from None


def log_keys(policy: Policy) -> list[str]:
    """Return the log's keys that a policy trusts, each by its name and id."""
    return [f"{line.verifier.name}+{line.verifier.key_id.hex()}" for line in policy.logs]
