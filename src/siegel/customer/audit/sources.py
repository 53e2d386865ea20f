"""Where a ledger's files come from: a directory, or a server that is asked in the account's name, and takes files in it too.

A server is asked with Signature Version 4 where credentials are there; redirects are not followed.
"""

import configparser
import hmac
import http.client
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import SplitResult, quote, urlsplit
from xml.sax.saxutils import unescape

from msgspec import Struct

from siegel.customer.audit.findings import shown
from siegel.domain.errors import ConfigurationError, SiegelError
from siegel.ledger.handover import HAND_OVERS_MAX
from siegel.s3wire.sigv4 import REGION_ALIAS, signing_key

# The largest file of a ledger: a bundle of 256 entries of 65,535 bytes.
FILE_BYTES_MAX: Final = 256 * 65_537
TIMEOUT_S: Final = 30.0
# Until when an answer is there as a whole: a server that sends a byte now and then is as silent as one that sends none.
ANSWER_S_MAX: Final = 300.0
ATTEMPTS_MAX: Final = 3
_PAUSE_S: Final = 0.5
_PROBLEM_CHARS_MAX: Final = 200

_NO_QUERY: Final[Mapping[str, str]] = {}

_OK: Final = 200
_REDIRECT: Final = 300
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500
# S3's error document, as far as people are told of it.
_FAULT: Final = re.compile(r"<Code>([^<]+)</Code>\s*<Message>([^<]*)</Message>")


class SourceError(SiegelError):
    """A ledger's file cannot be had: no answer, no right to it, a disk that fails. It says nothing of what the ledger is."""


class Source(Protocol):
    """A place that has a ledger's files."""

    def get(self, path: str) -> bytes | None:
        """Return a file, None if there is none of that name. Raises SourceError."""


def hand_over_path(number: int) -> str:
    """Return where the proof file of a log's hand-over lies, of those from 0 on."""
    return f"handover/{number:03d}"


def read_hand_overs(source: Source) -> Iterator[bytes]:
    """Yield the proof files of a log's hand-overs of keys, the oldest first. Raises SourceError."""
    for number in range(HAND_OVERS_MAX):
        data = source.get(hand_over_path(number))
        if data is None:
            return
        yield data


class FolderSource:
    """A directory, as a mirror is one."""

    def __init__(self, folder: Path) -> None:
        """Read below `folder`."""
        self._folder = folder

    def get(self, path: str) -> bytes | None:
        """See `Source`."""
        try:
            with (self._folder / path).open("rb") as stream:
                return stream.read(FILE_BYTES_MAX + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{self._folder / path} cannot be read: {error.strerror}") from None


class Layers:
    """Several sources, of which the first that has a file gives it."""

    def __init__(self, *sources: Source) -> None:
        """Ask `sources` in this order."""
        self._sources = sources

    def get(self, path: str) -> bytes | None:
        """See `Source`."""
        for source in self._sources:
            found = source.get(path)
            if found is not None:
                return found
        return None


class Credential(Struct, frozen=True):
    """In whose name a server is asked. Never shows its secret."""

    access_key_id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.access_key_id})"


class HttpSource:
    """A server, by the URL of the ledger: `https://HOST/.ledger/ACCOUNT`. For any number of threads."""

    def __init__(
        self,
        url: str,
        credential: Credential | None,
        *,
        region: str = REGION_ALIAS,
        service: str = "s3",
        authority: Path | None = None,
    ) -> None:
        """Ask below `url`, with requests that are signed for `region` and `service`.

        `authority`: a PEM file of authorities to believe, not the system's. Raises ConfigurationError.
        """
        self._parts = parts = _parts_of(url)
        if not _is_plain(region):
            raise ConfigurationError(f"{region!r} is no region\ntry: --region, or AWS_REGION")
        self._credential = credential
        self._scope = region, service
        # Appending and popping need no lock.
        self._idle: list[http.client.HTTPConnection] = []
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=authority)
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"{authority} holds no usable certificate: {error}") from None

    def get(self, path: str) -> bytes | None:
        """See `Source`; what fails is tried again, ATTEMPTS_MAX times in all."""
        problem = ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                time.sleep(_PAUSE_S * attempt)
            try:
                status, body = self._ask("GET", path)
            except (OSError, http.client.HTTPException) as error:
                problem = _problem(error)
                continue
            if status == _OK:
                return body
            if status == _NOT_FOUND:
                return None
            problem = told(status, body)
            if status == _FORBIDDEN and self._credential is None:
                problem += "; no access key is named, by AWS_ACCESS_KEY_ID or AWS_PROFILE"
            if status < _SERVER_ERROR:
                break
        raise SourceError(f"{self._parts.netloc} does not give {path}: {problem}")

    def put(self, path: str, content: bytes) -> None:
        """Put a file there. Raises SourceError with the server's words; then nobody knows whether it arrived."""
        status, body = self.exchange("PUT", path, content)
        if not _OK <= status < _REDIRECT:
            raise SourceError(f"{self._parts.netloc} does not take {path}: {told(status, body)}")

    def exchange(self, method: str, path: str, data: bytes = b"", query: Mapping[str, str] = _NO_QUERY) -> tuple[int, bytes]:
        """Send a request, once; return status and body of the answer. Raises SourceError where there is none."""
        try:
            return self._ask(method, path, data, query)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(f"{self._parts.netloc} does not answer: {_problem(error)}") from None

    def close(self) -> None:
        """Close what connections are open; nobody asks any more."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, method: str, path: str, data: bytes = b"", query: Mapping[str, str] = _NO_QUERY) -> tuple[int, bytes]:
        connection = self._idle.pop() if self._idle else self._connect()
        quoted = quote(f"{self._parts.path}/{path}", safe="/-._~")
        asked = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in sorted(query.items()))
        headers = self._headers(method, quoted, asked, sha256(data).hexdigest())
        try:
            with _ended_after(ANSWER_S_MAX, connection):
                connection.request(method, f"{quoted}?{asked}" if asked else quoted, data or None, headers)
                answer = connection.getresponse()
                body = _read_whole(answer)
        except BaseException:
            connection.close()
            raise
        if len(body) <= FILE_BYTES_MAX:
            self._idle.append(connection)
        else:
            # What is longer than any file of a ledger is none, and the rest of it is no next answer.
            answer.close()
            connection.close()
        return answer.status, body

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls:
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _headers(self, method: str, path: str, query: str, digest: str) -> dict[str, str]:
        host = self._parts.netloc.rpartition("@")[2]
        if self._credential is None:
            return {"host": host}
        return _sign(self._credential, self._scope, (method, path, query), host, digest)


@contextmanager
def _ended_after(time_s: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Break the connection if what is done with it takes longer. Raises TimeoutError then."""
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        if connection.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(time_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_over.is_set():
            raise TimeoutError(f"no whole answer in {time_s:.0f} s")


def _parts_of(url: str) -> SplitResult:
    """Return the parts of a URL that can be asked. Raises ConfigurationError."""
    try:
        parts = urlsplit(url.rstrip("/"))
        # Each of the two may be none at all, which is found when it is looked at.
        host, _ = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        host = b""
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise ConfigurationError(f"{url} is no URL of a ledger\ntry: https://HOST/.ledger/ACCOUNT")
    return parts


def _is_plain(word: str) -> bool:
    """Tell whether a word may stand in a header."""
    return word.isascii() and word.isprintable()


def _problem(error: OSError | http.client.HTTPException) -> str:
    return _shown((error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__)


def _shown(text: str) -> str:
    return shown(text[:_PROBLEM_CHARS_MAX])


def _read_whole(answer: http.client.HTTPResponse) -> bytes:
    """Return a body, up to a byte more than any file has. Raises IncompleteRead where the connection broke."""
    body = answer.read(FILE_BYTES_MAX + 1)
    if answer.length and len(body) <= FILE_BYTES_MAX:
        raise http.client.IncompleteRead(body, answer.length)
    return body


def _sign(credential: Credential, place: tuple[str, str], asked: tuple[str, str, str], host: str, digest: str) -> dict[str, str]:
    """Return the headers that sign a request (AWS Signature Version 4).

    `place` is region and service, `asked` method, path and query, `digest` the SHA-256 of the body, in hex.
    """
    region, service = place
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    sent = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
    if credential.token:
        sent["x-amz-security-token"] = credential.token
    names = ";".join(sent)
    canonical = "\n".join([*asked, *(f"{name}:{value}" for name, value in sent.items()), "", names, digest])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = signing_key(credential.secret, moment[:8], region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    claim = f"Credential={credential.access_key_id}/{scope},SignedHeaders={names},Signature={signature}"
    return sent | {"authorization": f"AWS4-HMAC-SHA256 {claim}"}


def told(status: int, body: bytes) -> str:
    """Return what an answer says is wrong."""
    found = _FAULT.search(body.decode("utf-8", "replace"))
    words = f"status {status}"
    if found:
        words += unescape(f", {found[1]}: {found[2]}", {"&quot;": '"', "&apos;": "'"})
    return _shown(words)


def find_credential(environment: Mapping[str, str] = os.environ) -> Credential | None:
    """Return the credential of the environment, else of the AWS tools' shared file, None if there is neither."""
    if environment.get("AWS_ACCESS_KEY_ID"):
        return _credential({name.lower(): value for name, value in environment.items()})
    path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or Path(environment.get("HOME", "/")) / ".aws" / "credentials"
    reader = configparser.ConfigParser(interpolation=None)
    try:
        reader.read(path)
        profile = environment.get("AWS_PROFILE", "default")
        return _credential(reader[profile]) if profile in reader else None
    except configparser.Error as error:
        raise ConfigurationError(f"{path} cannot be read: {shown(str(error))}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no file of access keys: it is no text in UTF-8") from None


def _credential(words: Mapping[str, str]) -> Credential | None:
    identity, secret = words.get("aws_access_key_id", ""), words.get("aws_secret_access_key", "")
    token = words.get("aws_session_token", "")
    if not _is_plain(identity + token):
        raise ConfigurationError("the access key, or its session token, has characters that none has")
    return Credential(identity, secret, token) if identity and secret else None
