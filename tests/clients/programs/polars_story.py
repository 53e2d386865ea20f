"""Polars: frames of the files as Parquet, CSV and IPC, scans with filters and wildcards."""

import polars as pl
from connect import options
from story import BUCKET, NAMES, TREE, content, digest, tell

PLACE = f"s3://{BUCKET}"
SIZES = {name: (TREE / name).stat().st_size for name in NAMES}
ROWS = 1_500_000


def a_frame_holds_the_files():
    frame = pl.DataFrame({"name": NAMES, "size_bytes": list(SIZES.values()), "content": [content(name) for name in NAMES]})
    frame.write_parquet(f"{PLACE}/documents.parquet", storage_options=options)
    back = pl.read_parquet(f"{PLACE}/documents.parquet", storage_options=options)
    for name, data in back.select("name", "content").iter_rows():
        assert digest(data) == digest(content(name)), name


def a_scan_reads_only_what_it_needs():
    scan = pl.scan_parquet(f"{PLACE}/documents.parquet", storage_options=options)
    large = scan.filter(pl.col("size_bytes") > 1 << 20).select("name").collect()
    assert sorted(large["name"]) == sorted(name for name, size_bytes in SIZES.items() if size_bytes > 1 << 20)


def a_large_frame_goes_in_parts():
    frame = pl.LazyFrame({"number": range(ROWS)}).with_columns(hashed=pl.col("number").hash())
    frame.sink_parquet(f"{PLACE}/large.parquet", storage_options=options)
    scan = pl.scan_parquet(f"{PLACE}/large.parquet", storage_options=options)
    told = scan.select(pl.len(), pl.col("number").sum()).collect()
    assert told.row(0) == (ROWS, ROWS * (ROWS - 1) // 2)
    assert scan.filter(pl.col("number") == ROWS - 1).collect().height == 1


def many_files_are_scanned_at_once():
    for folder in ("documents", "large", "odd"):
        names = [name for name in NAMES if name.startswith(f"{folder}/")]
        rows = pl.LazyFrame({"name": names, "size_bytes": [SIZES[name] for name in names]})
        rows.sink_csv(f"{PLACE}/csv/{folder}.csv", storage_options=options)
        rows.sink_ipc(f"{PLACE}/ipc/{folder}.arrow", storage_options=options)
        rows.sink_parquet(f"{PLACE}/hive/folder={folder}/part.parquet", storage_options=options)
    total = sum(SIZES.values())
    assert pl.scan_csv(f"{PLACE}/csv/*.csv", storage_options=options).select("size_bytes").sum().collect().item() == total
    assert pl.scan_ipc(f"{PLACE}/ipc/*.arrow", storage_options=options).select("size_bytes").sum().collect().item() == total
    hive = pl.scan_parquet(f"{PLACE}/hive/", hive_partitioning=True, storage_options=options)
    assert hive.filter(pl.col("folder") == "large").collect().height == 3


tell(
    a_frame_holds_the_files,
    a_scan_reads_only_what_it_needs,
    a_large_frame_goes_in_parts,
    many_files_are_scanned_at_once,
)
