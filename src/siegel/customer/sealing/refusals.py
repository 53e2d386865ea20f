"""Why a sealed object is not opened: one error per attack, so that a person knows what happened and a program can tell.

    SealedObjectError           no byte of it was released
    ├── NotSealedError          not a sealed object, or of an unknown version
    ├── NotForThisKeyError      sealed, but not for the key at hand
    ├── HeaderChangedError      header, recipients or wrapped keys were changed or replaced
    ├── UnsignedError           nobody signed it, so anybody may have made it
    ├── UnknownSealerError      whole, but signed by somebody who is not trusted here
    ├── MovedError              sealed as another object than the one that was asked for
    ├── WrongLengthError        shorter or longer than it was sealed
    ├── BodyChangedError        a chunk was changed, moved, repeated, or belongs to another object
    ├── RolledBackError         older than what was seen at this place before
    └── ForkedError             another object with the number of the one that was seen
    SealingError                an object, key or name cannot be sealed like this
    KeyFileError                a key file or a recipient's line cannot be used
    StoreError                  the store refused, failed, or answered something else than was asked
    ├── NoSuchObjectError       nothing is there
    │   └── NoSuchFileError     the same, as file systems say it: a FileNotFoundError too
    └── ChangedWhileReadingError  the object was replaced between two reads
    KeyServerError              the customer's key server did not give a key
    ├── KeyServerSilentError    it cannot be reached, or took too long
    ├── KeyServerRefusedError   it said no: its policy, a wrong credential, a disabled or destroyed key
    └── KeyServerLiedError      its answer is none that an honest key server gives

None of them is an answer of the store's own: those are `siegel.domain.errors.S3Error`.
"""

from siegel.domain.errors import SealBrokenError, SiegelError


class SealedObjectError(SealBrokenError):
    """A sealed object does not open. No byte that was not authenticated was released."""


class NotSealedError(SealedObjectError):
    """Not a sealed object, or of a version or suite that is not known."""


class NotForThisKeyError(SealedObjectError):
    """No recipient of the object is the key at hand."""


class HeaderChangedError(SealedObjectError):
    """The header is not the one that the sealer wrote."""


class UnsignedError(SealedObjectError):
    """Nobody signed the object: whoever knows a recipient's public line may have made it."""


class UnknownSealerError(SealedObjectError):
    """The object is signed by somebody who is not among the trusted sealers."""


class MovedError(SealedObjectError):
    """The object was sealed for another account, bucket or object key."""


class WrongLengthError(SealedObjectError):
    """The object is shorter or longer than it was sealed."""


class BodyChangedError(SealedObjectError):
    """A chunk of the body does not open at its place."""


class RolledBackError(SealedObjectError):
    """An older object than the one that was seen at this place before."""


class ForkedError(SealedObjectError):
    """Two different objects of one place carry the same number: one was shown to some readers, the other to others."""


class SealingError(SiegelError):
    """Something cannot be sealed like this; the message says why."""


class KeyFileError(SiegelError):
    """A key file or a recipient's line cannot be used; the message says why."""


class StoreError(SiegelError):
    """The store refused or failed, or the library that speaks to it is missing."""


class NoSuchObjectError(StoreError):
    """The store has no object, or no bucket, of this name."""


class NoSuchFileError(NoSuchObjectError, FileNotFoundError):
    """The same of a path in a file system. It is no error of the system's: it has a message, and no number."""


class ChangedWhileReadingError(StoreError):
    """The object was replaced by another while it was being read. Open it again."""


class KeyServerError(SiegelError):
    """The customer's key server did not give a key. Nothing was sealed or opened."""


class KeyServerSilentError(KeyServerError):
    """The key server cannot be reached, or did not answer in time."""


class KeyServerRefusedError(KeyServerError):
    """The key server said no. `is_about_key`: it has not the key at all that a blob was made with."""

    def __init__(self, message: str, *, is_about_key: bool = False) -> None:
        """Take what the key server said."""
        super().__init__(message)
        self.is_about_key = is_about_key


class KeyServerLiedError(KeyServerError):
    """The key server's answer is none that an honest one gives: of another form, or with a blob that it does not open itself."""
