"""The XKS proxy API v1 as whoever calls it speaks it: bodies of requests, and answers, which are believed in nothing.

    POST [path]/health
    POST [path]/keys/<key id>/metadata | encrypt | decrypt

An answer that is not exactly what the specification says is no answer. Members that are not known are for later versions of the
API, and ignored.

Source: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md` (v1).
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from siegel.domain.key_stores import KeyServerError, Lapse, OuterLayer
from siegel.domain.limits import XKS_AAD_BYTES_MAX, XKS_CIPHERTEXT_METADATA_BYTES_MAX, XKS_FLEET_MAX, XKS_KEY_USAGES_MAX

SERVICE: Final = "kms-xks-proxy"
"""What requests to a proxy are signed for."""

HEALTH: Final = "health"

RequestMetadata: TypeAlias = Mapping[str, str]

_ALGORITHM: Final = "AES_GCM"
_CDIV_ALGORITHM: Final = "SHA_256"
_KEY_SPEC: Final = "AES_256"
_KEY_USAGES: Final = frozenset({"ENCRYPT", "DECRYPT"})
_ENABLED: Final = "ENABLED"
_IV_BYTES: Final = frozenset({12, 16})
_TAG_BYTES: Final = 16
_STATUS_OK: Final = 200
_MESSAGE_CHARS_MAX: Final = 512
_REFUSALS: Final = {lapse.value: lapse for lapse in Lapse if lapse.value.endswith("Exception")}

_Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]


class _Engine(Struct):
    id: _Text
    model: _Text
    health_status: Literal["ACTIVE", "DEGRADED", "UNAVAILABLE"] = msgspec.field(name="healthStatus")


class _Health(Struct, rename="camel"):
    xks_proxy_fleet_size: Annotated[int, Meta(ge=1)]
    xks_proxy_vendor: _Text
    xks_proxy_model: _Text
    ekm_vendor: _Text
    ekm_fleet_details: Annotated[list[_Engine], Meta(min_length=1, max_length=XKS_FLEET_MAX)]


class _Metadata(Struct, rename="camel"):
    key_spec: str
    key_usage: Annotated[list[str], Meta(max_length=XKS_KEY_USAGES_MAX)]
    key_status: Literal["ENABLED", "DISABLED"]


class _Encrypted(Struct, rename="camel"):
    ciphertext: bytes
    initialization_vector: bytes
    authentication_tag: bytes
    ciphertext_metadata: bytes = b""
    ciphertext_data_integrity_value: bytes | None = None


class _Decrypted(Struct):
    plaintext: bytes


class _Refused(Struct, rename="camel"):
    error_name: str
    error_message: str | None = None


A = TypeVar("A")


def of_key(external_key_id: str, operation: str) -> str:
    """Return the target of an operation on a key: `metadata`, `encrypt` or `decrypt`."""
    return f"keys/{external_key_id}/{operation}"


def render_question(metadata: RequestMetadata) -> bytes:
    """Return the body of a question for health or metadata."""
    return msgspec.json.encode({"requestMetadata": metadata})


def render_aad(context: Mapping[str, str]) -> bytes:
    """Return what a ciphertext is bound to at the proxy: one JSON object of texts, names in order, so that people can read it.

    Raises KeyServerError (VALIDATION) beyond what the API takes.
    """
    aad = msgspec.json.encode(dict(sorted(context.items())))
    if len(aad) > XKS_AAD_BYTES_MAX:
        raise KeyServerError(Lapse.VALIDATION, f"What a ciphertext is bound to has at most {XKS_AAD_BYTES_MAX} bytes as JSON.")
    return aad


def render_encrypt(metadata: RequestMetadata, plaintext: bytes, aad: bytes) -> bytes:
    """Return the body of a question to encrypt."""
    return msgspec.json.encode(
        {
            "requestMetadata": metadata,
            "plaintext": plaintext,
            "encryptionAlgorithm": _ALGORITHM,
            "additionalAuthenticatedData": aad,
            "ciphertextDataIntegrityValueAlgorithm": _CDIV_ALGORITHM,
        }
    )


def render_decrypt(metadata: RequestMetadata, layer: OuterLayer, aad: bytes) -> bytes:
    """Return the body of a question to decrypt."""
    body: dict[str, object] = {
        "requestMetadata": metadata,
        "ciphertext": layer.ciphertext,
        "initializationVector": layer.iv,
        "authenticationTag": layer.tag,
        "encryptionAlgorithm": _ALGORITHM,
        "additionalAuthenticatedData": aad,
    }
    if layer.metadata:
        body["ciphertextMetadata"] = layer.metadata
    return msgspec.json.encode(body)


def read_health(status: int, body: bytes) -> None:
    """Raise KeyServerError unless the proxy can be used, with one of its key managers at least."""
    health = _read(status, body, _Health)
    if all(engine.health_status == "UNAVAILABLE" for engine in health.ekm_fleet_details):
        raise KeyServerError(Lapse.DEPENDENCY, "The external key store proxy says that no key manager behind it is available.")


def read_metadata(status: int, body: bytes) -> str:
    """Return why an external key cannot be used, "" if it can. Raises KeyServerError."""
    metadata = _read(status, body, _Metadata)
    if metadata.key_spec != _KEY_SPEC:
        return "The external key must be an AES_256 key."
    if not _KEY_USAGES.issubset(metadata.key_usage):
        return "The external key must be there to ENCRYPT and to DECRYPT."
    return "" if metadata.key_status == _ENABLED else "The external key is disabled."


def read_encrypted(status: int, body: bytes, plaintext: bytes, aad: bytes) -> OuterLayer:
    """Return what the proxy made of a plaintext. Raises KeyServerError, also where its digest (CDIV) does not hold.

    Only opening it again shows that it is not something else.
    """
    told = _read(status, body, _Encrypted)
    layer = OuterLayer(told.ciphertext, told.initialization_vector, told.authentication_tag, told.ciphertext_metadata)
    if len(layer.ciphertext) != len(plaintext):
        raise _nonsense("a ciphertext of another length")
    if len(layer.iv) not in _IV_BYTES or len(layer.tag) != _TAG_BYTES:
        raise _nonsense("an initialization vector or a tag of another length")
    if len(layer.metadata) > XKS_CIPHERTEXT_METADATA_BYTES_MAX:
        raise _nonsense("too much ciphertextMetadata")
    digest = told.ciphertext_data_integrity_value
    if digest is not None and not hmac.compare_digest(digest, integrity_value(layer, aad)):
        raise _nonsense("a ciphertextDataIntegrityValue that does not hold")
    return layer


def read_decrypted(status: int, body: bytes, layer: OuterLayer) -> bytes:
    """Return the plaintext. Raises KeyServerError."""
    plaintext = _read(status, body, _Decrypted).plaintext
    if len(plaintext) != len(layer.ciphertext):
        raise _nonsense("a plaintext of another length")
    return plaintext


def integrity_value(layer: OuterLayer, aad: bytes) -> bytes:
    """Return the ciphertext data integrity value (CDIV) by SHA_256."""
    return sha256(aad + layer.metadata + layer.iv + layer.ciphertext + layer.tag).digest()


def _read(status: int, body: bytes, answer_type: type[A]) -> A:
    if status != _STATUS_OK:
        raise _refusal(status, body)
    try:
        return msgspec.json.decode(body, type=answer_type)
    except (ValueError, RecursionError) as error:
        # The message may quote the answer.
        raise _nonsense(f"what is no answer: {_printable(str(error))}") from error


def _refusal(status: int, body: bytes) -> KeyServerError:
    try:
        told = msgspec.json.decode(body, type=_Refused)
        lapse = _REFUSALS[told.error_name]
    except (ValueError, RecursionError, KeyError):
        return _nonsense(f"status {status} without an error of the XKS proxy API")
    said = _printable(told.error_message or "")
    return KeyServerError(lapse, f"The external key store proxy refused: {lapse.value}{': ' if said else ''}{said}")


def _printable(text: str) -> str:
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text[:_MESSAGE_CHARS_MAX])


def _nonsense(what: str) -> KeyServerError:
    return KeyServerError(Lapse.NONSENSE, f"The external key store proxy answers {what}.")
