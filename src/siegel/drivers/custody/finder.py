"""Where root keys are looked for: at the place that the key chest names, then at the place that the settings name.

The chest knows better after a rotation, the settings after a move to another machine. Which key it is, its id tells.
"""

from pathlib import Path

from msgspec.structs import replace

from siegel.domain.errors import ConfigurationError, SealBrokenError
from siegel.drivers.custody.chest import Chest, Slot, open_slot, read_chest
from siegel.drivers.custody.contents import Contents, derived_contents
from siegel.drivers.custody.rootfile import load_root_key
from siegel.drivers.custody.roots import FilePlace, FileRoot, Place, Root, TokenPlace
from siegel.drivers.custody.token import TokenRoot


class RootFinder:
    """Finds root keys."""

    def __init__(self, directory: Path, settled: Place, pin_file: str | None) -> None:
        """Look below `directory`, and at the place that the settings name. `pin_file`: for every token whose slot names none."""
        self._directory = directory
        self._settled = settled
        self._pin_file = pin_file

    def present(self, chest_path: Path) -> tuple[Contents, Root, tuple[str, ...]]:
        """Return the keys of the deployment, the root key that opened them, and the places of all root keys that do.

        They are those of the chest, or without one those that the root key file derives. Raises ConfigurationError: no root key
        that opens them can be reached; it says why.
        """
        chest = read_chest(chest_path)
        if chest is not None:
            return *self.open(chest), tuple(str(slot.place) for slot in chest.slots)
        if isinstance(self._settled, TokenPlace):
            raise ConfigurationError(f"the key chest {chest_path} is missing: restore it, nothing in this store opens without it")
        root_key = load_root_key(self._directory / self._settled.path)
        return derived_contents(root_key), FileRoot(root_key, self._settled), (str(self._settled),)

    def open(self, chest: Chest) -> tuple[Contents, Root]:
        """Return what a chest holds, and the root key that opened it; the newest is tried first. Raises ConfigurationError."""
        refused: list[str] = []
        for slot in reversed(chest.slots):
            for place in self._places(slot):
                try:
                    root = self.root_at(place)
                    if root.root_id == slot.root_id:
                        return open_slot(slot, root), root
                    refused.append(f"{place} is not the root key that the key chest is sealed for")
                except (ConfigurationError, SealBrokenError) as error:
                    refused.append(str(error))
        raise ConfigurationError("\n".join(dict.fromkeys(refused)))

    def root_at(self, place: Place) -> Root:
        """Return the root key at a place. Raises ConfigurationError."""
        if isinstance(place, FilePlace):
            return FileRoot(load_root_key(self._directory / place.path), place)
        return TokenRoot(place)

    def _places(self, slot: Slot) -> list[Place]:
        """Return where the root key of a slot may be, likeliest first; each place once."""
        named = slot.place
        if isinstance(named, TokenPlace) and named.pin_file is None:
            named = replace(named, pin_file=self._pin_file)
        return list(dict.fromkeys((named, self._settled) if type(named) is type(self._settled) else (named,)))
