"""How often a deployment has committed: its journal has one row per commit, and nothing watches the service while it counts."""

from pathlib import Path

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment


def commits_of(directory: Path) -> int:
    """Return the number of journaled commits so far; the service may be running."""
    deployment = open_deployment(resolve(load_config(directory, {}), directory))
    try:
        entries = deployment.store.entries
        high = 1
        while entries(high, 1):
            high *= 2
        low = 0
        while low < high:
            middle = (low + high) // 2
            if entries(middle, 1):
                low = middle + 1
            else:
                high = middle
        return low
    finally:
        deployment.close()
