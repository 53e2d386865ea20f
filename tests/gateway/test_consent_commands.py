"""The customer's side of consent by its commands, against the running service: keys, requests, signatures, evidence, the end."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from siegel.customer.consent.desk import ConsentDesk
from siegel.customer.consent.revocations import read_revoked
from siegel.domain.moments import encode_time
from tests.command_line import SIEGEL, siegel
from tests.keybox.box import done as boxed
from tests.softhsm import make_tokens, module, write_pin

from .consenting import ACTIVE_S, Parties, parties
from .service import Service
from .shelf import fails
from .signer import REGION


@dataclass(frozen=True)
class Home:
    """The customer's machine: his directory of audits, his keys, an ordinary access key."""

    folder: Path
    env: dict[str, str]
    theirs: Parties

    def run(self, *words: object, code: int = 0, says: str = "") -> subprocess.CompletedProcess[str]:
        done = siegel(*words, cwd=self.folder, env=self.env)
        assert (done.returncode, says in done.stderr) == (code, True), (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def consent(self, *words: object, code: int = 0, says: str = "") -> Any:
        done = self.run("consent", *words, "--json", code=code, says=says)
        return json.loads(done.stdout) if code == 0 else done.stderr

    def keygen(self, name: str, *words: object) -> str:
        return str(self.consent("keygen", f"{name}.key", "--name", f"{name}.customer.example", *words)["vkey"])

    def keys(self, threshold: int, *names: str) -> None:
        """Say whose signatures count."""
        (self.folder / "consent.keys").unlink(missing_ok=True)
        self.run("consent", "keys", "new", "consent.keys", *(f"{name}.key.pub" for name in names), "--threshold", threshold)
        self.run("consent", "keys", "put", "audits", "consent.keys")


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("consents")) as found:
        for number in (1, 2):
            found.s3.put_object(Bucket=found.bucket, Key=f"case/{number}", Body=b"content")
        yield found


@pytest.fixture
def home(theirs: Parties, tmp_path: Path) -> Home:
    made = home_of(theirs, tmp_path)
    made.keygen("alice")
    made.keys(1, "alice")
    return made


def home_of(theirs: Parties, folder: Path, *words: str) -> Home:
    """Make the customer's machine, with a directory of audits that trusts his witness."""
    folder.mkdir(exist_ok=True)
    (folder / "policy").write_bytes(theirs.policy)
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": theirs.keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": theirs.keys.secret_access_key,
        "AWS_REGION": REGION,
    }
    made = Home(folder, env, theirs)
    ledger = f"{theirs.service.url}/.ledger/{theirs.account_id}"
    made.run("audit", "init", "audits", "--from", ledger, "--policy", "policy", *words)
    return made


def await_refusal(read: Callable[[], Any]) -> None:
    """A revocation reaches every process, soon."""
    give_up = time.monotonic() + ACTIVE_S
    while True:
        try:
            read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                return
            raise
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_request_is_seen_granted_in_force_and_revoked(home: Home, theirs: Parties) -> None:
    consent_id = theirs.request("case/1", max_reads=5)
    (row,) = (row for row in home.consent("list", "audits", "--waiting")["consents"] if row["consent_id"] == consent_id)
    assert (row["state"], row["person"], row["ticket"]) == ("requested", "jane.doe", "T-4711")
    shown = home.consent("show", "audits", consent_id)
    assert (shown["reason"], shown["max_reads"], shown["action"]) == ("The recording does not play", "5", ["head", "read"])
    assert shown["objects"] == [f"s3://{theirs.bucket}/case/1"]

    home.consent("approve", "audits", consent_id, code=1, says="say who signs")
    refused = home.consent("approve", "audits", consent_id, "--key", "alice.key", code=1, says="try: --yes")
    for told in ("jane.doe, Provider GmbH", "T-4711", f"s3://{theirs.bucket}/case/1", "5 reads at most", "works from DE"):
        assert told in refused
    granted = home.consent("approve", "audits", consent_id, "--key", "alice.key", "--yes", "-o", "evidence")
    assert (granted["in_force"], granted["signed"], granted["threshold"]) == (True, 1, 1)
    theirs.await_state(consent_id, "active")
    s3 = theirs.engineer(consent_id)
    assert s3.get_object(Bucket=theirs.bucket, Key="case/1")["ETag"]

    again = home.consent("evidence", "audits", consent_id, "-o", "again")
    assert again["entry"] == granted["entry"]
    assert (home.folder / "again").read_bytes() == (home.folder / "evidence").read_bytes()

    revoke = ("revoke", "audits", consent_id, "--key", "alice.key", "--reason", "Enough seen")
    with pytest.MonkeyPatch.context() as lying:
        lying.setattr(ConsentDesk, "say", lambda desk, consent_id, _what, _data: desk.show(consent_id))
        home.consent(*revoke, code=1, says="says that the consent is active: it has not ended")
    assert read_revoked(home.folder / "audits") == {}
    assert home.consent(*revoke)["state"] == "revoked"
    assert list(read_revoked(home.folder / "audits")) == [consent_id]
    await_refusal(lambda: s3.get_object(Bucket=theirs.bucket, Key="case/1"))
    assert "Enough seen" in theirs.shown(consent_id)["revocation"]


def test_at_a_terminal_it_asks_before_it_signs(home: Home, theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    line = [SIEGEL, "consent", "approve", "audits", consent_id, "--key", "alice.key"]
    for said, code, told in (("no", 1, "nothing was signed"), ("yes", 0, "Do you grant this? [yes/no]")):
        controller, terminal = os.openpty()
        with os.fdopen(controller, "wb", buffering=0) as typing, os.fdopen(terminal, "rb") as stdin:
            typing.write(f"{said}\n".encode())
            done = subprocess.run(
                line, cwd=home.folder, env=home.env, stdin=stdin, capture_output=True, text=True, check=False, timeout=120
            )
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert theirs.shown(consent_id)["state"] in {"approved", "active"}


def test_less_than_was_asked_for_is_granted_and_never_more(home: Home, theirs: Parties) -> None:
    consent_id = theirs.request("case/*")
    sign = ("approve", "audits", consent_id, "--key", "alice.key", "--yes")
    home.consent(*sign, "--until", "+2h", code=1, says="cannot be granted: granted-until")
    home.consent(*sign, "--objects", f"s3://{theirs.bucket}/*", code=1, says="was not asked for")
    home.consent(*sign, "--objects", "case/1", code=1, says="s3://bucket/key")
    home.consent(*sign, "--until", "tomorrow", code=253, says="is no time")
    home.consent(*sign, "--until", "2027-01-15T12:00:00", code=253, says="time zone")
    home.consent(*sign, "--until", "2020-01-01T00:00:00Z", code=1, says="is past")
    until = encode_time(int(time.time()) + 900)
    granted = home.consent(*sign, "--until", until, "--objects", f"s3://{theirs.bucket}/case/2")
    assert granted["in_force"]
    theirs.await_state(consent_id, "active")
    s3 = theirs.engineer(consent_id)
    assert s3.head_object(Bucket=theirs.bucket, Key="case/2")["ContentLength"] == 7
    with fails(403, "403"):
        s3.head_object(Bucket=theirs.bucket, Key="case/1")
    shown = home.run("consent", "show", "audits", consent_id).stdout
    assert f"only s3://{theirs.bucket}/case/2" in shown
    # The right to decide is enough to end it.
    assert home.consent("revoke", "audits", consent_id)["state"] == "revoked"
    home.consent("revoke", "audits", consent_id, "--reason", "x", code=1, says="belongs to what is signed")


def test_two_of_three_have_to_sign_the_same(home: Home, theirs: Parties) -> None:
    home.keygen("bob")
    (home.folder / "phrase").touch(0o600)
    (home.folder / "phrase").write_text("correct horse battery staple\n")
    home.keygen("carol", "--passphrase-file", "phrase")
    home.keys(2, "alice", "bob", "carol")
    consent_id = theirs.request("case/*")
    sign = ("approve", "audits", consent_id, "--yes")
    first = home.consent(*sign, "--key", "alice.key", "--objects", f"s3://{theirs.bucket}/case/1")
    assert (first["in_force"], first["signed"], first["threshold"]) == (False, 1, 2)
    assert home.consent("show", "audits", consent_id)["signed"] == 1
    home.consent(*sign, "--key", "bob.key", "--until", "+10m", code=1, says="others have signed already")
    home.consent(*sign, "--key", "carol.key", code=253, says="has a passphrase")
    second = home.consent(*sign, "--key", "carol.key", "--passphrase-file", "phrase")
    assert (second["in_force"], second["signed"]) == (True, 2)
    assert home.consent("show", "audits", consent_id)["granted_objects"] == [f"s3://{theirs.bucket}/case/1"]
    both = theirs.request("case/2")
    assert home.consent("approve", "audits", both, "--yes", "--key", "alice.key", "--key", "bob.key")["in_force"]
    home.keygen("stranger")
    other = theirs.request("case/2")
    home.consent("approve", "audits", other, "--yes", "--key", "stranger.key", code=1, says="none of the consent keys")
    assert home.consent("deny", "audits", other, "--key", "bob.key", "--reason", "Not needed")["state"] == "denied"
    home.keys(1, "alice")


def test_a_key_in_a_token_signs(home: Home, theirs: Parties) -> None:
    home.env["SOFTHSM2_CONF"] = make_tokens(home.folder, "mine")["SOFTHSM2_CONF"]
    token = ("--pkcs11-module", module(), "--pkcs11-token", "mine", "--pkcs11-pin-file", write_pin(home.folder))
    made = home.consent("keygen", "--name", "hsm.customer.example", *token)
    assert made["key_file"] is None
    home.run("consent", "keys", "new", "hsm.keys", made["vkey"])
    home.run("consent", "keys", "put", "audits", "hsm.keys")
    consent_id = theirs.request("case/1")
    granted = home.consent("approve", "audits", consent_id, "--yes", "--token-key", "hsm.customer.example", *token)
    assert granted["in_force"]
    home.consent("keygen", "--name", "hsm.customer.example", *token, code=253, says="already")
    home.consent("keygen", "x.key", "--name", "y", *token, code=253, says="in a file or in a token")
    home.keys(1, "alice")


def test_keys_that_the_store_has_and_you_have_not_are_found_out(home: Home, theirs: Parties) -> None:
    assert home.consent("keys", "show", "audits")["same"]
    theirs.put_keys()
    shown = home.run("consent", "keys", "show", "audits", code=3)
    assert "THE STORE HAS OTHERS" in shown.stdout
    home.keys(1, "alice")
    assert home.consent("keys", "show", "audits")["same"]
    assert len(list((home.folder / "audits" / "consent-keys").iterdir())) == 1


def test_the_box_is_told_too(home: Home, theirs: Parties) -> None:
    boxed("init", home.folder / "box", "--json")
    home.run("keybox", "consent", "trust", "box", "--keys", "consent.keys", "--policy", "policy")
    consent_id = theirs.request("case/1")
    assert home.consent("approve", "audits", consent_id, "--key", "alice.key", "--yes", "--keybox", "box")["in_force"]

    def state() -> str:
        return str(json.loads(boxed("consent", "list", home.folder / "box", "--json"))["consents"][0]["state"])

    assert state() == "live"
    # What cannot be remembered is revoked all the same, and that is said.
    (home.folder / "audits" / "revoked").touch()
    told = home.consent(
        "revoke", "audits", consent_id, "--keybox", "box", code=1, says=f"{consent_id} is revoked, and your audits"
    )
    assert "audits/revoked" in told
    assert state() == "revoked"


def test_what_is_not_yours_is_not_signed(home: Home, theirs: Parties) -> None:
    consent_id = theirs.request("case/1")
    policy = (home.folder / "audits" / "policy").read_text()
    (home.folder / "audits" / "policy").write_text(
        "".join(
            line.replace(theirs.account_id, "999988887777") if line.startswith("log ") else line
            for line in policy.splitlines(True)
        )
    )
    home.consent("show", "audits", consent_id, code=253, says="does not fit the key")
    (home.folder / "audits" / "policy").write_text(
        "\n".join(line for line in policy.splitlines() if not line.startswith("log ")) + "\n"
    )
    home.consent("show", "audits", consent_id, code=1, says="which your policy does not")
    home.consent("show", "audits", "../keys", code=1, says="no id of a consent")
    home.consent("show", "audits", "0" * 16, code=1, says="NoSuchConsent")
    del home.env["AWS_ACCESS_KEY_ID"]
    home.env["HOME"] = str(home.folder)
    home.consent("list", "audits", code=253, says="no access key is named")
