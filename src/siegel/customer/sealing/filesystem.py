"""Sealed objects as an fsspec file system: `fsspec.filesystem("siegel+s3", key=...)`. Needs the extra `siegel[client]`.

`open` gives a seekable file; a seek reads nothing, and a read asks the store for the range around it alone, so a player can jump
in a sealed video. Writing takes whole bodies (`pipe_file`, `put_file`), whose size is known before the first byte is sealed.

Only what is missing is not there (FileNotFoundError, `exists` is False): whatever else keeps an object from being opened is
raised.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import fsspec
from fsspec.callbacks import NoOpCallback
from fsspec.spec import AbstractFileSystem
from fsspec.utils import isfilelike

from siegel.customer.sealing.keyfile import KeyFile, Recipient, read_key_file
from siegel.customer.sealing.opening import open_sealed
from siegel.customer.sealing.place import ObjectPlace, parse_uri
from siegel.customer.sealing.recipients import Keybox
from siegel.customer.sealing.refusals import NoSuchFileError, NoSuchObjectError, SealedObjectError, SealingError
from siegel.customer.sealing.seal import seal_stream
from siegel.customer.sealing.sealedfile import SealedFile
from siegel.customer.sealing.seen import USERS_OWN, Seen
from siegel.customer.sealing.store import S3Source, connect, list_keys, upload
from siegel.customer.sealing.wholefile import whole_file

PROTOCOL: Final = "siegel+s3"
READ_AHEAD_BYTES: Final = 256 * 1024


class SealedFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Reads and writes sealed objects at `siegel+s3://BUCKET/OBJECT-KEY`.

    `key` is a key file or its path, `box` a key server: at least one of the two. `sealer_opens`: the key file can open what it
    signs. `recipients` are sealed for besides it; `trusted` are more sealers' public keys to believe.
    `client` is a boto3 client, else one is made for `endpoint_url`. `seen` is the memory that rollbacks are held against, the
    user's own unless another or its path is given; with None rollbacks do not show.
    """

    protocol: ClassVar[str] = PROTOCOL
    root_marker: ClassVar[str] = ""
    cachable: ClassVar[bool] = False

    def __init__(
        self,
        *,
        key: KeyFile | str | Path | None = None,
        box: Keybox | None = None,
        sealer_opens: bool = True,
        client: Any = None,
        endpoint_url: str | None = None,
        account_id: str = "",
        recipients: Sequence[Recipient] = (),
        trusted: Sequence[bytes] = (),
        seen: Seen | str | Path | None = USERS_OWN,
        **options: Any,
    ) -> None:
        """See the class; `options` are fsspec's own."""
        super().__init__(**options)
        if key is None and box is None:
            raise SealingError("say what opens and seals\ntry: key=, or box=")
        self._key = key if isinstance(key, KeyFile) or key is None else read_key_file(Path(key))
        self._box = box
        self._sealer_opens = sealer_opens
        self._client = client if client is not None else connect(endpoint_url)
        self._account_id = account_id
        self._recipients = recipients
        self._trusted = [*([self._key.sealer] if self._key else []), *trusted]
        self._seen = seen if isinstance(seen, Seen) or seen is None else Seen(Path(seen))

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **_options: Any) -> "SealedBuffer":
        """Open for reading; `block_size` is what is read ahead. Raises SealingError for other modes."""
        if mode != "rb":
            raise SealingError("a sealed object is written whole\ntry: pipe_file or put_file")
        return SealedBuffer(self._sealed(path), block_size or READ_AHEAD_BYTES)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_options: Any) -> None:
        """Seal and store `value`. Raises SealingError for a mode other than overwrite."""
        _check_mode(mode)
        self._store(path, io.BytesIO(value), len(value))

    def put_file(self, lpath: str, rpath: str, callback: Any = None, mode: str = "overwrite", **_options: Any) -> None:
        """Seal and store a file; a folder is nothing in a store. Raises SealingError for a mode other than overwrite."""
        _check_mode(mode)
        if Path(lpath).is_dir():
            return
        with Path(lpath).open("rb") as stream:
            size_bytes = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            if callback is not None:
                callback.set_size(size_bytes)
            self._store(rpath, stream, size_bytes)
            if callback is not None:
                callback.relative_update(size_bytes)

    def get_file(self, rpath: str, lpath: Any, callback: Any = None, outfile: Any = None, **options: Any) -> None:
        """Fetch into a local file, which is there, in the place of an old one, once all was found authentic, and only then."""
        if outfile is not None or isfilelike(lpath) or self.isdir(rpath):
            super().get_file(rpath, lpath, callback=callback or NoOpCallback(), outfile=outfile, **options)
            return
        Path(lpath).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(Path(lpath), replace=True) as stream:
            super().get_file(rpath, lpath, callback=callback or NoOpCallback(), outfile=stream, **options)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_options: Any) -> bytes:
        """Return the plaintext, or a slice of it as Python slices."""
        file = self._sealed(path)
        first, stop, _ = slice(start, end).indices(file.size_bytes)
        file.seek(first)
        return file.read(max(0, stop - first)) or b""

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """Return name, size of the plaintext, and the manifest's time; for a prefix, that it is a folder."""
        path = self._strip_protocol(path).rstrip("/")
        if "/" in path:
            try:
                manifest = self._sealed(path).manifest
            except NoSuchObjectError:
                manifest = None
            if manifest is not None:
                return {"name": path, "size": manifest.size_bytes, "type": "file", "sealed_at_ms": manifest.sealed_at_ms}
        if any(self._below(f"{path}/")):
            return {"name": path, "size": 0, "type": "directory"}
        raise NoSuchFileError(f"{path} does not exist")

    def exists(self, path: str, **_options: Any) -> bool:
        """Tell whether there is an object or a folder. Raises what keeps it from being known, as all of these."""
        return self._kind(path) is not None

    def isfile(self, path: str) -> bool:
        """Tell whether there is an object."""
        return self._kind(path) == "file"

    def isdir(self, path: str) -> bool:
        """Tell whether objects lie below."""
        return self._kind(path) == "directory"

    def _kind(self, path: str) -> str | None:
        try:
            kind: str = self.info(path)["type"]
        except FileNotFoundError:
            return None
        return kind

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:  # noqa: FBT001, FBT002  fsspec's own signature
        """List what lies below. With `detail` each header is read for the plaintext's size, which is None if it does not open."""
        path = self._strip_protocol(path).rstrip("/")
        folder = f"{path}/"
        names = sorted({folder + name[len(folder) :].partition("/")[0] for name in self._below(folder) if name != folder})
        if not names:
            return [self.info(path)] if detail else [self.info(path)["name"]]
        return [self._told(name) for name in names] if detail else names

    def _told(self, path: str) -> dict[str, Any]:
        try:
            return self.info(path)
        except SealedObjectError as error:
            return {"name": path, "size": None, "type": "file", "refused": str(error)}

    def _below(self, prefix: str) -> Iterator[str]:
        bucket, _, object_key = prefix.partition("/")
        with _missing():
            yield from (f"{bucket}/{key}" for key in list_keys(self._client, ObjectPlace(bucket, object_key)))

    def _place(self, path: str) -> ObjectPlace:
        return parse_uri(f"s3://{self._strip_protocol(path)}", self._account_id)

    def _sealed(self, path: str) -> SealedFile:
        place = self._place(path)
        with _missing():
            source = S3Source(self._client, place)
        return open_sealed(source, place, key=self._key, box=self._box, trusted=self._trusted, seen=self._seen)

    def _store(self, path: str, stream: Any, size_bytes: int) -> None:
        place = self._place(path)
        last = self._seen.last(place) if self._seen else None
        sealed = seal_stream(
            stream,
            size_bytes,
            place,
            sealer=self._key,
            sealer_opens=self._sealer_opens,
            recipients=self._recipients,
            box=self._box,
            last=last,
        )
        upload(self._client, sealed)
        if self._seen:
            self._seen.check_and_note(place, sealed.sighting)


class SealedBuffer(io.BufferedReader):
    """A sealed object as a file that reads ahead, and knows its size, as fsspec wants it."""

    raw: SealedFile

    @property
    def size(self) -> int:
        """Return the size of the plaintext."""
        return self.raw.size_bytes


def _check_mode(mode: str) -> None:
    if mode != "overwrite":
        raise SealingError("a sealed object is written whole, over what was there before")


@contextmanager
def _missing() -> Iterator[None]:
    """Say as file systems do that something is not there."""
    try:
        yield
    except NoSuchObjectError as error:
        raise NoSuchFileError(str(error)) from None


fsspec.register_implementation(PROTOCOL, SealedFileSystem, clobber=True)
