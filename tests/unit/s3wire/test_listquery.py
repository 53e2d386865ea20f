"""The parameters of lists."""

import pytest

from siegel.domain.errors import InvalidArgumentError
from siegel.s3wire.listquery import (
    BUCKETS_SCOPE,
    parse_attribute_part_query,
    parse_bucket_query,
    parse_integer,
    parse_object_query,
    parse_part_number,
    parse_part_query,
    parse_upload_query,
    parse_version_query,
)
from siegel.s3wire.names import encode_token


def test_trap_27_a_plain_list_of_the_first_version():
    found = parse_object_query({"prefix": "a/", "delimiter": "/", "marker": "a/b", "encoding-type": "url"}, "bucket")
    assert (found.is_v2, found.prefix, found.delimiter, found.max_keys, found.after) == (False, "a/", "/", 1000, "a/b")
    assert (found.marker, found.is_url_encoded, found.fetch_owner, found.token) == ("a/b", True, False, None)


def test_trap_27_second_version_begins_behind_start_after():
    found = parse_object_query({"list-type": "2", "start-after": "k", "marker": "ignored", "fetch-owner": "true"}, "bucket")
    assert (found.is_v2, found.after, found.start_after, found.marker, found.fetch_owner) == (True, "k", "k", "", True)
    assert not found.is_url_encoded


def test_trap_27_a_token_wins_over_start_after():
    token = encode_token("bucket", "zebra")
    found = parse_object_query({"list-type": "2", "start-after": "k", "continuation-token": token}, "bucket")
    assert (found.after, found.start_after, found.token) == ("zebra", "k", token)


@pytest.mark.parametrize("token", ["", "rubbish", encode_token("other", "zebra")])
def test_t70_tokens_of_another_bucket_or_none_at_all(token):
    with pytest.raises(InvalidArgumentError):
        parse_object_query({"list-type": "2", "continuation-token": token}, "bucket")


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000), ("2147483647", 1000)])
def test_trap_27_page_sizes_are_clamped(text, size):
    assert parse_object_query({"max-keys": text}, "bucket").max_keys == size
    assert parse_version_query({"max-keys": text}).max_keys == size
    assert parse_upload_query({"max-uploads": text}).max_uploads == size
    assert parse_part_query({"max-parts": text}).max_parts == size


@pytest.mark.parametrize("text", ["-1", "2147483648", "9" * 5000, "ten", "", " 1", "1_0", "²", "0x1", "1.0"])
def test_trap_27_t70_page_sizes_that_are_none(text):
    for refuse in (
        lambda: parse_object_query({"max-keys": text}, "bucket"),
        lambda: parse_version_query({"max-keys": text}),
        lambda: parse_upload_query({"max-uploads": text}),
        lambda: parse_part_query({"max-parts": text}),
        lambda: parse_bucket_query({"max-buckets": text}),
        lambda: parse_attribute_part_query({"x-amz-max-parts": text}),
    ):
        with pytest.raises(InvalidArgumentError):
            refuse()


@pytest.mark.parametrize("query", [{"encoding-type": "base64"}, {"list-type": "3"}, {"list-type": "2", "fetch-owner": "yes"}])
def test_parameters_with_unknown_values(query):
    with pytest.raises(InvalidArgumentError):
        parse_object_query(query, "bucket")


def test_trap_28_versions_begin_behind_a_version_of_a_key():
    found = parse_version_query({"key-marker": "k", "version-id-marker": "null", "encoding-type": ""})
    assert (found.key_marker, found.version_id_marker, found.is_url_encoded) == ("k", "null", False)
    assert parse_version_query({"key-marker": "", "version-id-marker": ""}).version_id_marker == ""
    for query in ({"version-id-marker": "null"}, {"key-marker": "k", "version-id-marker": "garbage"}):
        with pytest.raises(InvalidArgumentError):
            parse_version_query(query)


def test_uploads_begin_behind_an_upload_of_a_key():
    found = parse_upload_query({"key-marker": "k", "upload-id-marker": "u"})
    assert (found.key_marker, found.upload_id_marker) == ("k", "u")
    assert parse_upload_query({"upload-id-marker": "u"}).upload_id_marker == ""


def test_trap_35_parts_begin_behind_a_number():
    assert parse_part_query({"part-number-marker": "7"}).part_number_marker == 7
    assert parse_part_query({"part-number-marker": ""}).part_number_marker == 0
    assert parse_attribute_part_query({"x-amz-part-number-marker": "3", "x-amz-max-parts": "2"}).max_parts == 2
    with pytest.raises(InvalidArgumentError):
        parse_part_query({"part-number-marker": "-1"})


@pytest.mark.parametrize("text", ["0", "10001", "-1", str(2**63), "one", ""])
def test_trap_35_t44_part_numbers_beyond_their_limits(text):
    with pytest.raises(InvalidArgumentError, match="between 1 and 10000"):
        parse_part_number(text)
    assert parse_part_number("1") == 1
    assert parse_part_number("10000") == 10_000


def test_buckets_are_listed_in_pages():
    found = parse_bucket_query({"prefix": "p", "max-buckets": "3", "continuation-token": encode_token(BUCKETS_SCOPE, "b")})
    assert (found.prefix, found.max_buckets, found.after, found.region) == ("p", 3, "b", None)
    assert parse_bucket_query({"bucket-region": "eu-central-1"}).region == "eu-central-1"
    assert parse_bucket_query({}).max_buckets == 10_000
    for size in ("0", "10001"):
        with pytest.raises(InvalidArgumentError):
            parse_bucket_query({"max-buckets": size})


def test_integers_name_the_parameter_that_is_wrong():
    with pytest.raises(InvalidArgumentError) as refusal:
        parse_integer("max-keys", "many", 0)
    assert refusal.value.fields == {"ArgumentName": "max-keys", "ArgumentValue": "many"}
