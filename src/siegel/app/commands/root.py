"""`siegel root`: the root key, beside the running service; and another key for the database, without it."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.counting import counting
from siegel.app.commands.options import AsJson, Directory
from siegel.app.config import load_config, resolve
from siegel.app.output import print_json, print_text
from siegel.app.rootkeys import rekey_database as rekey
from siegel.app.rootkeys import rotate as rotate_root
from siegel.app.serve import take_instance_lock
from siegel.app.settings import TokenKey
from siegel.app.wiring import database_rekeying, open_deployment, root_rotation
from siegel.domain.errors import ConfigurationError
from siegel.service.resealing import Resealed

_TEXT = """\
The root key is now {new}. Sealed anew: {resealed.renewed} of {seen}.
{old} opens nothing any more but older copies of the directory: keep it as long as those, then destroy it."""
_REKEYED: Final = """\
The database has another key: {pages} pages were copied under it, and the old file is gone. Copies of the directory from before
still open by the old key."""
_REKEYED_BEFORE: Final = "The database had its new key already, since a run that was interrupted. The old file is gone now."


def rotate(
    directory: Directory,
    /,
    *,
    to_file: Annotated[Path | None, Parameter(help="File of the new root key; made unless it exists.")] = None,
    to_pkcs11_module: Annotated[Path | None, Parameter(help="Library of the PKCS#11 module of the new root key.")] = None,
    to_pkcs11_token: Annotated[str | None, Parameter(help="Label of the token of the new root key.")] = None,
    to_pkcs11_key: Annotated[
        str, Parameter(help="Label of the new root key in the token; made unless it exists.")
    ] = "siegel-root",
    to_pkcs11_pin_file: Annotated[
        Path | None, Parameter(help="File of the token's PIN, mode 0600, from which the running service reads it as well.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Rotate the root key; the help text is in `cli.py`."""
    settings = resolve(load_config(directory, {}), directory)
    target = _target(to_file, to_pkcs11_module, to_pkcs11_token, to_pkcs11_key, to_pkcs11_pin_file)
    deployment = open_deployment(settings)

    async def work() -> tuple[str, str, Resealed]:
        try:
            return await rotate_root(deployment, root_rotation(settings, target), _progress(quiet=json))
        finally:
            deployment.close()

    old, new, resealed = asyncio.run(work())
    if json:
        print_json({"old": old, "new": new, "looked_at": _seen(resealed), "sealed_anew": resealed.renewed})
    else:
        print_text(_TEXT.format(old=old[:1].upper() + old[1:], new=new, resealed=resealed, seen=_seen(resealed)))


def rekey_database(directory: Directory, /, *, json: AsJson = False) -> None:
    """Give the database another key; the help text is in `cli.py`."""
    settings = resolve(load_config(directory, {}), directory)
    instance = take_instance_lock(directory)
    try:
        with counting(json) as begin:
            progress = _Pages(begin)
            is_resumed = rekey(settings, database_rekeying(settings), progress.tell)
    finally:
        os.close(instance)
    if json:
        print_json({"rekeyed": True, "resumed": is_resumed, "pages": progress.done})
    else:
        print_text(_REKEYED_BEFORE if is_resumed else _REKEYED.format(pages=progress.done))


class _Pages:
    """Tells a bar how many pages are copied."""

    def __init__(self, begin: Callable[[str, int], Callable[[int], None]]) -> None:
        self._begin = begin
        self._advance: Callable[[int], None] | None = None
        self.done = 0

    def tell(self, done: int, total: int) -> None:
        """Take how many of all pages are copied now."""
        if self._advance is None:
            self._advance = self._begin("pages", total)
        self._advance(done - self.done)
        self.done = done


def _target(file: Path | None, module: Path | None, token: str | None, key: str, pin_file: Path | None) -> Path | TokenKey | None:
    """Return where the new root key shall rest, or None where nothing was said. Raises ConfigurationError for half an answer."""
    if module is None and token is None:
        return None if file is None else file.absolute()
    if file is not None or module is None or token is None or pin_file is None:
        raise ConfigurationError(
            "a new root key rests in a file or in a token\n"
            "try: --to-file FILE, or --to-pkcs11-module, --to-pkcs11-token and --to-pkcs11-pin-file together"
        )
    return TokenKey(module=str(module.absolute()), token=token, key=key, pin_file=str(pin_file.absolute()))


def _seen(resealed: Resealed) -> int:
    return resealed.accounts + resealed.access_keys + resealed.keys + resealed.key_stores + resealed.logs


def _progress(*, quiet: bool) -> Callable[[Resealed], None]:
    """Return what tells a terminal how far it is; nothing else is told."""
    if quiet or not sys.stderr.isatty():
        return lambda _: None

    def tell(done: Resealed) -> None:
        of_keys = f"{done.keys} keys, {done.key_stores} key stores, {done.logs} logs"
        sys.stderr.write(f"\r{done.accounts} accounts, {done.access_keys} access keys, {of_keys} ")
        sys.stderr.flush()

    return tell
