"""The customer's key server as a recipient: `siegel keybox`, over GenerateDataKey and Decrypt of KMS. Needs `siegel[client]`.

Every key is made and given out for one object, whose identity is the encryption context: so the policy and the log of the box see
what is sealed and opened, and a blob that was moved to another object opens nothing.
"""

import json
import os
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from siegel.customer.keybox.durable import read_secret
from siegel.customer.sealing.recipients import BOX_KEY_BYTES, BoxKey
from siegel.customer.sealing.refusals import (
    HeaderChangedError,
    KeyServerError,
    KeyServerLiedError,
    KeyServerRefusedError,
    KeyServerSilentError,
)

CONNECT_S_MAX: Final = 3.0
ANSWER_S_MAX: Final = 5.0
CONNECTIONS_MAX: Final = 16
# Keys that were given out are kept so long, and so many of them: reading one object in many ranges asks the box once.
KEPT_S: Final = 60.0
KEPT_MAX: Final = 1024
ID_VARIABLE: Final = "SIEGEL_KEYBOX_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "SIEGEL_KEYBOX_SECRET_ACCESS_KEY"

# Part of what is signed, and nothing else: a box is in no region.
_REGION: Final = "keybox"
_ABOUT_KEY: Final = frozenset({"NotFoundException", "IncorrectKeyException"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class BoxCredential(Struct, frozen=True):
    """What signs calls to the clients' face of a box. The text form shows no secret."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return f"BoxCredential({self.access_key_id})"


class ClientCertificate(Struct, frozen=True):
    """A certificate in PEM, and its private key, which may be in the same file."""

    certificate_file: Path
    key_file: Path | None = None


def read_credential(path: Path | None = None) -> BoxCredential:
    """Read the credential from a file of mode 0600, or without one from the environment: `ID_VARIABLE`, `SECRET_VARIABLE`.

    The file holds what `siegel keybox init --json` or `credential rotate --face kms --json` printed. Raises KeyServerError, and
    ConfigurationError where the file is missing or open to others.
    """
    if path is None:
        told: Any = {"access_key_id": os.environ.get(ID_VARIABLE), "secret_access_key": os.environ.get(SECRET_VARIABLE)}
        where = f"{ID_VARIABLE} and {SECRET_VARIABLE}"
    else:
        told, where = _parsed(read_secret(path, "credential file")), str(path)
    if isinstance(told, dict):
        told = told.get("kms", told)
    pair = [told.get(name) if isinstance(told, dict) else None for name in ("access_key_id", "secret_access_key")]
    if not all(isinstance(text, str) and text for text in pair):
        raise KeyServerError(f"{where} tells no credential of a key server for clients\ntry: --keybox-credential FILE")
    return BoxCredential(*map(str, pair))


class KeyServer:
    """A key server at `url`. `key_id` is the key that seals: an id, `alias/NAME`, or an ARN; who only opens needs none.

    `ca_file` are the only authorities that are believed; `certificate` is shown to a key server that wants to see one.
    `kept_s`: how long a key that was given out serves further reads of its object; 0 asks each time. Safe for several threads.
    """

    def __init__(
        self,
        url: str,
        credential: BoxCredential,
        *,
        key_id: str | None = None,
        ca_file: Path | None = None,
        certificate: ClientCertificate | None = None,
        kept_s: float = KEPT_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet. Raises KeyServerError: no address, one that shows the keys to the network, no library."""
        self._url = url
        self._client = _connect(url, credential, ca_file, certificate)
        self._key_id = key_id
        self._kept_s = kept_s
        self._now_s = now_s
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"KeyServer({self._url})"

    def fresh_key(self, context: Mapping[str, str]) -> BoxKey:
        """See `Keybox`. What the key server cannot read back is never sealed with. Raises KeyServerError."""
        if self._key_id is None:
            raise KeyServerError("say which key of the key server seals\ntry: --keybox-key ID")
        with self._answers():
            answer = self._client.generate_data_key(KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(context))
        made = BoxKey(_plaintext(answer), _blob(answer))
        try:
            same = self._asked(made.blob, context) == made.plaintext
        except HeaderChangedError:
            same = False
        if not same:
            raise KeyServerLiedError(f"{self._url} gave a key that it does not unwrap itself: nothing was sealed with it")
        return made

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """See `Keybox`. Raises KeyServerError, HeaderChangedError."""
        name = sha256(blob + json.dumps(context, sort_keys=True).encode()).digest()
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and self._now_s() < kept[0]:
            return kept[1]
        plaintext = self._asked(blob, context)
        if self._kept_s > 0:
            with self._lock:
                self._kept[name] = self._now_s() + self._kept_s, plaintext
                while len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
        return plaintext

    def _asked(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        asked: dict[str, Any] = {"CiphertextBlob": blob, "EncryptionContext": dict(context)}
        if self._key_id is not None:
            asked["KeyId"] = self._key_id
        with self._answers():
            answer = self._client.decrypt(**asked)
        return _plaintext(answer)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Turn the SDK's errors into ours."""
        from botocore.exceptions import (  # noqa: PLC0415  an extra: see `_connect`
            BotoCoreError,
            ClientError,
            ConnectionError,  # noqa: A004  the SDK's
            HTTPClientError,
        )

        try:
            yield
        except ClientError as error:
            raise _refusal(self._url, error.response) from None
        except (ConnectionError, HTTPClientError) as error:
            raise KeyServerSilentError(f"the key server does not answer: {error}") from None
        except (BotoCoreError, ValueError, AttributeError, TypeError) as error:
            # The SDK stumbles over JSON of another shape than the API's in ways of its own.
            raise KeyServerLiedError(f"{self._url} answers as no key server does: {error}") from None


def _refusal(url: str, response: Mapping[str, Any]) -> KeyServerError | HeaderChangedError:
    """Return the error that a key server's answer of an error stands for."""
    code, said = (str(response.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
    if code == "InvalidCiphertextException":
        return HeaderChangedError(
            "the key server does not unwrap the data key for this object: the header was changed, or the object was sealed for "
            "another place"
        )
    if code.endswith("Exception"):
        return KeyServerRefusedError(f"the key server refused: {said} ({code})", is_about_key=code in _ABOUT_KEY)
    return KeyServerLiedError(f"{url} answers as no key server does: {code} {said}".rstrip())


def _plaintext(answer: Mapping[str, Any]) -> bytes:
    plaintext = answer.get("Plaintext")
    if not isinstance(plaintext, bytes) or len(plaintext) != BOX_KEY_BYTES:
        raise KeyServerLiedError(f"the key server's answer has no key of {BOX_KEY_BYTES} bytes")
    return plaintext


def _blob(answer: Mapping[str, Any]) -> bytes:
    blob = answer.get("CiphertextBlob")
    if not isinstance(blob, bytes):
        raise KeyServerLiedError("the key server's answer has no blob")
    return blob


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _connect(url: str, credential: BoxCredential, ca_file: Path | None, certificate: ClientCertificate | None) -> Any:
    """Return a client of the clients' face. It asks once: whoever waits for a key hears soon that there is none."""
    try:
        found = urlsplit(url)
        # It may be none at all, which is found when it is looked at.
        is_address = found.scheme in {"http", "https"} and bool(found.hostname) and found.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise KeyServerError(f"{url!r} is no address of a key server\ntry: https://HOST:PORT")
    if found.scheme == "http" and found.hostname not in _LOOPBACK:
        raise KeyServerError(f"{url} would show every key to the network on the way\ntry: https://")
    if ca_file is not None and not _is_file(ca_file):
        raise KeyServerError(f"{ca_file} is no file with certificates")
    if certificate is not None:
        _check_certificate(found.scheme, certificate)
    try:
        import boto3  # noqa: PLC0415  an extra, as in `store.py`
        from botocore.config import Config  # noqa: PLC0415  the same
    except ImportError:
        raise KeyServerError("boto3 is missing, which speaks to the key server\ntry: pip install 'siegel[client]'") from None
    settings = Config(
        connect_timeout=CONNECT_S_MAX,
        read_timeout=ANSWER_S_MAX,
        retries={"total_max_attempts": 1},
        max_pool_connections=CONNECTIONS_MAX,
        # Keys in clear do not leave this machine: what the environment says of proxies is for https alone.
        proxies={} if found.scheme == "http" else None,
        client_cert=_shown(certificate),
    )
    try:
        return boto3.session.Session().client(
            "kms",
            endpoint_url=url,
            region_name=_REGION,
            aws_access_key_id=credential.access_key_id,
            aws_secret_access_key=credential.secret_access_key,
            verify=str(ca_file) if ca_file else None,
            config=settings,
        )
    except ValueError as error:
        raise KeyServerError(str(error)) from None


def _shown(certificate: ClientCertificate | None) -> str | tuple[str, str] | None:
    """Return a certificate as the SDK takes it."""
    if certificate is None or certificate.key_file is None:
        return None if certificate is None else str(certificate.certificate_file)
    return str(certificate.certificate_file), str(certificate.key_file)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # It lies where nobody may look, or nothing can have such a name.
        return False


def _check_certificate(scheme: str, certificate: ClientCertificate) -> None:
    """Raise KeyServerError unless a certificate can be shown; ConfigurationError for a key that others can read."""
    if scheme != "https":
        raise KeyServerError("a certificate is shown over https:// alone")
    read_secret(certificate.key_file or certificate.certificate_file, "file of the certificate's key")
    try:
        ssl.create_default_context().load_cert_chain(certificate.certificate_file, certificate.key_file)
    except (OSError, ValueError) as error:
        raise KeyServerError(f"{certificate.certificate_file} cannot be shown to the key server: {error}") from None
