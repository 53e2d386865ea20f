"""What a deployment believes of a consent: evidence, by the account's keys and witnesses, in the account's log as it is here."""

from msgspec.structs import replace

from siegel.domain.ledgers import ProofError, UnsignedError
from siegel.domain.logs import Log
from siegel.domain.ports import KeyCustodian, Ledgers, Reader
from siegel.ledger.consent_evidence import Proven, parse_evidence, verify_evidence
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.policies import LogLine, Policy, read_policy
from siegel.ledger.proof_files import parse_proof_file
from siegel.service.consents.book import keys_of
from siegel.service.ledgers.files import read_entries
from siegel.service.ledgers.policies import find_policy
from siegel.service.ledgers.secrets import open_secrets


def policy_of(reader: Reader, account_id: str) -> Policy:
    """Return the account's policy. Raises UnsignedError unless it demands a witness, StorageError."""
    file = find_policy(reader, account_id)
    policy = None if file is None else read_policy(file.text)
    if policy is None or policy.is_quorum(()):
        raise UnsignedError("a consent needs a quorum: the account's policy demands no witness")
    return policy


def require_keys(reader: Reader, account_id: str) -> ConsentKeys:
    """Return the account's consent keys. Raises UnsignedError if it has put none, StorageError."""
    keys = keys_of(reader, account_id)
    if keys is None:
        raise UnsignedError("the account has put no consent keys")
    return keys


def under_own_log(policy: Policy, custodian: KeyCustodian, log: Log) -> Policy:
    """Return a policy that believes the deployment's own log instead of those it names: here it is known which keys that has.

    Raises SealBrokenError.
    """
    own = open_secrets(custodian, log.origin, log.sealed_secrets).signers
    return replace(policy, logs=tuple(LogLine(signer.verifier) for signer in own))


def verify_here(data: bytes, keys: ConsentKeys, policy: Policy, ledgers: Ledgers, log: Log) -> Proven:
    """Return what evidence proves, as `verify_evidence` does, whose entry lies in the log as it is stored here.

    A tree that nobody was shown proves nothing here: the entry must be where every auditor of the account reads it too.
    Raises LedgerFormError, ProofError, UnsignedError, StorageError.
    """
    proven = verify_evidence(data, keys, policy)
    entry = parse_proof_file(parse_evidence(data).proof).extra
    if proven.index >= log.head_size or read_entries(ledgers, log.log_id, proven.index, proven.index + 1) != [entry]:
        raise ProofError("the account's log has another entry there")
    return proven
