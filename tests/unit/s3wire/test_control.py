from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import InvalidRequestError, InvalidTagError, S3Error
from siegel.s3wire.control import find_account, parse_tag_keys, tagged_bucket

ACCOUNT = "123456789012"
PATH = b"/v20180820/tags/arn:aws:s3:::photos"


def test_the_account_stands_in_the_host_in_a_header_or_in_both():
    header = {"x-amz-account-id": ACCOUNT}
    assert find_account(None, PATH, header) == ACCOUNT
    assert find_account(ACCOUNT, PATH, {}) == ACCOUNT
    assert find_account(ACCOUNT, b"/anything", header) == ACCOUNT
    with pytest.raises(InvalidRequestError):
        find_account(ACCOUNT, PATH, {"x-amz-account-id": "999999999999"})


def test_without_both_marks_a_path_is_an_objects():
    assert find_account(None, PATH, {}) == ""
    assert find_account(None, b"/photos/k", {"x-amz-account-id": ACCOUNT}) == ""
    assert find_account("photos", PATH, {"x-amz-account-id": ACCOUNT}) == ""


@pytest.mark.parametrize("path", [PATH, b"/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Aphotos", PATH.replace(b":aws:", b":aws-eusc:")])
def test_an_arn_names_a_bucket(path):
    assert tagged_bucket(path) == "photos"


@pytest.mark.parametrize(
    "path",
    [
        b"/v20180820/jobs",
        b"/v20180820/tags/",
        b"/v20180820/tags/photos",
        b"/v20180820/tags/arn:aws:s3:::photos/k",
        b"/v20180820/tags/arn:aws:s3:eu-central-1:123456789012:accesspoint/a",
        b"/v20180820/tags/%zz",
        b"/other",
    ],
)
def test_anything_else_names_none(path):
    assert tagged_bucket(path) == ""


def test_the_tags_to_take_away_are_all_read():
    assert parse_tag_keys(b"tagKeys=a&tagKeys=b%26c&x-id=UntagResource") == {"a", "b&c"}
    for query in (b"", b"x-id=UntagResource"):
        with pytest.raises(InvalidTagError):
            parse_tag_keys(query)


@given(tail=st.binary(max_size=100), prefix=st.sampled_from([None, "", ACCOUNT, "photos"]), header=st.text(max_size=14))
def test_t100_no_path_causes_anything_but_an_s3_error(tail, prefix, header):
    with suppress(S3Error):
        find_account(prefix, b"/v20180820/tags/" + tail, {"x-amz-account-id": header})
    assert "/" not in tagged_bucket(b"/v20180820/tags/" + tail)
