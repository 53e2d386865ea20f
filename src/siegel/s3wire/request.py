"""The head of a request as one typed, frozen value.

Nothing behind this module looks at raw headers or the raw URL again, except the signature, which is made over them.

Sources: RFC 9110 sections 5 and 7.2, RFC 9112 section 6; Amazon S3 User Guide, "Virtual hosting of buckets".
"""

from itertools import chain
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import (
    AuthorizationQueryParametersError,
    BadRequestError,
    InvalidArgumentError,
    InvalidBucketNameError,
    InvalidRequestError,
    InvalidURIError,
    KeyTooLongError,
    RequestHeaderSectionTooLargeError,
    S3Error,
    URITooLongError,
)
from siegel.domain.limits import HEADERS_BYTES_MAX, HEADERS_COUNT_MAX, OBJECT_KEY_BYTES_MAX, URL_BYTES_MAX
from siegel.s3wire.control import TAG_KEYS, find_account, tagged_bucket
from siegel.s3wire.ledgerpath import split_own_path
from siegel.s3wire.uri import decode, decode_form

SIGNING_QUERY_NAMES: Final = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)
"""The query parameters that carry a presigned URL's signature, in the one spelling that is understood."""

_CONTROLS: Final = bytes(byte for byte in range(32) if byte != ord("\t")) + b"\x7f"
_SINGULAR: Final = frozenset(
    {
        "authorization",
        "content-disposition",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "expires",
        "host",
        "range",
    }
)
_PLURAL_AMZ: Final = ("x-amz-meta-", "x-amz-object-attributes", "x-amz-optional-object-attributes")
_UTF8_BYTES_PER_CHAR_MAX: Final = 4
# No bucket ever had a longer name; it goes into the entries of requests that are refused.
_BUCKET_NAME_CHARS_MAX: Final = 255
# SDKs name the operation they mean, nothing depends on it; S3 Control reads its repeated parameter from the raw query.
_REPEATABLE_QUERY: Final = frozenset({"x-id", TAG_KEYS})


class Request(Struct, frozen=True, kw_only=True):
    """One request's head.

    `headers`: lower-case name -> trimmed value, each character one byte of what was sent (Latin-1), repeats joined with a comma.
    `query`: decoded name -> value. `bucket` and `object_key` are empty where the request names none. `peer` is the socket's
    address. `hoisted`: names of headers that a presigned URL carries in its query; they are in `headers` like all others.
    `control_account`: the account whose S3 Control is asked, else empty; its requests name the bucket that they are about.
    `own_level`: "ledger" or one of "consents", "consent", "consent-keys" where a path is about an account's log or its consents,
    else empty; then `ledger_account` is the account and `ledger_path` the rest of the path, and there is no bucket. "warnings":
    the public ones, of no account. `flaw`: what is wrong with the path, where that is not raised at once; then there is no key,
    and the bucket only where it can be read.
    """

    method: str
    scheme: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[str, str]
    bucket: str
    object_key: str
    query: dict[str, str]
    peer: str
    virtual_host: bool
    hoisted: tuple[str, ...] = ()
    control_account: str = ""
    own_level: str = ""
    ledger_account: str = ""
    ledger_path: str = ""
    flaw: S3Error | None = None


def parse_request(  # noqa: PLR0917 - the parts of a head, in the order in which they arrive
    method: str,
    scheme: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: list[tuple[bytes, bytes]],
    peer: str,
    domains: tuple[str, ...],
    *,
    keeps_flaw: bool = False,
) -> Request:
    """Read a request's head. `domains` are the lower-case host names under which `<bucket>.<domain>` names a bucket.

    Raises an S3Error of the 4xx kind for whatever is malformed, ambiguous or beyond a limit. With `keeps_flaw` the request has
    that of its path as its `flaw`: so it can be known first who sent it, and whose bucket it names.
    """
    if len(raw_path) + len(raw_query) >= URL_BYTES_MAX:
        raise URITooLongError
    fields = _read_headers(headers)
    _check_framing(fields)
    query = _read_query(raw_query) if raw_query else {}
    hoisted = _hoist(query, fields) if "X-Amz-Signature" in query and not query.keys() <= SIGNING_QUERY_NAMES else ()
    prefix = _host_prefix(fields, domains)
    control_account = find_account(prefix, raw_path, fields)
    own_level = ledger_account = ledger_path = bucket = object_key = ""
    flaw = None
    try:
        if prefix is None:
            own_level, ledger_account, ledger_path = split_own_path(raw_path)
        if own_level:
            pass
        elif control_account:
            bucket = tagged_bucket(raw_path)
        elif prefix is None:
            bucket, raw_key = _split_path(raw_path)
            object_key = _read_key(raw_key) if raw_key else ""
        else:
            bucket = _checked_bucket(prefix)
            object_key = _read_key(_relative(raw_path))
    except (InvalidBucketNameError, InvalidURIError, KeyTooLongError) as error:
        if not keeps_flaw:
            raise
        flaw = error
    request = Request(
        method=method,
        scheme=scheme,
        raw_path=raw_path,
        raw_query=raw_query,
        headers=fields,
        bucket=bucket,
        object_key=object_key,
        query=query,
        peer=peer,
        virtual_host=prefix is not None,
        hoisted=hoisted,
        control_account=control_account,
        own_level=own_level,
        ledger_account=ledger_account,
        ledger_path=ledger_path,
    )
    # Not said above: each argument there costs every request.
    return request if flaw is None else replace(request, flaw=flaw)


def _read_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    everything = b"".join(chain.from_iterable(headers))
    if len(headers) > HEADERS_COUNT_MAX or len(everything) > HEADERS_BYTES_MAX:
        raise RequestHeaderSectionTooLargeError
    if len(everything.translate(None, _CONTROLS)) != len(everything):
        raise BadRequestError("A request header holds a control character.")
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1").strip(" \t")
        if name in fields:
            _check_repeatable(name)
            value = f"{fields[name]},{value}"
        fields[name] = value
    return fields


def _check_repeatable(name: str) -> None:
    amz = name.startswith("x-amz-") and not name.startswith(_PLURAL_AMZ)
    if amz or name in _SINGULAR or name.startswith("if-"):
        raise BadRequestError(f"The header {name} may appear only once.", fields={"HeaderName": name})


def _check_framing(fields: dict[str, str]) -> None:
    length = fields.get("content-length")
    encoding = fields.get("transfer-encoding")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise BadRequestError("The Content-Length header is not a number.")
    if encoding is None:
        return
    if length is not None:
        # granian never hands both on: it drops the length and ends the connection after the answer (RFC 9112 section 6.3).
        raise BadRequestError("Content-Length and Transfer-Encoding exclude each other.")
    if encoding.lower() != "chunked":
        raise BadRequestError("The only Transfer-Encoding that is understood is chunked.")


def _read_query(raw_query: bytes) -> dict[str, str]:
    # Mostly the only escapes are the slashes of a presigned URL's credential, and nothing is left out or repeated.
    text = raw_query.decode("latin-1").replace("%2F", "/")
    if "%" not in text and "+" not in text and text.isascii():
        pairs = [pair.partition("=") for pair in text.split("&")]
        query = {name: value for name, _, value in pairs}
        if len(query) == len(pairs) and "" not in query:
            return query
    return _read_any_query(raw_query)


def _read_any_query(raw_query: bytes) -> dict[str, str]:
    query: dict[str, str] = {}
    for pair in raw_query.decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair or not pair.isascii():
            name, value = decode_form(name.encode("latin-1")), decode_form(value.encode("latin-1"))
        if name in query and name not in _REPEATABLE_QUERY:
            _refuse_repeated(name)
        if pair:
            query[name] = value
    return query


def _refuse_repeated(name: str) -> None:
    message = f"The query parameter {name} may appear only once."
    if name in SIGNING_QUERY_NAMES:
        raise AuthorizationQueryParametersError(message)
    raise InvalidArgumentError(message, fields={"ArgumentName": name})


def _hoist(query: dict[str, str], fields: dict[str, str]) -> tuple[str, ...]:
    """Put the headers that a presigned URL carries in its signed query where all later code looks for headers."""
    names: list[str] = []
    for query_name in query.keys() - SIGNING_QUERY_NAMES:
        name = query_name.lower()
        if not name.startswith("x-amz-"):
            continue
        value = _header_value(name, query[query_name])
        if name in names or fields.get(name, value) != value:
            raise InvalidRequestError(f"The header {name} is given twice.", fields={"HeaderName": name})
        fields[name] = value
        names.append(name)
    return tuple(sorted(names))


def _header_value(name: str, value: str) -> str:
    """Give a hoisted value the form that a header has here: one character for each byte."""
    raw = value.encode()
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        raise InvalidArgumentError(f"The query parameter {name} holds a control character.", fields={"ArgumentName": name})
    return raw.decode("latin-1").strip(" \t")


def _host_prefix(fields: dict[str, str], domains: tuple[str, ...]) -> str | None:
    """Return what stands before a domain in the host, or None where the host is the service's own."""
    host = fields.get("host")
    if not host:
        raise BadRequestError("The Host header is missing.")
    if not domains:
        return None
    name = host.lower().partition(":")[0]
    for domain in domains:
        if name.endswith(domain) and name[-len(domain) - 1 : -len(domain)] == ".":
            return name[: -len(domain) - 1]
    return None


def _checked_bucket(name: str) -> str:
    if not name or len(name) > _BUCKET_NAME_CHARS_MAX:
        raise InvalidBucketNameError
    return name


def _relative(raw_path: bytes) -> bytes:
    if raw_path[:1] != b"/":
        raise InvalidURIError("The path of a request begins with a slash.")
    return raw_path[1:]


def _split_path(raw_path: bytes) -> tuple[str, bytes]:
    raw_bucket, slash, raw_key = _relative(raw_path).partition(b"/")
    if not raw_bucket and not slash:
        return "", b""
    return _checked_bucket(decode(raw_bucket)), raw_key


def _read_key(raw_key: bytes) -> str:
    object_key = decode(raw_key)
    if len(object_key) * _UTF8_BYTES_PER_CHAR_MAX > OBJECT_KEY_BYTES_MAX:
        size = len(object_key.encode())
        if size > OBJECT_KEY_BYTES_MAX:
            raise KeyTooLongError(fields={"Size": str(size), "MaxSizeAllowed": str(OBJECT_KEY_BYTES_MAX)})
    if "\0" in object_key:
        raise InvalidURIError("An object key must not hold a NUL character.")
    return object_key
