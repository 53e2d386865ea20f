"""obstore: files, listings, ranges, conditions, copies, presigned URLs, deletes."""

import datetime as dt
import os
import ssl
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import obstore
from connect import options, store
from obstore.exceptions import AlreadyExistsError, PreconditionError
from story import LARGE, NAMES, TREE, content, digest, same, tell


def read(name):
    return bytes(store.get(name).bytes())


def the_tree_goes_up_and_comes_back():
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: store.put(f"tree/{name}", TREE / name, chunk_size=5 << 20), NAMES))
    listed = [entry for page in store.list("tree/", chunk_size=50) for entry in page]
    same({entry["path"]: entry["size"] for entry in listed}, {f"tree/{name}": (TREE / name).stat().st_size for name in NAMES})
    assert [entry["path"] for entry in listed] == sorted((entry["path"] for entry in listed), key=str.encode)
    for name in NAMES:
        assert digest(read(f"tree/{name}")) == digest(content(name)), name


def listings_agree():
    level = store.list_with_delimiter("tree/")
    assert sorted(level["common_prefixes"]) == ["tree/documents", "tree/large", "tree/odd"]
    rest = [entry["path"] for page in store.list("tree/", offset="tree/large/forty-one.bin") for entry in page]
    assert rest[0] == "tree/large/twenty.bin"


def ranges_are_read():
    whole = content(LARGE)
    name = f"tree/{LARGE}"
    assert bytes(store.get_range(name, start=16380, end=16480)) == whole[16380:16480]
    starts = [0, 100_000, 9_000_000]
    for start, part in zip(starts, store.get_ranges(name, starts=starts, lengths=[10, 70_000, 3]), strict=True):
        assert bytes(part) == whole[start : start + len(part)]
    assert bytes(store.get(name, options={"range": {"suffix": 9}}).bytes()) == whole[-9:]


def reads_can_be_conditional():
    etag = store.head("tree/odd/a.txt")["e_tag"]
    assert bytes(store.get("tree/odd/a.txt", options={"if_match": etag}).bytes()) == content("odd/a.txt")
    refused(PreconditionError, store.get, "tree/odd/a.txt", options={"if_match": '"0"'})
    refused(FileNotFoundError, store.get, "absent")


def refused(kind, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except kind:
        return
    raise AssertionError(f"not refused: {arguments}")


def creation_never_overwrites():
    first = store.put("once", b"first", mode="create")
    refused(AlreadyExistsError, store.put, "once", b"second", mode="create")
    changed = store.put("once", b"third", mode={"e_tag": first["e_tag"]})
    refused(PreconditionError, store.put, "once", b"fourth", mode={"e_tag": first["e_tag"]})
    assert changed["e_tag"] != first["e_tag"]
    assert read("once") == b"third"


def streams_are_written_and_read():
    whole = content(LARGE)[: 11 << 20]
    with obstore.open_writer(store, "written", buffer_size=5 << 20, attributes={"Content-Type": "text/x"}) as writer:
        for at in range(0, len(whole), 1 << 20):
            writer.write(whole[at : at + (1 << 20)])
    reader = obstore.open_reader(store, "written")
    reader.seek(1_000_000)
    assert bytes(reader.read(1000)) == whole[1_000_000:1_001_000]
    answer = store.get("written")
    assert answer.attributes["Content-Type"] == "text/x"
    assert digest(bytes(answer.bytes())) == digest(whole)


def objects_are_copied_moved_and_deleted():
    store.copy("tree/odd/a+b/plus+plus.txt", "copied/a b+c")
    store.rename("copied/a b+c", "copied/moved")
    assert read("copied/moved") == content("odd/a+b/plus+plus.txt")
    refused(FileNotFoundError, store.head, "copied/a b+c")
    names = [f"batch/{number}" for number in range(20)]
    for name in names:
        store.put(name, b"x")
    store.delete(names)
    assert [entry for page in store.list("batch/") for entry in page] == []


def presigned_urls_open_what_they_name():
    url = obstore.sign(store, "GET", "tree/odd/a+b/plus+plus.txt", dt.timedelta(minutes=1))
    trust = options.get("root_certificate")
    context = ssl.create_default_context(cadata=trust) if trust else None
    with urllib.request.urlopen(url, context=context) as answer:
        assert answer.read() == content("odd/a+b/plus+plus.txt")
    assert "AWS_ACCESS_KEY_ID" not in os.environ


tell(
    the_tree_goes_up_and_comes_back,
    listings_agree,
    ranges_are_read,
    reads_can_be_conditional,
    creation_never_overwrites,
    streams_are_written_and_read,
    objects_are_copied_moved_and_deleted,
    presigned_urls_open_what_they_name,
)
