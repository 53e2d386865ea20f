"""Consents and keys of the key service: each use is a call of the customer's key server, which is told by whom, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .consenting import Parties, parties
from .key_servers import ATTEMPTS, EvilServer, connected, evil_server, external_key, patient
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
    """Read, and try again where the key server did not answer in its quarter of a second."""
    for _ in range(ATTEMPTS):
        try:
            return read(s3, bucket, "case")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                raise
    return read(s3, bucket, "case")


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
    uses = theirs.lines(consent_id, kind="kms.decrypt", at_least=reads)
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


def test_keys_that_the_service_holds(theirs: Parties) -> None:
    theirs.s3.put_object(Bucket=theirs.bucket, Key="kms", Body=b"mine", ServerSideEncryption="aws:kms")
    consent_id = theirs.granted("kms")
    assert read(theirs.engineer(consent_id), theirs.bucket, "kms") == b"mine"
    (use,) = theirs.lines(consent_id, kind="kms.decrypt")
    assert use.opening is not None
    assert use.opening.principal == f"arn:aws:siegel:::support/{consent_id}/jane.doe"
