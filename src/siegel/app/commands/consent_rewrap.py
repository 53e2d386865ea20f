"""`siegel consent rewrap`: the data keys of named objects, wrapped for an engineer. The store learns nothing of it."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.commands.sealing_options import (
    EXIT_BROKEN,
    NO_KEY_SERVER,
    Account,
    AtKeyServer,
    Endpoint,
    Requests,
    State,
    load_seen,
    read_recipients,
)
from siegel.app.output import print_error, print_json, print_text
from siegel.customer.keybox.durable import write_new
from siegel.customer.sealing.keyfile import read_key_file
from siegel.customer.sealing.opening import read_header
from siegel.customer.sealing.place import parse_uri
from siegel.customer.sealing.recipients import unwrapper
from siegel.customer.sealing.refusals import SealedObjectError, SealingError
from siegel.customer.sealing.seen import Sighting
from siegel.customer.sealing.store import REQUESTS, S3Source, check_requests, connect
from siegel.customer.sealing.wrapped import key_of, wrap_keys


def rewrap(
    *uris: Annotated[str, Parameter(name="S3-URI...", help="The objects: s3://BUCKET/OBJECT-KEY, each by its whole name.")],
    to: Annotated[str, Parameter(help="The engineer's recipient's line, or a file with it.")],
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="File to write, for the engineer.")],
    key: Annotated[Path, Parameter(help="Your key file: it signs the file, and opens the objects if it can.")],
    consent: Annotated[str, Parameter(help="Id of the consent, written into the file.")] = "",
    from_: Annotated[
        list[str] | None,
        Parameter(name="--from", help="Line or file of a sealer to trust besides the key itself. May be repeated."),
    ] = None,
    allow_unsigned: Annotated[bool, Parameter(negative="", help="Also objects that nobody signed.")] = False,
    keybox: AtKeyServer = NO_KEY_SERVER,
    requests: Requests = REQUESTS,
    account_id: Account = "",
    endpoint_url: Endpoint = None,
    state: State = None,
    json: AsJson = False,
) -> None:
    """Wrap the data keys of named objects for somebody; the help text is in `consent_cli.py`."""
    if not uris:
        raise SealingError(
            "say which objects\ntry: siegel consent rewrap s3://BUCKET/OBJECT-KEY --to LINE --key KEY-FILE -o FILE"
        )
    check_requests(requests)
    (engineer,) = read_recipients([to])
    sealer, box, client = read_key_file(key), keybox.connect(), connect(endpoint_url)
    trusted = [sealer.sealer, *(one.sealer for one in read_recipients(from_ or []))]
    keys, seen = [], load_seen(state)
    try:
        for place in dict.fromkeys(parse_uri(uri, account_id) for uri in uris):
            source, unwrap = S3Source(client, place, requests), unwrapper(sealer, box, place)
            header = read_header(source, place, unwrap, trusted, allow_unsigned=allow_unsigned)
            seen.check_and_note(place, Sighting(header.manifest.sequence, header.digest))
            keys.append(key_of(place, header))
    except SealedObjectError as error:
        print_error(str(error))
        sys.exit(EXIT_BROKEN)
    data = wrap_keys(keys, engineer, sealer, consent_id=consent)
    try:
        write_new(output, data)
    except FileExistsError:
        raise SealingError(f"{output} is there already, and is not overwritten") from None
    if json:
        print_json({"file": str(output), "consent_id": consent, "objects": [one.place.uri for one in keys]})
    else:
        print_text("\n".join([*(one.place.uri for one in keys), f"{len(keys)} keys wrapped  ->  {output}"]))
