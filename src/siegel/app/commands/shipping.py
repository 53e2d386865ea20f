"""How `siegel seal` gets files into the store: small ones several at a time, large ones one by one and each in several parts."""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec import Struct

from siegel.app.commands.sealing_options import moving
from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.keyserver import KeyServer
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import SealingError
from siegel.customer.sealing.seal import seal_stream
from siegel.customer.sealing.seen import Seen
from siegel.customer.sealing.store import upload

Progress = Callable[[int], None]


class Shipping(Struct, frozen=True, kw_only=True):
    """What is the same for every file of one command."""

    client: Any
    seen: Seen
    sealer: KeyFile | None
    sealer_opens: bool
    recipients: Sequence[Recipient]
    box: KeyServer | None
    part_bytes: int
    requests: int
    quiet: bool


class _Load(Struct, frozen=True):
    """One file and where it goes."""

    path: Path
    place: ObjectPlace
    size_bytes: int


def ship(shipping: Shipping, places: Mapping[Path, ObjectPlace]) -> list[dict[str, object]]:
    """Seal and store the files in their order; return what `--json` says of each. At the first that fails no more are begun.

    Never more than `requests` are under way. Raises SealingError, StoreError, KeyServerError, StorageError.
    """
    loads = [_load(path, place) for path, place in places.items()]
    done: list[dict[str, object]] = []
    for is_small, group in groupby(loads, key=lambda load: load.size_bytes < shipping.part_bytes):
        if is_small:
            done += _ship_small(shipping, list(group))
        else:
            done += _ship_large(shipping, group)
    return done


def _ship_small(shipping: Shipping, loads: list[_Load]) -> list[dict[str, object]]:
    what = loads[0].path.name if len(loads) == 1 else f"{len(loads)} files"
    pool = ThreadPoolExecutor(shipping.requests)
    try:
        with moving(what, sum(load.size_bytes for load in loads), quiet=shipping.quiet) as progress:
            done = []
            for load, told in zip(loads, pool.map(lambda load: _ship(shipping, load), loads), strict=True):
                progress(load.size_bytes)
                done.append(told)
            return done
    finally:
        pool.shutdown(cancel_futures=True)


def _ship_large(shipping: Shipping, loads: Iterator[_Load]) -> Iterator[dict[str, object]]:
    for load in loads:
        with moving(load.path.name, load.size_bytes, quiet=shipping.quiet) as progress:
            yield _ship(shipping, load, progress)


def _load(path: Path, place: ObjectPlace) -> _Load:
    try:
        found = path.stat()
    except OSError as error:
        raise SealingError(f"{path} cannot be read: {error.strerror}") from None
    # Before it is opened: opening a pipe would wait for whoever writes into it.
    if not stat.S_ISREG(found.st_mode):
        raise SealingError(f"{path} is not a regular file")
    return _Load(path, place, found.st_size)


def _ship(shipping: Shipping, load: _Load, progress: Progress = lambda _count: None) -> dict[str, object]:
    """Seal and store one file; return what `--json` says of it."""
    seen, place = shipping.seen, load.place
    try:
        with load.path.open("rb") as stream:
            sealed = seal_stream(
                stream,
                load.size_bytes,
                place,
                sealer=shipping.sealer,
                sealer_opens=shipping.sealer_opens,
                recipients=shipping.recipients,
                box=shipping.box,
                name=load.path.name.encode(errors="replace").decode(),
                last=seen.last(place),
            )
            upload(shipping.client, sealed, part_bytes=shipping.part_bytes, requests=shipping.requests, progress=progress)
    except OSError as error:
        raise SealingError(f"{load.path} cannot be read: {error.strerror}") from None
    seen.check_and_note(place, sealed.sighting)
    return {
        "file": str(load.path),
        "uri": place.uri,
        "size_bytes": load.size_bytes,
        "sealed_size_bytes": sealed.sealed_size_bytes,
        "sequence": sealed.manifest.sequence,
        "signed": shipping.sealer is not None,
    }
