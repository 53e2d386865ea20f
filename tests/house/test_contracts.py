import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

CONTRACTS = ROOT / ".importlinter"
LINT = Path(sys.executable).with_name("lint-imports")


def lint(config: Path, path: Path) -> subprocess.CompletedProcess[str]:
    words = [str(LINT), "--config", str(config), "--no-cache"]
    environment = {"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin"}
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, cwd=path, env=environment)


def test_imports_go_down_only():
    ended = lint(CONTRACTS, ROOT / "src")
    assert ended.returncode == 0, ended.stdout


def test_every_pure_room_is_named_where_purity_is_demanded():
    rules = configparser.ConfigParser()
    rules.read(CONTRACTS)
    layers = [line.strip() for line in rules["importlinter:contract:floors"]["layers"].splitlines() if line.strip()]
    pure = {f"siegel.{room}" for layer in layers[-2:] for room in layer.split(" | ") if not room.startswith("(")}
    demanded = set(rules["importlinter:contract:purity"]["source_modules"].split())
    assert pure == demanded


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("access/decide.py", "import socket"),
        ("s3wire/route.py", "import siegel.envelope"),
        ("domain/ids.py", "import siegel.access.decide"),
        ("service/put.py", "import siegel.drivers.blob.files"),
        ("web/gateway.py", "import apsw"),
        ("customer/sealing/store.py", "import siegel.service.put"),
        ("service/put.py", "import boto3"),
        ("app/serve.py", "import siegel.drivers.meta.sqlite"),
    ],
)
def test_the_contracts_bite(tmp_path, module, line):
    copy = tmp_path / "siegel"
    subprocess.run(["cp", "-r", str(ROOT / "src" / "siegel"), str(copy)], check=True)
    broken = copy / module
    broken.write_text(broken.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    ended = lint(CONTRACTS, tmp_path)
    assert "BROKEN" in ended.stdout, ended.stdout + ended.stderr
