"""The table of what this service does of KMS. Operations that are not here stand in `REFUSED` with the reason."""

from collections.abc import Mapping
from typing import Final

from siegel.domain.entry import kind_of
from siegel.domain.kms_errors import KmsUnknownOperationError, KmsUnsupportedOperationError
from siegel.kmswire import asks
from siegel.kmswire.asks import Ask, read_ask
from siegel.kmswire.operation import About, Needs, Operation, Spoken
from siegel.kmswire.protocol import SERVICE, TARGET_PREFIX
from siegel.kmswire.refused import REFUSED

_SHOWN_CHARS_MAX: Final = 64


def _read(
    name: str,
    ask: type[Ask],
    about: About = About.KEY,
    *,
    needs: Needs = Needs.ANY,
    takes_alias: bool = False,
    across: bool = False,
    permission: str = "",
) -> Operation:
    return Operation(
        name=name,
        permission=f"{SERVICE}:{permission or name}",
        kind=kind_of(SERVICE, name),
        ask=ask,
        about=about,
        needs=needs,
        takes_alias=takes_alias,
        across=across,
    )


def _use(name: str, ask: type[Ask], about: About = About.KEY, permission: str = "") -> Operation:
    return Operation(
        name=name,
        permission=f"{SERVICE}:{permission or name}",
        kind=kind_of(SERVICE, name),
        ask=ask,
        about=about,
        needs=Needs.ENABLED,
        takes_alias=True,
        across=True,
    )


def _change(
    name: str, ask: type[Ask], needs: Needs = Needs.NOT_PENDING, about: About = About.KEY, *, across: bool = False
) -> Operation:
    return Operation(
        name=name,
        permission=f"{SERVICE}:{name}",
        kind=kind_of(SERVICE, name),
        ask=ask,
        about=about,
        needs=needs,
        changes=True,
        across=across,
    )


_ROWS: Final = (
    _change("CreateKey", asks.CreateKey, Needs.ANY, About.ACCOUNT),
    _read("DescribeKey", asks.DescribeKey, takes_alias=True, across=True),
    _read("ListKeys", asks.ListKeys, About.ACCOUNT),
    _change("CreateAlias", asks.AliasTarget, about=About.ALIAS),
    _change("UpdateAlias", asks.AliasTarget, about=About.ALIAS),
    _change("DeleteAlias", asks.OfAlias, Needs.ANY, About.ALIAS),
    _read("ListAliases", asks.ListAliases, About.ACCOUNT),
    _change("EnableKey", asks.OfKey, Needs.MATERIAL),
    _change("DisableKey", asks.OfKey, Needs.MATERIAL),
    _change("ScheduleKeyDeletion", asks.ScheduleKeyDeletion),
    _change("CancelKeyDeletion", asks.OfKey, Needs.PENDING),
    _read("GetKeyPolicy", asks.GetKeyPolicy),
    _change("PutKeyPolicy", asks.PutKeyPolicy, Needs.ANY),
    _read("ListKeyPolicies", asks.PagedOfKey),
    _change("CreateGrant", asks.CreateGrant, Needs.ENABLED, across=True),
    _read("ListGrants", asks.ListGrants, across=True),
    _read("ListRetirableGrants", asks.ListRetirableGrants, About.ACCOUNT),
    _change("RevokeGrant", asks.RevokeGrant, Needs.ANY, across=True),
    _change("RetireGrant", asks.RetireGrant, Needs.ANY, About.GRANT, across=True),
    _use("Encrypt", asks.Encrypt),
    _use("Decrypt", asks.Decrypt, About.CIPHERTEXT),
    _use("GenerateDataKey", asks.GenerateDataKey),
    _use("GenerateDataKeyWithoutPlaintext", asks.GenerateDataKey),
    _use("ReEncrypt", asks.ReEncrypt, About.CIPHERTEXT, "ReEncrypt*"),
    _read("GenerateRandom", asks.GenerateRandom, About.ACCOUNT),
    _change("EnableKeyRotation", asks.EnableKeyRotation, Needs.ENABLED),
    _change("DisableKeyRotation", asks.OfKey, Needs.ENABLED),
    _read("GetKeyRotationStatus", asks.OfKey, across=True),
    _change("RotateKeyOnDemand", asks.OfKey, Needs.ENABLED),
    _read("ListKeyRotations", asks.ListKeyRotations),
    _read("GetParametersForImport", asks.GetParametersForImport, needs=Needs.NOT_PENDING),
    _change("ImportKeyMaterial", asks.ImportKeyMaterial),
    _change("DeleteImportedKeyMaterial", asks.DeleteImportedKeyMaterial),
    _change("TagResource", asks.TagResource),
    _change("UntagResource", asks.UntagResource),
    _read("ListResourceTags", asks.PagedOfKey),
    _change("UpdateKeyDescription", asks.UpdateKeyDescription),
    _change("CreateCustomKeyStore", asks.CreateCustomKeyStore, Needs.ANY, About.ACCOUNT),
    _change("ConnectCustomKeyStore", asks.OfStore, Needs.ANY, About.ACCOUNT),
    _change("DisconnectCustomKeyStore", asks.OfStore, Needs.ANY, About.ACCOUNT),
    _read("DescribeCustomKeyStores", asks.DescribeCustomKeyStores, About.ACCOUNT),
    _change("UpdateCustomKeyStore", asks.UpdateCustomKeyStore, Needs.ANY, About.ACCOUNT),
    _change("DeleteCustomKeyStore", asks.OfStore, Needs.ANY, About.ACCOUNT),
)
OPERATIONS: Final[Mapping[str, Operation]] = {row.name: row for row in _ROWS}
"""Every operation that works, by its name."""


def find_operation(target: str) -> Operation:
    """Return the operation that the header X-Amz-Target names.

    Raises KmsUnknownOperationError, KmsUnsupportedOperationError for one of KMS that is not built.
    """
    name = target.removeprefix(TARGET_PREFIX)
    if name in REFUSED and target.startswith(TARGET_PREFIX):
        raise KmsUnsupportedOperationError(f"{name} is not supported: {REFUSED[name]}.")
    found = OPERATIONS.get(name)
    if found is None or not target.startswith(TARGET_PREFIX):
        raise KmsUnknownOperationError(f"There is no operation {target[:_SHOWN_CHARS_MAX]!r}.")
    return found


def read_call(operation: Operation, body: bytes) -> Spoken:
    """Return what a call asks for. Raises what `read_ask` raises."""
    return Spoken(operation, read_ask(operation.ask, body))
