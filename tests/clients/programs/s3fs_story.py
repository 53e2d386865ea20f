"""s3fs: files, listings, seeking, copies, moves, removal."""

import tempfile
from pathlib import Path

from connect import files
from story import BUCKET, LARGE, NAMES, TREE, content, digest, tell


def a_bucket_is_made():
    files.mkdir(BUCKET, region_name=files.client_kwargs["region_name"])
    assert files.isdir(BUCKET)
    assert BUCKET in files.ls("")


def the_tree_goes_up_and_comes_back():
    files.put(f"{TREE}/", f"{BUCKET}/tree/", recursive=True)
    files.invalidate_cache()
    found = files.find(f"{BUCKET}/tree", detail=True)
    assert {name: entry["size"] for name, entry in found.items()} == {
        f"{BUCKET}/tree/{name}": (TREE / name).stat().st_size for name in NAMES
    }
    with tempfile.TemporaryDirectory() as folder:
        files.get(f"{BUCKET}/tree/", f"{folder}/back/", recursive=True)
        for name in NAMES:
            assert digest((Path(folder) / "back" / name).read_bytes()) == digest(content(name)), name


def listings_agree():
    assert sorted(files.ls(f"{BUCKET}/tree", detail=False)) == [f"{BUCKET}/tree/{name}" for name in ("documents", "large", "odd")]
    assert files.glob(f"{BUCKET}/tree/large/f*.bin") == [
        f"{BUCKET}/tree/large/five-and-a-bit.bin",
        f"{BUCKET}/tree/large/forty-one.bin",
    ]
    assert files.du(f"{BUCKET}/tree") == sum((TREE / name).stat().st_size for name in NAMES)
    walked = [f"{folder}/{name}" for folder, _, names in files.walk(f"{BUCKET}/tree") for name in names if name]
    assert sorted(walked) == sorted(f"{BUCKET}/tree/{name}" for name in NAMES)
    assert not files.exists(f"{BUCKET}/absent")
    assert files.isdir(f"{BUCKET}/tree/odd")
    assert files.isfile(f"{BUCKET}/tree/odd/a.txt")


def a_file_is_read_in_pieces():
    whole = content(LARGE)
    with files.open(f"{BUCKET}/tree/{LARGE}", "rb", block_size=1 << 20) as file:
        file.seek(16380)
        assert file.read(100) == whole[16380:16480]
        file.seek(-9, 2)
        assert file.read() == whole[-9:]
    assert files.cat_file(f"{BUCKET}/tree/{LARGE}", start=5, end=25) == whole[5:25]
    assert files.tail(f"{BUCKET}/tree/{LARGE}", 1000) == whole[-1000:]


def a_file_is_written_in_pieces_and_appended_to():
    whole = content(LARGE)[: 11 << 20]
    with files.open(f"{BUCKET}/written", "wb", block_size=5 << 20) as file:
        for at in range(0, len(whole), 1 << 20):
            file.write(whole[at : at + (1 << 20)])
    with files.open(f"{BUCKET}/written", "ab") as file:
        file.write(b"and more")
    assert digest(files.cat(f"{BUCKET}/written")) == digest(whole + b"and more")


def a_file_is_made_only_once():
    files.pipe_file(f"{BUCKET}/once", b"first", mode="create")
    try:
        files.pipe_file(f"{BUCKET}/once", b"second", mode="create")
    except FileExistsError:
        pass
    else:
        raise AssertionError("overwritten")
    assert files.cat(f"{BUCKET}/once") == b"first"


def files_are_described():
    files.setxattr(f"{BUCKET}/once", copy_kwargs={"ContentType": "text/x"}, colour="blue")
    assert files.getxattr(f"{BUCKET}/once", "colour") == "blue"
    info = files.info(f"{BUCKET}/once", refresh=True)
    assert info["ContentType"] == "text/x", info


def files_are_copied_moved_and_removed():
    files.copy(f"{BUCKET}/tree/odd/a+b/plus+plus.txt", f"{BUCKET}/copied/a b+c")
    assert files.cat(f"{BUCKET}/copied/a b+c") == content("odd/a+b/plus+plus.txt")
    files.copy(f"{BUCKET}/tree/large/forty-one.bin", f"{BUCKET}/copied/large")
    files.mv(f"{BUCKET}/copied/large", f"{BUCKET}/copied/moved")
    assert digest(files.cat(f"{BUCKET}/copied/moved")) == digest(content("large/forty-one.bin"))
    assert not files.exists(f"{BUCKET}/copied/large")
    files.rm(f"{BUCKET}/copied", recursive=True)
    files.invalidate_cache()
    assert files.find(f"{BUCKET}/copied") == []


tell(
    a_bucket_is_made,
    the_tree_goes_up_and_comes_back,
    listings_agree,
    a_file_is_read_in_pieces,
    a_file_is_written_in_pieces_and_appended_to,
    a_file_is_made_only_once,
    files_are_described,
    files_are_copied_moved_and_removed,
)
