"""The verification as a whole: prove the search, write, search, clear away."""

from dataclasses import replace
from pathlib import Path

from msgspec import Struct, structs

from siegel.app.assembly import build_s3
from siegel.app.settings import Settings
from siegel.app.verify.box import Box, running_box
from siegel.app.verify.canaries import MARK_RANDOM_BYTES, Canary
from siegel.app.verify.client import InProcessClient
from siegel.app.verify.guest import admit_guest
from siegel.app.verify.key_paths import KeyPaths
from siegel.app.verify.paths import WritePaths
from siegel.app.verify.search import Hit, prove_search, search
from siegel.app.wiring import Deployment, open_deployment


class Report(Struct, frozen=True):
    """What the verification did and saw. It holds if nothing was `found` and nothing `missed` by the control."""

    paths: list[str]
    forms: int
    files: int
    size_bytes: int
    found: list[Hit]
    missed: list[str]

    @property
    def holds(self) -> bool:
        """Whether the promise held."""
        return not self.found and not self.missed


async def verify_sealed(settings: Settings) -> Report:
    """Write canaries into the deployment, search its directory for them, and remove them again.

    Works beside the running service. Raises SiegelError if a write path fails.
    """
    directory = Path(settings.directory)
    deployment = open_deployment(settings)
    try:
        async with running_box() as box:
            return await _verify(directory, replace(deployment, outbound=box.outbound), settings, box)
    finally:
        deployment.close()


async def _verify(directory: Path, deployment: Deployment, settings: Settings, box: Box) -> Report:
    visited, guest = admit_guest(deployment)
    # The guest's bucket says nothing about SSE-C; whatever the deployment's default is, this path is to be walked.
    gateway = build_s3(visited, structs.replace(settings, sse_c_default="allowed"))
    canary = Canary(deployment.randomness.bytes(MARK_RANDOM_BYTES))
    client = InProcessClient(gateway, guest.key, settings.region)
    paths = WritePaths(client, canary, settings.region)
    keys = KeyPaths(client, canary, paths, guest.account_id)
    try:
        walked = [*await paths.walk(), *await keys.walk(box)]
        needles = canary.needles()
        missed = prove_search(directory, needles)
        searched = search(directory, needles)
    finally:
        try:
            await paths.clear()
        finally:
            await keys.clear(deployment.store)
    return Report(
        paths=walked,
        forms=len(needles),
        files=searched.files,
        size_bytes=searched.size_bytes,
        found=searched.hits,
        missed=missed,
    )
