"""Two books that must balance: a real service, a real key server of the customer's, and a client that keeps its receipts."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from siegel.customer.keybox.chain import EMPTY, link
from siegel.customer.receipts import ReceiptFile, keep_receipts
from tests.command_line import siegel
from tests.keybox.box import Box, Serving

from .conftest import NEAR
from .key_servers import b64, connected, external_key, patient
from .log import INTEGRATED_S
from .service import Service, make_deployment, serving
from .shelf import MIB, new_name, seeded
from .test_audit import Desk

DELAY_S = 2
"""How soon an entry must be in the ledger; what is younger than that behind the head is not compared yet."""


class Stage:
    """A provider, a customer with a box, and an auditor's directory."""

    def __init__(self, folder: Path, service: Service, box: Box, box_url: str) -> None:
        self.folder, self.service, self.box, self.box_url = folder, service, box, box_url
        self.kms: Any = patient(service, "kms")
        self.s3: Any = patient(service, "s3")
        self.receipts = folder / "receipts.jsonl"
        self.file = ReceiptFile(self.receipts)
        keep_receipts(self.s3, self.file)
        options = {
            "CustomKeyStoreName": "premises",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            "XksProxyUriEndpoint": box_url,
            **box.made["xks"],
        }
        self.store = connected(self.kms, options)
        self.key = self.new_key()
        self.bucket = self.new_bucket()
        self.desk = Desk(folder, service)
        settings = self.desk.audits / "audit.toml"
        settings.write_text(settings.read_text().replace("delay_s = 120", f"delay_s = {DELAY_S}"))

    def new_key(self) -> str:
        return str(external_key(self.kms, self.store, self.box.create_key(new_name()))["Arn"])

    def new_bucket(self) -> str:
        """Make a bucket under the key."""
        bucket = new_name()
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.under(bucket, self.key)
        return bucket

    def under(self, bucket: str, key: str) -> None:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        self.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def keep_nothing(self, bucket: str) -> None:
        """Let every read of the bucket ask the key server."""
        self.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "siegel:data-key-seconds", "Value": "0"}]})

    def read(self, key: str, **more: Any) -> bytes:
        with self.s3.get_object(Bucket=self.bucket, Key=key, **more)["Body"] as stream:
            return bytes(stream.read())

    def reconcile(self, *words: object, log: Path | None = None) -> dict[str, Any]:
        """Compare once everything that was done until now is under a head that is old enough."""
        now_ms = time.time() * 1000
        give_up = time.monotonic() + 2 * INTEGRATED_S
        while True:
            # Something has to happen for a new head to be signed at once.
            self.s3.list_buckets()
            ended = self.desk.run("sync", self.desk.audits, "--json")
            if json.loads(ended.stdout)["head_at_s"] * 1000 - DELAY_S * 1000 > now_ms:
                break
            assert time.monotonic() < give_up
            time.sleep(0.3)
        given = ("--keybox", log or self.box.folder, "--receipts", self.receipts, "--json", *words)
        ended = self.desk.run("reconcile", self.desk.audits, *given)
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.stdout, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        assert ended.returncode == (0 if found["balances"] else 1)
        return found

    def log_without(self, is_gone: Callable[[dict[str, Any]], bool]) -> Path:
        """Write the log of a box that was never asked for some of what it was asked for."""
        head, lines = EMPTY, []
        for raw in (self.box.folder / "log.jsonl").read_bytes().splitlines():
            if not is_gone(json.loads(raw)):
                fields = raw[raw.index(b'"prev":"') + 74 :]
                line, head = link(head, b"{" + fields)
                lines.append(line)
        path = self.folder / "other.jsonl"
        path.write_bytes(b"".join(lines))
        return path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("books")
    box = Box(folder / "box")
    provider = folder / "provider"
    people = make_deployment(provider)
    with Serving(box) as box_serving, serving(provider, people, "--workers", "2", env=NEAR) as service:
        made = Stage(folder, service, box, box_serving.url.geturl())
        with closing(made.s3), closing(made.kms):
            yield made
        made.file.close()


def test_whatever_an_honest_service_does_balances(stage: Stage) -> None:
    s3, bucket = stage.s3, stage.bucket
    s3.put_object(Bucket=bucket, Key="film", Body=seeded(200))
    for _ in range(4):
        assert stage.read("film") == seeded(200)
    s3.head_object(Bucket=bucket, Key="film")
    s3.get_object_attributes(Bucket=bucket, Key="film", ObjectAttributes=["ETag"])
    with pytest.raises(ClientError):
        stage.read("no such film")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "film"})
    s3.copy_object(Bucket=bucket, Key="open", CopySource={"Bucket": bucket, "Key": "film"}, ServerSideEncryption="AES256")
    assert stage.read("copy") == stage.read("open") == seeded(200)
    # Under another key, then under none of the customer's, then under one again.
    other = stage.new_key()
    for choice in ({"SSEKMSKeyId": other, "ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "AES256"}, {}):
        s3.put_object(Bucket=bucket, Key="changing", Body=b"1", **choice)
        assert stage.read("changing") == b"1"
    parts(stage, "large")
    assert len(stage.read("large")) == 5 * MIB + 100
    # Versions, and a key that is changed beneath them.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="film", Body=b"2")["VersionId"]
    parts(stage, "large")
    assert stage.read("film", VersionId=first) == b"2"
    assert len(stage.read("large")) == 5 * MIB + 100
    s3.update_object_encryption(
        Bucket=bucket, Key="film", VersionId=first, ObjectEncryption={"SSEKMS": {"KMSKeyArn": other, "BucketKeyEnabled": False}}
    )
    assert stage.read("film", VersionId=first) == b"2"
    # Many with one answer.
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "open"}, {"Key": "no such film"}]})
    # The service of keys itself.
    sealed = stage.kms.encrypt(KeyId=stage.key, Plaintext=b"a", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert stage.kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == b"a"
    stage.kms.generate_data_key(KeyId=stage.key, KeySpec="AES_256")
    stage.kms.re_encrypt(CiphertextBlob=sealed, SourceEncryptionContext={"a": "b"}, DestinationKeyId=other)
    # A key that is disabled opens nothing, and that is no difference either.
    external = next(line["key_id"] for line in stage.box.log() if line["operation"] == "xks.encrypt")
    stage.keep_nothing(bucket)
    stage.box.command("disable", external)
    with pytest.raises(ClientError):
        stage.read("copy")
    stage.box.command("enable", external)
    assert stage.read("copy") == seeded(200)

    found = stage.reconcile()
    assert found["mismatches"] == []
    counts = found["counts"]
    assert counts["unwraps"] > 10
    assert counts["leases"] > 4
    assert counts["reads"] > 10
    assert counts["receipts"] >= 25


def parts(stage: Stage, key: str) -> None:
    s3, bucket = stage.s3, stage.bucket
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    told: dict[str, Any] = {"Bucket": bucket, "Key": key, "UploadId": upload}
    one = s3.upload_part(**told, PartNumber=1, Body=seeded(5 * MIB))["ETag"]
    source = {"Bucket": bucket, "Key": "copy"}
    two = s3.upload_part_copy(**told, PartNumber=2, CopySource=source, CopySourceRange="bytes=0-99")["CopyPartResult"]["ETag"]
    made = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    s3.complete_multipart_upload(**told, MultipartUpload={"Parts": made})


def test_what_was_read_before_it_came_under_the_key_balances(stage: Stage) -> None:
    s3, bucket = stage.s3, new_name()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=name, Body=b"1")
        s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        s3.head_object(Bucket=bucket, Key=name)
    for name in ("a", "b"):
        s3.update_object_encryption(Bucket=bucket, Key=name, ObjectEncryption={"SSEKMS": {"KMSKeyArn": stage.key}})
    # Until then a read may have seen either key, and is not judged.
    time.sleep(1.5)
    for name in ("a", "b"):
        s3.get_object(Bucket=bucket, Key=name)["Body"].read()
    found = stage.reconcile()
    assert (found["mismatches"], found["counts"]["reads"]) == ([], 2)


def test_what_streams_for_long_has_an_entry_for_each_call(stage: Stage) -> None:
    """Nothing is kept in this bucket, so a body that a client takes slowly asks for its key again every few seconds."""
    slow = stage.new_bucket()
    stage.keep_nothing(slow)
    stage.s3.put_object(Bucket=slow, Key="long", Body=seeded(48 * MIB))
    before = len(stage.box.log())
    asked = urlsplit(stage.s3.generate_presigned_url("get_object", Params={"Bucket": slow, "Key": "long"}))
    with closing(socket.socket()) as wire:
        # So little that the body does not fit into what the systems keep on the way.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        wire.connect((asked.hostname, asked.port))
        wire.sendall(f"GET {asked.path}?{asked.query} HTTP/1.1\r\nHost: {asked.netloc}\r\nConnection: close\r\n\r\n".encode())
        with wire.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n")).decode()
            for _ in range(48):
                stream.read(MIB)
                time.sleep(0.25)
    request = next(line for line in head.splitlines() if line.lower().startswith("x-siegel-entry")).split()[1]
    calls = [line for line in stage.box.log()[before:] if line.get("request_id") == request]
    assert len(calls) > 1
    found = stage.reconcile("--lease", f"{slow}=0")
    assert found["mismatches"] == []
    shown = stage.desk.run("show", stage.desk.audits, "--request", request, "--key", stage.key, "--json")
    entries = [json.loads(line) for line in shown.stdout.splitlines()]
    said = [(entry["kind"], entry["reason"]) for entry in entries]
    assert said == [("object.read", ""), *[("kms.decrypt", "renewal")] * (len(calls) - 1)]
    assert {entry["key_call_id"] for entry in entries} == {request}


def test_an_unwrap_around_the_journal_is_found_within_one_interval(stage: Stage) -> None:
    """Somebody who has the service's credentials asks the key server himself."""
    assert stage.reconcile()["balances"]
    caller = stage.box.caller(urlsplit(stage.box_url))
    stage.s3.put_object(Bucket=stage.bucket, Key="victim", Body=b"1")
    victim = stage.box.last("xks.encrypt")
    aad = b64(json.dumps(victim["context"], separators=(",", ":")).encode())
    metadata = {**victim["metadata"], "awsPrincipalArn": victim["principal"], "reason": "object.read", "kmsOperation": "Decrypt"}

    def ask(operation: str, request_id: str, **body: str) -> dict[str, str]:
        body |= {"encryptionAlgorithm": "AES_GCM", "additionalAuthenticatedData": aad}
        asked = body | {"requestMetadata": metadata | {"kmsRequestId": request_id}}
        answer = caller.key(victim["key_id"], operation, asked)
        assert answer.status == 200
        return dict(answer.json)

    made_up = "00000000DEADBEEF"
    layer = ask("encrypt", made_up, plaintext=b64(b"a layer of the provider's"))
    opened = {name: layer[name] for name in ("ciphertext", "initializationVector", "authenticationTag", "ciphertextMetadata")}
    ask("decrypt", made_up, **opened)
    # And once more under the number of a request that there was.
    ask("decrypt", victim["request_id"], **opened)
    found = stage.reconcile()
    last = len(stage.box.log())
    lines = {one["evidence"]["line"]: one["kind"] for one in found["mismatches"]}
    assert lines[last] == "extra"
    assert {kind for line, kind in lines.items() if line < last} == {"missing"}
    assert {one["evidence"]["request"] for one in found["mismatches"]} == {made_up, victim["request_id"]}
    # Told once: the next interval begins behind it.
    assert stage.reconcile()["balances"]


def test_a_read_that_the_key_server_was_never_asked_for_is_found(stage: Stage) -> None:
    asking = stage.new_bucket()
    stage.keep_nothing(asking)
    stage.s3.put_object(Bucket=asking, Key="secret", Body=b"3")
    with stage.s3.get_object(Bucket=asking, Key="secret")["Body"] as stream:
        assert stream.read() == b"3"
    read = stage.box.log()[-1]["request_id"]
    # A log that was copied tells of nothing behind its end.
    stage.s3.put_object(Bucket=stage.bucket, Key="later", Body=b"4")
    log = stage.log_without(lambda line: line.get("request_id") == read)
    found = stage.reconcile("--from", "2000-01-01", log=log)
    stated = [one for one in found["mismatches"] if one["evidence"]["request"] == read]
    assert [(one["kind"], "the key server was asked" in one["message"]) for one in stated] == [("missing", True)]
    assert stated[0]["evidence"]["kind"] == "object.read 200"


def test_a_longer_lease_than_was_granted_is_found(stage: Stage) -> None:
    free = stage.new_bucket()
    stage.s3.put_object(Bucket=free, Key="k", Body=b"4")
    time.sleep(1.5)
    # Until both workers have answered: one of them has the key since the write.
    for _ in range(6):
        with stage.s3.get_object(Bucket=free, Key="k")["Body"] as stream:
            stream.read()
    found = stage.reconcile("--lease", f"{free}=0", "--clock-s", "1")
    assert {one["kind"] for one in found["mismatches"]} == {"late"}
    assert "0 s are granted" in found["mismatches"][0]["message"]
    assert stage.reconcile("--from", "2000-01-01", "--clock-s", "1")["counts"]["leases"] > 0


def test_what_is_sealed_before_sending_leaves_receipts_too(stage: Stage, tmp_path: Path) -> None:
    plain, key, receipts = tmp_path / "plain", tmp_path / "key", tmp_path / "sealed.jsonl"
    plain.write_bytes(b"5")
    credential = stage.service.owner
    account = {"AWS_ACCESS_KEY_ID": credential.access_key_id, "AWS_SECRET_ACCESS_KEY": credential.secret_access_key}
    environment = {**os.environ, **account, "AWS_REGION": "eu-central-1", "XDG_STATE_HOME": str(tmp_path)}

    def done(*words: object) -> None:
        ended = siegel(*words, env=environment)
        assert ended.returncode == 0, ended.stderr

    store = ("--endpoint-url", stage.service.url, "--account-id", credential.account_id, "--receipts", receipts)
    done("keys", "new", key)
    done("seal", plain, f"s3://{stage.bucket}/sealed", "--key", key, *store)
    done("open", f"s3://{stage.bucket}/sealed", "--key", key, "-o", tmp_path / "out", *store)
    assert (tmp_path / "out").read_bytes() == b"5"
    assert [json.loads(line)["method"] for line in receipts.read_bytes().splitlines()] == ["PUT", "GET"]
    found = stage.reconcile("--receipts", receipts)
    assert (found["mismatches"], found["counts"]["receipts"] >= 2) == ([], True)
