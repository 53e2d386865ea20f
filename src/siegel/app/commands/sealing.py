"""`siegel seal` and `siegel keys`: files are sealed on this machine, and leave it sealed."""

import stat
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.commands.sealing_options import Account, Endpoint, State, load_seen, moving, read_recipients
from siegel.app.output import print_json, print_text
from siegel.customer.sealing.keyfile import KeyFile, Recipient, new_key_file, read_key_file, write_key_file
from siegel.customer.sealing.names import seal_name
from siegel.customer.sealing.place import ObjectPlace, parse_prefix, parse_uri
from siegel.customer.sealing.refusals import SealingError
from siegel.customer.sealing.seal import seal_stream
from siegel.customer.sealing.seen import Seen
from siegel.customer.sealing.store import PART_BYTES, connect, upload

_MIB: Final = 1024 * 1024
KeyPath = Annotated[Path, Parameter(name="FILE", help="The key file.")]


def seal(
    *arguments: Annotated[str, Parameter(name="FILE... S3-URI", help="Files, and at last where they go.")],
    key: Annotated[Path | None, Parameter(help="Key file: signs, and can open what is sealed.")] = None,
    to: Annotated[list[str] | None, Parameter(help="A recipient's line, or a file with one. May be repeated.")] = None,
    seal_names: Annotated[bool, Parameter(negative="", help="Seal the names too: the object keys tell nothing.")] = False,
    part_mib: Annotated[int, Parameter(help="Size of the parts of large objects; one part is held in memory.")] = PART_BYTES
    // _MIB,
    account_id: Account = "",
    endpoint_url: Endpoint = None,
    state: State = None,
    json: AsJson = False,
) -> None:
    """Seal files and store them; the help text is in `sealing_cli.py`."""
    *files, uri = arguments or ("",)
    if not files:
        raise SealingError("say what to seal, and where it goes\ntry: siegel seal FILE s3://BUCKET/OBJECT-KEY --key KEY-FILE")
    sealer = read_key_file(key) if key else None
    recipients = read_recipients(to or [])
    if sealer is None and not recipients:
        raise SealingError("nobody could open it\ntry: --key KEY-FILE, or --to RECIPIENT")
    places = _places([Path(file) for file in files], uri, account_id, sealer, seal_names=seal_names)
    client, seen = connect(endpoint_url), load_seen(state)
    done = [
        _seal_one(client, path, place, sealer=sealer, recipients=recipients, seen=seen, part_bytes=part_mib * _MIB, quiet=json)
        for path, place in places.items()
    ]
    if json:
        print_json({"objects": done})
    else:
        for one in done:
            print_text("{file}  ->  {uri}  ({size_bytes} bytes, sealed {sealed_size_bytes})".format(**one))


def new_key(path: KeyPath, /, *, json: AsJson = False) -> None:
    """Make a key file; the help text is in `sealing_cli.py`."""
    made = new_key_file()
    public = write_key_file(made, path)
    if json:
        print_json({"key_file": str(path), "recipient_file": str(public), "recipient": made.recipient.line})
    else:
        print_text(f"secret, keep two copies   {path}\nto give to others         {public}")


def public_line(path: KeyPath, /, *, json: AsJson = False) -> None:
    """Print the recipient's line of a key file."""
    line = read_key_file(path).recipient.line
    if json:
        print_json({"recipient": line})
    else:
        print_text(line)


def _places(files: list[Path], uri: str, account_id: str, sealer: KeyFile | None, *, seal_names: bool) -> dict[Path, ObjectPlace]:
    """Return where each file goes. Raises SealingError: two files of one name, a folder not said to be one, no key for names."""
    target = parse_prefix(uri, account_id)
    if len(files) > 1 and target.object_key and not target.object_key.endswith("/"):
        raise SealingError(f"several files need a folder\ntry: {target.uri}/")
    whole = not target.object_key or target.object_key.endswith("/")
    folder = ObjectPlace(target.bucket, _folder(target.object_key), account_id)
    places = {}
    for path in files:
        name = path.name if whole else target.object_key.removeprefix(folder.object_key)
        if seal_names and sealer is None:
            raise SealingError("names are sealed with a key file\ntry: --key KEY-FILE")
        plain = parse_uri(f"{folder.uri}{name}", account_id)
        places[path] = seal_name(sealer.names_secret, folder, name) if seal_names and sealer else plain
    if len(set(places.values())) < len(files):
        raise SealingError("two of the files would have the same object key")
    return places


def _folder(object_key: str) -> str:
    """Return the object key up to and including its last slash."""
    head, slash, _ = object_key.rpartition("/")
    return head + slash


def _seal_one(
    client: Any,
    path: Path,
    place: ObjectPlace,
    *,
    sealer: KeyFile | None,
    recipients: list[Recipient],
    seen: Seen,
    part_bytes: int,
    quiet: bool,
) -> dict[str, object]:
    """Seal and store one file; return what `--json` says of it."""
    try:
        found = path.stat()
        # Before it is opened: opening a pipe would wait for whoever writes into it.
        if not stat.S_ISREG(found.st_mode):
            raise SealingError(f"{path} is not a regular file")
        size_bytes = found.st_size
        with path.open("rb") as stream:
            name = path.name.encode(errors="replace").decode()
            sealed = seal_stream(
                stream, size_bytes, place, sealer=sealer, recipients=recipients, name=name, last=seen.last(place)
            )
            with moving(path.name, sealed.sealed_size_bytes, quiet=quiet) as progress:
                upload(client, sealed, part_bytes=part_bytes, progress=progress)
    except OSError as error:
        raise SealingError(f"{path} cannot be read: {error.strerror}") from None
    seen.check_and_note(place, sealed.sighting)
    return {
        "file": str(path),
        "uri": place.uri,
        "size_bytes": size_bytes,
        "sealed_size_bytes": sealed.sealed_size_bytes,
        "sequence": sealed.manifest.sequence,
        "signed": sealer is not None,
    }
