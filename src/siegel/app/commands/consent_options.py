"""What the commands of consent share: the directory of audits, who signs, and the store's desk."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.customer.audit.book import Book
from siegel.customer.audit.sources import HttpSource, find_credential
from siegel.customer.consent.decisions import ConsentError, Signer, check_own
from siegel.customer.consent.desk import ConsentDesk, Shown, desk_url
from siegel.customer.consent.keyfile import read_key_file
from siegel.customer.consent.pins import Pins, read_pins
from siegel.customer.consent.tokenkey import TokenKey
from siegel.customer.keybox.tokensession import TokenPlace, TokenSession
from siegel.customer.keybox.unlocking import read_passphrase
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerError
from siegel.ledger.consents import AccessRequest
from siegel.ledger.policies import Policy

Folder = Annotated[Path, Parameter(name="DIR", help="Your directory of audits (`siegel audit init`).")]
ConsentId = Annotated[str, Parameter(name="ID", help="The consent's id.")]
Yes = Annotated[bool, Parameter(negative="", help="Do not ask before signing.")]
Box = Annotated[Path | None, Parameter(name="--keybox", help="Directory of your key server's box: it is told as well.")]


@dataclass(frozen=True)
class InToken:
    """A PKCS#11 token, if keys are in one."""

    pkcs11_module: Annotated[
        Path | None, Parameter(env_var="SIEGEL_CONSENT_PKCS11_MODULE", help="Library of the token with consent keys.")
    ] = None
    pkcs11_token: Annotated[str | None, Parameter(env_var="SIEGEL_CONSENT_PKCS11_TOKEN", help="Label of the token.")] = None
    pkcs11_pin_file: Annotated[
        Path | None, Parameter(env_var="SIEGEL_CONSENT_PKCS11_PIN_FILE", help="File with the PIN of the token, mode 0600.")
    ] = None

    def session(self) -> TokenSession:
        """Log in. Raises ConfigurationError."""
        if not (self.pkcs11_module and self.pkcs11_token and self.pkcs11_pin_file):
            raise ConfigurationError("a token has three\ntry: --pkcs11-module, --pkcs11-token, --pkcs11-pin-file")
        return TokenSession(TokenPlace(self.pkcs11_module, self.pkcs11_token, self.pkcs11_pin_file))


@dataclass(frozen=True)
class Signing:
    """Who signs: key files, and keys in a token."""

    key: Annotated[list[Path] | None, Parameter(help="Consent key file that signs. May be repeated.")] = None
    passphrase_file: Annotated[Path | None, Parameter(help="File with the passphrase of the key files, mode 0600.")] = None
    token_key: Annotated[list[str] | None, Parameter(help="Name of a key in the token that signs. May be repeated.")] = None
    token: Annotated[InToken, Parameter(name="*")] = InToken()

    def signers(self) -> list[Signer]:
        """Open the keys. Raises ConfigurationError."""
        passphrase = read_passphrase(self.passphrase_file).data if self.passphrase_file else None
        made: list[Signer] = [read_key_file(path, passphrase) for path in self.key or []]
        if self.token_key:
            session = self.token.session()
            made += [TokenKey(session, name) for name in self.token_key]
        return made


@dataclass(frozen=True)
class Reaching:
    """How the store is reached, beside what the directory of audits says."""

    region: Annotated[
        str, Parameter(env_var=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Region that requests are signed for.")
    ] = "us-east-1"
    ca: Annotated[Path | None, Parameter(help="PEM file of the authorities to believe, in place of the system's.")] = None


Signed = Annotated[Signing, Parameter(name="*")]
Reached = Annotated[Reaching, Parameter(name="*")]
Tokened = Annotated[InToken, Parameter(name="*")]
NOBODY = Signing()
USUAL = Reaching()
NO_TOKEN = InToken()


class Office:
    """The customer's side of one account: what he trusts, and the desk."""

    def __init__(self, book: Book, desk: ConsentDesk) -> None:
        """Take the directory of audits, and the store's desk."""
        self.book = book
        self.desk = desk

    @property
    def policy(self) -> Policy:
        """Whose log and witnesses are believed, led on by the hand-overs that were verified."""
        return self.book.trust(self.book.mirror).policy

    @property
    def policies(self) -> tuple[Policy, ...]:
        """That policy, and those before each hand-over of the log's keys: what was signed then stays signed."""
        trust = self.book.trust(self.book.mirror)
        return trust.policy, *trust.earlier

    @property
    def pins(self) -> Pins:
        """Whose signatures count."""
        return read_pins(self.book.folder)

    def request(self, consent_id: str) -> tuple[Shown, AccessRequest]:
        """Return a request that is read, and about this account. Raises ConsentError, SourceError."""
        shown = self.desk.show(consent_id)
        try:
            request = shown.read_request()
        except LedgerError as error:
            raise ConsentError(f"the request is not in the form that it must have: {error}") from None
        check_own(request, self.desk.account_id, self.policy)
        return shown, request


@contextmanager
def reached(folder: Path, reaching: Reaching) -> Iterator[Office]:
    """Yield the customer's side, with the desk in the environment's name. Raises ConfigurationError."""
    book = Book(folder)
    url, account_id = desk_url(book.settings.source)
    credential = find_credential()
    if credential is None:
        raise ConfigurationError("no access key is named\ntry: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    source = HttpSource(url, credential, region=reaching.region, authority=reaching.ca)
    try:
        yield Office(book, ConsentDesk(source, account_id))
    finally:
        source.close()


def confirm(lines: list[str], question: str, *, yes: bool) -> None:
    """Show what is to be signed, and go on only if somebody says so. Raises ConsentError."""
    sys.stderr.write("\n".join(lines) + "\n")
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConsentError("nobody is there who could be asked\ntry: --yes, once what is shown above is what you want")
    sys.stderr.write(f"\n{question} [yes/no] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise ConsentError("nothing was signed")


def now_s() -> int:
    """Return the time in seconds since 1970."""
    return int(time.time())
