import pytest

from siegel.domain.configuration import OwnershipControls
from siegel.domain.errors import MalformedXMLError, UnsupportedFeatureError
from siegel.s3wire.ownershipxml import parse_ownership_controls, render_ownership_controls

from .xmlbodies import written_by_botocore


def controls(ownership):
    return written_by_botocore("PutBucketOwnershipControls", OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})


def test_what_botocore_writes_is_read_and_written_again():
    found = parse_ownership_controls(controls("BucketOwnerEnforced"))
    assert found == OwnershipControls()
    assert parse_ownership_controls(render_ownership_controls(found)) == found


@pytest.mark.parametrize("ownership", ["BucketOwnerPreferred", "ObjectWriter"])
def test_access_control_lists_stay_off(ownership):
    with pytest.raises(UnsupportedFeatureError, match="Access control lists are off"):
        parse_ownership_controls(controls(ownership))


@pytest.mark.parametrize("inside", ["", "<Rule/>", "<Rule><ObjectOwnership>Mine</ObjectOwnership></Rule>"])
def test_t69_odd_controls_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_ownership_controls(f"<OwnershipControls>{inside}</OwnershipControls>".encode())
