"""What the supervisor tells its processes, and what they say back. States are sent as JSON lines; `lifeline.py` reads them."""

from typing import Final

from msgspec import Struct

from siegel.app.settings import Address, Settings

# The single line that a process writes on its standard output, once it serves.
READY_LINE: Final = b"ready\n"


class Orders(Struct, frozen=True):
    """What one process is to do: its name, the settings, and the addresses with the ports that were really reserved."""

    name: str
    settings: Settings
    s3: Address
    admin: Address


class ServiceState(Struct, frozen=True):
    """How the service is, as its supervisor sees it."""

    workers: int
    workers_ready: int
    stopping: bool = False
