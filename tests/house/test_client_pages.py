"""The clients' pages show the settings that the client suite tests, and nothing else."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_clients_pages_are_written_from_the_tested_settings() -> None:
    words = [sys.executable, ROOT / "tests" / "clients" / "client_pages.py", "--check"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, f"run: python tests/clients/client_pages.py\n{ended.stdout}{ended.stderr}"
