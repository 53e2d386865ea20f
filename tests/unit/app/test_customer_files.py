"""The customer's commands with files that are missing, or something else: a line names the file, and nothing is lost."""

import pytest
from tests.command_line import siegel

PASSPHRASE = "correct horse battery"


@pytest.fixture
def box(tmp_path):
    assert siegel("keybox", "init", "box", cwd=tmp_path).returncode == 0
    return tmp_path / "box"


def refused(folder, *words, code=253):
    done = siegel(*words, cwd=folder)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) <= 2, done.stderr
    return done.stderr


def test_a_directory_that_holds_no_box_is_called_so(tmp_path):
    (tmp_path / "file").touch()
    for place in ("nowhere", "file"):
        assert f"{place} holds no box\ntry: siegel keybox init {place}" in refused(tmp_path, "keybox", "list", place)


def test_a_box_that_a_passphrase_unlocks_says_so_where_none_is_given(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    assert siegel("keybox", "init", "box", "--passphrase-file", secret, cwd=tmp_path).returncode == 0
    assert "is unlocked by a passphrase\ntry: --passphrase-file" in refused(tmp_path, "keybox", "list", "box")
    assert siegel("keybox", "list", "box", "--passphrase-file", secret, cwd=tmp_path).returncode == 0


def test_a_box_that_was_cut_is_named(box, tmp_path):
    (box / "box.sealed").write_bytes(b"")
    assert "box/box.sealed: this is no box, or it was cut" in refused(tmp_path, "keybox", "list", "box")


def test_a_policy_that_cannot_be_read_is_named_in_words(box, tmp_path):
    policy = box / "policy.toml"
    policy.write_bytes(b"\xff")
    assert "box/policy.toml is no text in UTF-8" in refused(tmp_path, "keybox", "policy", "box")
    policy.unlink()
    assert "box/policy.toml is missing, so nothing is allowed" in refused(tmp_path, "keybox", "policy", "box")
    policy.mkdir()
    assert "box/policy.toml cannot be read: Is a directory" in refused(tmp_path, "keybox", "policy", "box")


def test_the_way_out_of_a_damaged_log_names_its_directory(box, tmp_path):
    (box / "log.jsonl").write_text("nothing\n")
    told = refused(tmp_path, "keybox", "create-key", "box", "main", code=1)
    assert "try: siegel keybox log box --verify" in told
    assert "key_id" in siegel("keybox", "list", "box", cwd=tmp_path).stdout.splitlines()[0]
    assert len(siegel("keybox", "list", "box", cwd=tmp_path).stdout.splitlines()) == 1, "no key was made that no log tells of"


def test_consent_keys_that_are_none_are_named_and_leave_no_directory(tmp_path):
    (tmp_path / "policy").write_text("quorum none\n")
    (tmp_path / "junk").write_text("junk")
    for name, words in (("junk", "a file of consent keys is"), ("gone", "cannot be read: No such file")):
        told = refused(tmp_path, "audit", "init", "audits", "--from", ".", "--policy", "policy", "--consent-keys", name)
        assert f"siegel: {name}" in told
        assert words in told
        assert not (tmp_path / "audits").exists()


def test_pinned_keys_that_are_a_directory_are_named(tmp_path):
    (tmp_path / "policy").write_text("quorum none\n")
    assert siegel("audit", "init", "audits", "--from", ".", "--policy", "policy", cwd=tmp_path).returncode == 0
    (tmp_path / "audits" / "consent-keys" / "20270101T000000Z").mkdir(parents=True)
    told = refused(tmp_path, "consent", "keys", "show", "audits")
    assert "audits/consent-keys/20270101T000000Z cannot be read: Is a directory" in told
