"""`siegel witness`: whoever runs it sees that a log shows everybody the same tree. It needs nothing of the store."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.output import print_json, print_table, print_text
from siegel.customer.witness.folder import LOGS_NAME, WitnessFolder, initialise
from siegel.customer.witness.following import follow as follow_log
from siegel.domain.errors import ConfigurationError
from siegel.ledger.proof_files import PROOF_FILE_BYTES_MAX

Folder = Annotated[Path, Parameter(name="DIR", help="The directory of the witness.")]

_INIT_TEXT = """\
The witness {name} is made in {folder}.

What others need to trust it, as lines of a policy file:
{lines}

Write the keys of the logs that it watches into {logs}, as lines `log VKEY`.
Never restore {folder} from a backup: a witness that has forgotten what it signed could sign a second history.
next: siegel witness serve {folder}"""


def init(
    folder: Folder,
    /,
    *,
    name: Annotated[str, Parameter(help="The witness's name, like witness.example.com/w1: without spaces and plus.")],
    json: AsJson = False,
) -> None:
    """Make a witness; the help text is in `witness_cli.py`."""
    made = initialise(folder, name)
    vkeys = [str(verifier) for verifier in made.verifiers]
    if json:
        print_json({"name": name, "vkeys": vkeys})
        return
    lines = "\n".join(f"  witness {name}{end} {vkey}" for end, vkey in zip(("", "#pq"), vkeys, strict=True))
    print_text(_INIT_TEXT.format(name=name, folder=folder, lines=lines, logs=folder / LOGS_NAME))


def follow(
    folder: Folder,
    file: Annotated[Path, Parameter(name="FILE", help="The proof file of the hand-over: handover/NNN of the log.")],
    /,
) -> None:
    """Take the new keys of a log in the place of its old ones; the help text is in `witness_cli.py`."""
    try:
        with file.open("rb") as stream:
            data = stream.read(PROOF_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    hand_over = follow_log(WitnessFolder(folder), data)
    keys = "\n".join(f"  {verifier}" for verifier in hand_over.new)
    print_text(f"The witness knows {hand_over.origin} by these keys from now on:\n{keys}")


def show(folder: Folder, /, *, json: AsJson = False) -> None:
    """Show the witness's keys, and what it has signed last of each log."""
    found = WitnessFolder(folder)
    rows: list[dict[str, object]] = []
    for origin in found.logs():
        last = found.last(origin)
        rows.append({"log": origin, "size": last.size if last else "-", "root": last.root.hex() if last else "-"})
    vkeys = [str(verifier) for verifier in found.verifiers]
    if json:
        print_json({"name": found.signers[0].name, "vkeys": vkeys, "logs": rows})
        return
    for vkey in vkeys:
        print_text(vkey)
    print_table(["log", "size", "root"], rows)


def serve(
    folder: Folder,
    /,
    *,
    listen: Annotated[str, Parameter(help="HOST:PORT; port 0 lets the system choose.")] = "127.0.0.1:9444",
    tls_cert: Annotated[Path | None, Parameter(help="PEM file of the certificate chain; turns the port to HTTPS.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="PEM file of the certificate's private key (PKCS#8).")] = None,
) -> None:
    """Run the witness; the help text is in `witness_cli.py`."""
    # Here, since the other commands need no server.
    from siegel.app.listening import Listening, read_listen  # noqa: PLC0415 - the commands that only read must start at once
    from siegel.app.witness_server import serve_witness  # noqa: PLC0415 - as above

    serve_witness(WitnessFolder(folder), Listening(read_listen(listen), tls_cert, tls_key))
