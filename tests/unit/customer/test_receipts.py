"""Receipts of a client: what is kept of an answer, and what becomes of a file of them."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from siegel.customer.receipts import ClientReceipt, ReceiptFile, keep_receipts, kept_in, read_receipts
from siegel.domain.errors import ConfigurationError, StorageError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECEIPT = ClientReceipt(AT, "018F3A77C2D1E4B0", "GET", "evidence", "film.mp4", "v1", 206)


class Body:
    def stream(self, **_):
        yield b""

    def read(self, *_):
        return b""

    def close(self):
        pass


class Store:
    """A client whose requests are answered here."""

    def __init__(self, path):
        self.answers = []
        self.client = boto3.session.Session().client(
            "s3", region_name="r", aws_access_key_id="a", aws_secret_access_key="s", endpoint_url="https://store.example"
        )
        self.client.meta.events.register("before-send.s3", self.send)
        self.file = ReceiptFile(path)
        keep_receipts(self.client, self.file)

    def send(self, request, **_):
        status, headers = self.answers.pop(0)
        return AWSResponse(request.url, status, headers, Body())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "receipts.jsonl"


def told(path):
    return [(one.entry, one.method, one.bucket, one.key, one.version, one.status) for _, one in read_receipts(path)]


def test_a_client_keeps_what_it_was_answered(path):
    store = Store(path)
    store.answers = [
        (200, {"x-siegel-entry": "00000000000000A1", "x-amz-version-id": "v7", "etag": '"e"'}),
        (206, {"X-Siegel-Entry": "00000000000000A2", "content-length": "0"}),
        (204, {"x-siegel-entry": "00000000000000A3"}),
        (200, {"x-siegel-entry": "00000000000000A4", "content-length": "0"}),
    ]
    store.client.put_object(Bucket="evidence", Key="a/b", Body=b"1")
    store.client.get_object(Bucket="evidence", Key="a/b", Range="bytes=0-1")["Body"].close()
    store.client.delete_object(Bucket="evidence", Key="a/b")
    store.client.list_objects_v2(Bucket="evidence")
    store.file.close()
    assert told(path) == [
        ("00000000000000A1", "PUT", "evidence", "a/b", "v7", 200),
        ("00000000000000A2", "GET", "evidence", "a/b", "", 206),
        ("00000000000000A3", "DELETE", "evidence", "a/b", "", 204),
        ("00000000000000A4", "GET", "evidence", "", "", 200),
    ]


def test_refusals_and_repeated_attempts_have_receipts_too(path):
    store = Store(path)
    store.answers = [
        (503, {"x-siegel-entry": "00000000000000B1"}),
        (404, {"x-siegel-entry": "00000000000000B2"}),
        (404, {}),
        (404, {"x-siegel-entry": "no entry"}),
    ]
    for _ in range(3):
        with pytest.raises(ClientError):
            store.client.head_object(Bucket="evidence", Key="k")
    store.file.close()
    assert [(entry, status) for entry, *_, status in told(path)] == [("00000000000000B1", 503), ("00000000000000B2", 404)]


def test_a_receipt_that_cannot_be_kept_fails_its_call(path):
    store = Store(path)
    store.answers = [(200, {"x-siegel-entry": "00000000000000C1"})]
    store.file.close()
    with pytest.raises(StorageError, match="cannot be written"):
        store.client.head_object(Bucket="evidence", Key="k")
    with pytest.raises(StorageError):
        store.file.close()


def test_receipts_are_added_to_those_that_are_there(path):
    for _ in range(2):
        file = ReceiptFile(path)
        file.add(RECEIPT)
        file.close()
    assert list(read_receipts(path)) == [(1, RECEIPT), (2, RECEIPT)]
    assert RECEIPT.at_ms == 1_772_366_400_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_kept_is_on_the_disk_when_its_use_ends(path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with kept_in(path) as file:
        file.add(RECEIPT)
        assert synced == []
    assert len(synced) == 1
    assert list(read_receipts(path)) == [(1, RECEIPT)]
    with kept_in(None) as nothing:
        assert nothing is None


def test_a_file_that_cannot_be_used_is_refused(tmp_path, path):
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot be opened"):
        ReceiptFile(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(read_receipts(tmp_path / "nothing"))


def test_a_full_disk_is_told():
    file = ReceiptFile(Path("/dev/full"))
    with pytest.raises(StorageError, match="No space left"):
        file.add(RECEIPT)
    with pytest.raises(StorageError):
        file.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"at":"2026-03-01T12:00:00","entry":"018F3A77C2D1E4B0","method":"","bucket":"","key":"","version":"","status":1}',
        b'{"at":"2026-03-01T12:00:00Z","entry":"018f3a77c2d1e4b0","method":"","bucket":"","key":"","version":"","status":1}',
        b'{"at":"2026-03-01T12:00:00Z","entry":"018F3A77C2D1E4B0","method":"","bucket":"","key":"","version":"","status":""}',
    ],
)
def test_lines_that_are_no_receipts(path, line):
    path.write_bytes(line + b"\n")
    assert list(read_receipts(path)) == [(1, None)]
