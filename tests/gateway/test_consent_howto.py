"""The page `docs/howto/consent.md`, line by line: each command on it works, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from .consenting import in_time, parties
from .service import Service
from .test_consent_commands import Home, home_of

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "consent.md"
COMMAND = re.compile(r"^    (siegel .+)$", re.MULTILINE)
# Each of these is about a request that nobody has answered yet.
FRESH = {"show", "approve", "deny"}


def test_every_command_of_the_page_works(service: Service, tmp_path: Path) -> None:
    lines = COMMAND.findall(PAGE.read_text(encoding="utf-8"))
    assert len(lines) >= 15
    with parties(service, tmp_path / "witness") as theirs:
        (tmp_path / "keys").write_bytes(theirs.call("GET", "keys").body)
        home = home_of(theirs, tmp_path / "home", "--consent-keys", str(tmp_path / "keys"))
        prepare(home, theirs.bucket)
        approved = ""
        for line in lines:
            here = line.replace("https://HOST/.ledger/111122223333", f"{service.url}/.ledger/{theirs.account_id}")
            words = shlex.split(here.replace("s3://evidence/", f"s3://{theirs.bucket}/"))[1:]
            is_fresh = words[0] == "consent" and words[1] in FRESH
            consent_id = theirs.request("case/1", until=in_time(6 * 3600)) if is_fresh else approved
            words = [consent_id if word == "ID" else word for word in words]
            if words[:2] == ["consent", "approve"]:
                words.append("--yes")
                approved = consent_id
            if words[:2] == ["consent", "rewrap"]:
                words += ["--endpoint-url", service.url]
            ended = home.run(*words)
            assert ended.stdout, line
            if words[:3] == ["keybox", "consent", "trust"]:
                (home.folder / "box" / "policy.toml").write_text('consents = "required"\n')
        assert home.run("audit", "verify", "audits").stdout.startswith("HOLDS")


def prepare(home: Home, bucket: str) -> None:
    """Make what the page takes for granted: a box, and a sealed object."""
    home.run("keybox", "init", "box", "--json")
    for name in ("my.key", "engineer.key"):
        home.run("keys", "new", name)
    (home.folder / "clip.mp4").write_bytes(b"clip" * 1000)
    home.run("seal", "clip.mp4", f"s3://{bucket}/2026/clip.mp4", "--key", "my.key", "--endpoint-url", home.theirs.service.url)
