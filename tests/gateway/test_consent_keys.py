"""Consents and keys of the key service: each use is a call of the customer's key server, which is told by whom, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.keybox.box import Box, done

from .consenting import Parties, parties
from .key_servers import ATTEMPTS, EvilServer, connected, evil_server, external_key, patient, premises
from .service import Service
from .test_consents import read

BODY = b"x" * 100_000


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[EvilServer]:
    with evil_server() as found:
        yield found


@pytest.fixture(scope="module")
def key(theirs: Parties, server: EvilServer) -> str:
    """A key that the customer's server holds, and an object under it."""
    kms = patient(theirs.service, "kms", theirs.keys)
    made = external_key(kms, connected(kms, server.options), "k1")
    s3 = patient(theirs.service, "s3", theirs.keys)
    s3.put_object(Bucket=theirs.bucket, Key="case", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=made["Arn"])
    return str(made["Arn"])


def try_read(s3: Any, bucket: str) -> bytes:
    return persistently(s3, bucket, "case")


def persistently(s3: Any, bucket: str, key: str) -> bytes:
    """Read, and try again where the key server did not answer in its quarter of a second."""
    for _ in range(ATTEMPTS):
        try:
            return read(s3, bucket, key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                raise
    return read(s3, bucket, key)


def test_every_use_under_a_consent_is_a_call_that_says_so(theirs: Parties, server: EvilServer, key: str) -> None:
    # Whoever reads without a consent is served from memory for a while.
    for _ in range(2):
        assert try_read(theirs.s3, theirs.bucket) == BODY
    consent_id = theirs.granted("case")
    s3 = theirs.engineer(consent_id)
    reads = 3
    already = len(server.asked)
    for _ in range(reads):
        assert try_read(s3, theirs.bucket) == BODY
    asked = [question["requestMetadata"] for name, question in server.asked[already:] if name == "decrypt"]
    assert len({told["kmsRequestId"] for told in asked}) == len(asked) >= reads
    for told in asked:
        assert told["awsPrincipalArn"] == f"arn:aws:siegel:::support/{consent_id}/jane.doe"
        assert told["kmsKeyArn"] == key
        assert {name: value for name, value in told.items() if name.startswith("consent")} == {
            "consentId": consent_id,
            "consentPerson": "jane.doe",
            "consentCause": "customer-support",
            "consentTicket": "T-4711",
            "consentAction": "read",
        }
    # The uses of the key carry the consent too, and nobody is served by what the engineer has opened.
    uses = [line for line in theirs.lines(consent_id, kind="object.read", at_least=reads) if line.leaf.facts.key_ids]
    assert {line.leaf.request_id for line in uses} >= {told["kmsRequestId"] for told in asked}


def test_others_tell_nothing_of_consents(theirs: Parties, server: EvilServer, key: str) -> None:
    del key
    s3 = patient(theirs.service, "s3", theirs.keys)
    s3.put_object(Bucket=theirs.bucket, Key="fresh", Body=b"x", ServerSideEncryption="aws:kms")
    assert all(
        not name.startswith("consent")
        for _, question in server.asked
        if question["requestMetadata"].get("awsPrincipalArn", "").endswith(":root")
        for name in question["requestMetadata"]
    )


def test_a_key_server_that_refuses_decides(theirs: Parties, server: EvilServer, key: str) -> None:
    del key
    consent_id = theirs.granted("case")
    s3 = theirs.engineer(consent_id)
    assert try_read(s3, theirs.bucket) == BODY

    def refuse(operation: str, question: dict[str, Any], honest: Any) -> Any:
        principal = question["requestMetadata"].get("awsPrincipalArn", "")
        is_meant = operation == "decrypt" and principal.startswith("arn:aws:siegel:::support/")
        return {"errorName": "AccessDeniedException"} if is_meant else honest

    server.twist = refuse
    try:
        with pytest.raises(ClientError) as refusal:
            try_read(s3, theirs.bucket)
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
        # The customer himself still reads.
        assert try_read(theirs.s3, theirs.bucket) == BODY
    finally:
        server.twist = None
    assert try_read(s3, theirs.bucket) == BODY


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
@pytest.mark.parametrize("object_key", ["case", "small"])
def test_what_ends_while_the_key_server_is_asked_gives_nothing(
    theirs: Parties, server: EvilServer, key: str, object_key: str, operation: str
) -> None:
    s3 = patient(theirs.service, "s3", theirs.keys)
    s3.put_object(Bucket=theirs.bucket, Key="small", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    consent_id = theirs.granted(object_key)
    engineer = theirs.engineer(consent_id)

    def revoke(_: str, question: dict[str, Any], honest: Any) -> Any:
        if question["requestMetadata"].get("consentId") == consent_id:
            assert theirs.revoke(consent_id).status == 200
        return honest

    server.twist = revoke
    try:
        with pytest.raises(ClientError) as refusal:
            getattr(engineer, operation)(Bucket=theirs.bucket, Key=object_key)
    finally:
        server.twist = None
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    told = [(line.leaf.facts.kind, line.leaf.facts.status) for line in theirs.lines(consent_id, at_least=6)]
    assert ("kms.decrypt", 200) in told
    assert [status for kind, status in told if kind.startswith("object.")] == [403]


def test_keys_that_the_service_holds(theirs: Parties) -> None:
    theirs.s3.put_object(Bucket=theirs.bucket, Key="kms", Body=b"mine", ServerSideEncryption="aws:kms")
    consent_id = theirs.granted("kms")
    assert read(theirs.engineer(consent_id), theirs.bucket, "kms") == b"mine"
    (use,) = theirs.lines(consent_id, kind="object.read")
    assert use.opening is not None
    assert len(use.leaf.facts.key_ids) == 1
    assert use.opening.principal == f"arn:aws:siegel:::support/{consent_id}/jane.doe"


@pytest.fixture(scope="module")
def boxed(theirs: Parties, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The customer's real key server, which wants to see consents, and an object under a key of it."""
    folder = tmp_path_factory.mktemp("box")
    with premises(folder) as found:
        box = found.box
        (folder / "keys").write_bytes(theirs.call("GET", "keys").body)
        (folder / "policy").write_bytes(theirs.policy)
        done("consent", "trust", box.folder, "--keys", folder / "keys", "--policy", folder / "policy")
        box.write_policy('consents = "required"\n')
        kms = patient(theirs.service, "kms", theirs.keys)
        made = external_key(kms, connected(kms, found.options), found.new_key())
        s3 = patient(theirs.service, "s3", theirs.keys)
        sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": made["Arn"]}
        for key in ("boxed/1", "boxed/2"):
            s3.put_object(Bucket=theirs.bucket, Key=key, Body=BODY, **sealed)
        yield box


def box_refuses(box: Box, s3: Any, bucket: str, key: str, why: str) -> None:
    with pytest.raises(ClientError) as refusal:
        persistently(s3, bucket, key)
    assert refusal.value.response["Error"]["Code"] == "KMS.KMSInvalidStateException"
    assert why in box.last("xks.decrypt")["detail"]


def test_the_customers_box_lets_nobody_pass_but_by_the_evidence(theirs: Parties, boxed: Box, tmp_path: Path) -> None:
    consent_id = theirs.granted("boxed/*", actions=["read"])
    s3 = theirs.engineer(consent_id)
    # The service lets him in. The box has not seen the customer's signature.
    box_refuses(boxed, s3, theirs.bucket, "boxed/1", "the box was given none")
    (tmp_path / "evidence").write_bytes(theirs.call("GET", f"{consent_id}/evidence").body)
    done("consent", "add", boxed.folder, tmp_path / "evidence")
    assert persistently(s3, theirs.bucket, "boxed/1") == BODY
    line = boxed.last("xks.decrypt")
    assert (line["result"], line["principal"]) == ("ok", f"arn:aws:siegel:::support/{consent_id}/jane.doe")
    assert persistently(s3, theirs.bucket, "boxed/2") == BODY
    # The customer ends it at home, and tells nobody.
    done("consent", "revoke", boxed.folder, consent_id)
    assert theirs.shown(consent_id)["state"] == "active"
    box_refuses(boxed, s3, theirs.bucket, "boxed/1", "it was revoked")
    assert persistently(theirs.s3, theirs.bucket, "boxed/1") == BODY
