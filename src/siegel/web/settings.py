"""Handlers of the configurations of buckets that are a document and nothing more."""

from typing import Final

from siegel.domain.configuration import PublicAccessBlock
from siegel.domain.errors import NoSuchPublicAccessBlockConfigurationError
from siegel.domain.records import Kind
from siegel.s3wire.accessblockxml import parse_public_access_block, render_public_access_block
from siegel.web.configurations import Configuration

_PUBLIC_ACCESS_BLOCK: Final = Configuration(
    kind=Kind.PUBLIC_ACCESS_BLOCK,
    document_type=PublicAccessBlock,
    parse=parse_public_access_block,
    render=render_public_access_block,
    absent=NoSuchPublicAccessBlockConfigurationError,
)

HANDLERS: Final = {
    **_PUBLIC_ACCESS_BLOCK.handlers("GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
}
