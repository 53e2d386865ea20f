"""The ledger over the wire: every access is an entry under a signed head, and its own account alone reads it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from siegel.ledger.leaves import commit_content
from siegel.ledger.manifests import manifest_hash

from .log import Auditor
from .own_account import own_account
from .raw import with_length
from .service import Service
from .shelf import Shelf, md5_b64, new_name, sdk
from .signer import Keys

service, s3 = own_account()


@pytest.fixture(scope="module")
def auditor(service: Service) -> Auditor:
    return Auditor(service.raw(), service.owner.account_id)


def entry_of(answer: Any) -> str:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-siegel-entry"] == headers["x-amz-request-id"]
    return str(headers["x-siegel-entry"])


def test_every_access_is_an_entry_under_a_signed_head(bucket: Shelf, auditor: Auditor) -> None:
    put = entry_of(bucket.put("a/b", b"hello"))
    got = bucket.s3.get_object(Bucket=bucket.name, Key="a/b", Range="bytes=1-3")
    got["Body"].read()
    head, listed = entry_of(bucket.head("a/b")), entry_of(bucket.s3.list_objects_v2(Bucket=bucket.name))
    refused = bucket.raw.as_caller(bucket.service.stranger).call("GET", bucket.name, "a/b")
    missing = bucket.call("GET", "nothing")
    gone = entry_of(bucket.s3.delete_object(Bucket=bucket.name, Key="a/b"))
    ids = [put, entry_of(got), head, listed, refused.header("x-siegel-entry"), missing.header("x-siegel-entry"), gone]
    found = auditor.await_entries(ids)
    assert [len(lines) for lines in found.values()] == [1] * len(ids)
    facts = {entry_id: lines[0].leaf.facts for entry_id, lines in found.items()}
    assert [(facts[entry_id].kind, facts[entry_id].status, facts[entry_id].reason) for entry_id in ids] == [
        ("object.write", 200, ""),
        ("object.read", 206, ""),
        ("object.head", 200, ""),
        ("bucket.list", 200, ""),
        ("object.read", 403, "AccessDenied"),
        ("object.read", 404, "NoSuchKey"),
        ("object.delete", 204, ""),
    ]
    assert facts[entry_of(got)].byte_range == "1-3"
    assert len({fact.bucket_id for fact in facts.values()}) == 1
    opening = found[put][0].opening
    assert opening is not None
    assert (opening.bucket, opening.object_key, opening.permit) == (bucket.name, "a/b", "root of the account")
    assert opening.principal == f"arn:aws:iam::{bucket.service.owner.account_id}:root"


def test_the_owner_can_write_the_manifest_of_what_was_stored(bucket: Shelf, auditor: Auditor) -> None:
    bucket.version()
    put = bucket.put("m", b"content", ChecksumAlgorithm="SHA256")
    upload = bucket.start("big")
    done = bucket.complete("big", upload, [bucket.part("big", upload, 1, b"part")])
    copied = bucket.s3.copy_object(Bucket=bucket.name, Key="copy", CopySource=f"{bucket.name}/m")
    found = auditor.await_entries([entry_of(put), entry_of(done), entry_of(copied)])
    for key, answer in (("m", put), ("big", done), ("copy", copied)):
        head = bucket.head(key, ChecksumMode="ENABLED")
        algorithm = next(name.removeprefix("Checksum") for name in head if name.startswith("Checksum") and name != "ChecksumType")
        manifest = manifest_hash(
            version_id=head["VersionId"],
            size_bytes=head["ContentLength"],
            etag=head["ETag"].strip('"'),
            checksum_algorithm=algorithm,
            checksum=head[f"Checksum{algorithm}"],
        )
        line = found[entry_of(answer)][-1]
        assert line.opening is not None
        assert line.leaf.facts.content == commit_content(line.opening, manifest)
        other = hashlib.sha256(b"something else").digest()
        assert line.leaf.facts.content != commit_content(line.opening, other)


def test_each_key_of_a_mass_delete_is_an_entry(bucket: Shelf, auditor: Auditor) -> None:
    for key in "ab":
        bucket.put(key)
    done = bucket.s3.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    lines = auditor.await_entries([entry_of(done)])[entry_of(done)]
    openings = [line.opening for line in lines]
    assert sorted(opening.object_key for opening in openings if opening) == ["a", "b"]
    assert {opening.permit for opening in openings if opening} == {"root of the account"}


def test_calls_of_iam_sts_and_kms_are_entries_too(service: Service, auditor: Auditor) -> None:
    iam, sts, kms = (sdk(service, name=name) for name in ("iam", "sts", "kms"))
    made = iam.create_user(UserName="ledger-reader")
    asked = sts.get_caller_identity()
    key = kms.create_key()
    found = auditor.await_entries([entry_of(answer) for answer in (made, asked, key)])
    kinds = [lines[0].leaf.facts.kind for lines in found.values()]
    assert kinds == ["iam.create_user", "sts.get_caller_identity", "kms.create_key"]


def test_who_has_the_right_reads_and_nobody_else(service: Service, bucket: Shelf, auditor: Auditor) -> None:
    bucket.put("x")
    iam = sdk(service, name="iam")
    iam.create_user(UserName="auditor")
    made = iam.create_access_key(UserName="auditor")["AccessKey"]
    keys = Keys(made["AccessKeyId"], made["SecretAccessKey"])
    path = f"{service.owner.account_id}/checkpoint"
    callers = [service.raw(keys), service.raw(service.stranger), service.raw(service.operator)]
    refused = [raw.call("GET", ".ledger", path) for raw in callers]
    assert [(answer.status, answer.code) for answer in refused] == [
        (403, "AccessDenied"),
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
    ]
    nobody = service.raw().anonymous("GET", ".ledger", path)
    assert (nobody.status, nobody.code) == (403, "AccessDenied")
    found = auditor.await_entries([answer.header("x-siegel-entry") for answer in (*refused, nobody)])
    assert {lines[0].leaf.facts.kind for lines in found.values()} == {"ledger.read"}
    statement = {
        "Sid": "Audit",
        "Effect": "Allow",
        "Action": "siegel:ReadLedger",
        "Resource": f"arn:aws:siegel:::ledger/{service.owner.account_id}",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="auditor", PolicyName="audit", PolicyDocument=document)
    assert service.raw(keys).call("GET", ".ledger", path).status == 200


def test_nobody_makes_a_log_for_an_account_that_is_not_there(service: Service) -> None:
    answer = service.raw().call("GET", ".ledger", "000000000000/checkpoint")
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_files_are_those_that_tlog_clients_expect(bucket: Shelf, auditor: Auditor) -> None:
    auditor.await_entries([entry_of(bucket.put("f"))])
    checkpoint = auditor.fetch("checkpoint")
    assert checkpoint.header("content-type") == "text/plain; charset=utf-8"
    assert checkpoint.header("cache-control") == "no-store"
    size = int(checkpoint.body.split(b"\n")[1])
    # Narrower files than the newest stay there for whoever still has an older head.
    one = auditor.fetch("tile/entries/000.p/1")
    assert one.header("content-type") == "application/octet-stream"
    assert "immutable" in one.header("cache-control")
    hashed = auditor.fetch("tile/0/000.p/1").body
    assert hashed == hashlib.sha256(b"\0" + one.body[2:]).digest()
    assert auditor.fetch("openings/000.p/1").header("cache-control") == "no-store"
    beyond = f"tile/entries/x{size // 256000 + 1:03d}/000"
    for path in (beyond, "tile/0/000.p/0", "tile/entries/0", "tile/9/000", "openings/x999/999", "handover/000", "index.html"):
        answer = auditor.fetch(path)
        assert (answer.status, answer.code) == (404, "NoSuchLedgerFile"), path


def test_what_is_below_the_prefix_and_no_file_is_refused(auditor: Auditor) -> None:
    for path in ("12/checkpoint", f"{auditor.account_id}/", f"{auditor.account_id}/TILE", f"{auditor.account_id}/a%2e"):
        assert auditor.raw.call("GET", ".ledger", path).status in {400, 403}, path
    for method in ("PUT", "POST"):
        assert auditor.raw.call(method, ".ledger", f"{auditor.account_id}/checkpoint").status in {400, 405}


def test_names_and_persons_of_an_entry_can_go_and_the_tree_stands(bucket: Shelf, auditor: Auditor) -> None:
    first, second = (entry_of(bucket.put(key)) for key in ("secret name", "other"))
    auditor.await_entries([first, second])
    numbers = {line.leaf.request_id: number for number, line in enumerate(auditor.lines())}
    path = f"{auditor.account_id}/opening/{numbers[first]}"
    for _ in range(2):
        erased = auditor.raw.call("DELETE", ".ledger", path)
        assert erased.status == 204
    again = Auditor(auditor.raw, auditor.account_id)
    found = again.await_entries([erased.header("x-siegel-entry"), first, second])
    assert found[first][0].opening is None
    assert found[second][0].opening is not None
    line = found[erased.header("x-siegel-entry")][0]
    assert line.leaf.facts.kind == "ledger.opening.erase"
    assert line.opening is not None
    assert line.opening.object_key == f"opening/{numbers[first]}"
    for wrong, status in (("opening/999999999", 404), ("opening/01", 405), ("checkpoint", 405)):
        assert auditor.raw.call("DELETE", ".ledger", f"{auditor.account_id}/{wrong}").status == status, wrong


def test_what_a_refused_request_names_is_in_its_entry(versioned: Shelf, auditor: Auditor) -> None:
    put = versioned.put("k", b"0123456789")
    version, etag = put["VersionId"], put["ETag"]
    stranger = versioned.raw.as_caller(versioned.service.stranger)
    of_version, at, name = f"versionId={version}", ("range", "bytes=1-3"), versioned.name
    asked = {
        stranger.call("GET", name, "k", query=of_version, headers=[at]): (403, version, "1-3"),
        stranger.call("HEAD", name, "k", query=of_version): (403, version, ""),
        stranger.call("DELETE", name, "k", query=of_version, headers=[at]): (403, version, ""),
        versioned.raw.anonymous("GET", name, "k", query=of_version): (403, version, ""),
        versioned.call("GET", "k", headers=[("range", "bytes=100-")]): (416, "", "100-"),
        versioned.call("GET", "k", query=of_version, headers=[at, ("if-match", '"00"')]): (412, version, "1-3"),
        versioned.call("GET", "k", query=of_version, headers=[("if-none-match", etag)]): (304, version, ""),
        versioned.call("GET", "k", query="versionId=of-somebody", headers=[("range", "bytes=a-b")]): (400, "", ""),
        versioned.call("GET", "none", query="versionId=null", headers=[("range", "bytes=-5")]): (404, "null", "-5"),
    }
    found = auditor.await_entries([answer.header("x-siegel-entry") for answer in asked])
    told = {answer: found[answer.header("x-siegel-entry")][0].leaf.facts for answer in asked}
    assert [(facts.status, facts.version_id, facts.byte_range) for facts in told.values()] == list(asked.values())


def test_a_new_bucket_is_told_of_by_its_number(bucket: Shelf, auditor: Auditor) -> None:
    name = new_name()
    made = bucket.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    put = bucket.s3.put_object(Bucket=name, Key="k")
    found = auditor.await_entries([entry_of(made), entry_of(put)])
    ids = [found[entry_of(answer)][0].leaf.facts.bucket_id for answer in (made, put)]
    assert ids[0] == ids[1] > 0


def test_a_path_that_names_nothing_is_an_entry_all_the_same(bucket: Shelf, auditor: Auditor) -> None:
    raw, front = bucket.raw, f"/{bucket.name}/"
    stranger = raw.as_caller(bucket.service.stranger)
    asked = {
        path: (sender.send(sender.sign(replace(sender.ask(method), path=path))), code)
        for sender, method, path, code in (
            (raw, "PUT", front + "k" * 1025, "KeyTooLongError"),
            (raw, "OPTIONS", front + "k" * 1026, "KeyTooLongError"),
            (stranger, "GET", front + "%FF", "InvalidURI"),
            (stranger, "DELETE", front + "a%00b", "InvalidURI"),
            (raw, "GET", "/%FF/k", "InvalidURI"),
            (raw, "GET", f"/.consent/{auditor.account_id}", "InvalidURI"),
        )
    }
    unsigned = raw.ask("PUT", bucket.name, "k" * 1025)
    asked["unsigned"] = (raw.send(with_length(unsigned)), "AccessDenied")
    found = auditor.await_entries([answer.header("x-siegel-entry") for answer, _ in asked.values()])
    for path, (answer, code) in asked.items():
        (line,) = found[answer.header("x-siegel-entry")]
        facts, opening = line.leaf.facts, line.opening
        assert opening is not None
        assert (answer.code, facts.reason, facts.status) == (code, code, answer.status), path
        named = bucket.name if path.startswith((front, "unsigned")) else ""
        assert (facts.kind, opening.bucket, opening.object_key) == ("refused", named, ""), path
    assert bucket.keys() == []


def test_a_delete_of_many_that_is_refused_names_each_version(versioned: Shelf, auditor: Auditor) -> None:
    version = versioned.put("k", b"1")["VersionId"]
    body = f"<Delete><Object><Key>k</Key><VersionId>{version}</VersionId><ETag>other</ETag></Object></Delete>".encode()
    answer = versioned.call("POST", query="delete=", body=body, headers=[("content-md5", md5_b64(body))])
    assert b"<Code>PreconditionFailed</Code>" in answer.body
    [entry] = auditor.await_entries([answer.header("x-amz-request-id")])[answer.header("x-amz-request-id")]
    assert (entry.leaf.facts.status, entry.leaf.facts.version_id) == (412, version)
