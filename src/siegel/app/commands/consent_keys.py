"""`siegel consent keygen` and `siegel consent keys`: whose signatures count, and how many are needed."""

import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.consent_options import NO_TOKEN, USUAL, Folder, Reached, Tokened, now_s, reached
from siegel.app.commands.files import read_file
from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_text
from siegel.customer.consent.keyfile import make_key_file, public_path
from siegel.customer.consent.pins import pin, read_keys, read_pins
from siegel.customer.consent.tokenkey import TokenKey
from siegel.customer.keybox.durable import write_new
from siegel.customer.keybox.unlocking import read_passphrase
from siegel.domain.errors import ConfigurationError
from siegel.domain.ledgers import LedgerError
from siegel.ledger.consent_keys import ConsentKeys, parse_consent_keys
from siegel.ledger.keys import VerifierKey, parse_verifier

EXIT_OTHERS: Final = 3
_VKEY_BYTES_MAX: Final = 1024


def keygen(
    path: Annotated[
        Path | None, Parameter(name="FILE", help="The key file to make; FILE.pub beside it has the public key.")
    ] = None,
    /,
    *,
    name: Annotated[str, Parameter(help="Name under which it signs: no blanks and no plus, for example alice.customer.example")],
    passphrase_file: Annotated[Path | None, Parameter(help="File with a passphrase for the key file, mode 0600.")] = None,
    token: Tokened = NO_TOKEN,
    json: AsJson = False,
) -> None:
    """Make a consent key, in a file or in a token; the help text is in `consent_cli.py`."""
    if path is None:
        if passphrase_file is not None:
            raise ConfigurationError("a key in a token has the token's PIN\ntry: without --passphrase-file")
        made, where = TokenKey(token.session(), name).create(), "in the token"
    else:
        if token != NO_TOKEN:
            raise ConfigurationError("a key is in a file or in a token\ntry: without FILE, or without --pkcs11-token")
        passphrase = read_passphrase(passphrase_file).data if passphrase_file else None
        made, where = make_key_file(path, name, passphrase), f"{path}, and to give to others: {public_path(path)}"
    if json:
        print_json({"vkey": str(made), "key_file": str(path) if path else None})
    else:
        print_text(f"secret      {where}\npublic key  {made}")


def new_keys(
    path: Annotated[Path, Parameter(name="FILE", help="The file of keys to write.")],
    /,
    *public: Annotated[str, Parameter(name="PUBLIC...", help="Public keys, or files with them (`.pub`).")],
    threshold: Annotated[int, Parameter(help="How many of them have to sign.")] = 1,
) -> None:
    """Write the file of keys: whose signatures count, and how many are needed."""
    data = ConsentKeys(threshold, tuple(_public_key(text) for text in public)).encode()
    try:
        parse_consent_keys(data)
        write_new(path, data)
    except LedgerError as error:
        raise ConfigurationError(str(error)) from None
    except FileExistsError:
        raise ConfigurationError(f"{path} exists already, and is not overwritten") from None
    print_text(data.decode().rstrip())


def put_keys(
    folder: Folder,
    file: Annotated[Path, Parameter(name="FILE", help="The file of keys.")],
    /,
    *,
    reaching: Reached = USUAL,
) -> None:
    """Pin the keys in DIR, and tell the store; the help text is in `consent_cli.py`."""
    data = read_keys(file)
    with reached(folder, reaching) as office:
        pin(folder, data, now_s())
        office.desk.put_keys(data)
    print_text(f"pinned in {folder}, and the store has them")


def show_keys(folder: Folder, /, *, reaching: Reached = USUAL, json: AsJson = False) -> None:
    """Show the keys that are pinned, and whether the store has the same; the help text is in `consent_cli.py`."""
    pins = read_pins(folder).pins
    with reached(folder, reaching) as office:
        theirs = office.desk.keys()
    mine = pins[-1].data if pins else None
    if json:
        texts = {"pinned": mine, "store": theirs}
        print_json(
            {"same": mine == theirs, **{name: data.decode(errors="replace") if data else None for name, data in texts.items()}}
        )
    else:
        print_text(mine.decode().rstrip() if mine else "no consent keys are pinned")
        print_text("the store has the same" if mine == theirs else "THE STORE HAS OTHERS, or none")
    if mine != theirs:
        sys.exit(EXIT_OTHERS)


def _public_key(text: str) -> VerifierKey:
    vkey = text if "+" in text else read_file(Path(text), _VKEY_BYTES_MAX).decode(errors="replace").strip()
    try:
        return parse_verifier(vkey)
    except LedgerError as error:
        raise ConfigurationError(f"{text} is no public key: {error}") from None
