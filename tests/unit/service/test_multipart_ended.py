"""An upload that another request ended between being found and being read."""

from types import SimpleNamespace
from typing import Any

import pytest

from siegel.domain.errors import InvalidPartError, NoSuchUploadError
from siegel.s3wire.xml_read import CompletedPart
from siegel.service.multipart import Multipart

UPLOAD = SimpleNamespace(upload_id=b"u", bucket_id=1, object_key="k", version_id=b"v")
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
