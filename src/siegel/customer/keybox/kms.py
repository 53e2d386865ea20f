"""Face 2: as much of the KMS API as a client needs that encrypts before it sends: GenerateDataKey and Decrypt.

`POST /` in the JSON 1.1 protocol, the operation in `X-Amz-Target`. The official Amazon S3 encryption client works with it.

Source: AWS KMS API Reference, "GenerateDataKey", "Decrypt", "Common Errors"; botocore's model of kms, 2014-11-01.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from siegel.customer.keybox.ciphers import RANDOM_BYTES, key_of_blob, open_blob, seal_blob
from siegel.customer.keybox.content import Content, Face, Key
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.refusals import RefusedError, invalid
from siegel.customer.keybox.uses import Use
from siegel.s3wire.request import Request

BLOB_BYTES_MAX: Final = 6144
DATA_KEY_BYTES_MAX: Final = 1024
# Keys of a box belong to no account of KMS; their ARNs need one all the same.
ACCOUNT: Final = "000000000000"

_TARGET: Final = "TrentService."
_OPERATIONS: Final = frozenset({"GenerateDataKey", "Decrypt"})
_ARN: Final = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]*:[0-9]{12}:(?P<what>(?:key|alias)/.+)")
_SPECS: Final = {"AES_128": 16, "AES_256": 32}

# The names that KMS has for what the XKS proxy API calls otherwise.
_NAMES: Final = {
    "InvalidStateException": "DisabledException",
    "AuthenticationFailedException": "UnrecognizedClientException",
    "KeyNotFoundException": "NotFoundException",
    "InvalidUriPathException": "UnknownOperationException",
    "UnsupportedOperationException": "ValidationException",
    "InternalException": "KMSInternalException",
}
_INTERNAL_STATUS: Final = 500

RandomBytes = Callable[[int], bytes]


class _GenerateDataKey(Struct, rename="pascal"):
    key_id: str
    encryption_context: dict[str, str] = {}
    key_spec: Literal["AES_128", "AES_256"] | None = None
    number_of_bytes: int | None = None
    recipient: Any = None
    dry_run: bool = False


class _Decrypt(Struct, rename="pascal"):
    ciphertext_blob: bytes
    encryption_context: dict[str, str] = {}
    key_id: str | None = None
    encryption_algorithm: str = "SYMMETRIC_DEFAULT"
    recipient: Any = None
    dry_run: bool = False


_Body = TypeVar("_Body", _GenerateDataKey, _Decrypt)


class KmsFace:
    """Answers requests whose signature holds."""

    face: ClassVar = Face.KMS
    content_type: ClassVar = b"application/x-amz-json-1.1"

    def __init__(self, desk: Desk, random_bytes: RandomBytes) -> None:
        """Decide by `desk`; `random_bytes` makes data keys, salts and initialization vectors."""
        self._desk = desk
        self._random_bytes = random_bytes

    @staticmethod
    def route(request: Request, _content: Content) -> tuple[str, str]:
        """Return the operation of a request, and no key id: that is in the body.

        Raises RefusedError (UnknownOperationException).
        """
        target = request.headers.get("x-amz-target", "")
        operation = target.removeprefix(_TARGET)
        if not target.startswith(_TARGET) or operation not in _OPERATIONS:
            raise RefusedError("UnknownOperationException", "The key server has only GenerateDataKey and Decrypt.")
        return operation, ""

    def perform(self, operation: str, body: bytes, content: Content, use: Use, now_ms: int) -> bytes:
        """Do what a request asks for, and return the answer's body. Raises RefusedError."""
        use.principal = f"credential/{use.credential}"
        if operation == "GenerateDataKey":
            return self._generate(_read(body, _GenerateDataKey, use), content, use, now_ms)
        return self._decrypt(_read(body, _Decrypt, use), content, use, now_ms)

    def _generate(self, asked: _GenerateDataKey, content: Content, use: Use, now_ms: int) -> bytes:
        size = _size_of(asked)
        key = _find(content, asked.key_id)
        self._admit(key, use, now_ms)
        data_key = self._random_bytes(size)
        context = asked.encryption_context
        secret = self._desk.secret_of(key)
        blob = seal_blob(secret, key.key_id, data_key, context, self._random_bytes(RANDOM_BYTES))
        if open_blob(secret, blob, context) != data_key:
            raise RefusedError("InternalException", "A fresh ciphertext opened to something else.")
        return msgspec.json.encode({"KeyId": _arn(key, use), "Plaintext": data_key, "CiphertextBlob": blob})

    def _decrypt(self, asked: _Decrypt, content: Content, use: Use, now_ms: int) -> bytes:
        if asked.encryption_algorithm != "SYMMETRIC_DEFAULT":
            raise invalid("The EncryptionAlgorithm must be SYMMETRIC_DEFAULT.")
        if not 1 <= len(asked.ciphertext_blob) <= BLOB_BYTES_MAX:
            raise invalid(f"The CiphertextBlob has 1 to {BLOB_BYTES_MAX} bytes.")
        named = _find(content, asked.key_id) if asked.key_id is not None else None
        key = _find(content, key_of_blob(asked.ciphertext_blob))
        if named is not None and named is not key:
            raise RefusedError("IncorrectKeyException", "The CiphertextBlob was made with another key.")
        self._admit(key, use, now_ms)
        plaintext = open_blob(self._desk.secret_of(key), asked.ciphertext_blob, asked.encryption_context)
        return msgspec.json.encode({"KeyId": _arn(key, use), "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})

    def _admit(self, key: Key, use: Use, now_ms: int) -> None:
        use.key_id = key.key_id
        self._desk.admit(use, key, now_ms)
        if not key.is_enabled:
            raise RefusedError("InvalidStateException", "The key is disabled.")

    @staticmethod
    def refuse(refused: RefusedError) -> tuple[int, bytes]:
        """Return status and body of a refusal, in KMS's own names: 400 for all that is not the server's fault."""
        status = _INTERNAL_STATUS if refused.name == "InternalException" else 400
        return status, msgspec.json.encode({"__type": _NAMES.get(refused.name, refused.name), "message": refused.message})


def _read(body: bytes, kind: type[_Body], use: Use) -> _Body:
    try:
        asked = msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The body is not what the operation takes: {error}") from None
    use.context = asked.encryption_context or None
    if asked.recipient is not None or asked.dry_run:
        raise invalid("Recipient and DryRun are not supported.")
    return asked


def _size_of(asked: _GenerateDataKey) -> int:
    if (asked.key_spec is None) == (asked.number_of_bytes is None):
        raise invalid("Either KeySpec or NumberOfBytes must be given.")
    if asked.key_spec is not None:
        return _SPECS[asked.key_spec]
    size = asked.number_of_bytes or 0
    if not 1 <= size <= DATA_KEY_BYTES_MAX:
        raise invalid(f"NumberOfBytes is from 1 to {DATA_KEY_BYTES_MAX}.")
    return size


def _find(content: Content, name: str) -> Key:
    """Return the key of an id, a key ARN, an alias (`alias/` and its name) or an alias ARN."""
    arn = _ARN.fullmatch(name)
    what = (arn["what"] if arn else name).removeprefix("key/")
    key = content.by_name.get(what.removeprefix("alias/")) if what.startswith("alias/") else content.by_id.get(what)
    if key is None:
        raise RefusedError("KeyNotFoundException", "The key is not in this key server, or was destroyed.")
    return key


def _arn(key: Key, use: Use) -> str:
    return f"arn:aws:kms:{use.region}:{ACCOUNT}:key/{key.key_id}"
