"""Reads that take longer than the steward waits: what is overwritten or deleted meanwhile stays for whoever began before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .service import Service, running
from .shelf import MIB, Shelf, make_shelf, sdk

GRACE_S = 1.0
QUICK = {"SIEGEL_STEWARD_INTERVAL_S": "0.2", "SIEGEL_GRACE_S": str(GRACE_S)}
PARTS = 6
PART_BYTES = 5 * MIB
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A bucket of a service whose steward removes after a second what nobody needs."""
    with running(tmp_path_factory.mktemp("quick") / "data", "--workers", "2", env=QUICK) as started, closing(sdk(started)) as s3:
        yield make_shelf(started, s3)


def in_parts(bucket: Shelf, key: str) -> bytes:
    """Store an object in parts and return what is in it."""
    bodies = [bytes([number]) * PART_BYTES for number in range(PARTS)]
    upload_id = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]
    place = {"Bucket": bucket.name, "Key": key, "UploadId": upload_id}
    parts = [
        {"PartNumber": number, "ETag": bucket.s3.upload_part(**place, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    bucket.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    return b"".join(bodies)


def blobs(service: Service) -> list[Path]:
    return [path for path in (service.directory / "blobs").rglob("*") if path.is_file() and path.stat().st_size > MIB]


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_an_object_in_parts_is_read_to_its_end_however_long_that_takes(quick: Shelf, change: str) -> None:
    whole = in_parts(quick, "film")
    assert len(blobs(quick.service)) == PARTS
    with quick.s3.get_object(Bucket=quick.name, Key="film")["Body"] as stream:
        read = [stream.read(MIB)]
        if change == "overwritten":
            quick.put("film", b"another")
        else:
            quick.s3.delete_object(Bucket=quick.name, Key="film")
        for _ in range(PARTS * PART_BYTES // MIB - 1):
            time.sleep(GRACE_S / 5)
            read.append(stream.read(MIB))
    assert b"".join(read) == whole
    # Then nothing keeps it any longer.
    give_up_at = time.monotonic() + PATIENCE_S
    while blobs(quick.service):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
