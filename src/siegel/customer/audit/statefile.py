"""Small files in a folder of audits, in which a command keeps what the next run has to know."""

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from siegel.customer.keybox.durable import replace_whole
from siegel.domain.errors import ConfigurationError


class Versioned(Protocol):
    """A state says which version of its form it has."""

    @property
    def version(self) -> int:
        """1, or more."""


S = TypeVar("S", bound=Versioned)


def read_state(path: Path, kind: type[S], bytes_max: int, way_out: str) -> S:
    """Return what `write_state` has kept; a new `kind` where there is no file.

    A state of an earlier version lacks what came later. Raises ConfigurationError: it cannot be read; it is damaged,
    then `way_out` says what to try; it is of a later release, which has kept what this one would lose.
    """
    try:
        with path.open("rb") as stream:
            state = msgspec.json.decode(stream.read(bytes_max), type=kind)
    except FileNotFoundError:
        return kind()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is damaged: {error}\ntry: {way_out}") from None
    known = kind().version
    if state.version > known:
        raise ConfigurationError(f"{path} is of version {state.version}, and this release knows {known}\ntry: a later release")
    return state


def write_state(path: Path, state: object) -> None:
    """Keep a state, durably, in place of the one before. Raises StorageError."""
    replace_whole(path, msgspec.json.format(msgspec.json.encode(state)))
