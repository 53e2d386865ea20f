"""The root key: in a token, and rotated while the service runs, with kills at every step."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config

from siegel.app.config import load_config, resolve
from siegel.app.wiring import database_rekeying, open_deployment
from siegel.domain.errors import ConfigurationError
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.sqlite_connection import connect
from tests.process.running import SIEGEL, initialise, serving, siegel
from tests.softhsm import make_tokens, module, write_pin

ONCE = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
# Before it has begun, in its midst, behind its end: `make faults` dies at every step.
STEPS = ["chest.before_rename:1", "meta.after_commit:3", "chest.after_rename:2"]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return make_tokens(tmp_path_factory.mktemp("softhsm"), "first", "second")


@pytest.fixture
def pin(tmp_path):
    return write_pin(tmp_path)


def in_token(label, pin, prefix="--pkcs11"):
    return [f"{prefix}-module", module(), f"{prefix}-token", label, f"{prefix}-pin-file", str(pin)]


def rotate(directory, *words, env=None):
    done = siegel("root", "rotate", directory, "--json", *words, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Customer:
    """A customer with an object, a key of the key service and a session, each of which must go on to work."""

    def __init__(self, made):
        self.keys = made["account"]

    def client(self, name, service, **keys):
        given = keys or {
            "aws_access_key_id": self.keys["access_key_id"],
            "aws_secret_access_key": self.keys["secret_access_key"],
        }
        return boto3.client(name, endpoint_url=service.s3.geturl(), region_name="eu-central-1", config=ONCE, **given)

    @contextmanager
    def clients(self, service, *names, **keys):
        made = [self.client(name, service, **keys) for name in names]
        try:
            yield made
        finally:
            for client in made:
                client.close()

    def move_in(self, service):
        with self.clients(service, "s3", "kms", "sts") as (s3, kms, sts):
            s3.create_bucket(Bucket="box", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
            s3.put_object(Bucket="box", Key="letter", Body=b"dear")
            self.key_id = kms.create_key()["KeyMetadata"]["KeyId"]
            self.blob = kms.encrypt(KeyId=self.key_id, Plaintext=b"secret")["CiphertextBlob"]
            self.session = sts.get_session_token()["Credentials"]

    def check(self, service):
        with self.clients(service, "s3", "kms") as (s3, kms):
            answer = s3.get_object(Bucket="box", Key="letter")
            assert answer["Body"].read() == b"dear"
            answer["Body"].close()
            assert kms.decrypt(CiphertextBlob=self.blob)["Plaintext"] == b"secret"
        keys = {
            "aws_access_key_id": self.session["AccessKeyId"],
            "aws_secret_access_key": self.session["SecretAccessKey"],
            "aws_session_token": self.session["SessionToken"],
        }
        with self.clients(service, "s3", **keys) as (s3,):
            assert s3.head_object(Bucket="box", Key="letter")["ContentLength"] == 4


@pytest.fixture(scope="module")
def inhabited(tmp_path_factory):
    """A deployment with a customer in it, to be copied."""
    directory = tmp_path_factory.mktemp("inhabited") / "data"
    customer = Customer(initialise(directory))
    with serving(directory, "--workers", "1") as service:
        customer.move_in(service)
    return directory, customer


@pytest.fixture
def moved_in(inhabited, tmp_path):
    directory, customer = inhabited
    return shutil.copytree(directory, tmp_path / "data"), customer


def test_a_deployment_whose_root_key_is_in_a_token(tokens, tmp_path, pin):
    directory = tmp_path / "data"
    customer = Customer(initialise(directory, *in_token("first", pin), env=tokens))
    assert not (directory / "root.key").exists()
    with serving(directory, "--workers", "2", env=tokens) as service:
        customer.move_in(service)
        customer.check(service)
    checks = json.loads(siegel("doctor", directory, "--json", env=tokens).stdout)["checks"]
    seen = {check["check"]: (check["verdict"], check["seen"]) for check in checks}
    assert seen["root key and database"] == ("ok", "the key siegel-root in the token first opens the database")


def test_a_pin_by_the_environment_reaches_every_process(tokens, tmp_path, pin):
    env = {**tokens, "SIEGEL_PKCS11_PIN": pin.read_text().strip()}
    words = ["--pkcs11-module", module(), "--pkcs11-token", "second", "--pkcs11-key", "by environment"]
    initialise(tmp_path / "data", *words, env=env)
    with serving(tmp_path / "data", "--workers", "1", env=env) as service:
        assert service.ask_s3() == 403
    refused = siegel("serve", tmp_path / "data", "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", env=tokens)
    assert refused.returncode == 253
    assert "wants a PIN" in refused.stderr


def test_a_token_that_is_away_keeps_the_service_from_starting_and_the_doctor_tells(tokens, tmp_path, pin):
    initialise(tmp_path / "data", *in_token("first", pin), "--pkcs11-key", "soon away", env=tokens)
    elsewhere = make_tokens(tmp_path / "elsewhere", "third")
    refused = siegel("serve", tmp_path / "data", "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", env=elsewhere)
    assert refused.returncode == 253
    assert "no token called first" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "no token called first" in siegel("doctor", tmp_path / "data", env=elsewhere).stdout


def test_the_root_key_goes_from_file_to_file_to_token_and_back_while_the_service_serves(moved_in, tokens, tmp_path, pin):
    directory, customer = moved_in
    with serving(directory, "--workers", "2", env=tokens) as service:
        customer.check(service)
        rotate(directory, "--to-file", tmp_path / "second.key", env=tokens)
        (directory / "root.key").unlink()
        customer.check(service)
        done = rotate(directory, *in_token("first", pin, "--to-pkcs11"), "--to-pkcs11-key", "guest", env=tokens)
        # Account, two access keys and a key at least; a ledger too, once it has begun.
        assert done["sealed_anew"] == done["looked_at"] >= 4
        (tmp_path / "second.key").unlink()
        customer.check(service)
        with customer.clients(service, "kms", "sts") as (kms, sts):
            kms.create_key()
            sts.get_session_token()
        rotate(directory, "--to-file", tmp_path / "third.key", env=tokens)
        customer.check(service)
    # The token is gone, and so are the older files.
    with serving(directory, "--workers", "1") as service:
        customer.check(service)


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_is_killed_goes_on(moved_in, tmp_path, step):
    directory, customer = moved_in
    words = [SIEGEL, "root", "rotate", str(directory), "--to-file", str(tmp_path / "second.key")]
    with serving(directory, "--workers", "1") as service:
        killed = subprocess.run(
            words, env={**os.environ, "SIEGEL_FAULT_POINT": step}, capture_output=True, timeout=120, check=False
        )
        assert killed.returncode == -9, killed.stderr
        customer.check(service)
    with serving(directory, "--workers", "1") as service:
        customer.check(service)
        again = subprocess.run(words, capture_output=True, timeout=120, check=False, text=True)
        ended = "opens this deployment already" in again.stderr
        assert again.returncode == 0 or (ended and step == "chest.after_rename:2"), again.stderr
        customer.check(service)
    (directory / "root.key").unlink()
    with serving(directory, "--workers", "1") as service:
        customer.check(service)


def test_the_doctor_tells_of_a_rotation_that_was_interrupted(moved_in, tmp_path):
    directory, _ = moved_in
    env = {**os.environ, "SIEGEL_FAULT_POINT": "meta.before_commit:2"}
    assert siegel("root", "rotate", directory, "--to-file", tmp_path / "second.key", env=env).returncode == -9
    checks = json.loads(siegel("doctor", directory, "--json").stdout)["checks"]
    (found,) = [check for check in checks if check["check"] == "root key and database"]
    assert found["verdict"] == "warn"
    assert "siegel root rotate" in found["seen"]
    assert rotate(directory)["new"] == f"the file {tmp_path / 'second.key'}"


REKEY_STEPS = ["rekey.copying", "rekey.after_copy", "chest.before_rename", "chest.after_rename", "rekey.before_removal"]


def rekey(directory, step=""):
    env = {**os.environ, "SIEGEL_FAULT_POINT": step} if step else None
    return siegel("root", "rekey-database", directory, "--json", env=env)


def databases(directory):
    return sorted(path.name for path in directory.glob("siegel*.db*"))


def test_the_database_gets_a_key_that_no_root_key_of_before_derives(moved_in):
    directory, customer = moved_in
    old_pages = (directory / "siegel.db").read_bytes()
    done = json.loads(rekey(directory).stdout)
    assert (done["rekeyed"], done["resumed"], done["pages"] > 10) == (True, False, True)
    assert databases(directory) == ["siegel-1.db"]
    pages = (directory / "siegel-1.db").read_bytes()
    assert not [place for place in range(0, len(pages), 4096) if pages[place : place + 4096] in old_pages]
    derived = LocalCustodian.load(directory / "root.key").database_key()
    with pytest.raises(ConfigurationError, match="wrong root key"):
        connect(directory / "siegel-1.db", derived, cache_kib=100)
    with serving(directory, "--workers", "2") as service:
        customer.check(service)
    assert json.loads(rekey(directory).stdout)["rekeyed"]
    rotate(directory, "--to-file", directory / "second.key")
    (directory / "root.key").unlink()
    assert databases(directory) == ["siegel-2.db"]
    with serving(directory, "--workers", "1") as service:
        customer.check(service)


@pytest.mark.parametrize("step", REKEY_STEPS)
def test_another_key_for_the_database_that_is_killed_is_ended(moved_in, step):
    directory, customer = moved_in
    killed = rekey(directory, step)
    assert killed.returncode == -9, killed.stderr
    # Whatever happened, it is served as it is, and what is written then stays.
    with serving(directory, "--workers", "1") as service:
        customer.check(service)
        with customer.clients(service, "s3") as (s3,):
            s3.put_object(Bucket="box", Key="later", Body=b"later")
    is_changed = step in {"chest.after_rename", "rekey.before_removal"}
    told = siegel("doctor", directory).stdout
    assert "siegel root rekey-database" in told
    assert ("was the database before" in told, "siegel-1.db is not the database" in told) == (is_changed, not is_changed)
    ended = rekey(directory)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["resumed"] is is_changed
    assert databases(directory) == ["siegel-1.db"]
    assert "rekey-database" not in siegel("doctor", directory).stdout
    with serving(directory, "--workers", "1") as service:
        customer.check(service)
        with customer.clients(service, "s3") as (s3,):
            assert s3.head_object(Bucket="box", Key="later")["ContentLength"] == 5


def test_the_database_of_a_running_service_keeps_its_key(moved_in):
    directory, customer = moved_in
    with serving(directory, "--workers", "1") as service:
        refused = rekey(directory)
        assert refused.returncode == 253
        assert "another instance of the service runs" in refused.stderr
        customer.check(service)
    assert databases(directory)[0] == "siegel.db"


def test_the_database_keeps_its_key_while_a_command_has_it_open_or_the_root_key_is_rotated(moved_in, tmp_path):
    directory, _ = moved_in
    deployment = open_deployment(resolve(load_config(directory, {}), directory))
    try:
        refused = rekey(directory)
        assert refused.returncode == 253
        assert "is open" in refused.stderr
    finally:
        deployment.close()
    env = {**os.environ, "SIEGEL_FAULT_POINT": "meta.before_commit:2"}
    assert siegel("root", "rotate", directory, "--to-file", tmp_path / "second.key", env=env).returncode == -9
    refused = rekey(directory)
    assert refused.returncode == 253
    assert f"siegel root rotate {directory}" in refused.stderr
    assert [name for name in databases(directory) if name.endswith(".db")] == ["siegel.db"]
    rotate(directory)
    assert json.loads(rekey(directory).stdout)["rekeyed"]


def test_nobody_opens_a_database_that_is_given_another_key(moved_in):
    directory, _ = moved_in
    settings = resolve(load_config(directory, {}), directory)
    with database_rekeying(settings).held():
        refused = siegel("account", "list", "--data", directory)
        assert refused.returncode == 253
        assert "is given another key" in refused.stderr
    assert siegel("account", "list", "--data", directory).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no rotation is under way"),
        (["--to-file", "{directory}/root.key"], "opens this deployment already"),
        (["--to-file", "/nowhere/root.key"], "cannot be written"),
        (["--to-pkcs11-module", "/nowhere.so"], "in a file or in a token"),
        (["--to-pkcs11-token", "first"], "in a file or in a token"),
        (["--to-pkcs11-module", "/nowhere.so", "--to-pkcs11-token", "first"], "in a file or in a token"),
        (
            ["--to-pkcs11-module", "/nowhere.so", "--to-pkcs11-token", "t", "--to-pkcs11-pin-file", "/pin"],
            "/nowhere.so is missing",
        ),
    ],
)
def test_a_rotation_that_cannot_begin_says_why_and_changes_nothing(deployment, words, message):
    refused = siegel("root", "rotate", deployment, *(word.format(directory=deployment) for word in words))
    assert refused.returncode == 253
    assert message in refused.stderr
    assert not (deployment / "keychest").exists()
