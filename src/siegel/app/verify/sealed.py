"""The verification as a whole: prove the search, write, search, clear away."""

from pathlib import Path

from msgspec import Struct, structs

from siegel.app.assembly import build_s3
from siegel.app.settings import Settings
from siegel.app.verify.canaries import MARK_RANDOM_BYTES, Canary
from siegel.app.verify.client import InProcessClient
from siegel.app.verify.guest import admit_guest
from siegel.app.verify.paths import WritePaths
from siegel.app.verify.search import Hit, prove_search, search
from siegel.app.wiring import open_deployment


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
        visited, key = admit_guest(deployment)
        # The guest's bucket says nothing about SSE-C; whatever the deployment's default is, this path is to be walked.
        gateway = build_s3(visited, structs.replace(settings, sse_c_default="allowed"))
        canary = Canary(deployment.randomness.bytes(MARK_RANDOM_BYTES))
        paths = WritePaths(InProcessClient(gateway, key, settings.region), canary, settings.region)
        try:
            walked = await paths.walk()
            needles = canary.needles()
            missed = prove_search(directory, needles)
            searched = search(directory, needles)
        finally:
            await paths.clear()
    finally:
        deployment.close()
    return Report(
        paths=walked,
        forms=len(needles),
        files=searched.files,
        size_bytes=searched.size_bytes,
        found=searched.hits,
        missed=missed,
    )
