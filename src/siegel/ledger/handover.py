"""The hand-over of a log from old keys to new ones: an entry of the log itself, under a checkpoint that both have signed.

    siegel ledger hand-over v1
    ORIGIN
    old VKEY                one line for each key that the log has had
    new VKEY                one line for each key that it has from now on

Who trusts the old keys is led to the new ones by a proof file whose `extra` is the entry: the checkpoint in it is signed by all
the old keys (so the log itself hands over) and all the new ones (so they exist, and are held), and has the quorum of the
policy (so no stolen key hands over to a thief unseen).
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from siegel.domain.ledgers import LedgerError, LedgerFormError, UnsignedError
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.keys import VerifierKey, parse_verifier
from siegel.ledger.policies import LogLine, Policy
from siegel.ledger.proof_files import parse_proof_file
from siegel.ledger.signed_checkpoints import open_checkpoint

FIRST_LINE: Final = b"siegel ledger hand-over v1\n"
KEYS_MAX: Final = 8
# Of one log: the files of its proofs are numbered from 000 on.
HAND_OVERS_MAX: Final = 999


class HandOver(Struct, frozen=True):
    """A hand-over: whose log, which keys it has had, which it has from now on. A key may be in both."""

    origin: str
    old: tuple[VerifierKey, ...]
    new: tuple[VerifierKey, ...]

    def encode(self) -> bytes:
        """Return the entry's bytes."""
        lines = (self.origin, *(f"old {verifier}" for verifier in self.old), *(f"new {verifier}" for verifier in self.new))
        return FIRST_LINE + "".join(f"{line}\n" for line in lines).encode()


def parse_hand_over(entry: bytes) -> HandOver:
    """Return the hand-over in an entry. Raises LedgerFormError; so for keys of another name than the log's, too."""
    try:
        origin, *lines, rest = entry.removeprefix(FIRST_LINE).decode().split("\n")
        words = [line.split(" ") for line in lines]
        old = tuple(parse_verifier(vkey) for kind, vkey in words if kind == "old")
        new = tuple(parse_verifier(vkey) for kind, vkey in words if kind == "new")
    except ValueError:
        raise LedgerFormError("the entry is no hand-over") from None
    hand_over = HandOver(origin, old, new)
    if not 1 <= len(old) <= KEYS_MAX or not 1 <= len(new) <= KEYS_MAX or rest or hand_over.encode() != entry:
        raise LedgerFormError("the entry is no hand-over")
    if any(verifier.name != origin for verifier in (*old, *new)):
        raise LedgerFormError("the hand-over is to keys of another log")
    return hand_over


def follow(policy: Policy, files: Iterable[bytes]) -> tuple[Policy, ...]:
    """Return `policy`, and the policies that follow from it, each by the next of the proof files that the one before allows.

    What it does not allow is passed over: a hand-over between keys that were never trusted, or a forged one. If it was needed,
    the check of whatever the later keys have signed says so.
    """
    policies = [policy]
    for data in files:
        try:
            policies.append(check_hand_over(data, policies[-1]))
        except LedgerError:
            continue
    return tuple(policies)


def check_hand_over(data: bytes, policy: Policy) -> Policy:
    """Return the policy that follows: the same witnesses, and in place of the log's old keys the new ones.

    `data` is the proof file. Raises LedgerFormError, ProofError, UnsignedError: whatever is missing, the old policy stays.
    """
    file = parse_proof_file(data)
    hand_over = parse_hand_over(file.extra)
    trusted = {line.verifier: line for line in policy.logs if line.verifier.name == hand_over.origin}
    if not trusted or not set(trusted) <= set(hand_over.old):
        raise UnsignedError("the hand-over does not come from the keys that the policy trusts")
    judgement = file.check(leaf_hash(file.extra), policy)
    if judgement.checkpoint.origin != hand_over.origin:
        raise UnsignedError("the hand-over is of another log than its checkpoint")
    signed = open_checkpoint(file.checkpoint, (*hand_over.old, *hand_over.new)).signed
    if not signed.keys() >= {*hand_over.old, *hand_over.new}:
        raise UnsignedError("not all the old keys and the new ones have signed the hand-over's checkpoint")
    url = next(iter(trusted.values())).url
    others = [line for line in policy.logs if line.verifier not in trusted]
    logs = (*others, *(LogLine(verifier, url) for verifier in hand_over.new))
    return Policy(logs, policy.witnesses, policy.groups, policy.quorum)
