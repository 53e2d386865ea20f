"""The secrets of one log: the seeds of its two signing keys, and the key that its openings rest under.

All three are random, made with the log and sealed as one by the custodian, bound to the log's origin. Without the openings' key
no name and no person in the log can be read any more; the tree stands.
"""

from typing import Final

from siegel.domain.errors import SealBrokenError
from siegel.domain.ports import KeyCustodian, Randomness
from siegel.envelope.record import RecordKey
from siegel.ledger.keys import SEED_BYTES, Algorithm, SignerKey

_OPENINGS_KEY_BYTES: Final = 32
_SECRETS_BYTES: Final = 2 * SEED_BYTES + _OPENINGS_KEY_BYTES
_CONTEXT: Final = b"siegel ledger secrets v1\0"
_RUN_CONTEXT: Final = b"siegel ledger openings v1\0"
_NUMBER_BYTES: Final = 8


class LogSecrets:
    """The opened secrets of the log `origin`."""

    __slots__ = ("_origin", "openings", "signers")

    def __init__(self, origin: str, secrets: bytes) -> None:
        """Take what `create_secrets` made. Raises SealBrokenError for another length."""
        if len(secrets) != _SECRETS_BYTES:
            raise SealBrokenError("the secrets of a log have the wrong size")
        self._origin = origin
        self.signers: Final = (
            SignerKey(origin, Algorithm.ED25519, secrets[:SEED_BYTES]),
            SignerKey(origin, Algorithm.ML_DSA_44, secrets[SEED_BYTES : 2 * SEED_BYTES]),
        )
        self.openings: Final = RecordKey(secrets[2 * SEED_BYTES :])

    def run_context(self, first: int) -> bytes:
        """Name the place that the openings of a run are sealed for: the run that begins with entry `first`."""
        return _RUN_CONTEXT + first.to_bytes(_NUMBER_BYTES) + self._origin.encode()


def create_secrets(custodian: KeyCustodian, randomness: Randomness, origin: str) -> bytes:
    """Make the secrets of a new log and return them sealed."""
    return custodian.wrap(randomness.bytes(_SECRETS_BYTES), secrets_context(origin))


def replace_signers(custodian: KeyCustodian, randomness: Randomness, origin: str, sealed: bytes) -> bytes:
    """Return secrets with new signing seeds and the old key of the openings, sealed. Raises SealBrokenError."""
    secrets = custodian.unwrap(sealed, secrets_context(origin))
    return custodian.wrap(randomness.bytes(2 * SEED_BYTES) + secrets[2 * SEED_BYTES :], secrets_context(origin))


def open_secrets(custodian: KeyCustodian, origin: str, sealed: bytes) -> LogSecrets:
    """Open what `create_secrets` made. Raises SealBrokenError."""
    return LogSecrets(origin, custodian.unwrap(sealed, secrets_context(origin)))


def secrets_context(origin: str) -> bytes:
    """Name the place that the secrets of a log are sealed for."""
    return _CONTEXT + origin.encode()
