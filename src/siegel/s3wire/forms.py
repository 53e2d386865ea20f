"""What a browser's form asks for: an upload, written in fields where others use headers.

The fields become the headers of a request for that upload, so that all later code reads them as it reads those of a PutObject.
The form's own request has no say in it: what its head holds beside the form is not signed.

Sources: Amazon S3 API Reference, "POST Object"; RFC 7578.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from siegel.domain.errors import AccessDeniedError, InvalidArgumentError, KeyTooLongError
from siegel.domain.limits import OBJECT_KEY_BYTES_MAX
from siegel.s3wire.claims import Claim, parse_form_claim
from siegel.s3wire.formdata import FormFields, FormFile
from siegel.s3wire.formpolicy import FormPolicy, parse_form_policy
from siegel.s3wire.request import SIGNING_QUERY_NAMES, Request
from siegel.s3wire.sigv4 import VerifiedRequest, verify_form
from siegel.s3wire.tagsxml import parse_object_tags
from siegel.s3wire.uri import encode_path
from siegel.s3wire.xmltext import PROLOGUE, element

_FILE_NAME: Final = "${filename}"
# What the request says of itself, which policies of buckets may ask for.
_OF_REQUEST: Final = ("host", "referer", "user-agent")
_OWN: Final = frozenset({"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"})
_AS_HEADERS: Final = {
    **{
        name: name
        for name in (
            "cache-control",
            "content-disposition",
            "content-encoding",
            "content-language",
            "content-md5",
            "content-type",
            "expires",
            "if-match",
            "if-none-match",
            "x-amz-acl",
            "x-amz-security-token",
            "x-amz-storage-class",
            "x-amz-tagging",
            "x-amz-website-redirect-location",
        )
    },
    "acl": "x-amz-acl",
}
_FAMILIES: Final = ("x-amz-meta-", "x-amz-checksum-", "x-amz-server-side-encryption", "x-amz-object-lock-", "x-amz-grant-")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL: Final = re.compile(r"[\x21-\x7e]+")
_STATUSES: Final = {"200": 200, "201": 201}
_DEFAULT_STATUS: Final = 204


class SignedPolicy(Struct, frozen=True):
    """A policy as it was signed, and who says to have signed it."""

    claim: Claim
    text: str
    policy: FormPolicy


class Form(Struct, frozen=True):
    """A form, understood but for its file.

    `request` is the upload that it asks for; `file` reads the file, of which `rest` is the first piece. `signed` is None for an
    anonymous form. `redirect` is the URL to go to afterwards, else empty; `status` the answer without it.
    """

    request: Request
    fields: dict[str, str]
    signed: SignedPolicy | None
    redirect: str
    status: int
    file: FormFile
    rest: bytes


def check_form_request(request: Request) -> None:
    """Refuse a form whose request brings what only the form may bring.

    Raises InvalidArgumentError for a signature elsewhere, AccessDeniedError for `x-amz-` headers, which nobody signed.
    """
    if "authorization" in request.headers or not SIGNING_QUERY_NAMES.isdisjoint(request.query):
        raise InvalidArgumentError("A form is signed by the policy in it, not in its header or its query.")
    unsigned = sorted(name for name in request.headers if name.startswith("x-amz-"))
    if unsigned:
        raise AccessDeniedError(
            "There were headers present in the request which were not signed", fields={"HeadersNotSigned": ", ".join(unsigned)}
        )


def understand_form(request: Request, read: FormFields) -> Form:
    """Return what a form asks for that came by `request`. Raises an S3Error for whatever in it cannot be understood."""
    file_name = re.split(r"[/\\]", read.file_name)[-1]
    fields = {name: text if name in _OWN else text.replace(_FILE_NAME, file_name) for name, text in read.fields.items()}
    sent = {name: request.headers[name] for name in _OF_REQUEST if name in request.headers}
    wanted = replace(request, object_key=_object_key(fields), headers=sent | _headers(fields))
    return Form(
        request=wanted,
        fields=fields,
        signed=_signed_policy(wanted, fields),
        redirect=_redirect(fields),
        status=_STATUSES.get(fields.get("success_action_status", ""), _DEFAULT_STATUS),
        file=read.file,
        rest=read.rest,
    )


def _signed_policy(wanted: Request, fields: Mapping[str, str]) -> SignedPolicy | None:
    claim = parse_form_claim(wanted, fields)
    return None if claim is None else SignedPolicy(claim, fields["policy"], parse_form_policy(fields["policy"]))


def prove_form(form: Form, signed: SignedPolicy, signing_key: bytes, *, now_ms: int, region: str) -> VerifiedRequest:
    """Return the evidence that the form was signed by the claim's owner, and that it keeps to its policy.

    Raises what `sigv4.verify_form` raises, and AccessDeniedError for what the policy does not allow.
    """
    verified = verify_form(form.request, signed.claim, signed.text, signing_key, now_ms=now_ms, region=region)
    signed.policy.check(form.fields, form.request.bucket, now_ms)
    return verified


def _object_key(fields: Mapping[str, str]) -> str:
    object_key = fields.get("key")
    if object_key is None:
        raise InvalidArgumentError(
            "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
            fields={"ArgumentName": "key"},
        )
    if not object_key or "\0" in object_key:
        raise InvalidArgumentError(
            "User key must have a length greater than 0, and no NUL character.", fields={"ArgumentName": "key"}
        )
    size = len(object_key.encode())
    if size > OBJECT_KEY_BYTES_MAX:
        raise KeyTooLongError(fields={"Size": str(size), "MaxSizeAllowed": str(OBJECT_KEY_BYTES_MAX)})
    return object_key


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that stand for headers; those that mean nothing are left out, as S3 does."""
    headers: dict[str, str] = {}
    for name, text in fields.items():
        if name == "tagging":
            header, value = "x-amz-tagging", urlencode(parse_object_tags(text.encode()))
        elif name in _AS_HEADERS or name.startswith(_FAMILIES):
            header, value = _AS_HEADERS.get(name, name), _header_value(name, text)
        elif name.startswith("x-amz-") and name not in _OWN:
            raise InvalidArgumentError(f"A form cannot have the field {name}.", fields={"ArgumentName": name})
        else:
            continue
        if header in headers:
            raise InvalidArgumentError(f"{header} is given twice.", fields={"ArgumentName": name})
        headers[header] = value
    return headers


def _header_value(name: str, text: str) -> str:
    if _CONTROLS.search(text):
        raise InvalidArgumentError(f"The field {name} holds a control character.", fields={"ArgumentName": name})
    return text.encode().decode("latin-1").strip(" \t")


def _redirect(fields: Mapping[str, str]) -> str:
    """Return where the browser is sent afterwards; `redirect` is the field's old name."""
    name = "success_action_redirect" if "success_action_redirect" in fields else "redirect"
    url = fields.get(name, "")
    if url and not (_URL.fullmatch(url) and _is_web(url)):
        raise InvalidArgumentError(
            f"{name} must be a URL that begins with http:// or https://.", fields={"ArgumentName": name, "ArgumentValue": url}
        )
    return url


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def redirect_to(form: Form, etag: str) -> str:
    """Return the URL that a browser is sent to: the form's own, and behind its query what was stored."""
    query = urlencode({"bucket": form.request.bucket, "key": form.request.object_key, "etag": f'"{etag}"'})
    parts = urlsplit(form.redirect)
    return parts._replace(query=f"{parts.query}&{query}" if parts.query else query).geturl()


def location_of(request: Request) -> str:
    """Return the URL of the object that a form asks for."""
    bucket = "" if request.virtual_host else f"{request.bucket}/"
    return f"{request.scheme}://{request.headers['host']}/{bucket}{encode_path(request.object_key)}"


def render_post(location: str, bucket: str, object_key: str, etag: str) -> bytes:
    """Return the XML that answers a form which asks for it."""
    parts = {"Location": location, "Bucket": bucket, "Key": object_key, "ETag": f'"{etag}"'}
    return f"{PROLOGUE}<PostResponse>{''.join([element(name, text) for name, text in parts.items()])}</PostResponse>".encode()
