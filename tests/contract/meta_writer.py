"""A process that writes to a store, for the tests that kill it: each line it prints is an acknowledged request.

    meta_writer.py DIRECTORY NAME COUNT

Each of COUNT changes adds one object `NAME-<n>`, adds one to the number in the object `counter`, and has one entry.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from siegel.domain.entry import Entry
from siegel.domain.objects import ObjectVersion, SealingMode, Storage
from siegel.drivers.meta.sqlite import open_store
from siegel.drivers.system import SystemClock, SystemRandomness

KEY = bytes(range(32))
BUCKET = 1
AT_ONCE = 8


def blank(object_key: str) -> ObjectVersion:
    random = SystemRandomness().bytes
    return ObjectVersion(
        bucket_id=BUCKET,
        object_key=object_key,
        version_id=random(16),
        sequence=0,
        is_null=True,
        is_marker=False,
        size_bytes=0,
        modified_at_ms=0,
        mode=SealingMode.SSE_S3,
        storage=Storage.INLINE,
        part_count=0,
        data_id=random(16),
        body_id=0,
        etag="",
        wrapped_key=b"",
        sealed_head=b"",
        sealed_tags=b"",
    )


def count_one_more(writer) -> None:
    before = writer.objects.find_current(BUCKET, "counter", with_body=True)
    value = 0
    if before is not None:
        value = int(before.body)
        writer.objects.remove(msgspec.structs.replace(before, body=None), [])
    writer.objects.insert(blank("counter"), b"%d" % (value + 1))


async def main(directory: str, name: str, count: int) -> None:
    store = open_store(Path(directory), KEY, SystemClock())
    waiting = iter(range(count))

    def change(writer, request_id: str) -> None:
        writer.objects.insert(blank(request_id), request_id.encode())
        count_one_more(writer)

    async def work() -> None:
        for number in waiting:
            request_id = f"{name}-{number}"
            entry = Entry(0, request_id, "PutObject", "1", "root", "box")
            await store.write(lambda writer, r=request_id: change(writer, r), entry)
            print(request_id, flush=True)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
