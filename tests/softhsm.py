"""Tokens in software, by SoftHSM (`tools/softhsm.sh` installs it)."""

import os
import subprocess
from pathlib import Path

PIN = "4711"


def module() -> str:
    """The PKCS#11 module. A machine without it fails the tests that need it: they are never left out."""
    places = [Path("/usr/lib/softhsm/libsofthsm2.so"), *sorted(Path("/usr/lib").glob("*/softhsm/libsofthsm2.so"))]
    found = next((place for place in places if place.exists()), None)
    assert found is not None, "SoftHSM is missing: run tools/softhsm.sh"
    return str(found)


def make_tokens(folder: Path, *labels: str) -> dict[str, str]:
    """Make tokens whose PIN is `PIN`; return the environment in which processes find them."""
    (folder / "tokens").mkdir(parents=True)
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings)}
    for label in labels:
        words = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN]
        subprocess.run(words, env=environment, check=True, capture_output=True)
    return environment


def write_pin(folder: Path, pin: str = PIN) -> Path:
    """Write a PIN to a file of mode 0600."""
    path = folder / "pin"
    path.touch(0o600)
    path.write_text(pin + "\n")
    return path
