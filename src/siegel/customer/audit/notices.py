"""What somebody is told who watches a ledger, and the ways by which it reaches him: a command, a webhook, mail.

A notice has arrived once the command ended with 0, the webhook answered 2xx, the mail server took the mail. Whatever else happens
raises NoticeError, and the notice is sent again later: so one may come twice, and none is lost.
"""

import http.client
import os
import shlex
import smtplib
import ssl
import subprocess
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from siegel.domain.errors import ConfigurationError, SiegelError

FORMAT: Final = "siegel audit notice v1"
TIMEOUT_S: Final = 10.0
COMMAND_S_MAX: Final = 60.0
# Of a mail server that wants to know who sends.
USER_VARIABLE: Final = "SIEGEL_SMTP_USER"
PASSWORD_VARIABLE: Final = "SIEGEL_SMTP_PASSWORD"

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ACCEPTED: Final = range(200, 300)
_LINE_CHARS_MAX: Final = 200


FINDING: Final = "finding"
WELL: Final = "well"
ASKED: Final = "request"
WARNED: Final = "warning"
WARNING_OVER: Final = "warning-over"
_SUBJECTS: Final = {
    WELL: "all is well again",
    ASKED: "somebody of the provider's asks for access",
    WARNED: "the provider warns that no quorum of its witnesses signs",
    WARNING_OVER: "the provider's warning is over",
}


class NoticeError(SiegelError):
    """A notice did not arrive, as far as can be told."""


class Notice(Struct, frozen=True, kw_only=True):
    """One thing to tell.

    `event` is `finding`, `well`, `request` where somebody of the provider's asks for access, `warning` where the provider itself
    warns in public, `warning-over` where it does so no more.

    `check` names the check of the audit; or `provider` where the ledger cannot be had, `here` where this machine cannot check it,
    `books` where it differs from the customer's own, `all` where all is well; else the event again. `notice_id` is the same
    whenever the notice comes again. `at` is when it was found (RFC 3339, UTC).
    """

    format: str = FORMAT
    notice_id: str
    at: str
    event: str
    check: str
    ledger: str
    message: str
    evidence: dict[str, str | int] = msgspec.field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the notice as one line of JSON, without its newline."""
        return msgspec.json.encode(self)

    def subject(self) -> str:
        """Return one line for people."""
        what = _SUBJECTS.get(self.event, f"{self.check} does not hold")
        return _one_line(f"[siegel audit] {what}: {self.ledger or 'unknown ledger'}")

    def text(self) -> str:
        """Return the notice as people read it."""
        lines = [self.message, "", *(f"  {name}: {value}" for name, value in self.evidence.items())]
        return "\n".join(
            [*lines, "", f"  ledger: {self.ledger or 'unknown'}", f"  found: {self.at}", f"  notice: {self.notice_id}"]
        )


class Channel(Protocol):
    """One way to somebody."""

    name: str

    def send(self, notice: Notice) -> None:
        """Deliver a notice. Raises NoticeError."""


class CommandChannel:
    """A command, which reads the notice as JSON from standard input. No shell takes part."""

    name = "exec"

    def __init__(self, command: str) -> None:
        """Run `command`, words split as a shell splits them. Raises ConfigurationError."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise ConfigurationError(f"--exec {command}: {error}") from None
        if not self._words:
            raise ConfigurationError("--exec names no command")

    def send(self, notice: Notice) -> None:
        """See `Channel`."""
        try:
            ended = subprocess.run(  # noqa: S603 - the customer's own command
                self._words, input=notice.encode() + b"\n", capture_output=True, timeout=COMMAND_S_MAX, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NoticeError(f"{self._words[0]} did not run to its end: {error}") from None
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise NoticeError(_one_line(f"{self._words[0]} ended with {ended.returncode}" + (f": {said}" if said else "")))


class WebhookChannel:
    """An address that takes the notice as JSON by POST. Redirects are not followed: they would send it to somebody else."""

    name = "webhook"

    def __init__(self, url: str, authority: Path | None = None) -> None:
        """Post to `url`, https or on this machine. Raises ConfigurationError. No message shows more of it than its host."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"the address of the webhook: {error}") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
            raise ConfigurationError("the webhook is no address\ntry: --webhook https://HOST/PATH")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ConfigurationError(f"the webhook at {parts.hostname} would show findings to the network\ntry: https://")
        self._host, self._port = parts.hostname, port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = make_tls(authority) if parts.scheme == "https" else None

    def send(self, notice: Notice) -> None:
        """See `Channel`."""
        connection = self._connect()
        try:
            connection.request("POST", self._target, notice.encode(), {"content-type": "application/json"})
            status = connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NoticeError(_one_line(f"{self._host} does not take it: {error or type(error).__name__}")) from None
        finally:
            connection.close()
        if status not in _ACCEPTED:
            raise NoticeError(f"{self._host} answers {status}")

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)


class MailChannel:
    """A mail server (RFC 5321) that takes a mail for somebody; over TLS (STARTTLS, RFC 3207) unless it is on this machine."""

    name = "mail"

    def __init__(
        self,
        server: str,
        sender: str,
        receivers: tuple[str, ...],
        *,
        authority: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Send by `server`, HOST:PORT. Raises ConfigurationError."""
        host, colon, port = server.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdecimal():
            raise ConfigurationError(f"{server} is no mail server\ntry: --smtp HOST:PORT")
        self._host, self._port = host.strip("[]"), int(port)
        for address in (sender, *receivers):
            if "@" not in address or not address.isprintable() or " " in address or not address.isascii():
                raise ConfigurationError(f"{address!r} is no mail address")
        self._sender, self._receivers = sender, receivers
        self._tls = make_tls(authority)
        self._user, self._password = environment.get(USER_VARIABLE, ""), environment.get(PASSWORD_VARIABLE, "")

    def send(self, notice: Notice) -> None:
        """See `Channel`."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = notice.subject(), self._sender, ", ".join(self._receivers)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{notice.notice_id}@{self._sender.rpartition('@')[2]}>"
        mail.set_content(notice.text())
        mail.add_attachment(notice.encode(), maintype="application", subtype="json", filename="notice.json")
        try:
            with smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S) as server:
                self._greet(server)
                refused = server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise NoticeError(_one_line(f"{self._host} does not take the mail: {error or type(error).__name__}")) from None
        if refused:
            raise NoticeError(f"{self._host} does not take the mail for {', '.join(refused)}")

    def _greet(self, server: smtplib.SMTP) -> None:
        """Encrypt the connection and say who sends. Raises OSError, SMTPException."""
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=self._tls)
            server.ehlo()
        elif self._host not in LOOPBACK:
            raise smtplib.SMTPException("it offers no STARTTLS, and nothing is sent in the clear")
        if self._user:
            server.login(self._user, self._password)


def make_tls(authority: Path | None) -> ssl.SSLContext:
    """Return what connections are checked by: the system's authorities, or those of a PEM file. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{authority} holds no usable certificate: {error}") from None


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_LINE_CHARS_MAX])
