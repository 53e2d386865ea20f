"""Following a log to its new keys: a witness takes them into its file of logs, by the log's own hand-over.

What it demands: all keys that it knows of the log have signed the hand-over's checkpoint, all new ones too, and it has signed
that checkpoint itself. So nobody comes in by a hand-over that was not shown to this witness.
"""

from typing import Final

from siegel.customer.keybox.durable import replace_whole
from siegel.customer.witness.folder import LOGS_NAME, WitnessFolder
from siegel.domain.errors import StorageError
from siegel.domain.ledgers import UnsignedError
from siegel.ledger.handover import HandOver, check_hand_over, parse_hand_over
from siegel.ledger.policies import POLICY_BYTES_MAX, Group, LogLine, Policy, WitnessLine
from siegel.ledger.proof_files import parse_proof_file

_SELF: Final = "self"


def follow(folder: WitnessFolder, file: bytes) -> HandOver:
    """Take the new keys of a log in the place of its old ones; return the hand-over. Harmless when repeated.

    Raises LedgerFormError, ProofError, UnsignedError: the witness goes on to know the old keys. StorageError, ConfigurationError.
    """
    hand_over = parse_hand_over(parse_proof_file(file).extra)
    known = folder.logs().get(hand_over.origin, [])
    if not known:
        raise UnsignedError(f"this witness does not watch {hand_over.origin}")
    if set(known) == set(hand_over.new):
        return hand_over
    logs = tuple(LogLine(verifier, "") for verifier in known)
    own = tuple(WitnessLine(f"own{number}", verifier, "") for number, verifier in enumerate(folder.verifiers))
    # The log keeps the lines of those keys alone that its policy names.
    group = {_SELF: Group(1, tuple(line.name for line in own))}
    check_hand_over(file, Policy(logs, own, group, _SELF))
    path = folder.path / LOGS_NAME
    try:
        with path.open("rb") as stream:
            lines = stream.read(POLICY_BYTES_MAX).decode(errors="surrogateescape").splitlines(keepends=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None
    old = {str(verifier) for verifier in known}
    kept = [line for line in lines if not (line.split()[:1] == ["log"] and line.split()[1] in old)]
    if kept and not kept[-1].endswith("\n"):
        kept.append("\n")
    kept += [f"log {verifier}\n" for verifier in hand_over.new]
    replace_whole(path, "".join(kept).encode(errors="surrogateescape"))
    return hand_over
