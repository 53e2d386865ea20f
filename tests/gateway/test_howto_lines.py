"""The commands of `docs/howto/encrypt-before-sending.md`, line by line as they stand there, with a store and a key server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

from .service import SIEGEL, Service
from .shelf import Shelf, seeded
from .signer import REGION

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "encrypt-before-sending.md"
# What the page's reader has before: tools, files to seal, and the keys of the people whom it names.
PREPARED = """
siegel keys new alice.key; cp alice.key.pub alice.pub
siegel keys new bob.key; cp bob.key.pub bob.pub
siegel keys new engineer.key
"""
# The page lets the key server start in the background; a script has to wait for what a person's fingers wait for.
READY = """
until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done
"""


def commands() -> list[str]:
    """The lines of the page's blocks before it turns to Python, those with `pip` left out: what they install is there."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## From Python\n")[0]
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return [line for line in lines if not line.startswith("pip ")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def script(service: Service, bucket: str, port: int) -> str:
    lines: list[str] = []
    for line in commands():
        done = line.replace("http://127.0.0.1:9000", service.url).replace("127.0.0.1:9443", f"127.0.0.1:{port}")
        lines.append(re.sub(r"s3://evidence\b", f"s3://{bucket}", done))
        if line.endswith("&"):
            lines.append(READY.format(port=port))
    # `set -e` ends it at the first line that fails, and the key server with it.
    return "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", PREPARED, *lines])


def test_every_line_of_the_page_does_what_it_says(service: Service, bucket: Shelf, tmp_path: Path) -> None:
    clip = seeded(2_500_000, 3)
    for name, body in (("clip.mp4", clip), ("notes.txt", b"notes"), ("report.pdf", b"report")):
        (tmp_path / name).write_bytes(body)
    env = {
        **os.environ,
        "PATH": f"{Path(SIEGEL).parent}:{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": service.owner.access_key_id,
        "AWS_SECRET_ACCESS_KEY": service.owner.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    done = subprocess.run(
        ["/bin/bash", "-x", "-c", script(service, bucket.name, free_port())],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    for name in ("again.mp4", "by-the-box.mp4", "for-support.mp4", "case-7.mp4"):
        assert (tmp_path / name).read_bytes() == clip, name
    assert (tmp_path / "alices.pdf").read_bytes() == b"report"
    assert "1000000" in done.stdout.split()
    assert "kms.Decrypt" in done.stdout
    assert {"2026/clip.mp4", "2026/notes.txt", "report.pdf"} <= set(bucket.keys())


def test_the_page_has_the_lines_that_are_run() -> None:
    text = "\n".join(commands())
    for needed in (
        "siegel keys new",
        "siegel seal",
        "siegel open",
        "siegel keybox init",
        "siegel keybox serve",
        "--sign-only",
        "siegel keybox log",
        "--seal-names",
    ):
        assert needed in text
