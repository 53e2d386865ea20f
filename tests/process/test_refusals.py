"""What keeps the service from starting, each with a message of its own, and nothing left behind."""

import shutil
import socket
import subprocess

import pytest

from tests.process.running import initialise, siegel


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pristine") / "data"
    initialise(directory)
    return directory


@pytest.fixture
def data(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "data")


def refusal(data, *words):
    ports = [word for port in ("--s3", "--admin") if port not in words for word in (port, "127.0.0.1:0")]
    refused = siegel("serve", data, *ports, *words)
    assert refused.returncode == 253, refused.stderr
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr
    return refused.stderr


def test_a_missing_root_key(data):
    (data / "root.key").unlink()
    assert "is missing" in refusal(data)


def test_a_root_key_that_others_may_read(data):
    (data / "root.key").chmod(0o644)
    assert "root.key" in refusal(data)


def test_the_root_key_of_another_deployment(data, tmp_path):
    initialise(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "root.key", data / "root.key")
    assert "wrong root key" in refusal(data)


def test_a_missing_database(data):
    (data / "siegel.db").unlink()
    assert "siegel.db" in refusal(data)


def test_a_port_that_somebody_else_has(data):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert f"the s3 port {taken} cannot be used" in refusal(data, "--s3", taken)


def test_an_address_of_another_machine(data):
    assert "the s3 port 192.0.2.1:9000 cannot be used" in refusal(data, "--s3", "192.0.2.1:9000")


def test_a_host_that_has_no_address(data):
    assert "the admin port nowhere.invalid:1 cannot be used" in refusal(data, "--admin", "nowhere.invalid:1")


def test_a_certificate_without_its_key(data):
    assert "go together" in refusal(data, "--tls-cert", "/dev/null")


def test_a_certificate_that_is_none(data):
    assert "no usable certificate" in refusal(data, "--tls-cert", "/dev/null", "--tls-key", "/dev/null")


def test_a_certificate_for_key_servers_that_is_none(data):
    with (data / "siegel.toml").open("a") as stream:
        stream.write("key_server_cert = '/dev/null'\n")
    assert "/dev/null and /dev/null are no usable certificate" in refusal(data)


def test_a_key_in_the_old_form_is_told_how_to_be_turned_into_the_new_one(data, tmp_path):
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout new.pem -out cert.pem -subj /CN=localhost -days 2"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    make = "openssl rsa -traditional -in new.pem -out old.pem"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    message = refusal(data, "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "old.pem"))
    assert "try: openssl pkcs8" in message


def test_a_setting_that_is_none(data):
    with (data / "siegel.toml").open("a") as stream:
        stream.write("sse_c_defualt = 'allowed'\n")
    assert "sse_c_defualt is no setting" in refusal(data)
