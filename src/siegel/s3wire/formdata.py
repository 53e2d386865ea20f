"""multipart/form-data as browsers send it, read strictly and as it arrives: first the fields, then one file.

The fields are small and kept; of the file nothing is kept but the few bytes that may be the begin of a boundary. Whatever a
browser does not send is refused: text before the first boundary or behind the last, padding behind boundaries, a part without
a name, bytes that are not UTF-8 in a field, a name that comes twice. Parts behind the file mean nothing, as in Amazon S3.

Sources: RFC 7578; RFC 2046 section 5.1.1; Amazon S3 API Reference, "POST Object" (the order of fields, and their size).
"""

import re
from typing import Final

from siegel.domain.browser_errors import MalformedPOSTRequestError, MaxPostPreDataLengthExceededError
from siegel.domain.errors import InvalidArgumentError
from siegel.domain.limits import (
    FORM_BOUNDARY_CHARS_MAX,
    FORM_FIELDS_BYTES_MAX,
    FORM_FIELDS_MAX,
    FORM_PART_HEAD_BYTES_MAX,
    FORM_TAIL_BYTES_MAX,
)

MEDIA_TYPE: Final = "multipart/form-data"
FILE_FIELD: Final = "file"

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER: Final = re.compile(r"[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^;\"\\ \t]+))[ \t]*")
_ESCAPED: Final = re.compile(r"\\([\"\\])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_PLAIN_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary"})


def is_form(content_type: str) -> bool:
    """Whether a Content-Type is that of a form with a file."""
    return content_type.partition(";")[0].strip(" \t").lower() == MEDIA_TYPE


def parse_boundary(content_type: str) -> bytes:
    """Return the boundary that a form's Content-Type names. Raises MalformedPOSTRequestError."""
    boundary = _parameters(content_type.partition(";")[0], content_type).get("boundary", "")
    if len(boundary) > FORM_BOUNDARY_CHARS_MAX or _BOUNDARY.fullmatch(boundary) is None:
        raise MalformedPOSTRequestError("The Content-Type of a form names a boundary of 1 to 70 characters.")
    return boundary.encode("ascii")


def _parameters(value: str, text: str) -> dict[str, str]:
    """Return the parameters behind a header's value by their lower-case names."""
    found: dict[str, str] = {}
    at = len(value)
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in found:
            raise MalformedPOSTRequestError("A header of the form has parameters that cannot be read, or one of them twice.")
        found[match[1].lower()] = match[3] or _ESCAPED.sub(r"\1", match[2] or "")
        at = match.end()
    return found


class FormFields:
    """Reads the fields of a form, up to where the bytes of its file begin.

    `fields`: lower-case name -> text, in the order in which they came. `file_name` is what the file was called, with `is_over`.
    `rest` is what was fed and belongs to the file. After an error it must not be used again.
    """

    __slots__ = ("_at", "_buffer", "_delimiter", "_is_closed", "_name", "_names", "fields", "file_name", "is_over")

    def __init__(self, boundary: bytes, names: frozenset[str] = frozenset()) -> None:
        """Begin before the first boundary. No field may be called by one of `names`."""
        self._delimiter = b"\r\n--" + boundary
        # The first boundary has no line before it: with one it looks like all others.
        self._buffer = bytearray(_LINE_END)
        self._at = 0
        self._name: str | None = None
        self._names = set(names)
        self._is_closed = False
        self.fields: dict[str, str] = {}
        self.file_name = ""
        self.is_over = False

    @property
    def rest(self) -> bytes:
        """The bytes behind what was read."""
        return bytes(self._buffer[self._at :])

    @property
    def size_bytes(self) -> int:
        """How much of the form was read before `rest`."""
        return self._at - len(_LINE_END)

    @property
    def file(self) -> "FormFile":
        """The reader of the file, for which `rest` comes first."""
        return FormFile(self._delimiter, frozenset(self._names))

    def feed(self, data: bytes) -> None:
        """Take the next bytes, until `is_over`.

        Raises MalformedPOSTRequestError, MaxPostPreDataLengthExceededError beyond a limit, InvalidArgumentError for a doubled
        field or a form without a file.
        """
        self._buffer += data
        while not self.is_over and not self._is_closed and self._step():
            pass
        size = self.size_bytes if self.is_over else len(self._buffer)
        if size > FORM_FIELDS_BYTES_MAX or len(self.fields) > FORM_FIELDS_MAX:
            raise MaxPostPreDataLengthExceededError(fields={"MaxPostPreDataLengthBytes": str(FORM_FIELDS_BYTES_MAX)})
        if self._is_closed:
            self._refuse_end()

    def _refuse_end(self) -> None:
        raise _number_of_files(0)

    def _step(self) -> bool:
        """Read one boundary, head or value; return whether it was there as a whole."""
        if self._name is not None:
            return self._read_value(self._name)
        end = self._at + len(self._delimiter)
        if not self._delimiter.startswith(self._buffer[self._at : end]):
            raise MalformedPOSTRequestError("The form does not begin with its boundary.")
        mark = self._buffer[end : end + 2]
        if mark == b"--":
            self._at = end + 2
            self._is_closed = True
            return True
        if not _LINE_END.startswith(mark) and mark != b"-":
            raise MalformedPOSTRequestError("A boundary of the form is not followed by a line end.")
        return len(mark) == len(_LINE_END) and self._read_head(end + 2)

    def _read_head(self, start: int) -> bool:
        end = self._buffer.find(_HEAD_END, start, start + FORM_PART_HEAD_BYTES_MAX)
        if end < 0:
            if len(self._buffer) - start >= FORM_PART_HEAD_BYTES_MAX:
                raise MaxPostPreDataLengthExceededError(
                    "The head of a part of the form is too large.", fields={"MaxPartHeadBytes": str(FORM_PART_HEAD_BYTES_MAX)}
                )
            return False
        disposition = _parse_head(bytes(self._buffer[start:end]))
        name = disposition["name"].lower()
        if name in self._names:
            raise _number_of_files(2) if name == FILE_FIELD else _doubled(name)
        self._names.add(name)
        self._at = end + len(_HEAD_END)
        if name == FILE_FIELD:
            self.file_name = disposition.get("filename", "")
            self.is_over = True
        else:
            self._name = name
        return True

    def _read_value(self, name: str) -> bool:
        end = self._buffer.find(self._delimiter, self._at)
        if end < 0:
            return False
        try:
            self.fields[name] = self._buffer[self._at : end].decode()
        except UnicodeDecodeError:
            raise MalformedPOSTRequestError("A field of the form is not encoded in UTF-8.") from None
        self._at, self._name = end, None
        return True


class _Tail(FormFields):
    """Reads what follows the file, of which only the form matters."""

    __slots__ = ()

    def _refuse_end(self) -> None:
        if self.rest not in {b"", _LINE_END}:
            raise MalformedPOSTRequestError("There is something behind the end of the form.")

    def finish(self) -> None:
        """Check that the form is whole."""
        if not self._is_closed:
            raise MalformedPOSTRequestError("The form does not end with its boundary.")


class FormFile:
    """Cuts the bytes of a form's file out of what arrives. After an error it must not be used again."""

    __slots__ = ("_delimiter", "_held", "_names", "_tail")

    def __init__(self, delimiter: bytes, names: frozenset[str]) -> None:
        self._delimiter = delimiter
        self._names = names
        self._held = b""
        self._tail: bytearray | None = None

    @property
    def end_bytes(self) -> int:
        """The least that must follow the file."""
        return len(self._delimiter) + len(b"--")

    def feed(self, data: bytes) -> list[bytes | memoryview]:
        """Take the next bytes and return those of the file. Raises MalformedPOSTRequestError if too much follows the file."""
        if self._tail is not None:
            self._follow(data)
            return []
        if self._held:
            data = self._held + data
            self._held = b""
        end = data.find(self._delimiter)
        if end >= 0:
            self._tail = bytearray()
            self._follow(data[end:])
        else:
            end = len(data) - self._begun(data)
            self._held = data[end:]
        if end == len(data):
            return [data] if data else []
        return [memoryview(data)[:end]] if end else []

    def _begun(self, data: bytes) -> int:
        """Return how many of the last bytes may be the begin of a boundary."""
        at = data.find(b"\r", max(len(data) - len(self._delimiter) + 1, 0))
        while at >= 0 and not self._delimiter.startswith(data[at:]):
            at = data.find(b"\r", at + 1)
        return len(data) - at if at >= 0 else 0

    def _follow(self, data: bytes) -> None:
        assert self._tail is not None  # noqa: S101  (both callers have seen to it)
        self._tail += data
        if len(self._tail) > FORM_TAIL_BYTES_MAX:
            raise MalformedPOSTRequestError("Too much follows the file: it must be the last field of the form.")

    def finish(self) -> None:
        """Check that the form ended as it must. Raises MalformedPOSTRequestError, InvalidArgumentError for a doubled field."""
        if self._tail is None:
            raise MalformedPOSTRequestError("The form does not end with its boundary.")
        tail = _Tail(self._delimiter.removeprefix(b"\r\n--"), self._names)
        tail.feed(bytes(self._tail).removeprefix(_LINE_END))
        tail.finish()


def _parse_head(head: bytes) -> dict[str, str]:
    """Return the parameters of a part's Content-Disposition; other headers of a part say nothing that matters here."""
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError:
        raise MalformedPOSTRequestError("The head of a part of the form is not encoded in UTF-8.") from None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip(" \t") or _CONTROLS.search(line) or name.lower() in headers:
            raise MalformedPOSTRequestError("A part of the form has a header that is none, or one of them twice.")
        headers[name.lower()] = value.strip(" \t")
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise MalformedPOSTRequestError("The parts of a form are sent as they are, in no transfer encoding.")
    disposition = headers.get("content-disposition", "")
    kind = disposition.partition(";")[0]
    parameters = _parameters(kind, disposition)
    if kind.strip(" \t").lower() != "form-data" or not parameters.get("name") or not parameters.keys() <= {"name", "filename"}:
        raise MalformedPOSTRequestError("The Content-Disposition of a part is form-data, with a name and perhaps a filename.")
    return parameters


def _doubled(name: str) -> InvalidArgumentError:
    return InvalidArgumentError("A field of the form may be there only once.", fields={"ArgumentName": name})


def _number_of_files(count: int) -> InvalidArgumentError:
    return InvalidArgumentError(
        "POST requires exactly one file upload per request.",
        fields={"ArgumentName": FILE_FIELD, "ArgumentValue": str(count)},
    )
