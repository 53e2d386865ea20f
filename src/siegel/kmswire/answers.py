"""Answers as KMS writes them: JSON with times in seconds and bytes in base64, and an error's `__type`.

Source: Smithy, "AWS JSON 1.1 protocol"; AWS KMS API Reference, "Data Types".
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from siegel.domain.key_stores import KeyStore
from siegel.domain.wrapping_keys import Grant, KeyAlias, KeyState, Material, WrappingKey, alias_arn, key_arn
from siegel.kmswire.faults import Fault

Answer = Mapping[str, object]

CONTENT_TYPE: Final = "application/x-amz-json-1.1"
ALGORITHM: Final = "SYMMETRIC_DEFAULT"
ORIGIN_OWN: Final = "AWS_KMS"
ORIGIN_EXTERNAL: Final = "EXTERNAL_KEY_STORE"
ORIGIN_IMPORTED: Final = "EXTERNAL"


def render_answer(answer: Answer | None) -> bytes:
    """Return an answer's body; an operation that answers nothing but success has none."""
    return b"" if answer is None else msgspec.json.encode(answer)


def render_error(fault: Fault) -> bytes:
    """Return an error's body."""
    return msgspec.json.encode({"__type": fault.code, "message": fault.text})


def moment(at_ms: int) -> float:
    """Return a time as KMS writes it: seconds since the epoch."""
    return at_ms / 1000


def material_id(account_id: str, key: WrappingKey, material: Material) -> str:
    """Return the name of one material of a key; imported material has the same one whenever it is imported into that key.

    Nothing about the material can be told from it but whether a guess of all its bits is right.
    """
    told = material.fingerprint.hex() or str(material.number)
    return sha256(f"{account_id}/{key.key_id}/{told}".encode()).hexdigest()


def origin_of(key: WrappingKey) -> str:
    """Return where the material of a key comes from, in the words of KMS."""
    if key.is_external:
        return ORIGIN_EXTERNAL
    return ORIGIN_IMPORTED if key.is_imported else ORIGIN_OWN


def expiration_view(*materials: Material) -> Answer:
    """Return when the first of some imported materials goes."""
    times = [material.expires_at_ms for material in materials if material.expires_at_ms]
    if not times:
        return {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": moment(min(times))}


def key_view(region: str, account_id: str, key: WrappingKey, state: KeyState) -> Answer:
    """Return a key's KeyMetadata."""
    view: dict[str, object] = {
        "AWSAccountId": account_id,
        "KeyId": key.key_id,
        "Arn": key_arn(region, account_id, key.key_id),
        "CreationDate": moment(key.created_at_ms),
        "Enabled": state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": state.value,
        "Origin": origin_of(key),
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": ALGORITHM,
        "KeySpec": ALGORITHM,
        "EncryptionAlgorithms": [ALGORITHM],
        "MultiRegion": False,
    }
    if key.is_external:
        view |= {"CustomKeyStoreId": key.key_store_id, "XksKeyConfiguration": {"Id": key.external_key_id}}
    elif key.materials:
        view["CurrentKeyMaterialId"] = material_id(account_id, key, key.materials[-1])
    if key.is_imported and any(material.sealed for material in key.materials):
        view |= expiration_view(*key.materials)
    if key.deletes_at_ms:
        view["DeletionDate"] = moment(key.deletes_at_ms)
    return view


def store_view(store: KeyStore) -> Answer:
    """Return a key store's CustomKeyStoresListEntry."""
    view: dict[str, object] = {
        "CustomKeyStoreId": store.store_id,
        "CustomKeyStoreName": store.name,
        "ConnectionState": store.state.value,
        "CreationDate": moment(store.created_at_ms),
        "CustomKeyStoreType": ORIGIN_EXTERNAL,
        "XksProxyConfiguration": {
            "Connectivity": "PUBLIC_ENDPOINT",
            "AccessKeyId": store.access_key_id,
            "UriEndpoint": store.endpoint,
            "UriPath": store.uri_path,
        },
    }
    if store.failure:
        view["ConnectionErrorCode"] = store.failure
    if store.trust_pem:
        view["TrustAnchorCertificate"] = store.trust_pem
    return view


def alias_view(region: str, account_id: str, alias: KeyAlias) -> Answer:
    """Return an alias's AliasListEntry."""
    return {
        "AliasName": alias.name,
        "AliasArn": alias_arn(region, account_id, alias.name),
        "TargetKeyId": alias.key_id,
        "CreationDate": moment(alias.created_at_ms),
        "LastUpdatedDate": moment(alias.updated_at_ms),
    }


def grant_view(region: str, account_id: str, grant: Grant) -> Answer:
    """Return a grant's GrantListEntry."""
    view: dict[str, object] = {
        "KeyId": key_arn(region, account_id, grant.key_id),
        "GrantId": grant.grant_id,
        "Name": grant.name,
        "CreationDate": moment(grant.created_at_ms),
        "GranteePrincipal": grant.grantee,
        "IssuingAccount": grant.issuer,
        "Operations": grant.operations,
    }
    if grant.retiring:
        view["RetiringPrincipal"] = grant.retiring
    if grant.constraint:
        view["Constraints"] = {f"EncryptionContext{grant.constraint}": dict(grant.context)}
    return view


def rotation_view(region: str, account_id: str, key: WrappingKey, material: Material) -> Answer:
    """Return what ListKeyRotations says of one material; that of an imported key may be gone, or yet to come into use."""
    state = "CURRENT" if material == key.materials[-1] else "NON_CURRENT"
    view: dict[str, object] = {
        "KeyId": key_arn(region, account_id, key.key_id),
        "KeyMaterialId": material_id(account_id, key, material),
        "KeyMaterialState": "PENDING_ROTATION" if material == key.pending else state,
    }
    if key.is_imported:
        view |= {"ImportState": "IMPORTED", **expiration_view(material)} if material.sealed else {"ImportState": "PENDING_IMPORT"}
        if material.description:
            view["KeyMaterialDescription"] = material.description
    if material.rotation:
        view |= {"RotationDate": moment(material.created_at_ms), "RotationType": material.rotation}
    return view


def page_view(name: str, entries: Sequence[object], next_marker: str) -> Answer:
    """Return one page of a list, with the marker of the next one if there is one."""
    view: dict[str, object] = {name: entries, "Truncated": bool(next_marker)}
    return view | {"NextMarker": next_marker} if next_marker else view
