"""The audit of operators' access against the running service: what was consented to holds, what was not is found, offline too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .consenting import SIGNERS, Parties, parties
from .service import Service
from .shelf import fails
from .test_consent_commands import Home, home_of


def audited(home: Home, what: str, code: int = 0) -> Any:
    done = home.run("audit", what, "audits", "--json", code=code)
    return json.loads(done.stdout)


def found(told: Any) -> list[str]:
    return [finding["message"] for finding in told["findings"] if finding["check"] == "consent"]


def used(theirs: Parties, *keys: str) -> str:
    """Let the engineer in, look at objects and lists, and try what was not granted."""
    consent_id = theirs.granted(*keys, actions=["list", "head", "read"])
    s3 = theirs.engineer(consent_id)
    for _ in range(2):
        s3.get_object(Bucket=theirs.bucket, Key="case/1")["Body"].read()
    s3.head_object(Bucket=theirs.bucket, Key="case/1")
    s3.list_objects_v2(Bucket=theirs.bucket, Prefix="case/")
    with fails(403, "AccessDenied"):
        s3.get_object(Bucket=theirs.bucket, Key="other")
    theirs.lines(consent_id, at_least=9)
    return consent_id


def test_an_access_by_consent_is_told_of_and_holds_and_one_without_is_found(service: Service, tmp_path: Path) -> None:
    with parties(service, tmp_path / "witness") as theirs:
        for key in ("case/1", "case/2", "other"):
            theirs.s3.put_object(Bucket=theirs.bucket, Key=key, Body=b"content")
        (tmp_path / "keys").write_bytes(theirs.call("GET", "keys").body)
        home = home_of(theirs, tmp_path / "home", "--consent-keys", str(tmp_path / "keys"))
        consent_id = used(theirs, "case/*")
        told = audited(home, "sync")
        assert (told["holds"], found(told)) == (True, [])
        (seen,) = told["consents"]
        assert (seen["consent_id"], seen["person"], seen["uses"], seen["reads"], seen["refused"]) == (
            consent_id,
            "jane.doe",
            4,
            2,
            1,
        )
        assert (home.folder / "audits" / "ledger" / "consents" / consent_id / "evidence").exists()
        again = audited(home, "verify")
        assert (again["holds"], again["consents"]) == (True, told["consents"])
        assert "jane.doe" in home.run("audit", "report", "audits").stdout

        # Somebody puts other keys into the account, and lets himself in by them.
        theirs.put_keys(signers=SIGNERS[2:])
        rogue = used(theirs, "case/*")
        told = audited(home, "sync", code=3)
        messages = found(told)
        assert "consent keys were put into the account that you have not pinned here" in messages[0]
        assert f"the ledger says that the consent {rogue} was approved, and you did not" in messages[1]
        assert sum("which you did not give" in message for message in messages) == 4
        page = home.run("audit", "report", "audits", code=3).stdout
        assert page.splitlines()[2].startswith("OPERATOR ACCESS")
        assert (home.folder / "audits" / "evidence").is_dir()
