"""`siegel keys rewrap`: all of a bucket gets another key of the key service, or its newest material; no byte moves."""

import json as json_texts
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from siegel.app.commands.options import AsJson
from siegel.app.commands.sealing_options import Endpoint, Requests
from siegel.app.output import print_json, print_text
from siegel.customer.sealing.refusals import StoreError
from siegel.customer.sealing.rewrapping import Marker, update_version, version_pages
from siegel.customer.sealing.store import REQUESTS, check_requests, connect

_SHOWN_MAX: Final = 20


def rewrap(
    bucket: Annotated[str, Parameter(name="BUCKET", help="The bucket.")],
    /,
    *,
    key: Annotated[str, Parameter(help="ARN of the key that seals from now on; the same as before for its newest material.")],
    prefix: Annotated[str, Parameter(help="Only objects whose keys begin like this.")] = "",
    bucket_key: Annotated[bool, Parameter(negative="", help="With a bucket key: the context names the bucket alone.")] = False,
    requests: Requests = REQUESTS,
    endpoint_url: Endpoint = None,
    state: Annotated[
        Path | None, Parameter(help="Where to note how far it is; ~/.local/state/siegel/rewrap.json unless given.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Seal every version of a bucket under another key; the help text is in `sealing_cli.py`."""
    check_requests(requests)
    if not key.startswith("arn:"):
        raise StoreError(f"{key!r} is no ARN\ntry: --key arn:aws:kms:REGION:ACCOUNT:key/ID")
    place = Position(state, f"{bucket}/{prefix} {key}")
    begin = place.read()
    place.prove()
    client = connect(endpoint_url)
    wanted = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": bucket_key}}
    done, left = 0, list[str]()

    def one(version: Any) -> str:
        return update_version(client, bucket, version, wanted)

    total = partial(_count, client, bucket, prefix, begin)
    with _counting(total, bucket, quiet=json) as advance, ThreadPoolExecutor(requests) as pool:
        for versions, marker in version_pages(client, bucket, prefix, begin):
            refusals = [refusal for refusal in pool.map(one, versions) if refusal]
            if not done and versions and sum(_is_of_key(refusal, key) for refusal in refusals) == len(versions):
                # No other version could get this key either.
                raise StoreError(f"nothing could be sealed anew: {refusals[0]}")
            done, left = done + len(versions) - len(refusals), left + refusals
            advance(len(versions))
            if not left:
                # Behind what was refused no run goes on: it would end as if all were well.
                place.note(marker)
    place.note(None)
    if json:
        print_json({"rewrapped": done, "left": left})
    else:
        print_text("\n".join([f"{done} versions sealed anew, {len(left)} left as they are", *left[:_SHOWN_MAX]]))
    if left:
        sys.exit(1)


class Position:
    """How far a run is, in a small file: the next one of the same bucket, prefix and key goes on there."""

    def __init__(self, path: Path | None, name: str) -> None:
        """Take the file, and what the run is called in it. Raises StoreError: there is no home directory to have one in."""
        self._path = path or _state_folder() / "siegel" / "rewrap.json"
        self._name = name

    def read(self) -> Marker:
        """Return the last version that was dealt with; of a new run that is none."""
        key, version = self._all().get(self._name, ("", ""))
        return str(key), str(version)

    def prove(self) -> None:
        """Find out whether the file can be written, before anything is sealed. Raises StoreError."""
        with self._writing() as fresh:
            fresh.touch()
            fresh.unlink()

    def note(self, marker: Marker | None) -> None:
        """Note how far it is, or that it is done. The file is replaced in one step. Raises StoreError."""
        every = self._all()
        every.pop(self._name, None)
        if marker is not None:
            every[self._name] = marker
        with self._writing() as fresh:
            fresh.write_text(json_texts.dumps(every), encoding="utf-8")
            fresh.replace(self._path)

    @contextmanager
    def _writing(self) -> Iterator[Path]:
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            yield fresh
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}\ntry: --state FILE") from None

    def _all(self) -> dict[str, Any]:
        try:
            read = json_texts.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror}\ntry: --state FILE") from None
        except ValueError as error:
            raise StoreError(f"{self._path} cannot be read: {error}\ntry: remove it, and the run begins anew") from None
        if not isinstance(read, dict):
            raise StoreError(f"{self._path} is no note of a run\ntry: --state FILE")
        return read


def _is_of_key(refusal: str, key: str) -> bool:
    """Whether a version was refused because of the key that it should get, and not because of what it is.

    A key server's refusals name no key; those that name another one are about the key that the version has.
    """
    told = refusal.partition(": KMS.")[2]
    return key in refusal or ("arn:" not in told and bool(told))


def _state_folder() -> Path:
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:
        raise StoreError("you have no home directory to note in how far it is\ntry: --state FILE") from None


def _count(client: Any, bucket: str, prefix: str, begin: Marker) -> int:
    return sum(len(versions) for versions, _ in version_pages(client, bucket, prefix, begin))


@contextmanager
def _counting(total: Callable[[], int], bucket: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on the terminal while versions are dealt with; yield what is to be told how many were.

    `total` tells how many this run has before it, and is called only where a bar is shown.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console  # noqa: PLC0415  a tenth of a second that only a terminal is worth
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  the same

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(bucket, total=total())
        yield lambda count: bars.advance(task, count)
