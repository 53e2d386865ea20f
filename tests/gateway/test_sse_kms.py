"""Objects under keys of the key service (SSE-KMS), with the official SDK: who may write and read them, and what is told of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from siegel.domain.entry import Entry
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.sqlite import open_store
from siegel.drivers.system import SystemClock

from .form import signed_form
from .log import INTEGRATED_S, Auditor, Line
from .people import allow, make_person, new_person
from .service import Service
from .shelf import MIB, Shelf, b64, everything_on_disk, fails, md5_b64, refused, sdk, seeded
from .signer import Keys
from .test_kms_keys import key_policy, make_key, root, to

SSE = "x-amz-server-side-encryption"
RANDOM_ETAG = re.compile(r'"[0-9a-f]{32}-1"')


@pytest.fixture(scope="module")
def key(kms: Any) -> str:
    return arn_of(kms, make_key(kms))


def arn_of(kms: Any, name: str) -> str:
    return str(kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"])


def under(key: str, **options: Any) -> dict[str, Any]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, **options}


@cache
def auditor_of(service: Service, keys: Keys) -> Auditor:
    return Auditor(service.raw(keys), keys.account_id)


def journal(service: Service, request_id: str) -> list[Entry]:
    """Return what was written down of a request, in order: from the logs, once nothing of it waits in the journal any more."""
    give_up = time.monotonic() + INTEGRATED_S
    while waiting(service, request_id):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    found: list[Entry] = []
    for keys in (service.owner, service.stranger):
        auditor = auditor_of(service, keys)
        if auditor.fetch("checkpoint").status == 200:
            found += [entry_of(line, keys.account_id) for line in auditor.lines() if line.leaf.request_id == request_id]
    assert found
    return found


def waiting(service: Service, request_id: str) -> bool:
    """Whether an entry of a request is not in a log yet."""
    root_key = LocalCustodian.load(Path(service.directory) / "root.key")
    store = open_store(Path(service.directory), root_key.database_key(), SystemClock())
    try:
        asyncio.run(store.collect())
        return any(entry.request_id == request_id for _, batch in store.entries(0, 1_000_000) for entry in batch)
    finally:
        store.close()


def entry_of(line: Line, account_id: str) -> Entry:
    leaf, facts, opening = line.leaf, line.leaf.facts, line.opening
    assert opening is not None
    return Entry(
        facts.asked_at_ms,
        leaf.request_id,
        facts.kind,
        account_id,
        opening.principal,
        opening.bucket,
        opening.object_key,
        status=facts.status,
        reason=facts.reason,
        permit=opening.permit,
        key_ids=facts.key_ids,
        key_call_id=facts.key_call_id,
    )


def id_of(answer: Any) -> str:
    told = answer.response if isinstance(answer, ClientError) else answer
    return str(told["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])


@pytest.mark.parametrize("size", [0, 10, 70_000, 300_000])
def test_an_object_is_sealed_under_a_key_and_tells_which(bucket: Shelf, key: str, size: int) -> None:
    body = seeded(size)
    put = bucket.put("k", body, **under(key))
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key)
    assert "BucketKeyEnabled" not in put
    assert RANDOM_ETAG.fullmatch(put["ETag"])
    head = bucket.head("k")
    got = bucket.s3.get_object(Bucket=bucket.name, Key="k")
    with got["Body"] as stream:
        assert stream.read() == body
    for answer in (head, got):
        told = (answer["ServerSideEncryption"], answer["SSEKMSKeyId"], answer["ETag"])
        assert told == ("aws:kms", key, put["ETag"])
    assert bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"][0]["ETag"] == put["ETag"]
    attributes = bucket.s3.get_object_attributes(Bucket=bucket.name, Key="k", ObjectAttributes=["ETag", "ObjectSize"])
    assert (attributes["ETag"], attributes["ObjectSize"]) == (put["ETag"].strip('"'), size)
    if size > 100:
        got = bucket.get("k", Range="bytes=90-99")
        assert got == body[90:100]


def test_a_key_goes_by_its_id_its_arn_an_alias_and_the_alias_arn(bucket: Shelf, kms: Any, key: str) -> None:
    name = f"alias/{new_person()}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    for named in (key, key.rpartition("/")[2], name, key.rpartition("key/")[0] + name):
        assert bucket.put("k", b"1", **under(named))["SSEKMSKeyId"] == key
        assert bucket.get("k") == b"1"


def test_without_a_name_it_is_the_accounts_own_key_for_s3(bucket: Shelf, kms: Any) -> None:
    first = bucket.put("k", b"1", ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    assert bucket.put("other", b"2", ServerSideEncryption="aws:kms")["SSEKMSKeyId"] == first
    assert arn_of(kms, "alias/aws/s3") == first
    made = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (made["KeyManager"], made["Enabled"]) == ("AWS", True)
    assert kms.get_key_rotation_status(KeyId=first)["KeyRotationEnabled"]
    # It serves S3 alone, and nobody can take it away.
    for work, options in (
        (kms.disable_key, {}),
        (kms.schedule_key_deletion, {}),
        (kms.encrypt, {"Plaintext": b"1"}),
    ):
        with fails(400, "AccessDeniedException"):
            work(KeyId=first, **options)
    with fails(400, "InvalidAliasNameException"):
        kms.delete_alias(AliasName="alias/aws/s3")


def test_two_layers_are_told_as_such(bucket: Shelf, key: str) -> None:
    assert bucket.put("k", b"1", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)["ServerSideEncryption"] == "aws:kms:dsse"
    assert bucket.head("k")["ServerSideEncryption"] == "aws:kms:dsse"
    with fails(400, "InvalidArgument"):
        bucket.put("k", b"1", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key, BucketKeyEnabled=True)


def test_an_encryption_context_is_told_when_it_is_given_and_binds_who_may_read(
    service: Service, bucket: Shelf, kms: Any, iam: Any
) -> None:
    context = {"department": "ten", "x": "ü"}
    text = base64.b64encode(json.dumps(context).encode()).decode()
    arn = f"arn:aws:s3:::{bucket.name}"
    person = make_person(service, iam, allow("s3:*"))
    key = arn_of(kms, make_key(kms, Policy=key_policy(
        to(root(service.owner.account_id), "kms:*"),
        to(person.arn, "kms:Decrypt", Condition={
            "StringEquals": {
                "kms:EncryptionContext:department": "ten",
                "kms:EncryptionContext:aws:s3:arn": f"{arn}/k",
                "kms:ViaService": "s3.eu-central-1.amazonaws.com",
                "kms:CallerAccount": service.owner.account_id,
            },
        }),
    )))  # fmt: skip
    put = bucket.put("k", b"1", **under(key, SSEKMSEncryptionContext=text))
    assert json.loads(base64.b64decode(put["SSEKMSEncryptionContext"])) == context
    assert "SSEKMSEncryptionContext" not in bucket.head("k")
    bucket.put("bare", b"1", **under(key))
    bucket.put("shared", b"1", **under(key, SSEKMSEncryptionContext=text, BucketKeyEnabled=True))
    theirs = person.s3
    assert theirs.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"1"
    for name in ("bare", "shared"):
        with fails(403, "AccessDenied"):
            theirs.get_object(Bucket=bucket.name, Key=name)
    with fails(403, "AccessDenied"):
        theirs.put_object(Bucket=bucket.name, Key="k", Body=b"2", **under(key, SSEKMSEncryptionContext=text))
    assert bucket.get("k") == b"1"
    theirs.close()


@pytest.mark.parametrize("condition", [{"kms:ViaService": "s3.eu-central-1.amazonaws.com"}, {"aws:ViaAWSService": "true"}])
def test_a_key_can_keep_out_services_and_serve_its_callers_alone(
    service: Service, bucket: Shelf, kms: Any, condition: dict[str, str]
) -> None:
    whole = to(root(service.owner.account_id), "kms:*")
    for effect in ("Allow", "Deny"):
        by_service = {**to("*", ["kms:GenerateDataKey", "kms:Decrypt"], Condition={"StringEquals": condition}), "Effect": effect}
        others = [whole] if effect == "Deny" else [to(root(service.owner.account_id), ["kms:PutKeyPolicy", "kms:DescribeKey"])]
        key = arn_of(kms, make_key(kms, Policy=key_policy(*others, by_service)))
        if effect == "Allow":
            bucket.put("k", b"1", **under(key))
            assert bucket.get("k") == b"1"
            with fails(400, "AccessDeniedException"):
                kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        else:
            kms.generate_data_key(KeyId=key, KeySpec="AES_256")
            with bucket.unchanged(), fails(403, "AccessDenied"):
                bucket.put("k", b"2", **under(key))


def test_an_encryption_context_outlasts_the_key(service: Service, bucket: Shelf, kms: Any, iam: Any, key: str) -> None:
    """Whom a policy keeps out by an object's context, another key does not let in."""
    person = make_person(service, iam, allow(["s3:*", "kms:*"]))
    kept_out = {"StringEquals": {"kms:EncryptionContext:department": "ten"}}
    other = arn_of(kms, make_key(kms, Policy=key_policy(
        to(root(service.owner.account_id), "kms:*"), {**to(person.arn, "kms:Decrypt", Condition=kept_out), "Effect": "Deny"}
    )))  # fmt: skip
    bucket.put("k", b"1", **under(key, SSEKMSEncryptionContext=b64(b'{"department":"ten"}')))
    bucket.put("bare", b"1", **under(key))
    for name in ("k", "bare"):
        bucket.s3.update_object_encryption(
            Bucket=bucket.name, Key=name, ObjectEncryption={"SSEKMS": {"KMSKeyArn": other}}
        )  # fmt: skip
    with closing(person.s3) as theirs:
        assert theirs.get_object(Bucket=bucket.name, Key="bare")["Body"].read() == b"1"
        with fails(403, "AccessDenied"):
            theirs.get_object(Bucket=bucket.name, Key="k")
    assert bucket.get("k") == b"1"


NO_CONTEXTS = [b"no json", b"[]", b'{"a":1}', b'{"":"a"}', b'{"aws:s3:arn":"x"}', b'{"a":"%s"}' % (b"x" * 8200)]


@pytest.mark.parametrize("text", ["no base64!", *map(b64, NO_CONTEXTS)])
def test_t84_a_broken_encryption_context_is_refused(bucket: Shelf, key: str, text: str) -> None:
    with bucket.unchanged(), fails(400, "InvalidArgument"):
        bucket.put("k", b"1", **under(key, SSEKMSEncryptionContext=text))


BROKEN: dict[str, list[tuple[str, str]]] = {
    "no such method": [(SSE, "aws:nothing")],
    "key without method": [(f"{SSE}-aws-kms-key-id", "alias/aws/s3")],
    "key beside AES256": [(SSE, "AES256"), (f"{SSE}-aws-kms-key-id", "alias/aws/s3")],
    "context without method": [(f"{SSE}-context", b64(b"{}"))],
    "bucket key without a key": [(f"{SSE}-bucket-key-enabled", "true")],
    "bucket key that is no flag": [(SSE, "aws:kms"), (f"{SSE}-bucket-key-enabled", "yes")],
    "with a key of the request": [
        (SSE, "aws:kms"),
        (f"{SSE}-customer-algorithm", "AES256"),
        (f"{SSE}-customer-key", b64(bytes(32))),
        (f"{SSE}-customer-key-MD5", md5_b64(bytes(32))),
    ],
}


@pytest.mark.parametrize("case", BROKEN)
def test_t84_what_does_not_go_together_is_refused(bucket: Shelf, case: str) -> None:
    with bucket.unchanged():
        refused(
            bucket.call("PUT", "k", headers=BROKEN[case], body=b"1"), 400, "InvalidArgument", "InvalidEncryptionAlgorithmError"
        )


def test_t84_keys_that_are_not_there_or_not_usable(service: Service, bucket: Shelf, kms: Any, key: str) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    for name in (
        missing,
        key.rpartition("/")[0] + f"/{missing}",
        "alias/none",
        "no key at all",
        key.replace("eu-central-1", "us-west-2"),
    ):
        with bucket.unchanged(), fails(400, "KMS.NotFoundException"):
            bucket.put("k", b"1", **under(name))
    with bucket.unchanged(), fails(400, "KMS.InvalidArnException"):
        bucket.put("k", b"1", **under("arn:aws:kms:nothing"))
    foreign = sdk(service, service.stranger, name="kms")
    theirs = arn_of(foreign, make_key(foreign))
    foreign.close()
    for name in (theirs, theirs.rpartition("/")[0] + f"/{missing}"):
        with bucket.unchanged(), fails(403, "AccessDenied"):
            bucket.put("k", b"1", **under(name))


def test_t80_a_disabled_key_opens_nothing_until_it_is_enabled_again(bucket: Shelf, kms: Any) -> None:
    key = arn_of(kms, make_key(kms))
    bucket.put("k", b"1", **under(key))
    bucket.put("large", seeded(100_000), **under(key))
    upload_id = bucket.start("parts", **under(key))
    kms.disable_key(KeyId=key)
    for name in ("k", "large"):
        with fails(400, "KMS.DisabledException"):
            bucket.get(name)
        assert bucket.call("HEAD", name).status == 400
    for work in (
        lambda: bucket.put("new", b"1", **under(key)),
        lambda: bucket.start("more", **under(key)),
        lambda: bucket.part("parts", upload_id, 1, b"1"),
        lambda: bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=f"{bucket.name}/k"),
        lambda: bucket.s3.get_object_attributes(Bucket=bucket.name, Key="k", ObjectAttributes=["ETag"]),
    ):
        with fails(400, "KMS.DisabledException"):
            work()
    assert bucket.keys() == ["k", "large"]
    kms.enable_key(KeyId=key)
    assert bucket.get("k") == b"1"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with fails(400, "KMS.KMSInvalidStateException"):
        bucket.get("k")
    # Deleting needs no key.
    bucket.s3.delete_object(Bucket=bucket.name, Key="large")
    bucket.s3.abort_multipart_upload(Bucket=bucket.name, Key="parts", UploadId=upload_id)
    assert bucket.keys() == ["k"]


def test_t80_a_download_that_runs_ends_soon_after_its_key_is_disabled(bucket: Shelf, kms: Any) -> None:
    key = arn_of(kms, make_key(kms))
    size = 64 * MIB
    bucket.put("k", bytes(size), **under(key))
    with closing(bucket.s3.get_object(Bucket=bucket.name, Key="k")["Body"]) as stream:
        assert len(stream.read(MIB)) == MIB
        kms.disable_key(KeyId=key)
        pieces: list[int] = []
        with pytest.raises((ResponseStreamingError, IncompleteReadError)):
            pieces.extend(map(len, iter(lambda: stream.read(MIB), b"")))
    # What was under way arrives: the buffers of both sides, and no more.
    assert sum(pieces) < size // 2


def test_who_may_read_the_bucket_may_not_yet_use_the_key(service: Service, bucket: Shelf, kms: Any, iam: Any) -> None:
    key = arn_of(kms, make_key(kms))
    bucket.put("k", b"1", **under(key))
    reader = make_person(service, iam, allow("s3:*"))
    theirs = reader.s3
    with fails(403, "AccessDenied") as refusal:
        theirs.get_object(Bucket=bucket.name, Key="k")
    assert "kms:Decrypt" in str(refusal.value)
    grant = kms.create_grant(KeyId=key, GranteePrincipal=reader.arn, Operations=["Decrypt"])["GrantId"]
    assert theirs.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"1"
    with fails(403, "AccessDenied"):
        theirs.put_object(Bucket=bucket.name, Key="k", Body=b"2", **under(key))
    kms.revoke_grant(KeyId=key, GrantId=grant)
    with fails(403, "AccessDenied"):
        theirs.get_object(Bucket=bucket.name, Key="k")
    iam.put_user_policy(
        UserName=reader.name,
        PolicyName="key",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow("kms:Decrypt", key)]}),
    )
    assert theirs.get_object(Bucket=bucket.name, Key="k")["Body"].read() == b"1"
    # A key of S3's own is for everybody of the account whom S3 lets.
    theirs.put_object(Bucket=bucket.name, Key="managed", Body=b"3", ServerSideEncryption="aws:kms")
    assert bucket.get("managed") == b"3"
    theirs.close()


def test_nobody_unsigned_reads_what_a_key_protects(bucket: Shelf, key: str) -> None:
    bucket.put("k", b"1", **under(key))
    bucket.put("plain", b"1")
    bucket.s3.delete_public_access_block(Bucket=bucket.name)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket.name}/*",
    }
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert bucket.raw.anonymous("GET", bucket.name, "plain").body == b"1"
    refused(bucket.raw.anonymous("GET", bucket.name, "k"), 400, "InvalidArgument")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    refused(bucket.raw.anonymous("PUT", bucket.name, "new", body=b"1"), 400, "InvalidArgument")
    assert bucket.keys() == ["k", "plain"]


def test_a_bucket_seals_under_its_key_whatever_asks_for_nothing(bucket: Shelf, kms: Any, key: str) -> None:
    def configure(**default: str) -> None:
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": default["SSEAlgorithm"] == "aws:kms"}
        bucket.s3.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": [rule]})

    configure(SSEAlgorithm="aws:kms", KMSMasterKeyID=key)
    shown = bucket.s3.get_bucket_encryption(Bucket=bucket.name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert shown["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert shown["BucketKeyEnabled"]
    put = bucket.put("k", b"1")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"], put["BucketKeyEnabled"]) == ("aws:kms", key, True)
    assert bucket.head("k")["BucketKeyEnabled"]
    assert "BucketKeyEnabled" not in bucket.put("k", b"1", **under(key, BucketKeyEnabled=False))
    assert bucket.put("plain", b"1", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    copy = bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=f"{bucket.name}/plain")
    assert (copy["SSEKMSKeyId"], copy["BucketKeyEnabled"]) == (key, True)
    upload_id = bucket.start("parts")
    assert bucket.complete("parts", upload_id, [bucket.part("parts", upload_id, 1, b"1")])["SSEKMSKeyId"] == key
    form = replace(signed_form(bucket.service.owner, bucket.name, "form"), file=b"1")
    assert form.post(bucket.raw, bucket.name).header(f"{SSE}-aws-kms-key-id") == key
    configure(SSEAlgorithm="aws:kms:dsse")
    put = bucket.put("k", b"1")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms:dsse", arn_of(kms, "alias/aws/s3"))
    bucket.s3.delete_bucket_encryption(Bucket=bucket.name)
    assert bucket.put("k", b"1")["ServerSideEncryption"] == "AES256"
    assert bucket.get("copy") == bucket.get("parts") == bucket.get("form") == b"1"


def test_parts_are_sealed_under_the_key_of_their_upload(bucket: Shelf, key: str) -> None:
    first, second = seeded(5 * MIB, 1), seeded(100_000, 2)
    started = bucket.s3.create_multipart_upload(
        Bucket=bucket.name, Key="k", ContentType="x/y", ChecksumAlgorithm="SHA256", **under(key)
    )
    assert started["SSEKMSKeyId"] == key
    upload_id = started["UploadId"]
    parts = [bucket.part("k", upload_id, number, body, ChecksumAlgorithm="SHA256") for number, body in ((1, first), (2, second))]
    listed = bucket.s3.list_parts(Bucket=bucket.name, Key="k", UploadId=upload_id)["Parts"]
    assert [part["ETag"] for part in listed] == [part["ETag"] for part in parts]
    done = bucket.complete("k", upload_id, parts)
    assert (done["SSEKMSKeyId"], done["ServerSideEncryption"]) == (key, "aws:kms")
    assert re.fullmatch(r'"[0-9a-f]{32}-2"', done["ETag"])
    again = bucket.complete("k", upload_id, parts)
    assert (again["ETag"], again["SSEKMSKeyId"]) == (done["ETag"], key)
    head = bucket.head("k", PartNumber=2)
    assert (head["PartsCount"], head["ContentType"], head["ContentLength"]) == (2, "x/y", len(second))
    assert bucket.get("k") == first + second
    attributes = bucket.s3.get_object_attributes(Bucket=bucket.name, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert [part["ChecksumSHA256"] for part in attributes["Parts"]] == [part["ChecksumSHA256"] for part in parts]
    upload_id = bucket.start("copied", **under(key))
    copied = bucket.s3.upload_part_copy(
        Bucket=bucket.name,
        Key="copied",
        UploadId=upload_id,
        PartNumber=1,
        CopySource=f"{bucket.name}/k",
        CopySourceRange="bytes=10-19",
    )
    assert copied["SSEKMSKeyId"] == key
    bucket.complete("copied", upload_id, [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}])
    assert bucket.get("copied") == first[10:20]


def test_a_part_cannot_ask_for_another_seal_than_its_upload_has(bucket: Shelf, key: str) -> None:
    for options, told, other in (
        ({}, "AES256", "aws:kms"),
        (under(key), "aws:kms", "AES256"),
        ({**under(key), "ServerSideEncryption": "aws:kms:dsse"}, "aws:kms:dsse", "aws:kms"),
    ):
        upload_id = bucket.start("k", **options)
        query = f"partNumber=1&uploadId={upload_id}"
        refused(bucket.call("PUT", "k", query=query, headers=[(SSE, other)], body=b"1"), 400, "InvalidArgument")
        source = [("x-amz-copy-source", f"/{bucket.name}/source")]
        bucket.put("source", b"1")
        refused(bucket.call("PUT", "k", query=query, headers=[*source, (SSE, other)]), 400, "InvalidArgument")
        assert "Parts" not in bucket.s3.list_parts(Bucket=bucket.name, Key="k", UploadId=upload_id)
        assert bucket.call("PUT", "k", query=query, headers=[(SSE, told)], body=b"1").status == 200
    upload_id = bucket.start("k", **under(key))
    query, one = f"partNumber=1&uploadId={upload_id}", key.rpartition("/")[2]
    named = [(SSE, "aws:kms"), (f"{SSE}-aws-kms-key-id", "alias/aws/s3")]
    refused(bucket.call("PUT", "k", query=query, headers=named, body=b"1"), 400, "InvalidArgument")
    for name in (key, one):
        named = [(SSE, "aws:kms"), (f"{SSE}-aws-kms-key-id", name)]
        assert bucket.call("PUT", "k", query=query, headers=named, body=b"1").status == 200


def test_copies_go_from_any_key_to_any_other(bucket: Shelf, kms: Any, key: str) -> None:
    other = arn_of(kms, make_key(kms))
    body = seeded(80_000)
    bucket.put("k", body, **under(key), Metadata={"a": "b"})

    def copy(name: str, source: str, **options: Any) -> Any:
        return bucket.s3.copy_object(Bucket=bucket.name, Key=name, CopySource=f"{bucket.name}/{source}", **options)

    assert copy("moved", "k", **under(other))["SSEKMSKeyId"] == other
    assert copy("plain", "moved")["ServerSideEncryption"] == "AES256"
    assert copy("back", "plain", **under(key, BucketKeyEnabled=True))["BucketKeyEnabled"]
    for name in ("moved", "plain", "back"):
        assert (bucket.get(name), bucket.head(name)["Metadata"]) == (body, {"a": "b"})
    assert copy("k", "k", **under(other))["SSEKMSKeyId"] == other
    assert copy("k", "k")["ServerSideEncryption"] == "AES256"
    with fails(400, "InvalidRequest"):
        copy("k", "k")


def test_reads_do_not_say_how_their_object_is_sealed(bucket: Shelf, key: str) -> None:
    bucket.put("k", b"1", **under(key))
    refused(bucket.call("GET", "k", headers=[(SSE, "aws:kms")]), 400, "InvalidArgument")
    customer = [
        (f"{SSE}-customer-algorithm", "AES256"),
        (f"{SSE}-customer-key", b64(bytes(32))),
        (f"{SSE}-customer-key-MD5", md5_b64(bytes(32))),
    ]
    refused(bucket.call("GET", "k", headers=customer), 400, "InvalidRequest")


def test_policies_decide_on_how_objects_are_sealed(service: Service, bucket: Shelf, iam: Any, key: str) -> None:
    only = {"StringEquals": {f"s3:{SSE}": "aws:kms", f"s3:{SSE}-aws-kms-key-id": key}}
    person = make_person(service, iam, allow("s3:PutObject", Condition=only), allow("kms:*"))
    theirs = person.s3
    theirs.put_object(Bucket=bucket.name, Key="k", Body=b"1", **under(key))
    for options in ({}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "AES256"}):
        with fails(403, "AccessDenied"):
            theirs.put_object(Bucket=bucket.name, Key="k", Body=b"1", **options)
    theirs.close()


def test_each_use_of_a_key_is_written_down_with_its_request(service: Service, bucket: Shelf, kms: Any, iam: Any) -> None:
    key = arn_of(kms, make_key(kms))

    def deeds(answer: Any) -> list[tuple[str, str, int, str, tuple[str, ...]]]:
        found = journal(service, id_of(answer))
        assert {entry.bucket for entry in found} == {bucket.name}
        return [(entry.kind, entry.object_key, entry.status, entry.reason, entry.key_ids) for entry in found]

    key_id = key.rpartition("/")[2]
    put = bucket.put("k", b"1", **under(key))
    assert deeds(put) == [("object.write", "k", 200, "", (key_id,))]
    got = bucket.s3.get_object(Bucket=bucket.name, Key="k")
    got["Body"].read()
    assert deeds(got) == [("object.read", "k", 200, "", (key_id,))]
    assert deeds(bucket.head("k")) == [("object.head", "k", 200, "", (key_id,))]
    (entry,) = journal(service, id_of(got))
    assert (entry.permit, entry.key_call_id) == ("root of the account\nkey policy, statement Enable IAM User Permissions", "")
    copied = bucket.s3.copy_object(Bucket=bucket.name, Key="c", CopySource=f"{bucket.name}/k", **under(key))
    assert deeds(copied) == [("object.read", "k", 200, "copy source", (key_id,)), ("object.copy", "c", 200, "", (key_id,))]
    # A use that the request's entry could not tell of with its outcome has an entry of its own.
    with fails(304, "304") as refusal:
        bucket.head("k", IfNoneMatch=put["ETag"])
    assert deeds(refusal.value) == [("object.head", "k", 304, "NotModified", ()), ("kms.decrypt", key, 200, "", (key_id,))]
    reader = make_person(service, iam, allow("s3:*"))
    theirs = reader.s3
    with fails(403, "AccessDenied") as refusal:
        theirs.get_object(Bucket=bucket.name, Key="k")
    theirs.close()
    assert deeds(refusal.value) == [
        ("object.read", "k", 403, "AccessDenied", ()),
        ("kms.decrypt", key, 403, "AccessDenied", (key_id,)),
    ]
    kms.disable_key(KeyId=key)
    with fails(400, "KMS.DisabledException") as refusal:
        bucket.get("k")
    assert deeds(refusal.value)[1] == ("kms.decrypt", key, 400, "KMS.DisabledException", (key_id,))


def test_another_accounts_key_serves_whom_both_sides_let(service: Service, bucket: Shelf) -> None:
    foreign = sdk(service, service.stranger, name="kms")
    key = arn_of(foreign, make_key(foreign, Policy=key_policy(
        to(root(service.stranger.account_id), "kms:*"), to(root(service.owner.account_id), ["kms:GenerateDataKey", "kms:Decrypt"])
    )))  # fmt: skip
    put = bucket.put("k", b"1", **under(key))
    assert put["SSEKMSKeyId"] == key
    assert bucket.get("k") == b"1"
    use = journal(service, id_of(put))[1]
    assert (use.account_id, use.kind) == (service.stranger.account_id, "kms.generate_data_key")
    foreign.put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(to(root(service.stranger.account_id), "kms:*")))
    with fails(403, "AccessDenied"):
        bucket.get("k")
    foreign.close()


def test_nothing_of_such_an_object_rests_in_clear(bucket: Shelf, key: str) -> None:
    body = b"a canary that sings " * 5000
    bucket.put("k", body, **under(key), ContentType="x/canary-type", Metadata={"m": "canary-meta"})
    disk = everything_on_disk(bucket)
    for secret in (body[:100], b"canary-type", b"canary-meta"):
        assert secret not in disk


def test_objects_over_tls(tls_bucket: Shelf) -> None:
    put = tls_bucket.put("k", seeded(200_000), ServerSideEncryption="aws:kms")
    assert put["SSEKMSKeyId"].startswith("arn:aws:kms:")
    assert tls_bucket.get("k") == seeded(200_000)
