"""One row of the table of operations, and how a request names one.

The access matrix, the status page and the kinds of journal entries come from the table.

Source: AWS KMS API Reference; AWS Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management
Service"; AWS KMS Developer Guide, "Key states of AWS KMS keys", "Permissions reference" (use across accounts).
"""

from enum import StrEnum

from msgspec import Struct

from siegel.kmswire.asks import Ask


class About(StrEnum):
    """What an operation is about: on whose ARN it is decided."""

    ACCOUNT = "account"  # no single key: decided on `*`, by the caller's own policies
    KEY = "key"
    ALIAS = "alias and key"
    CIPHERTEXT = "key of the ciphertext"
    GRANT = "grant"


class Needs(StrEnum):
    """The states of a key in which an operation works."""

    ANY = "any"
    NOT_PENDING = "not pending deletion"
    ENABLED = "enabled"
    PENDING = "pending deletion"
    MATERIAL = "not pending deletion or import"


class Operation(Struct, frozen=True, kw_only=True):
    """One operation. `permission` is the action that allows it, `kind` is how the ledger calls it.

    `changes`: it writes. `needs`: the states of its key. `takes_alias`: its KeyId may be an alias. `across`: it may be about a
    key of another account.
    """

    name: str
    permission: str
    kind: str
    ask: type[Ask]
    about: About
    needs: Needs = Needs.ANY
    changes: bool = False
    takes_alias: bool = False
    across: bool = False


class Spoken(Struct, frozen=True):
    """A request that was understood: an operation of the table, and what it asks for."""

    operation: Operation
    ask: Ask
