"""The door of STS."""

from siegel.iamwire.sts_actions import STS
from siegel.service.sessions import Sessions
from siegel.web.door_steps import DoorParts
from siegel.web.query_door import QueryDoor


def sts_door(sessions: Sessions, parts: DoorParts) -> QueryDoor:
    """Return the door of requests that are signed for `sts`."""
    return QueryDoor(STS, sessions, parts)
