"""`siegel seal` and `siegel keys`: files are sealed on this machine, and leave it sealed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.commands.sealing_options import (
    NO_KEY_SERVER,
    Account,
    AtKeyServer,
    Endpoint,
    Receipts,
    Requests,
    State,
    load_seen,
    read_recipients,
)
from siegel.app.commands.shipping import Shipped, Shipping, ship
from siegel.app.output import print_json, print_text
from siegel.customer.receipts import kept_in
from siegel.customer.sealing.keyfile import KeyFile, new_key_file, read_key_file, write_key_file
from siegel.customer.sealing.names import seal_name
from siegel.customer.sealing.place import ObjectPlace, parse_prefix, parse_uri
from siegel.customer.sealing.refusals import SealingError
from siegel.customer.sealing.store import PART_BYTES, REQUESTS, check_requests, connect

_MIB: Final = 1024 * 1024
KeyPath = Annotated[Path, Parameter(name="FILE", help="The key file.")]


def seal(
    *arguments: Annotated[str, Parameter(name="FILE... S3-URI", help="Files, and at last where they go.")],
    key: Annotated[Path | None, Parameter(help="Key file: signs, and can open what is sealed.")] = None,
    to: Annotated[list[str] | None, Parameter(help="A recipient's line, or a file with one. May be repeated.")] = None,
    sign_only: Annotated[bool, Parameter(negative="", help="The key file signs, and cannot open what is sealed.")] = False,
    seal_names: Annotated[bool, Parameter(negative="", help="Seal the names too: the object keys tell nothing.")] = False,
    part_mib: Annotated[
        int, Parameter(help="Size of the parts of large objects; one for each request is held in memory.")
    ] = PART_BYTES // _MIB,
    requests: Requests = REQUESTS,
    keybox: AtKeyServer = NO_KEY_SERVER,
    account_id: Account = "",
    endpoint_url: Endpoint = None,
    receipts: Receipts = None,
    state: State = None,
    json: AsJson = False,
) -> None:
    """Seal files and store them; the help text is in `sealing_cli.py`."""
    *files, uri = arguments or ("",)
    if not files:
        raise SealingError("say what to seal, and where it goes\ntry: siegel seal FILE s3://BUCKET/OBJECT-KEY --key KEY-FILE")
    check_requests(requests)
    sealer = read_key_file(key) if key else None
    recipients, box = read_recipients(to or []), keybox.connect(seals=True)
    if not recipients and box is None and (sealer is None or sign_only):
        raise SealingError("nobody could open it\ntry: --key KEY-FILE, --keybox URL, or --to RECIPIENT")
    places = _places([Path(file) for file in files], uri, account_id, sealer, seal_names=seal_names)
    done: list[Shipped] = []
    with kept_in(receipts) as kept:
        shipping = Shipping(
            client=connect(endpoint_url, receipts=kept),
            seen=load_seen(state),
            sealer=sealer,
            sealer_opens=not sign_only,
            recipients=recipients,
            box=box,
            part_bytes=part_mib * _MIB,
            requests=requests,
            quiet=json,
        )
        try:
            ship(shipping, places, done)
        except BaseException:
            # Of several files: what was stored before is there, and the error says nothing of it.
            if done:
                _tell(done, as_json=json)
            raise
    _tell(done, as_json=json)


def _tell(done: Sequence[Shipped], *, as_json: bool) -> None:
    told = [one.told() for one in sorted(done, key=lambda one: one.number)]
    if as_json:
        print_json({"objects": told})
    else:
        for one in told:
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
        if not seal_names:
            places[path] = parse_uri(f"{folder.uri}{name}", account_id)
        elif sealer is None:
            raise SealingError("names are sealed with a key file\ntry: --key KEY-FILE")
        else:
            # Here a name may hold bytes that are no text: no store sees it.
            places[path] = seal_name(sealer.names_secret, folder, name)
    if len(set(places.values())) < len(files):
        raise SealingError("two of the files would have the same object key")
    return places


def _folder(object_key: str) -> str:
    """Return the object key up to and including its last slash."""
    head, slash, _ = object_key.rpartition("/")
    return head + slash
