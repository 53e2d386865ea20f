"""How `siegel seal` gets files into the store: small ones several at a time, large ones one by one and each in several parts."""

import stat
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

from msgspec import Struct

from siegel.app.commands.sealing_options import moving
from siegel.customer.sealing.keyfile import KeyFile, Recipient
from siegel.customer.sealing.keyserver import KeyServer
from siegel.customer.sealing.place import ObjectPlace
from siegel.customer.sealing.refusals import SealingError
from siegel.customer.sealing.seal import SealedStream, seal_stream
from siegel.customer.sealing.seen import Seen
from siegel.customer.sealing.store import upload
from siegel.customer.sealing.threads import Threads

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


class Shipped(Struct, frozen=True):
    """A file that is stored, and the how many-th it was to be."""

    number: int
    path: Path
    sealed: SealedStream

    def told(self) -> dict[str, object]:
        """Return what `--json` says of it."""
        manifest = self.sealed.manifest
        return {
            "file": _shown(str(self.path)),
            "uri": manifest.place.uri,
            "size_bytes": manifest.size_bytes,
            "sealed_size_bytes": self.sealed.sealed_size_bytes,
            "sequence": manifest.sequence,
            "signed": manifest.sealer is not None,
        }


class _Load(Struct, frozen=True):
    """One file, the how many-th it is, and where it goes."""

    number: int
    path: Path
    place: ObjectPlace
    size_bytes: int


def ship(shipping: Shipping, places: Mapping[Path, ObjectPlace], done: list[Shipped]) -> None:
    """Seal and store the files in their order; add each to `done` once it is stored. At the first that fails no more are begun.

    Never more than `requests` are under way. Raises SealingError, StoreError, KeyServerError, StorageError.
    """
    loads = [_load(number, path, place) for number, (path, place) in enumerate(places.items())]
    for is_small, group in groupby(loads, key=lambda load: load.size_bytes < shipping.part_bytes):
        if is_small:
            _ship_small(shipping, list(group), done)
        else:
            for load in group:
                with moving(_shown(load.path.name), load.size_bytes, quiet=shipping.quiet) as progress:
                    _ship(shipping, load, done, progress)


def _ship_small(shipping: Shipping, loads: list[_Load], done: list[Shipped]) -> None:
    what = _shown(loads[0].path.name) if len(loads) == 1 else f"{len(loads)} files"
    total_bytes = sum(load.size_bytes for load in loads)
    failed = Event()

    def attempt(load: _Load) -> None:
        # They are begun in their order, and the first that fails is asked for before all that come behind it.
        if failed.is_set():
            return
        try:
            _ship(shipping, load, done)
        except BaseException:
            failed.set()
            raise

    with moving(what, total_bytes, quiet=shipping.quiet) as progress, Threads(shipping.requests) as threads:
        for load, future in [(load, threads.submit(attempt, load)) for load in loads]:
            future.result()
            progress(load.size_bytes)


def _shown(name: str) -> str:
    """Return the name of a file as text: it may hold bytes that are none."""
    return name.encode(errors="replace").decode()


def _load(number: int, path: Path, place: ObjectPlace) -> _Load:
    try:
        found = path.stat()
    except OSError as error:
        raise SealingError(f"{path} cannot be read: {error.strerror}") from None
    # Before it is opened: opening a pipe would wait for whoever writes into it.
    if not stat.S_ISREG(found.st_mode):
        raise SealingError(f"{path} is not a regular file")
    return _Load(number, path, place, found.st_size)


def _ship(shipping: Shipping, load: _Load, done: list[Shipped], progress: Progress = lambda _count: None) -> None:
    """Seal and store one file."""
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
                name=_shown(load.path.name),
                last=seen.last(place),
            )
            upload(shipping.client, sealed, part_bytes=shipping.part_bytes, requests=shipping.requests, progress=progress)
    except OSError as error:
        raise SealingError(f"{load.path} cannot be read: {error.strerror}") from None
    done.append(Shipped(load.number, load.path, sealed))
    seen.check_and_note(place, sealed.sighting)
