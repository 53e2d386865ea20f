"""What a deployment believes of a consent: the evidence, by the account's keys and witnesses, and the keys of its own log."""

from msgspec.structs import replace

from siegel.domain.ledgers import UnsignedError
from siegel.domain.logs import Log
from siegel.domain.ports import KeyCustodian, Reader
from siegel.ledger.consent_keys import ConsentKeys
from siegel.ledger.policies import LogLine, Policy, read_policy
from siegel.service.consents.book import keys_of
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


def with_own_keys(policy: Policy, custodian: KeyCustodian, log: Log) -> Policy:
    """Return a policy that believes the keys of the deployment's own log too. Raises SealBrokenError."""
    own = [signer.verifier for signer in open_secrets(custodian, log.origin, log.sealed_secrets).signers]
    known = {line.verifier for line in policy.logs}
    return replace(policy, logs=(*policy.logs, *(LogLine(verifier) for verifier in own if verifier not in known)))
