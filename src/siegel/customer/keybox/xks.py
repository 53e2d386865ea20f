"""Face 1: the XKS proxy API v1, by which a key management service uses keys that it does not have.

    POST [prefix]/kms/xks/v1/health
    POST [prefix]/kms/xks/v1/keys/<key id>/metadata | encrypt | decrypt

Source: aws/aws-kms-xksproxy-api-spec, `xks_proxy_api_spec.md` (v1).
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import Struct

from siegel import __version__
from siegel.customer.keybox.ciphers import IV_BYTES, RANDOM_BYTES, TAG_BYTES, Sealed, integrity_value, open_xks, seal_xks
from siegel.customer.keybox.content import Content, Face, Key
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.refusals import RefusedError, invalid
from siegel.customer.keybox.uses import Use
from siegel.s3wire.request import Request

PLAINTEXT_BYTES_MAX: Final = 8192
AAD_BYTES_MAX: Final = 8192
METADATA_BYTES_MAX: Final = 20
# What goes into the log must come out again, in every reader: nothing is nested deeper than this.
REQUEST_METADATA_DEPTH_MAX: Final = 8
PATH: Final = "/kms/xks/v1"

_TARGET: Final = re.compile(r"/(?:health|keys/(?P<key_id>[A-Za-z0-9._-]{1,128})/(?P<operation>metadata|encrypt|decrypt))")
_IV_BYTES: Final = frozenset({IV_BYTES, 16})
_VENDOR: Final = "Siegel"
_MODEL: Final = f"Siegel keybox {__version__}"
_ALGORITHM: Final = "AES_GCM"
_CDIV_ALGORITHM: Final = "SHA_256"
_ALWAYS_TOLD: Final = ("kmsRequestId", "kmsOperation")
_TOLD_OF_KEYS: Final = (*_ALWAYS_TOLD, "awsPrincipalArn")

RandomBytes = Callable[[int], bytes]


class _Asked(Struct, rename="camel"):
    """What every request has. Names that are not known are for later versions of the API, and ignored."""

    request_metadata: dict[str, Any]


class _Encrypt(_Asked, rename="camel"):
    plaintext: bytes
    encryption_algorithm: str
    additional_authenticated_data: bytes = b""
    ciphertext_data_integrity_value_algorithm: str | None = None


class _Decrypt(_Asked, rename="camel"):
    ciphertext: bytes
    encryption_algorithm: str
    initialization_vector: bytes
    authentication_tag: bytes
    ciphertext_metadata: bytes = b""
    additional_authenticated_data: bytes = b""


_Body = TypeVar("_Body", bound=_Asked)


class XksFace:
    """Answers requests whose signature holds."""

    face: ClassVar = Face.XKS
    content_type: ClassVar = b"application/json"

    def __init__(self, desk: Desk, random_bytes: RandomBytes) -> None:
        """Decide by `desk`; `random_bytes` makes salts and initialization vectors."""
        self._desk = desk
        self._random_bytes = random_bytes

    @staticmethod
    def route(request: Request, content: Content) -> tuple[str, str]:
        """Return operation and key id of a request's path. Raises RefusedError (InvalidUriPathException)."""
        path = request.raw_path.decode("latin-1")
        front = content.uri_prefix + PATH
        target = _TARGET.fullmatch(path, len(front)) if path.startswith(front) and not request.raw_query else None
        if target is None:
            raise RefusedError("InvalidUriPathException", "The path is none of the XKS proxy API v1 of this key server.")
        return target["operation"] or "health", target["key_id"] or ""

    def perform(self, operation: str, body: bytes, content: Content, use: Use, now_ms: int) -> bytes:
        """Do what a request asks for, and return the answer's body. Raises RefusedError."""
        if operation == "health":
            _read(body, _Asked, use, _ALWAYS_TOLD)
            return self._health(content)
        if operation == "metadata":
            _read(body, _Asked, use, _TOLD_OF_KEYS)
            return _describe(self._admitted(content, use, now_ms))
        if operation == "encrypt":
            return self._encrypt(_read(body, _Encrypt, use, (*_TOLD_OF_KEYS, "kmsKeyArn")), content, use, now_ms)
        return self._decrypt(_read(body, _Decrypt, use, (*_TOLD_OF_KEYS, "kmsKeyArn")), content, use, now_ms)

    def _admitted(self, content: Content, use: Use, now_ms: int) -> Key:
        key = content.by_id.get(use.key_id)
        if key is None:
            what = "was destroyed" if use.key_id in content.destroyed_by_id else "is not in this key server"
            raise RefusedError("KeyNotFoundException", f"The key {what}.")
        self._desk.admit(use, key, now_ms)
        return key

    def _usable(self, content: Content, use: Use, now_ms: int) -> Key:
        key = self._admitted(content, use, now_ms)
        if not key.is_enabled:
            raise RefusedError("InvalidStateException", "The key is disabled.")
        return key

    def _encrypt(self, asked: _Encrypt, content: Content, use: Use, now_ms: int) -> bytes:
        aad = asked.additional_authenticated_data
        use.bind(aad)
        _check_algorithm(asked.encryption_algorithm)
        if asked.ciphertext_data_integrity_value_algorithm not in {None, _CDIV_ALGORITHM}:
            raise invalid(f"The ciphertextDataIntegrityValueAlgorithm must be {_CDIV_ALGORITHM}.")
        _check_sizes(asked.plaintext, "plaintext", aad)
        secret = self._desk.secret_of(self._usable(content, use, now_ms))
        sealed = seal_xks(secret, asked.plaintext, aad, self._random_bytes(RANDOM_BYTES))
        # The digest comes before the trial: whatever changes a byte in between shows in one of the two.
        digest = integrity_value(sealed, aad)
        if open_xks(secret, sealed, aad) != asked.plaintext:
            raise RefusedError("InternalException", "A fresh ciphertext opened to something else.")
        answer = {
            "ciphertext": sealed.ciphertext,
            "initializationVector": sealed.iv,
            "authenticationTag": sealed.tag,
            "ciphertextMetadata": sealed.metadata,
        }
        if asked.ciphertext_data_integrity_value_algorithm is not None:
            answer["ciphertextDataIntegrityValue"] = digest
        return msgspec.json.encode(answer)

    def _decrypt(self, asked: _Decrypt, content: Content, use: Use, now_ms: int) -> bytes:
        aad = asked.additional_authenticated_data
        use.bind(aad)
        _check_algorithm(asked.encryption_algorithm)
        if len(asked.initialization_vector) not in _IV_BYTES:
            raise invalid("The initializationVector has 12 or 16 bytes.")
        if len(asked.authentication_tag) != TAG_BYTES:
            raise invalid(f"The authenticationTag has {TAG_BYTES} bytes.")
        if len(asked.ciphertext_metadata) > METADATA_BYTES_MAX:
            raise invalid(f"The ciphertextMetadata has at most {METADATA_BYTES_MAX} bytes.")
        _check_sizes(asked.ciphertext, "ciphertext", aad)
        sealed = Sealed(asked.ciphertext, asked.initialization_vector, asked.authentication_tag, asked.ciphertext_metadata)
        plaintext = open_xks(self._desk.secret_of(self._usable(content, use, now_ms)), sealed, aad)
        return msgspec.json.encode({"plaintext": plaintext})

    def _health(self, content: Content) -> bytes:
        """Try a key that is there for this alone. That the box and the log can be read and written shows by the way."""
        self._desk.check_token(content)
        trial = self._random_bytes(RANDOM_BYTES)
        if open_xks(content.probe, seal_xks(content.probe, trial, b"", trial), b"") != trial:
            raise RefusedError("InternalException", "The trial of the cipher failed.")
        engine = {"id": content.box_id, "model": _MODEL, "healthStatus": "ACTIVE"}
        return msgspec.json.encode(
            {
                "xksProxyFleetSize": 1,
                "xksProxyVendor": _VENDOR,
                "xksProxyModel": _MODEL,
                "ekmVendor": _VENDOR,
                "ekmFleetDetails": [engine],
            }
        )

    @staticmethod
    def refuse(refused: RefusedError) -> tuple[int, bytes]:
        """Return status and body of a refusal."""
        return refused.status, msgspec.json.encode({"errorName": refused.name, "errorMessage": refused.message})


def _read(body: bytes, kind: type[_Body], use: Use, told: tuple[str, ...]) -> _Body:
    """Read a request's body, and note in `use` what its metadata says."""
    try:
        asked = msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The body is not what the operation takes: {error}") from None
    metadata = asked.request_metadata
    for name in told:
        if not isinstance(metadata.get(name), str):
            raise invalid(f"The requestMetadata must hold {name}, a text.")
    if _is_deeper(metadata, REQUEST_METADATA_DEPTH_MAX):
        raise invalid(f"The requestMetadata is nested deeper than {REQUEST_METADATA_DEPTH_MAX} levels.")
    use.request_id = metadata["kmsRequestId"]
    use.principal = metadata.get("awsPrincipalArn", "")
    use.metadata = {name: value for name, value in metadata.items() if name not in {"kmsRequestId", "awsPrincipalArn"}}
    return asked


def _is_deeper(value: object, levels: int) -> bool:
    """Tell whether JSON is nested deeper than so many levels; looks no further than that."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(one, levels - 1) for one in inner))


def _check_algorithm(name: str) -> None:
    if name != _ALGORITHM:
        raise invalid(f"The encryptionAlgorithm must be {_ALGORITHM}.")


def _check_sizes(text: bytes, name: str, aad: bytes) -> None:
    """Refuse what is too large by the name that the specification has for it, although its status is 501."""
    if not text:
        raise invalid(f"The {name} is empty.")
    if len(text) > PLAINTEXT_BYTES_MAX:
        raise RefusedError("UnsupportedOperationException", f"The {name} has more than {PLAINTEXT_BYTES_MAX} bytes.")
    if len(aad) > AAD_BYTES_MAX:
        raise RefusedError(
            "UnsupportedOperationException", f"The additionalAuthenticatedData has more than {AAD_BYTES_MAX} bytes."
        )


def _describe(key: Key) -> bytes:
    status = "ENABLED" if key.is_enabled else "DISABLED"
    return msgspec.json.encode({"keySpec": "AES_256", "keyUsage": ["ENCRYPT", "DECRYPT"], "keyStatus": status})
