"""PyArrow: files, listings, seeking, partitioned datasets, copies, moves, removal."""

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from connect import files
from pyarrow import fs
from story import BUCKET, LARGE, NAMES, TREE, content, digest, same, tell


def read(name):
    with files.open_input_stream(f"{BUCKET}/{name}", compression=None) as stream:
        return stream.read()


def a_bucket_is_made():
    files.create_dir(BUCKET)
    assert files.get_file_info(BUCKET).type is fs.FileType.Directory


def the_tree_goes_up_and_comes_back():
    for name in NAMES:
        with files.open_output_stream(f"{BUCKET}/tree/{name}", compression=None) as stream:
            stream.write(content(name))
    found = files.get_file_info(fs.FileSelector(f"{BUCKET}/tree", recursive=True))
    sizes = {entry.path: entry.size for entry in found if entry.type is fs.FileType.File}
    same(sizes, {f"{BUCKET}/tree/{name}": (TREE / name).stat().st_size for name in NAMES})
    for name in NAMES:
        assert digest(read(f"tree/{name}")) == digest(content(name)), name


def absent_things_are_absent():
    assert files.get_file_info(f"{BUCKET}/absent").type is fs.FileType.NotFound
    try:
        files.open_input_file(f"{BUCKET}/absent")
    except FileNotFoundError:
        return
    raise AssertionError("opened")


def a_file_is_read_in_pieces():
    whole = content(LARGE)
    with files.open_input_file(f"{BUCKET}/tree/{LARGE}") as file:
        assert file.size() == len(whole)
        assert file.read_at(100, 16380) == whole[16380:16480]
        file.seek(len(whole) - 9)
        assert file.read() == whole[-9:]


def a_dataset_is_written_and_read_with_a_filter():
    table = pa.table(
        {
            "folder": [name.split("/")[0] for name in NAMES],
            "name": NAMES,
            "size_bytes": [(TREE / name).stat().st_size for name in NAMES],
        }
    )
    parts = ds.partitioning(pa.schema([("folder", pa.string())]), flavor="hive")
    ds.write_dataset(table, f"{BUCKET}/dataset", format="parquet", partitioning=parts, filesystem=files)
    found = ds.dataset(f"{BUCKET}/dataset", format="parquet", partitioning=parts, filesystem=files)
    large = found.to_table(filter=ds.field("folder") == "large", columns=["name", "size_bytes"])
    assert sorted(large["name"].to_pylist()) == sorted(name for name in NAMES if name.startswith("large/"))
    assert found.count_rows() == len(NAMES)
    pq.write_table(table, f"{BUCKET}/table.parquet", filesystem=files)
    assert pq.read_table(f"{BUCKET}/table.parquet", filesystem=files, columns=["name"])["name"].to_pylist() == NAMES


def files_are_described():
    with files.open_output_stream(f"{BUCKET}/described", metadata={"Content-Type": "text/x", "colour": "blue"}) as stream:
        stream.write(b"text")
    with files.open_input_stream(f"{BUCKET}/described") as stream:
        told = dict(stream.metadata())
    assert told["Content-Type"] == b"text/x", told


def files_are_copied_moved_and_removed():
    files.copy_file(f"{BUCKET}/tree/odd/a+b/plus+plus.txt", f"{BUCKET}/copied/a b+c")
    files.move(f"{BUCKET}/copied/a b+c", f"{BUCKET}/copied/moved")
    assert read("copied/moved") == content("odd/a+b/plus+plus.txt")
    assert files.get_file_info(f"{BUCKET}/copied/a b+c").type is fs.FileType.NotFound
    files.delete_dir(f"{BUCKET}/copied")
    assert files.get_file_info(f"{BUCKET}/copied/moved").type is fs.FileType.NotFound


tell(
    a_bucket_is_made,
    the_tree_goes_up_and_comes_back,
    absent_things_are_absent,
    a_file_is_read_in_pieces,
    a_dataset_is_written_and_read_with_a_filter,
    files_are_described,
    files_are_copied_moved_and_removed,
)
