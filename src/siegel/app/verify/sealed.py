"""The verification as a whole: prove the search, write, search, clear away."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

from msgspec import Struct, structs

from siegel.app.assembly import build_s3
from siegel.app.settings import Settings
from siegel.app.verify.box import Box, running_box
from siegel.app.verify.canaries import MARK_RANDOM_BYTES, Canary, Needle
from siegel.app.verify.clearing import clear_away
from siegel.app.verify.client import InProcessClient
from siegel.app.verify.guest import Guest, admit_guest, make_guest
from siegel.app.verify.key_paths import KeyPaths
from siegel.app.verify.notes import GuestNote, find_notes, note_guest, take_note
from siegel.app.verify.paths import WritePaths
from siegel.app.verify.search import Hit, Searched, prove_search, search
from siegel.app.wiring import Deployment, open_deployment
from siegel.domain.errors import SiegelError


class Report(Struct, frozen=True):
    """What the verification did and saw. It holds if nothing was `found` and nothing `missed` by the control.

    `left` is what earlier ones that were killed have left, and could not be removed.
    """

    paths: list[str]
    forms: int
    files: int
    size_bytes: int
    found: list[Hit]
    missed: list[str]
    left: list[str]

    @property
    def holds(self) -> bool:
        """Whether the promise held."""
        return not self.found and not self.missed


async def verify_sealed(settings: Settings) -> Report:
    """Write canaries into the deployment, search its directory for them, and remove them again.

    Works beside the running service. Who cancels it waits until all is removed. What a killed one has left is removed first.
    Raises SiegelError if a write path fails.
    """
    deployment = open_deployment(settings)
    try:
        left = await _clear_left(deployment, settings)
        async with running_box() as box:
            return await _verify(replace(deployment, outbound=box.outbound), settings, box, left)
    finally:
        deployment.close()


async def _verify(deployment: Deployment, settings: Settings, box: Box, left: list[str]) -> Report:
    directory, guest = Path(settings.directory), make_guest(deployment)
    client = _client_of(deployment, settings, guest)
    canary = Canary(deployment.randomness.bytes(MARK_RANDOM_BYTES))
    paths = WritePaths(client, canary, settings.region)
    keys = KeyPaths(client, canary, paths, guest.account.account_id)
    with closing(note_guest(directory, guest)) as note:
        try:
            walked = [*await paths.walk(), *await keys.walk(box)]
            needles = canary.needles()
            missed, searched = await _search(directory, needles)
        finally:
            await _to_the_end(_clear(client, deployment, note))
    return Report(
        paths=walked,
        forms=len(needles),
        files=searched.files,
        size_bytes=searched.size_bytes,
        found=searched.hits,
        missed=missed,
        left=left,
    )


def _client_of(deployment: Deployment, settings: Settings, guest: Guest) -> InProcessClient:
    visited, key = admit_guest(deployment, guest)
    # The guest's bucket says nothing about SSE-C; whatever the deployment's default is, this path is to be walked.
    return InProcessClient(build_s3(visited, structs.replace(settings, sse_c_default="allowed")), key, settings.region)


async def _search(directory: Path, needles: list[Needle]) -> tuple[list[str], Searched]:
    """Search, in a thread that ends soon where this is cancelled; return what the control missed, and what was found."""
    ended = Event()
    try:
        missed = await asyncio.to_thread(prove_search, directory, needles)
        return missed, await asyncio.to_thread(search, directory, needles, ended.is_set)
    finally:
        ended.set()


async def _clear_left(deployment: Deployment, settings: Settings) -> list[str]:
    """Remove what verifications have left that were killed; return what cannot be removed, and why."""
    left = []
    for path in find_notes(Path(settings.directory)):
        try:
            if (note := take_note(path)) is not None:
                with closing(note):
                    await _clear(_client_of(deployment, settings, note.guest), deployment, note)
        except SiegelError as error:
            left.append(f"{path}: {error}")
    return left


async def _clear(client: InProcessClient, deployment: Deployment, note: GuestNote) -> None:
    await clear_away(client, deployment.store, note.guest.account.account_id)
    note.forget()


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Do something to its end, whoever cancels this meanwhile; the cancellation goes on after it."""
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
