"""What a request says to a policy: the values of condition keys, computed when a policy asks for them and not before.

A key that a request has nothing to say about is absent (None), which is not the same as empty. Names are given in lower case.
A header speaks only where its operation goes by it: what stands in a body, the handler gives once it has read it.

Sources: Service Authorization Reference, "Condition keys for Amazon S3"; IAM User Guide, "AWS global condition context keys";
Amazon S3 User Guide, "Enforce conditional writes on Amazon S3 buckets", "Limiting access to objects with specific tags".
"""

from collections.abc import Callable, Mapping
from typing import Final

from siegel.domain.errors import S3Error
from siegel.s3wire.claims import ALGORITHM, Claim
from siegel.s3wire.dates import format_iso
from siegel.s3wire.demands import CREATING, PREPARING
from siegel.s3wire.locks import LOCK_KEYS, lock_keys
from siegel.s3wire.metadata import Directive, parse_directive
from siegel.s3wire.names import parse_copy_source
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
    **{
        f"s3:{name}": name
        for name in (
            "x-amz-acl",
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
# The operations that go by these headers: to all others they are idle.
_CONDITIONAL: Final[Mapping[str, frozenset[str]]] = {
    "s3:if-match": CREATING | {"DeleteObject"},
    "s3:if-none-match": CREATING,
}
# The operations whose headers say what a version is to have: its tags and its lock.
_DESCRIBING: Final = frozenset({"PutObject", "CopyObject", "PostObject", "CreateMultipartUpload"})
# What no header says: the handler gives it.
_OF_BODIES: Final = frozenset({"s3:locationconstraint"})
# No request comes by an access point or by an access grant: then S3 has none of these either.
_OF_ACCESS_POINTS: Final = frozenset(
    f"s3:{name}"
    for name in (
        "accessgrantsinstancearn",
        "accesspointnetworkorigin",
        "accesspointtag/",
        "dataaccesspointaccount",
        "dataaccesspointarn",
    )
)
_TLS_VERSION_MIN: Final = "1.2"
_TRUTH: Final = {True: ("true",), False: ("false",)}
_GIVEN_TAGS: Final = ("s3:requestobjecttag", "aws:requesttag")
_GIVEN_TAG_KEYS: Final = ("s3:requestobjecttagkeys", "aws:tagkeys")
_AUTH_TYPES: Final = {"header": "REST-HEADER", "query": "REST-QUERY-STRING", "form": "POST"}


class RequestKeys:
    """The condition keys of one request on one resource.

    `owner` is the account that owns the resource, `existing_tags` reads the tags of the object that is asked for, `others` are
    values that stand in no header: those of the body, for example. `operation` is what the request asks of S3, and `action` what
    is decided for it; both are empty with other services. What does not parse is absent: it is refused elsewhere.
    """

    __slots__ = ("_action", "_claim", "_existing_tags", "_now_ms", "_operation", "_others", "_owner", "_region", "_request")

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
        operation: str = "",
        action: str = "",
    ) -> None:
        self._request = request
        self._claim = claim
        self._now_ms = now_ms
        self._region = region
        self._owner = owner
        self._existing_tags = existing_tags
        self._others = others
        self._operation = operation
        self._action = action

    def get(self, name: str) -> Values | None:
        """Return the values of a condition key (its name in lower case), None where it is absent."""
        if name in self._others:
            return self._others[name]
        header = _HEADERS.get(name)
        if header is not None:
            going_by_it = _CONDITIONAL.get(name)
            is_idle = going_by_it is not None and self._operation not in going_by_it
            return None if is_idle else _optional(self._request.headers.get(header))
        parameter = _QUERY.get(name)
        if parameter is not None:
            return _optional(self._request.query.get(parameter))
        computed = _COMPUTED.get(name)
        if computed is not None:
            return computed(self)
        return self._lock(name) if name in LOCK_KEYS else self._tag(name)

    def _lock(self, name: str) -> Values | None:
        if self._operation not in _DESCRIBING:
            return None
        try:
            return lock_keys(self._request.headers, self._now_ms).get(name)
        except S3Error:
            return None

    def _tag(self, name: str) -> Values | None:
        family, slash, tag_key = name.partition("/")
        read = _TAG_FAMILIES.get(family) if slash else None
        if read is None:
            return None
        # Keys of conditions are matched without regard to case: tags that differ in case alone share one.
        return tuple(value for key, value in read(self).items() if key.lower() == tag_key) or None

    def request_tags(self) -> Tags:
        """Return the tags that the request's header gives to an object: none where a copy takes those of its source."""
        if self._operation not in _DESCRIBING:
            return {}
        headers = self._request.headers
        try:
            if self._operation == "CopyObject" and parse_directive(headers, "x-amz-tagging-directive") is Directive.COPY:
                return {}
            return parse_tagging(headers.get("x-amz-tagging"))
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

    def tls_version(self) -> Values | None:
        """Return the least version of TLS that it came over: the server tells no more, and takes nothing older."""
        return (_TLS_VERSION_MIN,) if self._request.scheme == "https" else None

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

    def creates_object(self) -> Values | None:
        """Return whether a write makes an object there and then, or prepares one that a later request completes."""
        if self._action == "s3:PutObject" and self._operation in CREATING | PREPARING:
            return _TRUTH[self._operation in CREATING]
        return None

    def payload_hash(self) -> Values | None:
        """Return what was signed about the body: of a presigned URL and of a form, that it is not signed."""
        if self._claim is None:
            return _optional(self._request.headers.get("x-amz-content-sha256"))
        return _optional(self._claim.payload_hash or None)

    def copy_source(self) -> Values | None:
        """Return bucket and key that a copy reads, decoded; its version is told where the source is decided on."""
        header = self._request.headers.get("x-amz-copy-source")
        if header is None:
            return None
        try:
            source = parse_copy_source(header)
        except S3Error:
            return None
        return (f"{source.bucket}/{source.object_key}",)


def tag_keys(tags: Tags) -> dict[str, Values]:
    """Return what tags that a request gives, by whatever means, say to a policy: values by their names in lower case."""
    keys: dict[str, Values] = {}
    for tag_key, value in tags.items():
        for family in _GIVEN_TAGS:
            name = f"{family}/{tag_key.lower()}"
            keys[name] = (*keys.get(name, ()), value)
    if tags:
        keys |= dict.fromkeys(_GIVEN_TAG_KEYS, tuple(tags))
    return keys


def _optional(value: str | None) -> Values | None:
    return None if value is None else (value,)


_COMPUTED: Final[Mapping[str, Callable[[RequestKeys], Values | None]]] = {
    "aws:sourceip": RequestKeys.source_ip,
    "aws:securetransport": RequestKeys.secure_transport,
    "s3:tlsversion": RequestKeys.tls_version,
    "aws:currenttime": RequestKeys.current_time,
    "aws:epochtime": RequestKeys.epoch_time,
    "aws:requestedregion": RequestKeys.requested_region,
    "aws:resourceaccount": RequestKeys.resource_account,
    "s3:resourceaccount": RequestKeys.resource_account,
    "s3:authtype": RequestKeys.auth_type,
    "s3:signatureversion": RequestKeys.signature_version,
    "s3:signatureage": RequestKeys.signature_age,
    "s3:objectcreationoperation": RequestKeys.creates_object,
    "s3:x-amz-content-sha256": RequestKeys.payload_hash,
    "s3:x-amz-copy-source": RequestKeys.copy_source,
    **dict.fromkeys(_GIVEN_TAG_KEYS, RequestKeys.request_tag_keys),
}
_TAG_FAMILIES: Final[Mapping[str, Callable[[RequestKeys], Tags]]] = {
    "s3:existingobjecttag": RequestKeys.existing_tags,
    **dict.fromkeys(_GIVEN_TAGS, RequestKeys.request_tags),
}
TOLD: Final = frozenset(
    {*_HEADERS, *_QUERY, *LOCK_KEYS, *_COMPUTED, *(f"{family}/" for family in _TAG_FAMILIES), *_OF_BODIES, *_OF_ACCESS_POINTS}
)
"""The keys whose values are known here, be it that there is none; one that ends in a slash goes on with the name of a tag."""
