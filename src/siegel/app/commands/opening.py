"""`siegel open` and `siegel names`: what comes from the store is opened on this machine, and believed only if it is authentic."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.files import read_regular_file
from siegel.app.commands.options import AsJson
from siegel.app.commands.sealing_options import (
    EXIT_BROKEN,
    NO_KEY_SERVER,
    Account,
    AtKeyServer,
    Endpoint,
    Receipts,
    Requests,
    State,
    load_seen,
    moving,
    read_recipients,
)
from siegel.app.output import print_error, print_json, print_text
from siegel.customer.receipts import kept_in
from siegel.customer.sealing.keyfile import KeyFile, read_key_file
from siegel.customer.sealing.names import open_name, seal_name
from siegel.customer.sealing.opening import open_sealed, open_stream
from siegel.customer.sealing.place import ObjectPlace, parse_prefix, parse_uri
from siegel.customer.sealing.refusals import SealedObjectError, SealingError
from siegel.customer.sealing.sealedfile import SealedFile
from siegel.customer.sealing.seen import Seen, Sighting
from siegel.customer.sealing.store import REQUESTS, S3Source, check_requests, connect, list_keys
from siegel.customer.sealing.threads import ENDS
from siegel.customer.sealing.wholefile import whole_file
from siegel.customer.sealing.wrapped import FILE_BYTES_MAX, WrappedKeys, read_wrapped

# What a shell says of a process that a signal has ended, without the signal's number.
EXIT_SIGNAL: Final = 128

_RANGE: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
_STDOUT: Final = Path("-")
KeyFilePath = Annotated[Path, Parameter(help="Key file that opens it.")]


def open_object(
    uri: Annotated[str, Parameter(name="S3-URI", help="s3://BUCKET/OBJECT-KEY")],
    /,
    *,
    key: Annotated[Path | None, Parameter(help="Key file that opens it.")] = None,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], allow_leading_hyphen=True, help="Where to write; - for standard output.")
    ] = None,
    span: Annotated[
        str | None,
        Parameter(
            name="--range",
            allow_leading_hyphen=True,
            help="First and last byte, as in 0-99; 100- or -100 for the rest or the end.",
        ),
    ] = None,
    from_: Annotated[
        list[str] | None,
        Parameter(name="--from", help="Line or file of a sealer to trust besides the key itself. May be repeated."),
    ] = None,
    sealed_name: Annotated[
        bool, Parameter(negative="", help="The object was stored with --seal-names; S3-URI has its real name.")
    ] = False,
    allow_unsigned: Annotated[bool, Parameter(negative="", help="Open what nobody signed.")] = False,
    wrapped: Annotated[
        Path | None, Parameter(help="File of keys that were wrapped for your key, by `siegel consent rewrap`: they alone open.")
    ] = None,
    forget: Annotated[bool, Parameter(negative="", help="Believe an older object than the one seen before.")] = False,
    force: Annotated[bool, Parameter(negative="", help="Replace an existing file.")] = False,
    keybox: AtKeyServer = NO_KEY_SERVER,
    requests: Requests = REQUESTS,
    account_id: Account = "",
    endpoint_url: Endpoint = None,
    receipts: Receipts = None,
    state: State = None,
    json: AsJson = False,
) -> None:
    """Fetch a sealed object and open it; the help text is in `sealing_cli.py`."""
    if json and output == _STDOUT:
        raise SealingError("standard output cannot take both the object and --json\ntry: -o FILE")
    check_requests(requests)
    box, secret = keybox.connect(), read_key_file(key) if key else None
    if secret is None and box is None:
        raise SealingError("say what opens it\ntry: --key KEY-FILE, or --keybox URL")
    place, seen = _place(uri, account_id, secret, sealed_name=sealed_name), load_seen(state)
    trusted = [*([secret.sealer] if secret else []), *(one.sealer for one in read_recipients(from_ or []))]
    try:
        with kept_in(receipts) as kept:
            file = open_sealed(
                S3Source(connect(endpoint_url, receipts=kept), place, requests),
                place,
                key=secret,
                box=box,
                trusted=trusted,
                allow_unsigned=allow_unsigned,
                seen=None if forget else seen,
                wrapped=_wrapped(wrapped, secret, trusted),
            )
            if forget:
                # Only now: an object that did not open is no reason to forget a newer one.
                _begin_anew(seen, place, file)
            start, stop = _range(span, file.size_bytes)
            target = output or _own_name(file)
            moved = moving(place.uri, stop - start, quiet=json)
            with _ended_in_order(), _written(target, force=force) as stream, moved as progress:
                _copy(file, start, stop, stream, progress)
    except SealedObjectError as error:
        print_error(str(error))
        sys.exit(EXIT_BROKEN)
    _tell(place, file, target, stop - start, as_json=json)


def names(
    uri: Annotated[str, Parameter(name="S3-URI", help="s3://BUCKET/FOLDER/")],
    /,
    *,
    key: KeyFilePath,
    account_id: Account = "",
    endpoint_url: Endpoint = None,
    json: AsJson = False,
) -> None:
    """List sealed names; the help text is in `sealing_cli.py`."""
    secret = read_key_file(key)
    folder = parse_prefix(uri, account_id)
    if folder.object_key and not folder.object_key.endswith("/"):
        raise SealingError(f"names are sealed within folders\ntry: {folder.uri}/")
    found = sorted(_opened_names(secret, folder, connect(endpoint_url)), key=lambda row: row["name"])
    if json:
        print_json({"objects": found})
    else:
        for row in found:
            print_text(row["name"])


def _opened_names(secret: KeyFile, folder: ObjectPlace, client: object) -> Iterator[dict[str, str]]:
    for object_key in list_keys(client, folder):
        try:
            name = open_name(secret.names_secret, folder, object_key.removeprefix(folder.object_key))
        except SealedObjectError:
            continue  # another key's, or a name in the clear: the help text says that they are left out
        yield {"name": name.encode(errors="replace").decode(), "uri": f"s3://{folder.bucket}/{object_key}"}


def _place(uri: str, account_id: str, secret: KeyFile | None, *, sealed_name: bool) -> ObjectPlace:
    if not sealed_name:
        return parse_uri(uri, account_id)
    if secret is None:
        raise SealingError("sealed names are found with a key file\ntry: --key KEY-FILE")
    # The name alone may be no text: it leaves sealed.
    folder, slash, name = uri.rpartition("/")
    return seal_name(secret.names_secret, parse_prefix(folder + slash, account_id), name)


def _wrapped(path: Path | None, secret: KeyFile | None, trusted: list[bytes]) -> WrappedKeys | None:
    """Open a file of wrapped keys. Raises SealingError, SealedObjectError."""
    if path is None:
        return None
    if secret is None:
        raise SealingError("keys are wrapped for a key file\ntry: --key KEY-FILE")
    data = read_regular_file(path, FILE_BYTES_MAX)
    try:
        return read_wrapped(data, secret, trusted)
    except SealedObjectError as error:
        # The file is sealed as objects are: without its name it would be the object that does not open.
        raise type(error)(f"the file of wrapped keys {path} does not open: {error}") from None


def _begin_anew(seen: Seen, place: ObjectPlace, file: SealedFile) -> None:
    """Believe this object from now on, whatever was seen at its place before."""
    seen.forget(place)
    seen.check_and_note(place, Sighting(file.manifest.sequence, file.digest))


def _range(text: str | None, size_bytes: int) -> tuple[int, int]:
    """Return the bytes that a range names, the end excluded. Raises SealingError."""
    if text is None:
        return 0, size_bytes
    found = _RANGE.fullmatch(text)
    if not found or text == "-":
        raise SealingError(f"{text!r} is not a range\ntry: 0-99, 100-, or -100")
    first, last = found.groups()
    start = int(first) if first else max(0, size_bytes - int(last))
    stop = min(int(last) + 1, size_bytes) if first and last else size_bytes
    if start >= stop:
        raise SealingError(f"the range {text} lies outside of the object, which has {size_bytes} bytes")
    return start, stop


def _own_name(file: SealedFile) -> Path:
    """Return the name that was sealed with the object: a name only, whatever path a sealer may have written."""
    name = file.manifest.name or ""
    if not name or name in {".", ".."} or "/" in name or "\0" in name or name.startswith("-"):
        raise SealingError("no usable name was sealed with the object\ntry: -o FILE")
    return Path(name)


def _copy(file: SealedFile, start: int, stop: int, stream: IO[bytes], progress: Callable[[int], None]) -> None:
    pieces = open_stream(file, start, stop)
    try:
        for piece in pieces:
            stream.write(piece)
            progress(len(piece))
    except ENDS as ended:
        # Else the reads that are under way would be waited for when the generator is collected.
        pieces.throw(ended)
        raise


@contextmanager
def _written(target: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Yield a stream whose file appears under its name only once everything was written. Raises SealingError."""
    if target == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with whole_file(target, replace=force) as stream:
            yield stream
    except FileExistsError:
        raise SealingError(f"{target} is there already\ntry: --force, or -o FILE") from None
    except OSError as error:
        raise SealingError(f"{target} cannot be written: {error.strerror}") from None


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process as Ctrl-C does: what was written so far is removed where it has a name."""

    def end(number: int, _frame: object) -> None:
        sys.exit(EXIT_SIGNAL + number)

    # Who was told to outlive the terminal (nohup) goes on.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _tell(place: ObjectPlace, file: SealedFile, target: Path, written_bytes: int, *, as_json: bool) -> None:
    if not as_json:
        if target != _STDOUT:
            print_text(f"{place.uri}  ->  {target}  ({written_bytes} bytes)")
        return
    manifest = file.manifest
    told = {
        "uri": place.uri,
        "file": str(target),
        "written_bytes": written_bytes,
        "size_bytes": manifest.size_bytes,
        "name": manifest.name,
        "sequence": manifest.sequence,
        "sealed_at_ms": manifest.sealed_at_ms,
        "sealer": manifest.sealer,
        "previous": manifest.previous,
        "digest": file.digest.hex(),
    }
    print_json(told)
