"""The key chest: the keys of the custodian and of the database in one small file, sealed for each root key that opens it.

A deployment has one as soon as its root key is in a token, or was rotated. There is one slot per root key: two while a rotation
is under way. The file is replaced whole, by a rename. Format page: `docs/design/formats/key-chest.md`.
"""

import hmac
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.domain.faultpoints import reach
from siegel.drivers.custody.contents import Contents
from siegel.drivers.custody.rootfile import sync_folder, write_durably
from siegel.drivers.custody.roots import Place, Root
from siegel.envelope.derive import KEY_BYTES

CHEST_NAME: Final = "keychest"
_FORMAT: Final = "siegel key chest v1"
_CHEST_BYTES_MAX: Final = 64 * 1024
_SLOTS_MAX: Final = 2


class Slot(Struct, frozen=True):
    """The contents, sealed for one root key, and where that one rests."""

    root_id: str
    place: Place
    sealed: bytes


class Chest(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    format: Literal["siegel key chest v1"]
    slots: tuple[Slot, ...]


def read_chest(path: Path) -> Chest | None:
    """Return the chest, or None where there is none. Raises ConfigurationError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_CHEST_BYTES_MAX)
        chest = msgspec.json.decode(text, type=Chest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the key chest {path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"the key chest {path} is damaged, or of a newer release: {error}") from None
    if not 1 <= len(chest.slots) <= _SLOTS_MAX:
        raise ConfigurationError(f"the key chest {path} is damaged: it has {len(chest.slots)} slots")
    return chest


def open_slot(slot: Slot, root: Root) -> Contents:
    """Return what a slot holds. Raises SealBrokenError, ConfigurationError."""
    try:
        contents = msgspec.msgpack.decode(root.open(slot.sealed, _context(slot.root_id)), type=Contents)
    except msgspec.DecodeError:
        raise SealBrokenError("the key chest holds something else than keys") from None
    if not contents.keys or {len(key) for key in (contents.database_key, *(key.secret for key in contents.keys))} != {KEY_BYTES}:
        raise SealBrokenError("the key chest holds something else than keys")
    return contents


def write_chest(path: Path, contents: Contents, roots: tuple[Root, ...]) -> None:
    """Replace the chest, durably and whole: sealed for each of `roots`, and seen to open for each.

    Raises ConfigurationError (not written, or a root key that cannot be reached), SealBrokenError. The old chest then stays.
    """
    plain = msgspec.msgpack.encode(contents)
    slots = tuple(Slot(root.root_id, root.place, root.seal(plain, _context(root.root_id))) for root in roots)
    for slot, root in zip(slots, roots, strict=True):
        if not hmac.compare_digest(root.open(slot.sealed, _context(slot.root_id)), plain):
            raise SealBrokenError("a fresh key chest opened to something else")
    text = msgspec.json.format(msgspec.json.encode(Chest(_FORMAT, slots)))
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        write_durably(unfinished, text + b"\n")
        reach("chest.before_rename")
        unfinished.rename(path)
        reach("chest.after_rename")
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(f"the key chest {path} cannot be written: {error.strerror}") from None


def _context(root_id: str) -> bytes:
    return f"{_FORMAT}\0{root_id}".encode()
