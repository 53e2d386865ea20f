"""Requests of S3 Control, of which this service answers those about the tags of buckets.

SDKs put the account's id in front of the host (`<12 digits>.<domain>`) and into a header; where hosts have no names, the header
and the version in the path are all there is.

Source: Amazon S3 API Reference, S3 Control: ListTagsForResource, TagResource, UntagResource.
"""

import re
from collections.abc import Mapping
from typing import Final

from siegel.domain.errors import InvalidRequestError, InvalidTagError, InvalidURIError
from siegel.s3wire.uri import decode, decode_form

TAG_KEYS: Final = "tagKeys"
"""The parameter of UntagResource, once for each tag."""

_ACCOUNT_HEADER: Final = "x-amz-account-id"
_VERSION: Final = b"/v20180820/"
_TAGS: Final = _VERSION + b"tags/"
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_BUCKET_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::([^/:]+)")


def find_account(host_prefix: str | None, raw_path: bytes, headers: Mapping[str, str]) -> str:
    """Return the account that a request of S3 Control names, "" if it is none.

    Raises InvalidRequestError where host and header disagree.
    """
    header = headers.get(_ACCOUNT_HEADER, "")
    if host_prefix is None:
        return header if raw_path.startswith(_VERSION) else ""
    if _ACCOUNT.fullmatch(host_prefix) is None:
        return ""
    if header and header != host_prefix:
        raise InvalidRequestError(f"The header {_ACCOUNT_HEADER} names another account than the host.")
    return host_prefix


def tagged_bucket(raw_path: bytes) -> str:
    """Return the bucket whose tags a path of S3 Control names by its ARN, "" if it is about anything else."""
    if not raw_path.startswith(_TAGS):
        return ""
    try:
        arn = _BUCKET_ARN.fullmatch(decode(raw_path.removeprefix(_TAGS)))
    except InvalidURIError:
        return ""
    return "" if arn is None else arn[1]


def parse_tag_keys(raw_query: bytes) -> frozenset[str]:
    """Return the keys of the tags that an UntagResource takes away. Raises InvalidTagError where it names none."""
    pairs = [pair.partition(b"=") for pair in raw_query.split(b"&")]
    found = frozenset(decode_form(value) for name, _, value in pairs if decode_form(name) == TAG_KEYS)
    if not found:
        raise InvalidTagError("The request names no tag.")
    return found
