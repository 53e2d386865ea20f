import pytest

from siegel.domain.errors import InvalidTagError, MalformedXMLError
from siegel.s3wire.tagsxml import (
    parse_bucket_tags,
    parse_object_tags,
    parse_resource_tags,
    render_resource_tags,
    render_tag_set,
)

from .xmlbodies import written_by_botocore

TAGS = {"cost-center": "a=b", "größe": "", "z": "first is not last", "a": "+-=._:/@"}


def listed(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


READERS = [(parse_bucket_tags, "PutBucketTagging"), (parse_object_tags, "PutObjectTagging")]


@pytest.mark.parametrize(("reader", "operation"), READERS)
def test_what_botocore_writes_is_read_and_written_again(reader, operation):
    place = {"Key": "k"} if operation == "PutObjectTagging" else {}
    found = reader(written_by_botocore(operation, Tagging={"TagSet": listed(TAGS)}, **place))
    assert list(found.items()) == list(TAGS.items())
    assert reader(render_tag_set(found)) == found
    assert reader(render_tag_set({})) == {}


def test_s3_control_has_a_form_of_its_own():
    assert parse_resource_tags(written_by_botocore("TagResource", Tags=listed(TAGS))) == TAGS
    shown = render_resource_tags({"a<": "b"}).decode()
    assert 'xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"' in shown
    assert "<Tags><Tag><Key>a&lt;</Key><Value>b</Value></Tag></Tags>" in shown


@pytest.mark.parametrize(("reader", "most"), [(parse_bucket_tags, 50), (parse_object_tags, 10)])
def test_trap_39_how_many_there_may_be(reader, most):
    tags = {f"k{number}": "v" for number in range(most)}
    assert reader(render_tag_set(tags)) == tags
    with pytest.raises(InvalidTagError, match=str(most)):
        reader(render_tag_set(tags | {"more": "v"}))


@pytest.mark.parametrize("tags", [{"k" * 129: ""}, {"": "v"}, {"k": "v" * 257}, {"aws:k": "v"}, {"k": "a;b"}])
def test_trap_39_what_they_may_be(tags):
    with pytest.raises(InvalidTagError):
        parse_bucket_tags(render_tag_set(tags))


def test_trap_39_a_key_twice_is_refused():
    tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
    with pytest.raises(InvalidTagError, match="same key"):
        parse_bucket_tags(f"<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>".encode())


@pytest.mark.parametrize(
    "inside",
    ["", "<TagSet/><TagSet/>", "<TagSet><Tag><Key>k</Key></Tag></TagSet>", "<TagSet><Tag><Value>v</Value></Tag></TagSet>"],
)
def test_t69_odd_bodies_are_refused(inside):
    with pytest.raises(MalformedXMLError):
        parse_bucket_tags(f"<Tagging>{inside}</Tagging>".encode())


@pytest.mark.parametrize("value", ["-1", "1.5", "", "for ever", "3601", "٣"])
def test_a_time_limit_of_data_keys_that_says_no_time_is_refused_on_buckets_alone(value):
    tags = {"siegel:data-key-seconds": value}
    with pytest.raises(InvalidTagError, match="0 to 3600"):
        parse_bucket_tags(render_tag_set(tags))
    assert parse_object_tags(render_tag_set(tags)) == tags
    for good in ("0", "60", "3600"):
        assert parse_bucket_tags(render_tag_set({"siegel:data-key-seconds": good}))
