"""What can be wrong with a ledger: with its files, its signatures, its proofs."""

from siegel.domain.errors import SiegelError


class LedgerError(SiegelError):
    """What a ledger shows does not hold. The message says what, and never repeats more than a line of what was shown."""


class LedgerFormError(LedgerError):
    """The bytes are not in the form that their specification demands."""


class UnsignedError(LedgerError):
    """No trusted key has signed it, or not enough of them, or a trusted key's signature does not fit."""


class ProofError(LedgerError):
    """The proof does not lead from the one to the other: something was changed, left out, or is of another tree."""
