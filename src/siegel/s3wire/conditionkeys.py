"""What a request says to a policy: the values of condition keys, computed when a policy asks for them and not before.

A key that a request has nothing to say about is absent (None), which is not the same as empty. Names are given in lower case.

Sources: Service Authorization Reference, "Condition keys for Amazon S3"; IAM User Guide, "AWS global condition context keys".
"""

from collections.abc import Callable, Mapping
from typing import Final

from siegel.domain.errors import S3Error
from siegel.s3wire.claims import ALGORITHM, Claim
from siegel.s3wire.dates import format_iso
from siegel.s3wire.request import Request
from siegel.s3wire.tags import parse_tagging

Values = tuple[str, ...]
Tags = Mapping[str, str]

# Condition keys that repeat a header, or a query parameter, of the same or nearly the same name.
_HEADERS: Final = {
    "aws:useragent": "user-agent",
    "aws:referer": "referer",
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
    **{
        f"s3:{name}": name
        for name in (
            "x-amz-acl",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
            "x-amz-metadata-directive",
            "x-amz-object-ownership",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-storage-class",
            "x-amz-website-redirect-location",
        )
    },
}
_QUERY: Final = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}
_TRUTH: Final = {True: ("true",), False: ("false",)}
_AUTH_TYPES: Final = {"header": "REST-HEADER", "query": "REST-QUERY-STRING", "form": "POST"}


class RequestKeys:
    """The condition keys of one request on one resource.

    `owner` is the account that owns the resource, `existing_tags` reads the tags of the object that is asked for, `others` are
    values that stand in no header: those of the body, for example. What does not parse is absent: it is refused elsewhere.
    """

    __slots__ = ("_claim", "_existing_tags", "_now_ms", "_others", "_owner", "_region", "_request")

    def __init__(
        self,
        request: Request,
        claim: Claim | None,
        *,
        now_ms: int,
        region: str,
        owner: str,
        existing_tags: Callable[[], Tags],
        others: Mapping[str, Values],
    ) -> None:
        self._request = request
        self._claim = claim
        self._now_ms = now_ms
        self._region = region
        self._owner = owner
        self._existing_tags = existing_tags
        self._others = others

    def get(self, name: str) -> Values | None:
        """Return the values of a condition key (its name in lower case), None where it is absent."""
        if name in self._others:
            return self._others[name]
        header = _HEADERS.get(name)
        if header is not None:
            return _optional(self._request.headers.get(header))
        parameter = _QUERY.get(name)
        if parameter is not None:
            return _optional(self._request.query.get(parameter))
        computed = _COMPUTED.get(name)
        if computed is not None:
            return computed(self)
        return self._tag(name)

    def _tag(self, name: str) -> Values | None:
        family, slash, tag_key = name.partition("/")
        read = _TAG_FAMILIES.get(family) if slash else None
        if read is None:
            return None
        # Keys of conditions are matched without regard to case: tags that differ in case alone share one.
        return tuple(value for key, value in read(self).items() if key.lower() == tag_key) or None

    def request_tags(self) -> Tags:
        """Return the tags that the request wants to give to an object."""
        try:
            return parse_tagging(self._request.headers.get("x-amz-tagging"))
        except S3Error:
            return {}

    def existing_tags(self) -> Tags:
        """Return the tags that the object has."""
        return self._existing_tags()

    def source_ip(self) -> Values:
        """Return the address that the request came from."""
        return (self._request.peer,)

    def secure_transport(self) -> Values:
        """Return whether it came over TLS."""
        return _TRUTH[self._request.scheme == "https"]

    def current_time(self) -> Values:
        """Return the time of the decision in ISO form."""
        return (format_iso(self._now_ms),)

    def epoch_time(self) -> Values:
        """Return the time of the decision in seconds."""
        return (str(self._now_ms // 1000),)

    def requested_region(self) -> Values:
        """Return the region of this deployment."""
        return (self._region,)

    def resource_account(self) -> Values | None:
        """Return the account that owns the resource."""
        return _optional(self._owner or None)

    def auth_type(self) -> Values | None:
        """Return how the request is signed."""
        return None if self._claim is None else (_AUTH_TYPES[self._claim.source],)

    def signature_version(self) -> Values | None:
        """Return the kind of signature."""
        return None if self._claim is None else (ALGORITHM,)

    def signature_age(self) -> Values | None:
        """Return the age of the signature in milliseconds; one from a fast clock is new."""
        return None if self._claim is None else (str(max(self._now_ms - self._claim.at_ms, 0)),)

    def request_tag_keys(self) -> Values | None:
        """Return the keys of the tags that the request wants to give."""
        return tuple(self.request_tags()) or None


def _optional(value: str | None) -> Values | None:
    return None if value is None else (value,)


_COMPUTED: Final[Mapping[str, Callable[[RequestKeys], Values | None]]] = {
    "aws:sourceip": RequestKeys.source_ip,
    "aws:securetransport": RequestKeys.secure_transport,
    "aws:currenttime": RequestKeys.current_time,
    "aws:epochtime": RequestKeys.epoch_time,
    "aws:requestedregion": RequestKeys.requested_region,
    "aws:resourceaccount": RequestKeys.resource_account,
    "s3:resourceaccount": RequestKeys.resource_account,
    "s3:authtype": RequestKeys.auth_type,
    "s3:signatureversion": RequestKeys.signature_version,
    "s3:signatureage": RequestKeys.signature_age,
    "s3:requestobjecttagkeys": RequestKeys.request_tag_keys,
    "aws:tagkeys": RequestKeys.request_tag_keys,
}
_TAG_FAMILIES: Final[Mapping[str, Callable[[RequestKeys], Tags]]] = {
    "s3:existingobjecttag": RequestKeys.existing_tags,
    "s3:requestobjecttag": RequestKeys.request_tags,
    "aws:requesttag": RequestKeys.request_tags,
}
