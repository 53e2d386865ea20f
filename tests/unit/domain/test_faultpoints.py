"""A process that was started to die at a point dies there, and no other does."""

import signal
import subprocess
import sys

import pytest

from siegel.domain import faultpoints
from siegel.domain.errors import ConfigurationError
from siegel.domain.faultpoints import FAULT_POINTS, VARIABLE, Fuse, reach

WALK = """
from siegel.domain.faultpoints import reach
for number in range(3):
    print(number, flush=True)
    reach("put.before_commit")
    reach("answer.before")
"""


def walk(setting: str | None) -> subprocess.CompletedProcess[str]:
    environment = {} if setting is None else {VARIABLE: setting}
    return subprocess.run([sys.executable, "-c", WALK], env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("setting", [None, "", "blob.before_fsync"])
def test_a_process_that_is_not_armed_for_its_points_lives(setting):
    ended = walk(setting)
    assert (ended.returncode, ended.stdout) == (0, "0\n1\n2\n")


@pytest.mark.parametrize(
    ("setting", "reached"), [("put.before_commit", "0\n"), ("answer.before:1", "0\n"), ("answer.before:3", "0\n1\n2\n")]
)
def test_an_armed_process_is_killed_at_the_hit_that_was_asked_for(setting, reached):
    ended = walk(setting)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, reached)


def test_a_process_that_is_armed_for_nothing_that_exists_does_not_start():
    ended = walk("put.before_comit")
    assert ended.returncode == 1
    assert "fault points" in ended.stderr


@pytest.mark.parametrize(
    "setting", ["", "nowhere", "answer.before:0", "answer.before:-1", "answer.before:x", ":1", "answer.before:1:2"]
)
def test_a_setting_that_cannot_be_meant_is_refused(setting):
    with pytest.raises(ConfigurationError):
        Fuse(setting)


def test_only_the_named_point_burns_the_fuse(monkeypatch):
    kills = []
    monkeypatch.setattr(faultpoints.os, "kill", lambda *args: kills.append(args))
    monkeypatch.setattr(faultpoints, "_FUSE", Fuse("answer.before:2"))
    for name in FAULT_POINTS:
        reach(name)
    assert kills == []
    reach("answer.before")
    assert len(kills) == 1
    reach("answer.before")
    assert len(kills) == 1


def test_without_a_fuse_nothing_happens():
    for name in FAULT_POINTS:
        reach(name)
    assert len(set(FAULT_POINTS)) == len(FAULT_POINTS)
