"""How often a deployment has committed: its journal has numbered a row per commit, and nothing watches the service meanwhile."""

from pathlib import Path

from siegel.app.config import load_config, resolve
from siegel.app.wiring import open_deployment


def commits_of(directory: Path) -> int:
    """Return the number of journaled commits so far; the service may be running."""
    deployment = open_deployment(resolve(load_config(directory, {}), directory))
    try:
        return deployment.store.last_batch()
    finally:
        deployment.close()
