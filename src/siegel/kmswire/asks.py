"""What each operation of KMS asks for, as one typed and frozen value, read strictly: a member that is not known is refused.

Source: AWS KMS API Reference, "Actions" and "Data Types"; every length and pattern is from there.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from siegel.domain import limits
from siegel.domain.kms_errors import (
    KmsSerializationError,
    KmsUnsupportedOperationError,
    KmsValidationError,
)

A = TypeVar("A", bound="Ask")

_SHOWN_CHARS_MAX: Final = 300
_PAGE_DEFAULT: Final = 100
# The year 9999: what comes later has no place in a date.
_SECONDS_MAX: Final = 253_402_300_799
_EXTERNAL: Final = "EXTERNAL_KEY_STORE"
_PUBLIC: Final = "PUBLIC_ENDPOINT"

KeyName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
AliasName: TypeAlias = Annotated[str, Meta(min_length=7, max_length=256, pattern=r"\Aalias/[a-zA-Z0-9/_-]+\Z")]
PolicyText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=limits.KEY_POLICY_BYTES_MAX)]
PolicyName: TypeAlias = Literal["default"]
Description: TypeAlias = Annotated[str, Meta(max_length=8192)]
Principal: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"\A[\w+=,.@:/-]+\Z")]
GrantName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"\A[a-zA-Z0-9:/_-]+\Z")]
GrantId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
GrantToken: TypeAlias = Annotated[str, Meta(min_length=1, max_length=8192)]
GrantTokens: TypeAlias = Annotated[tuple[GrantToken, ...], Meta(max_length=10)]
TagKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Context: TypeAlias = dict[str, str]
Plaintext: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=limits.KMS_PLAINTEXT_BYTES_MAX)]
Ciphertext: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=limits.KMS_CIPHERTEXT_BYTES_MAX)]
Size: TypeAlias = Annotated[int, Meta(ge=1, le=limits.KMS_RANDOM_BYTES_MAX)]
DeletionDays: TypeAlias = Annotated[int, Meta(ge=limits.KMS_DELETION_DAYS_MIN, le=limits.KMS_DELETION_DAYS_MAX)]
RotationDays: TypeAlias = Annotated[int, Meta(ge=limits.KMS_ROTATION_DAYS_MIN, le=limits.KMS_ROTATION_DAYS_MAX)]
MaterialId: TypeAlias = Annotated[str, Meta(min_length=64, max_length=64, pattern=r"\A[a-f0-9]+\Z")]
Algorithm: TypeAlias = Literal["SYMMETRIC_DEFAULT"]
StoreName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
StoreId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Certificates: TypeAlias = Annotated[str, Meta(min_length=1, max_length=5000)]
# Wider than that of KMS: a port may follow, and http, which is refused later unless the operator has allowed it.
Endpoint: TypeAlias = Annotated[str, Meta(min_length=10, max_length=128, pattern=r"\Ahttps?://[][a-zA-Z0-9.:-]+\Z")]
UriPath: TypeAlias = Annotated[str, Meta(min_length=10, max_length=128, pattern=r"\A(/[a-zA-Z0-9/_-]+)?/kms/xks/v\d{1,2}\Z")]
ExternalKeyId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[a-zA-Z0-9_.-]+\Z")]
GrantOperation: TypeAlias = Literal[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
]


class Ask(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The base of every operation's members: a field `key_id` is the member `KeyId`."""


class Part(Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The base of structures inside members."""


class Tag(Part, frozen=True, kw_only=True):
    """One tag."""

    tag_key: TagKey
    tag_value: Annotated[str, Meta(max_length=256)]


class Constraints(Part, frozen=True, kw_only=True):
    """What the encryption context must be for a grant to apply. `source_arn` is understood, and refused."""

    encryption_context_equals: Context = {}
    encryption_context_subset: Context = {}
    source_arn: str = ""


class Paged(Ask, frozen=True, kw_only=True):
    """A list of the account."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = _PAGE_DEFAULT
    marker: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


class ProxyCredential(Part, frozen=True, kw_only=True):
    """What calls to a key store's proxy are signed with. The text form shows no secret."""

    access_key_id: Annotated[str, Meta(min_length=20, max_length=30, pattern=r"\A[A-Z2-7]+\Z")]
    raw_secret_access_key: Annotated[str, Meta(min_length=43, max_length=64, pattern=r"\A[A-Za-z0-9/+=]+\Z")]

    def __repr__(self) -> str:
        return f"ProxyCredential({self.access_key_id})"


class OfKey(Ask, frozen=True, kw_only=True):
    """An operation on one key that needs nothing else."""

    key_id: KeyName


class PagedOfKey(Paged, frozen=True, kw_only=True):
    """A list of what belongs to one key."""

    key_id: KeyName


class CreateKey(Ask, frozen=True, kw_only=True):
    """CreateKey. What makes another kind of key is understood, and refused with the reason."""

    policy: PolicyText = ""
    description: Description = ""
    key_usage: str = "ENCRYPT_DECRYPT"
    customer_master_key_spec: str = ""
    key_spec: str = ""
    origin: str = "AWS_KMS"
    custom_key_store_id: StoreId | None = None
    bypass_policy_lockout_safety_check: bool = False
    tags: Annotated[tuple[Tag, ...], Meta(max_length=limits.KMS_TAGS_MAX)] = ()
    multi_region: bool = False
    xks_key_id: ExternalKeyId | None = None


class DescribeKey(OfKey, frozen=True, kw_only=True):
    """DescribeKey."""

    grant_tokens: GrantTokens = ()


class ListKeys(Paged, frozen=True, kw_only=True):
    """ListKeys. There are no keys of the service's own in an account."""

    resource_owners: tuple[Literal["SELF", "SERVICE_PROVIDER"], ...] = ()


class OfAlias(Ask, frozen=True, kw_only=True):
    """An alias."""

    alias_name: AliasName


class AliasTarget(OfAlias, frozen=True, kw_only=True):
    """An alias and the key that it is to name."""

    target_key_id: KeyName


class ListAliases(Paged, frozen=True, kw_only=True):
    """ListAliases, of one key or of the account."""

    key_id: KeyName | None = None


class ScheduleKeyDeletion(OfKey, frozen=True, kw_only=True):
    """ScheduleKeyDeletion."""

    pending_window_in_days: DeletionDays = limits.KMS_DELETION_DAYS_MAX


class GetKeyPolicy(OfKey, frozen=True, kw_only=True):
    """GetKeyPolicy: a key has one policy, called `default`."""

    policy_name: PolicyName = "default"


class PutKeyPolicy(GetKeyPolicy, frozen=True, kw_only=True):
    """PutKeyPolicy."""

    policy: PolicyText
    bypass_policy_lockout_safety_check: bool = False


class CreateGrant(OfKey, frozen=True, kw_only=True):
    """CreateGrant. Principals that are services are understood, and refused."""

    grantee_principal: Principal = ""
    retiring_principal: Principal = ""
    operations: Annotated[tuple[GrantOperation, ...], Meta(min_length=1, max_length=20)]
    constraints: Constraints = Constraints()
    grant_tokens: GrantTokens = ()
    name: GrantName = ""
    dry_run: bool = False
    grantee_service_principal: str = ""
    retiring_service_principal: str = ""


class ListGrants(PagedOfKey, frozen=True, kw_only=True):
    """ListGrants."""

    grant_id: GrantId = ""
    grantee_principal: Principal = ""
    grantee_service_principal: str = ""


class ListRetirableGrants(Paged, frozen=True, kw_only=True):
    """ListRetirableGrants."""

    retiring_principal: Principal = ""
    retiring_service_principal: str = ""


class RevokeGrant(OfKey, frozen=True, kw_only=True):
    """RevokeGrant."""

    grant_id: GrantId
    dry_run: bool = False


class RetireGrant(Ask, frozen=True, kw_only=True):
    """RetireGrant: by the grant's token, or by key and grant id."""

    grant_token: GrantToken = ""
    key_id: KeyName = ""
    grant_id: GrantId = ""
    dry_run: bool = False


class Encrypt(OfKey, frozen=True, kw_only=True):
    """Encrypt."""

    plaintext: Plaintext
    encryption_context: Context = {}
    grant_tokens: GrantTokens = ()
    encryption_algorithm: Algorithm = "SYMMETRIC_DEFAULT"
    dry_run: bool = False


class Decrypt(Ask, frozen=True, kw_only=True):
    """Decrypt."""

    ciphertext_blob: Ciphertext
    encryption_context: Context = {}
    grant_tokens: GrantTokens = ()
    key_id: KeyName | None = None
    encryption_algorithm: Algorithm = "SYMMETRIC_DEFAULT"
    recipient: Any = None
    dry_run: bool = False
    dry_run_modifiers: tuple[str, ...] = ()


class GenerateDataKey(OfKey, frozen=True, kw_only=True):
    """GenerateDataKey, with the plaintext or without."""

    encryption_context: Context = {}
    number_of_bytes: Size | None = None
    key_spec: Literal["AES_256", "AES_128"] | None = None
    grant_tokens: GrantTokens = ()
    recipient: Any = None
    dry_run: bool = False


class ReEncrypt(Ask, frozen=True, kw_only=True):
    """ReEncrypt."""

    ciphertext_blob: Ciphertext
    source_encryption_context: Context = {}
    source_key_id: KeyName | None = None
    destination_key_id: KeyName
    destination_encryption_context: Context = {}
    source_encryption_algorithm: Algorithm = "SYMMETRIC_DEFAULT"
    destination_encryption_algorithm: Algorithm = "SYMMETRIC_DEFAULT"
    grant_tokens: GrantTokens = ()
    dry_run: bool = False
    dry_run_modifiers: tuple[str, ...] = ()


class GenerateRandom(Ask, frozen=True, kw_only=True):
    """GenerateRandom."""

    number_of_bytes: Size
    custom_key_store_id: str = ""
    recipient: Any = None


class EnableKeyRotation(OfKey, frozen=True, kw_only=True):
    """EnableKeyRotation: once a year, unless it says otherwise."""

    rotation_period_in_days: RotationDays = 365


class ListKeyRotations(PagedOfKey, frozen=True, kw_only=True):
    """ListKeyRotations."""

    include_key_material: Literal["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"] = "ROTATIONS_ONLY"


class GetParametersForImport(OfKey, frozen=True, kw_only=True):
    """GetParametersForImport. Wrappings that are too weak, or of no RSA key, are understood, and refused."""

    wrapping_algorithm: Literal[
        "RSAES_PKCS1_V1_5",
        "RSAES_OAEP_SHA_1",
        "RSAES_OAEP_SHA_256",
        "RSA_AES_KEY_WRAP_SHA_1",
        "RSA_AES_KEY_WRAP_SHA_256",
        "SM2PKE",
    ]
    wrapping_key_spec: Literal["RSA_2048", "RSA_3072", "RSA_4096", "SM2"]


class ImportKeyMaterial(OfKey, frozen=True, kw_only=True):
    """ImportKeyMaterial. `valid_to` is in seconds since the epoch."""

    import_token: Ciphertext
    encrypted_key_material: Ciphertext
    valid_to: Annotated[float, Meta(ge=0, le=_SECONDS_MAX)] | None = None
    expiration_model: Literal["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"] = "KEY_MATERIAL_EXPIRES"
    import_type: Literal["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"] | None = None
    key_material_description: Annotated[str, Meta(max_length=256, pattern=r"\A[a-zA-Z0-9:/_\s.-]*\Z")] = ""
    key_material_id: MaterialId | None = None


class DeleteImportedKeyMaterial(OfKey, frozen=True, kw_only=True):
    """DeleteImportedKeyMaterial."""

    key_material_id: MaterialId | None = None


class TagResource(OfKey, frozen=True, kw_only=True):
    """TagResource."""

    tags: Annotated[tuple[Tag, ...], Meta(max_length=limits.KMS_TAGS_MAX)]


class UntagResource(OfKey, frozen=True, kw_only=True):
    """UntagResource."""

    tag_keys: Annotated[tuple[TagKey, ...], Meta(max_length=limits.KMS_TAGS_MAX)]


class UpdateKeyDescription(OfKey, frozen=True, kw_only=True):
    """UpdateKeyDescription."""

    description: Description


class _AskOfStore(Ask, frozen=True, kw_only=True):
    """Members of stores that are clusters, or proxies in a private network: understood, and refused."""

    cloud_hsm_cluster_id: str = ""
    key_store_password: str = ""
    xks_proxy_vpc_endpoint_service_name: str = ""
    xks_proxy_vpc_endpoint_service_owner: str = ""


class CreateCustomKeyStore(_AskOfStore, frozen=True, kw_only=True):
    """CreateCustomKeyStore. `trust_anchor_certificate` is for an external key store too: its proxy's authorities, as PEM."""

    custom_key_store_name: StoreName
    custom_key_store_type: str = "AWS_CLOUDHSM"
    trust_anchor_certificate: Certificates = ""
    xks_proxy_connectivity: str = ""
    xks_proxy_uri_endpoint: Endpoint | None = None
    xks_proxy_uri_path: UriPath | None = None
    xks_proxy_authentication_credential: ProxyCredential | None = None


class OfStore(Ask, frozen=True, kw_only=True):
    """An operation on one key store that needs nothing else."""

    custom_key_store_id: StoreId


class UpdateCustomKeyStore(_AskOfStore, frozen=True, kw_only=True):
    """UpdateCustomKeyStore: what is not said stays."""

    custom_key_store_id: StoreId
    new_custom_key_store_name: StoreName | None = None
    xks_proxy_connectivity: str = ""
    xks_proxy_uri_endpoint: Endpoint | None = None
    xks_proxy_uri_path: UriPath | None = None
    xks_proxy_authentication_credential: ProxyCredential | None = None


class DescribeCustomKeyStores(Paged, frozen=True, kw_only=True):
    """DescribeCustomKeyStores: all of the account, or the one of an id or a name."""

    custom_key_store_id: StoreId | None = None
    custom_key_store_name: StoreName | None = None


def read_ask(ask_type: type[A], body: bytes) -> A:
    """Return the typed value of a request's body; an empty body asks for nothing.

    Raises KmsSerializationError for what is no JSON object, KmsValidationError, which names the member or says of a context that
    it is too large, KmsUnsupportedOperationError for what no operation of this service does.
    """
    try:
        ask = msgspec.json.decode(body or b"{}", type=ask_type)
    except msgspec.ValidationError as error:
        raise KmsValidationError(f"1 validation error detected: {_explain(str(error))}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KmsSerializationError from error
    _refuse_absent(ask)
    for context in contexts_of(ask):
        check_context(context)
    return ask


def contexts_of(ask: Ask) -> tuple[Context, ...]:
    """Return the encryption contexts that a request names."""
    if isinstance(ask, Encrypt | Decrypt | GenerateDataKey):
        return (ask.encryption_context,)
    if isinstance(ask, ReEncrypt):
        return ask.source_encryption_context, ask.destination_encryption_context
    if isinstance(ask, CreateGrant):
        return ask.constraints.encryption_context_equals, ask.constraints.encryption_context_subset
    return ()


def check_context(context: Context) -> None:
    """Raise KmsValidationError for an encryption context that is too large or names nothing.

    No operation that takes one has `LimitExceededException` for that, which clients take for a throttling and try again.
    """
    if "" in context:
        raise KmsValidationError("The names of an encryption context are not empty.")
    size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in context.items())
    if size_bytes > limits.KMS_CONTEXT_BYTES_MAX:
        raise KmsValidationError(f"An encryption context has at most {limits.KMS_CONTEXT_BYTES_MAX} bytes.")


def _refuse_absent(ask: Ask) -> None:
    """Raise KmsUnsupportedOperationError for members that ask for what is not built."""
    if getattr(ask, "recipient", None) is not None:
        raise KmsUnsupportedOperationError("Recipient is not supported: no attested enclaves are known here.")
    if getattr(ask, "dry_run_modifiers", ()):
        raise KmsUnsupportedOperationError("DryRunModifiers are not supported.")
    if isinstance(ask, GenerateRandom) and ask.custom_key_store_id:
        raise KmsUnsupportedOperationError("External key stores make no random bytes.")
    if isinstance(ask, _AskOfStore):
        _refuse_other_stores(ask)
    if getattr(ask, "grantee_service_principal", "") or getattr(ask, "retiring_service_principal", ""):
        raise KmsUnsupportedOperationError("Grants are given to principals of accounts, not to services.")


def _refuse_other_stores(ask: _AskOfStore) -> None:
    if ask.cloud_hsm_cluster_id or ask.key_store_password or getattr(ask, "custom_key_store_type", _EXTERNAL) != _EXTERNAL:
        raise KmsUnsupportedOperationError("There are no CloudHSM clusters here: CustomKeyStoreType is EXTERNAL_KEY_STORE.")
    connectivity = getattr(ask, "xks_proxy_connectivity", "") or _PUBLIC
    if ask.xks_proxy_vpc_endpoint_service_name or ask.xks_proxy_vpc_endpoint_service_owner or connectivity != _PUBLIC:
        raise KmsUnsupportedOperationError(
            "There are no VPC endpoint services here: XksProxyConnectivity is PUBLIC_ENDPOINT, also for one that is not public, "
            "which the operator's setting outbound_allow has to name."
        )


def _explain(message: str) -> str:
    problem, _, place = message.partition(" - at `$")
    where = place.rstrip("`").lstrip(".")
    return (f"{where}: {problem}" if where else problem)[:_SHOWN_CHARS_MAX]
