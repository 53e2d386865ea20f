import os
from pathlib import Path

import pytest

from siegel.app.config import load_config, merge, resolve
from siegel.app.settings import Address, parse_address
from siegel.domain.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("SIEGEL_"):
            monkeypatch.delenv(name)


def written(tmp_path, text=""):
    (tmp_path / "siegel.toml").write_text(text)
    return tmp_path


def test_flag_beats_environment_beats_file_beats_default(tmp_path, monkeypatch):
    directory = written(tmp_path, 'region = "eu-west-9"\ngrace_s = 1\nsteward_interval_s = 5\n')
    monkeypatch.setenv("SIEGEL_GRACE_S", "2")
    monkeypatch.setenv("SIEGEL_STEWARD_INTERVAL_S", "6")
    config = load_config(directory, {"steward_interval_s": 7.0, "workers": None})
    assert (config.region, config.grace_s, config.steward_interval_s, config.stop_grace_s) == ("eu-west-9", 2, 7, 30)


def test_domains_come_as_a_list_or_separated_by_commas(tmp_path, monkeypatch):
    assert load_config(written(tmp_path, 'domains = ["a.org", "b.org"]'), {}).domains == ("a.org", "b.org")
    monkeypatch.setenv("SIEGEL_DOMAINS", "c.org, d.org")
    assert load_config(tmp_path, {}).domains == ("c.org", "d.org")
    assert load_config(tmp_path, {"domains": ["e.org"]}).domains == ("e.org",)


def test_what_may_be_asked_comes_as_a_list_too(tmp_path, monkeypatch):
    assert load_config(written(tmp_path), {}).outbound_allow == ()
    monkeypatch.setenv("SIEGEL_OUTBOUND_ALLOW", "idp.internal:8443, 10.1.0.0/16")
    config = load_config(tmp_path, {})
    assert resolve(config, tmp_path).outbound_allow == ("idp.internal:8443", "10.1.0.0/16")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('outbound_allow = ["idp.internal"]', "neither HOST:PORT nor a network"),
        ("sse_c_defualt = 'allowed'", "sse_c_defualt is no setting"),
        ("sse_c_default = 'maybe'", "sse_c_default"),
        ("workers = 0", "workers"),
        ("s3 = '9000'", "'9000' is not HOST:PORT"),
        ("region = 'Frankfurt!'", "not a region"),
        ("domains = ['S3.Example.Org']", "not a domain name"),
        ("tls_cert = 'a.pem'", "go together"),
        ("region = ", "not valid TOML"),
        ("grace_s = -1", "grace_s"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path, text, reason):
    with pytest.raises(ConfigurationError, match=reason):
        load_config(written(tmp_path, text), {})


def test_a_misspelt_variable_is_refused_but_an_orchestrators_is_not(tmp_path, monkeypatch):
    written(tmp_path)
    monkeypatch.setenv("SIEGEL_PORT_9000_TCP", "tcp://10.0.0.1:9000")
    monkeypatch.setenv("SIEGEL_SERVICE_HOST", "10.0.0.1")
    load_config(tmp_path, {})
    monkeypatch.setenv("SIEGEL_SSE_C_DEFUALT", "allowed")
    with pytest.raises(ConfigurationError, match="SIEGEL_SSE_C_DEFUALT"):
        load_config(tmp_path, {})


def test_a_directory_without_a_deployment_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigurationError, match="try: siegel init"):
        load_config(tmp_path, {})


def test_a_file_that_cannot_be_read_is_named_in_words(tmp_path, monkeypatch):
    path = tmp_path / "siegel.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"siegel\.toml is no text in UTF-8$"):
        load_config(tmp_path, {})
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: os.open("/", os.O_WRONLY))
    with pytest.raises(ConfigurationError, match=r"siegel\.toml cannot be read: Is a directory$"):
        load_config(tmp_path, {})


def test_resolving_fills_in_every_default(tmp_path):
    settings = resolve(merge({}, {}), tmp_path)
    assert settings.workers == len(os.sched_getaffinity(0))
    assert settings.root_key_file == str(tmp_path / "root.key")
    assert settings.s3 == Address("127.0.0.1", 9000)
    assert settings.scheme == "http"


def test_resolving_keeps_what_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"tls_cert": Path("c.pem"), "tls_key": "k.pem", "workers": 3, "root_key_file": "elsewhere"}
    settings = resolve(merge({}, given), tmp_path)
    assert (settings.tls_cert, settings.workers, settings.scheme) == (str(tmp_path / "c.pem"), 3, "https")
    assert settings.root_key_file == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("text", ["", "host", "host:", ":1", "host:-1", "host:65536", "host:٣", "::1:9000", "[]:1"])
def test_a_bad_address_is_refused(text):
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_address(text)


def test_addresses_are_written_as_in_urls():
    assert str(parse_address("localhost:0")) == "localhost:0"
    assert parse_address("[::1]:9000") == Address("::1", 9000)
    assert str(parse_address("[::1]:9000")) == "[::1]:9000"


def test_a_directory_that_cannot_be_looked_into_is_no_missing_deployment(tmp_path):
    # As for another user than the owner of a directory with mode 0700; the root user may look into every one.
    with pytest.raises(ConfigurationError, match=r"siegel\.toml cannot be read: File name too long$"):
        load_config(tmp_path / ("long" * 80), {})
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ConfigurationError, match="holds no Siegel deployment"):
            load_config(path, {})
