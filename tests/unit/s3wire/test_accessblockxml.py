import pytest

from siegel.domain.configuration import PublicAccessBlock
from siegel.domain.errors import MalformedXMLError
from siegel.s3wire.accessblockxml import parse_public_access_block, render_public_access_block

ROOT = "PublicAccessBlockConfiguration"


def body(inside):
    return f"<{ROOT}>{inside}</{ROOT}>".encode()


def test_what_is_left_out_is_off():
    assert parse_public_access_block(body("<BlockPublicPolicy>TRUE</BlockPublicPolicy>")) == PublicAccessBlock(
        block_public_acls=False, ignore_public_acls=False, restrict_public_buckets=False
    )


@pytest.mark.parametrize("block", [PublicAccessBlock(), PublicAccessBlock(ignore_public_acls=False)])
def test_what_is_written_is_read_again(block):
    assert parse_public_access_block(render_public_access_block(block)) == block


@pytest.mark.parametrize("inside", ["<BlockPublicAcls>yes</BlockPublicAcls>", "<Block/>", "<BlockPublicAcls/>", "x"])
def test_t69_odd_bodies_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_public_access_block(body(inside))
