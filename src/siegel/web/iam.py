"""The door of IAM."""

from siegel.iamwire.iam_actions import IAM
from siegel.service.identities.use_cases import Identities
from siegel.web.door_steps import DoorParts
from siegel.web.query_door import QueryDoor


def iam_door(identities: Identities, parts: DoorParts) -> QueryDoor:
    """Return the door of requests that are signed for `iam`."""
    return QueryDoor(IAM, identities, parts)
