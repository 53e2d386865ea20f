"""The public access block of a bucket in XML.

Source: Amazon S3 API Reference, PutPublicAccessBlock.
"""

from typing import Final

from siegel.domain.configuration import PublicAccessBlock
from siegel.s3wire.xmltext import document, flag
from siegel.s3wire.xmltree import flag_of, leaves, read_tree

_ROOT: Final = "PublicAccessBlockConfiguration"
_FIELDS: Final = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


def parse_public_access_block(body: bytes) -> PublicAccessBlock:
    """Return what a PutPublicAccessBlock asks for; what it leaves out is off. Raises MalformedXMLError."""
    texts = leaves(read_tree(body, _ROOT), frozenset(_FIELDS))
    given = {_FIELDS[name]: flag_of(name, text) for name, text in texts.items()}
    return PublicAccessBlock(**dict.fromkeys(_FIELDS.values(), False) | given)


def render_public_access_block(block: PublicAccessBlock) -> bytes:
    """Return the answer of GetPublicAccessBlock."""
    return document(_ROOT, *[flag(name, is_set=getattr(block, field)) for name, field in _FIELDS.items()])
