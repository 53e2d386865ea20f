"""An upload that another request ended or changed between being found and being completed."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from siegel.domain.errors import InvalidPartError, NoSuchUploadError
from siegel.s3wire.conditions import NO_WRITE_CONDITIONS
from siegel.s3wire.xml_read import CompletedPart
from siegel.service.multipart import CompleteRequest, Multipart

UPLOAD: Any = SimpleNamespace(upload_id=b"u", bucket_id=1, object_key="k", version_id=b"v")
TARGET: Any = SimpleNamespace(bucket=SimpleNamespace(bucket_id=1, account_id="111122223333"))
REQUEST: Any = SimpleNamespace(parts=[CompletedPart(1, "etag")])


class Uploads:
    """No parts; the upload is there or is not."""

    def __init__(self, found):
        self._found = found

    def parts(self, _upload_id, _after, _limit):
        return []

    def find(self, _upload_id):
        return self._found


@pytest.mark.parametrize(("found", "error"), [(None, NoSuchUploadError), (UPLOAD, InvalidPartError)])
def test_parts_that_went_with_their_upload_are_no_wrong_parts(found, error):
    store: Any = SimpleNamespace(reader=SimpleNamespace(uploads=Uploads(found)))
    nothing: Any = None
    multipart = Multipart(store, nothing, nothing, nothing, nothing, nothing)
    opened: Any = SimpleNamespace(upload=UPLOAD, part_key=b"")
    with pytest.raises(error):
        multipart._choose(TARGET, opened, REQUEST)


class Store:
    """One transaction, in which part 1 has the bytes `now`."""

    def __init__(self, now):
        part = SimpleNamespace(part_number=1, data_id=now)
        uploads = SimpleNamespace(find=lambda _upload_id: UPLOAD, parts=lambda *_: [part])
        self.reader = SimpleNamespace(uploads=uploads)

    async def write(self, change, _entry):
        return change(SimpleNamespace(uploads=self.reader.uploads))


def test_a_part_that_is_replaced_meanwhile_ends_the_complete_and_no_object_is_made_of_what_went(monkeypatch):
    chosen = [SimpleNamespace(part=SimpleNamespace(part_number=1, data_id=b"chosen"))]
    stored = SimpleNamespace(version=SimpleNamespace(modified_at_ms=0))
    monkeypatch.setattr(Multipart, "_choose", lambda *_: chosen)
    monkeypatch.setattr(Multipart, "_assemble", lambda *_: (stored, b"layout"))
    store: Any = Store(b"replaced")
    nothing: Any = None
    opened: Any = SimpleNamespace(upload=UPLOAD)
    request = CompleteRequest([CompletedPart(1, "etag")], NO_WRITE_CONDITIONS, None, "", None)
    multipart = Multipart(store, nothing, nothing, nothing, nothing, nothing)
    with pytest.raises(InvalidPartError, match="replaced"):
        asyncio.run(multipart.complete(TARGET, opened, request, nothing))
