"""Found by every Python that is started with this folder on PYTHONPATH: no entry is written, to see what that costs.

For measurements alone. Nothing of the product knows of it.
"""

import asyncio
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

STORE = "siegel.drivers.meta.sqlite"


async def _append(_store: object, _entry: object) -> None:
    """Let others have their turn, as waiting for the disk does; write nothing."""
    await asyncio.sleep(0)


def _record(_engine: object, _entries: object) -> None:
    """Write nothing beside a change."""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the store's module once, and takes the journal out of it."""

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name != STORE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_without_journal(module: Any) -> None:
            load(module)
            module.SqliteStore.append = _append
            module.SqliteEngine.record = _record

        spec.loader.exec_module = load_without_journal  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Finder())
