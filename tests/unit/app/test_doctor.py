import shutil
from types import SimpleNamespace

import pytest
from tests.command_line import siegel

from siegel.app import doctor
from siegel.app.config import merge, resolve
from siegel.app.doctor import Verdict, examine
from siegel.app.serve import take_instance_lock
from siegel.app.wiring import create_deployment
from siegel.service.lockclock import LockTime


@pytest.fixture
def settings(tmp_path):
    made = resolve(merge({"s3": "127.0.0.1:0", "admin": "127.0.0.1:0"}, {}), tmp_path)
    create_deployment(made).close()
    return made


def verdicts(settings):
    return {finding.check: finding.verdict for finding in examine(settings)}


def test_a_fresh_deployment_has_nothing_to_fear(settings, tmp_path):
    found = verdicts(settings)
    assert Verdict.FAIL not in found.values()
    assert not (tmp_path / ".doctor").exists()


def test_a_root_key_that_others_may_read_is_a_failure(settings, tmp_path):
    (tmp_path / "root.key").chmod(0o640)
    assert verdicts(settings)["root key and database"] is Verdict.FAIL


def test_half_a_copy_of_the_database_is_told_with_the_way_out(settings, tmp_path):
    (tmp_path / "siegel.toml").touch()
    (tmp_path / "siegel-1.db").write_bytes(bytes(4096))
    found = next(finding for finding in examine(settings) if finding.check == "root key and database")
    assert found.verdict is Verdict.WARN
    assert f"{tmp_path / 'siegel-1.db'} is not the database" in found.seen
    way_out = found.seen.split("try: siegel ")[1].split(", ")[0]
    assert siegel(*way_out.split()).returncode == 0
    assert [path.name for path in tmp_path.glob("siegel*.db")] == ["siegel-1.db"]
    assert verdicts(settings)["root key and database"] is Verdict.OK


def test_a_key_chest_of_before_a_rotation_is_told_where_the_database_is_of_after(settings, tmp_path):
    (tmp_path / "siegel.toml").touch()
    assert siegel("account", "create", "first", "--data", tmp_path).returncode == 0
    assert siegel("root", "rotate", tmp_path, "--to-file", tmp_path / "second.key").returncode == 0
    assert verdicts(settings)["root key and database"] is Verdict.OK
    (tmp_path / "keychest").unlink()
    found = next(finding for finding in examine(settings) if finding.check == "root key and database")
    assert found.verdict is Verdict.FAIL
    assert "which the key chest does not have\ntry: put back database and key chest from one and the same copy" in found.seen


@pytest.mark.parametrize(("days", "verdict"), [(0, Verdict.OK), (30, Verdict.WARN), (-30, Verdict.WARN)])
def test_a_lock_clock_that_is_off_is_told_with_the_way_out(settings, monkeypatch, days, verdict):
    monkeypatch.setattr(LockTime, "lag_ms", lambda _: days * 86_400_000)
    found = next(finding for finding in examine(settings) if finding.check == "lock clock")
    assert found.verdict is verdict
    assert ("30.0 days" in found.seen) == (days != 0) == ("siegel clock confirm" in found.seen)


def test_a_span_is_told_in_hours_or_days():
    assert doctor.span(5_400_000) == "1.5 hours behind the time of day"
    assert doctor.span(-86_400_000) == "1.0 days ahead of the time of day"


@pytest.mark.parametrize(
    ("free", "verdict"), [(2**40, Verdict.OK), (2**35, Verdict.WARN), (2**20, Verdict.FAIL)], ids=["ample", "little", "none"]
)
def test_little_space_is_told(settings, monkeypatch, free, verdict):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free, total=2**40))
    assert verdicts(settings)["free space"] is verdict


def test_a_disk_that_cannot_have_synced_is_suspected(settings, monkeypatch):
    monkeypatch.setattr(doctor, "_filesystem", lambda _: "ext4")
    monkeypatch.setattr(doctor, "SYNC_SUSPICIOUS_S", 1000)
    assert verdicts(settings)["sync"] is Verdict.WARN


def test_a_disk_that_forgets_is_told(settings, monkeypatch):
    monkeypatch.setattr(doctor, "_filesystem", lambda _: "tmpfs")
    assert verdicts(settings)["sync"] is Verdict.WARN


def test_the_filesystem_is_that_of_the_deepest_mount(tmp_path):
    assert doctor._filesystem(tmp_path / "not" / "there") == doctor._filesystem(tmp_path)


def test_a_taken_port_is_a_failure_unless_the_service_itself_has_it(tmp_path):
    with doctor.reserve(doctor.Address("127.0.0.1", 0)) as other:
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        settings = resolve(merge({"s3": taken, "admin": "127.0.0.1:0"}, {}), tmp_path)
        create_deployment(settings).close()
        assert verdicts(settings)["s3 port"] is Verdict.FAIL
        take_instance_lock(tmp_path)
        assert verdicts(settings)["s3 port"] is Verdict.OK


def test_a_certificate_that_is_none_is_a_failure(tmp_path):
    (tmp_path / "not.pem").write_text("hello")
    given = {"tls_cert": str(tmp_path / "not.pem"), "tls_key": str(tmp_path / "not.pem")}
    settings = resolve(merge({"s3": "127.0.0.1:0", "admin": "127.0.0.1:0", **given}, {}), tmp_path / "data")
    (tmp_path / "data").mkdir()
    create_deployment(settings).close()
    assert verdicts(settings)["certificate"] is Verdict.FAIL


def test_a_directory_that_cannot_be_written_is_a_failure(settings, tmp_path):
    (tmp_path / ".doctor").symlink_to(tmp_path / "elsewhere")
    found = next(finding for finding in examine(settings) if finding.check == "sync")
    assert (found.verdict, f"{tmp_path} cannot be written: " in found.seen) == (Verdict.FAIL, True)
