"""One row of a service's table of actions, and the protocol that a table makes.

The access matrix, the status page and the kinds of journal entries come from these tables.

Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access Management".
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from siegel.domain.query_errors import InvalidActionError, MissingActionError
from siegel.iamwire.ask import Ask, read_ask
from siegel.iamwire.form import read_tree

_NAME_CHARS_SHOWN: Final = 64


class About(StrEnum):
    """What kind of thing an action is about: whose ARN it is decided on."""

    ACCOUNT = "account"  # no single resource: decided on `*`
    USER = "user"
    GROUP = "group"
    ROLE = "role"
    POLICY = "policy"
    PROVIDER = "oidc-provider"
    PRINCIPAL = "user, group or role"
    CALLER = "caller"  # the caller itself: no permission is needed


class Action(Struct, frozen=True, kw_only=True):
    """One action. `permission` is the IAM action that allows it, `kind` is how the ledger calls it.

    `changes`: it writes. `unsigned`: it is understood without a signature too. `is_empty`: it is about something that does
    not exist here, and answers that there is none.
    """

    name: str
    permission: str
    kind: str
    ask: type[Ask]
    about: About
    changes: bool = False
    unsigned: bool = False
    is_empty: bool = False


class QueryProtocol(Struct, frozen=True):
    """A service that speaks the query protocol: its signing name, XML namespace, version, actions.

    `refused` are actions that the service's model has and that are not built, each with the reason.
    """

    service: str
    namespace: str
    version: str
    actions: Mapping[str, Action]
    refused: Mapping[str, str] = {}


class Spoken(Struct, frozen=True):
    """A request that was understood: an action of the table, and what it asks for."""

    action: Action
    ask: Ask


def by_name(actions: Iterable[Action]) -> dict[str, Action]:
    """Return the table's rows by the names of their actions."""
    return {action.name: action for action in actions}


def find_action(protocol: QueryProtocol, parameters: Mapping[str, str]) -> Action:
    """Return the action that the parameters name. Raises MissingActionError, InvalidActionError."""
    name, version = parameters.get("Action", ""), parameters.get("Version", "")
    if not name:
        raise MissingActionError("The request names no Action.")
    if version != protocol.version:
        raise InvalidActionError(
            f"Could not find operation {name[:_NAME_CHARS_SHOWN]} for version {version[:_NAME_CHARS_SHOWN] or 'NO_VERSION'}:"
            f" the version of this service is {protocol.version}."
        )
    if name in protocol.refused:
        raise InvalidActionError(f"{name} is not implemented: {protocol.refused[name]}.")
    found = protocol.actions.get(name)
    if found is None:
        raise InvalidActionError(f"Could not find operation {name[:_NAME_CHARS_SHOWN]} for version {version}.")
    return found


def read_call(action: Action, parameters: Mapping[str, str]) -> Spoken:
    """Return what a call asks for. Raises ValidationError for parameters that its action does not know or cannot take."""
    own = {name: value for name, value in parameters.items() if name not in {"Action", "Version"}}
    return Spoken(action, read_ask(action.ask, read_tree(own)))
