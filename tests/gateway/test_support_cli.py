"""`siegel support`: the provider's side of consent, from a terminal."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from siegel.ledger.consents import parse_request
from tests.command_line import siegel

from .consenting import Parties, client_of, parties
from .service import Service
from .signer import REGION, Keys


@pytest.fixture
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("support")) as found:
        found.s3.put_object(Bucket=found.bucket, Key="case/1", Body=b"one")
        yield found


def support(theirs: Parties, *words: object, keys: Keys | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    asking = keys or theirs.operator
    env = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": asking.access_key_id,
        "AWS_SECRET_ACCESS_KEY": asking.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "SIEGEL_ADMIN_URL": theirs.service.admin_url,
        **variables,
    }
    return siegel("support", *words, env=env)


def request_words(theirs: Parties, **changes: str) -> list[str]:
    words = {**theirs.wanted("case/*"), "until": "+2h", **changes}
    told = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in words.items()}
    return ["request", *(part for name, value in told.items() for part in (f"--{name}", value))]


def test_an_operator_asks_is_let_in_and_reports(theirs: Parties, tmp_path: Path) -> None:
    ended = support(theirs, *request_words(theirs), "--max-reads", "3")
    assert ended.returncode == 0, ended.stderr
    consent_id = ended.stdout.split()[1]
    assert ended.stdout.startswith(f"request {consent_id} waits for the customer's answer until 20")
    asked = parse_request(theirs.shown(consent_id)["request"])
    assert (asked.person, asked.max_reads, asked.answer_by_s - asked.requested_at_s in range(14_398, 14_403)) == (
        "jane.doe",
        3,
        True,
    )
    assert asked.expires_s - asked.requested_at_s in range(7198, 7203)

    refused = support(theirs, "credentials", consent_id)
    assert (refused.returncode, refused.stdout, "AccessDenied: " in refused.stderr) == (1, "", True)
    theirs.approve(consent_id)
    theirs.await_state(consent_id, "active")
    listed = support(theirs, "list").stdout.splitlines()
    assert [line.split()[2] for line in listed if consent_id in line] == ["active"]
    shown = support(theirs, "show", consent_id).stdout
    assert shown.startswith(f"{consent_id} is active\n\nsiegel access request v1\n")
    assert "siegel access approval v1" in shown

    file = tmp_path / "consent.aws"
    # Said again, it takes the place of what it wrote; nothing else is overwritten.
    for _ in range(2):
        assert f"export AWS_SHARED_CREDENTIALS_FILE={file}" in support(theirs, "credentials", consent_id, "-o", file).stdout
    own = tmp_path / "own.aws"
    own.write_text("[work]\naws_access_key_id = AKIA\n")
    refused = support(theirs, "credentials", consent_id, "-o", own)
    assert (refused.returncode, "is not overwritten" in refused.stderr) == (253, True)
    assert own.read_text() == "[work]\naws_access_key_id = AKIA\n"
    assert file.stat().st_mode & 0o777 == 0o600
    words = ConfigParser()
    words.read(file)
    profile = words["default"]
    given = {
        "AccessKeyId": profile["aws_access_key_id"],
        "SecretAccessKey": profile["aws_secret_access_key"],
        "SessionToken": profile["aws_session_token"],
    }
    s3 = client_of(theirs.service, given)
    assert s3.get_object(Bucket=theirs.bucket, Key="case/1")["Body"].read() == b"one"
    # What the AWS tools call `credential_process`.
    assert json.loads(support(theirs, "credentials", consent_id).stdout)["Version"] == 1

    closed = support(theirs, "close", consent_id, "--summary", "The index was damaged")
    assert closed.stdout == f"{consent_id} is closed; uses: 1\n", closed.stderr
    assert "The index was damaged" in theirs.shown(consent_id)["report"]


def test_what_cannot_be_asked_for_is_said_clearly(theirs: Parties) -> None:
    words = request_words(theirs)
    for changes, status, told in (
        ({"cause": "curiosity"}, 1, "InvalidRequest: This cannot be asked for"),
        ({"account": "000000000000"}, 1, "There is no such account"),
        ({"until": "tomorrow"}, 253, "'tomorrow' is no time"),
        ({"until": "2027-01-15T12:00:00"}, 253, "lacks its time zone"),
        ({"until": "+30h"}, 1, "InvalidRequest"),
    ):
        ended = support(theirs, *request_words(theirs, **changes))
        assert (ended.returncode, ended.stdout, told in ended.stderr) == (status, "", True), ended.stderr
    customers = support(theirs, *words, keys=theirs.keys)
    assert (customers.returncode, "InvalidAccessKeyId" in customers.stderr) == (1, True)
    elsewhere = support(theirs, "list", SIEGEL_ADMIN_URL="http://127.0.0.1:1")
    assert (elsewhere.returncode, "127.0.0.1:1 does not answer" in elsewhere.stderr) == (1, True)
    wrong = support(theirs, "list", SIEGEL_ADMIN_URL=theirs.service.url)
    assert (wrong.returncode, "this is no admin port" in wrong.stderr) == (1, True)
    nobody = support(theirs, "list", AWS_ACCESS_KEY_ID="", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
    assert (nobody.returncode, "no operator's access key is named" in nobody.stderr) == (253, True)
    missing = support(theirs, "show", "0" * 16)
    assert (missing.returncode, "NoSuchConsent" in missing.stderr) == (1, True)
