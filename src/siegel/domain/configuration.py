"""The documents that configure a bucket, as they are stored; the protocol room reads them from XML and writes them again.

Format page: `docs/design/formats/records.md`. Fields are only ever added at the end, with a default.
"""

from msgspec import Struct

from siegel.domain.records import Document


class PublicAccessBlock(Document, frozen=True, array_like=True):
    """What of the public's access is blocked, whatever else is configured. A new bucket has all four."""

    block_public_acls: bool = True
    ignore_public_acls: bool = True
    block_public_policy: bool = True
    restrict_public_buckets: bool = True


class OwnershipControls(Document, frozen=True, array_like=True):
    """Who owns objects. With BucketOwnerEnforced, the default, access control lists are switched off."""

    object_ownership: str = "BucketOwnerEnforced"


class BucketPolicy(Document, frozen=True, array_like=True):
    """A bucket policy as it was put.

    `bindings` pairs the ARNs of the users and roles that it names with the unique ids that these had at that time.
    """

    text: str = ""
    bindings: tuple[tuple[str, str], ...] = ()


class Tagging(Document, frozen=True, array_like=True):
    """A bucket's tags, in the order in which they were put."""

    tags: tuple[tuple[str, str], ...] = ()


class BucketEncryption(Document, frozen=True, array_like=True):
    """What seals a bucket's new objects where their writes ask for nothing. AES256 is the account's own wrapping key.

    Of a key of the key service, `key_id` is its name as it was put, empty for the account's own one for S3. Other algorithms have
    neither that nor a bucket key, which is told again as it was put.
    """

    algorithm: str = "AES256"
    bucket_key_enabled: bool = False
    key_id: str = ""


class CorsRule(Struct, frozen=True, array_like=True):
    """Which requests of which origins a browser lets through. An origin or header holds one `*` at most, for any text.

    `max_age_s` is how long a browser may remember a preflight's answer; None: as long as it likes.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_s: int | None = None
    rule_id: str = ""


class Cors(Document, frozen=True, array_like=True):
    """A bucket's rules for browsers of other origins; the first one that fits decides."""

    rules: tuple[CorsRule, ...] = ()
