"""What the commands share that seal and open: where store and key server are, whom to believe, what was seen, how far it is."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.files import read_regular_file
from siegel.customer.sealing.keyfile import RECIPIENT_MARKER, Recipient, parse_recipient
from siegel.customer.sealing.keyserver import ClientCertificate, KeyServer, read_credential
from siegel.customer.sealing.refusals import KeyFileError, KeyServerError
from siegel.customer.sealing.seen import USERS_OWN, Seen
from siegel.domain.errors import ConfigurationError

Endpoint = Annotated[str | None, Parameter(help="Address of the store, as for the AWS command line.")]
Account = Annotated[
    str,
    Parameter(
        env_var="SIEGEL_ACCOUNT_ID", help="Account that the object belongs to: bound into the seal, so the same for all readers."
    ),
]
State = Annotated[
    Path | None, Parameter(help="Memory of what was seen, against rollbacks; ~/.local/state/siegel/seen.db unless given.")
]
Receipts = Annotated[
    Path | None,
    Parameter(env_var="SIEGEL_RECEIPTS", help="File that a receipt of each answer is added to, for `siegel audit reconcile`."),
]
Requests = Annotated[int, Parameter(help="Requests to the store at once.")]
# An object is not what was sealed.
EXIT_BROKEN: Final = 3
_RECIPIENT_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class AtKeybox:
    """The customer's key server, if it is one of those who can open. Its credential comes by file or environment alone."""

    keybox: Annotated[
        str | None,
        Parameter(env_var="SIEGEL_KEYBOX", help="Address of your key server, which seals and opens: https://HOST:PORT"),
    ] = None
    keybox_key: Annotated[
        str | None, Parameter(env_var="SIEGEL_KEYBOX_KEY", help="The key server's key: its id, or alias/NAME.")
    ] = None
    keybox_credential: Annotated[
        Path | None,
        Parameter(
            env_var="SIEGEL_KEYBOX_CREDENTIAL",
            help="File, mode 0600, with the credential for clients as `siegel keybox init --json` prints it. Else "
            "SIEGEL_KEYBOX_ACCESS_KEY_ID and SIEGEL_KEYBOX_SECRET_ACCESS_KEY count.",
        ),
    ] = None
    keybox_ca: Annotated[
        Path | None, Parameter(env_var="SIEGEL_KEYBOX_CA", help="Certificates of the authority that vouches for the key server.")
    ] = None
    keybox_cert: Annotated[
        Path | None,
        Parameter(env_var="SIEGEL_KEYBOX_CERT", help="Your certificate (PEM), for a key server that wants to see one."),
    ] = None
    keybox_cert_key: Annotated[
        Path | None,
        Parameter(
            env_var="SIEGEL_KEYBOX_CERT_KEY", help="Its private key, mode 0600; in the file of --keybox-cert unless given."
        ),
    ] = None

    def connect(self, *, seals: bool = False) -> KeyServer | None:
        """Return the key server, if one is named; who `seals` with it must name a key. Raises KeyServerError."""
        if self.keybox is None:
            return None
        if seals and self.keybox_key is None:
            raise KeyServerError("say which key of the key server seals\ntry: --keybox-key ID")
        credential = read_credential(self.keybox_credential)
        if self.keybox_cert is None and self.keybox_cert_key is not None:
            raise KeyServerError("the key of a certificate, and no certificate\ntry: --keybox-cert FILE")
        certificate = None if self.keybox_cert is None else ClientCertificate(self.keybox_cert, self.keybox_cert_key)
        return KeyServer(self.keybox, credential, key_id=self.keybox_key, ca_file=self.keybox_ca, certificate=certificate)


AtKeyServer = Annotated[AtKeybox, Parameter(name="*")]
NO_KEY_SERVER = AtKeybox()


def load_seen(path: Path | None) -> Seen:
    """Return the memory of what was seen: the file that is named, else the user's own."""
    return USERS_OWN if path is None else Seen(path)


def read_recipients(words: Sequence[str]) -> list[Recipient]:
    """Read lines, or files that hold one each. Raises KeyFileError."""
    return [parse_recipient(word) if word.startswith(RECIPIENT_MARKER) else _read_recipient(Path(word)) for word in words]


@contextmanager
def moving(what: str, total_bytes: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on the terminal while bytes move; yield what is to be told how many did."""
    if quiet or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only a terminal is worth
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415  the same

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(what, total=total_bytes)
        yield lambda count: bars.advance(task, count)


def _read_recipient(path: Path) -> Recipient:
    try:
        return parse_recipient(read_regular_file(path, _RECIPIENT_BYTES_MAX).decode(errors="replace"))
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from None
    except ConfigurationError as error:
        raise KeyFileError(f"this is neither a recipient's line nor a file with one: {error}") from None
