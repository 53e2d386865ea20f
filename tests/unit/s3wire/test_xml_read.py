"""Request bodies in XML."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import (
    IllegalVersioningConfigurationError,
    InvalidArgumentError,
    InvalidPartOrderError,
    InvalidRequestError,
    KeyTooLongError,
    MalformedXMLError,
    UnsupportedFeatureError,
)
from siegel.domain.objects import Versioning
from siegel.s3wire.checksums import Algorithm
from siegel.s3wire.conditions import DeleteConditions
from siegel.s3wire.xml_read import (
    CompletedPart,
    DeleteTarget,
    NewBucket,
    parse_complete_upload,
    parse_create_bucket,
    parse_delete,
    parse_versioning,
)

from .xmlbodies import written_by_botocore

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
ONE_PART = b"<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
XML_TEXT = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=50
)


def parts(*bodies):
    inside = "".join(f"<Part>{body}</Part>" for body in bodies)
    return f"<CompleteMultipartUpload>{inside}</CompleteMultipartUpload>".encode()


def numbered(*numbers):
    return parts(*(f"<PartNumber>{number}</PartNumber><ETag>x</ETag>" for number in numbers))


def test_trap_33_parts_as_botocore_writes_them():
    digest = b64encode(bytes(4)).decode()
    body = written_by_botocore(
        "CompleteMultipartUpload",
        Key="k",
        UploadId="u",
        MultipartUpload={"Parts": [{"ETag": '"aa"', "PartNumber": 1, "ChecksumCRC32": digest}, {"ETag": "bb", "PartNumber": 7}]},
    )
    assert parse_complete_upload(body) == [CompletedPart(1, "aa", Algorithm.CRC32, bytes(4)), CompletedPart(7, "bb")]


def test_the_largest_upload_is_read():
    body = parts(*(f"<PartNumber>{n}</PartNumber><ETag>&quot;{'a' * 32}&quot;</ETag>" for n in range(1, 10_001)))
    assert len(parse_complete_upload(body)) == 10_000


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (1, 3, 2)])
def test_trap_33_t44_parts_out_of_order(numbers):
    with pytest.raises(InvalidPartOrderError):
        parse_complete_upload(numbered(*numbers))


@pytest.mark.parametrize("number", ["0", "10001", "-1", str(2**63)])
def test_t44_part_numbers_that_are_none(number):
    with pytest.raises(InvalidArgumentError):
        parse_complete_upload(numbered(number))


@pytest.mark.parametrize("number", ["", "one", "1.0", "+1"])
def test_t44_part_numbers_that_are_no_numbers(number):
    with pytest.raises(MalformedXMLError):
        parse_complete_upload(numbered(number))


def test_t68_one_byte_order_mark_is_enough():
    mark = "\ufeff".encode()
    assert parse_create_bucket(mark + b"<CreateBucketConfiguration/>") == NewBucket(None, {})
    with pytest.raises(MalformedXMLError):
        parse_create_bucket(mark + mark + b"<CreateBucketConfiguration/>")


@pytest.mark.parametrize(
    "body",
    [
        parts(),
        parts(""),
        parts("<PartNumber>1</PartNumber>"),
        parts("<ETag>x</ETag>"),
        parts("<PartNumber>1</PartNumber><ETag>x</ETag><ETag>y</ETag>"),
        parts("<PartNumber>1</PartNumber><ETag>x</ETag><Size>1</Size>"),
        parts("<PartNumber>1</PartNumber><Etag>x</Etag>"),
        parts("<PartNumber>1</PartNumber><ETag>x<b/></ETag>"),
        parts("<PartNumber>1</PartNumber><ETag>x</ETag><ChecksumMD5/><ChecksumSHA1/>"),
        parts("text<PartNumber>1</PartNumber><ETag>x</ETag>"),
        parts("<PartNumber>1</PartNumber>text<ETag>x</ETag>"),
        parts("<PartNumber>1</PartNumber><!-- no --><ETag>x</ETag>"),
        parts("<PartNumber a='b'>1</PartNumber><ETag>x</ETag>"),
        b"<CompleteMultipartUpload a='b'>" + ONE_PART + b"</CompleteMultipartUpload>",
        b'<CompleteMultipartUpload xmlns="urn:other">' + ONE_PART + b"</CompleteMultipartUpload>",
        numbered(*range(1, 10_002)),
    ],
)
def test_trap_33_t69_parts_that_do_not_fit_the_schema(body):
    with pytest.raises((MalformedXMLError, InvalidArgumentError)):
        parse_complete_upload(body)


def test_a_parts_checksum_must_be_one():
    with pytest.raises(InvalidRequestError):
        parse_complete_upload(parts("<PartNumber>1</PartNumber><ETag>x</ETag><ChecksumCRC32>AAAA</ChecksumCRC32>"))


@given(keys=st.lists(XML_TEXT, min_size=1, max_size=10))
def test_trap_30_t51_keys_are_taken_exactly(keys):
    body = written_by_botocore("DeleteObjects", Delete={"Objects": [{"Key": key} for key in keys]})
    assert parse_delete(body).targets == [DeleteTarget(key) for key in keys]


def test_trap_30_deletes_with_versions_conditions_and_quiet():
    body = written_by_botocore(
        "DeleteObjects",
        Delete={
            "Quiet": True,
            "Objects": [
                {"Key": " ../a\tb ", "VersionId": "null"},
                {"Key": "c", "ETag": '"e"', "Size": 5, "LastModifiedTime": "1994-11-06T08:49:37Z"},
            ],
        },
    )
    found = parse_delete(body)
    assert found.is_quiet
    assert found.targets == [
        DeleteTarget(" ../a\tb ", "null"),
        DeleteTarget("c", None, DeleteConditions(("e",), 5, 784_111_777_000), '"e"'),
    ]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<Object/>",
        "<Object><Key/></Object>",
        "<Object><VersionId>x</VersionId></Object>",
        "<Object><Key>a</Key><Key>b</Key></Object>",
        "<Object><Key>a</Key><Prefix>b</Prefix></Object>",
        "<Object><Key>a</Key></Object><Quiet>maybe</Quiet>",
        "<Object><Key>a</Key></Object><Quiet>true</Quiet><Quiet>false</Quiet>",
        "<Object><Key>a</Key></Object><quiet>true</quiet>",
        "<Object><Key>a</Key></Object>" * 1001,
        "<object><Key>a</Key></object>",
    ],
)
def test_trap_30_t69_t70_deletes_that_do_not_fit_the_schema(inside):
    with pytest.raises(MalformedXMLError):
        parse_delete(f"<Delete>{inside}</Delete>".encode())


def test_trap_30_a_thousand_objects_are_as_many_as_fit():
    assert len(parse_delete(b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1000 + b"</Delete>").targets) == 1000


@pytest.mark.parametrize("size", ["-1", "9" * 30, "x"])
def test_t69_sizes_that_are_none(size):
    with pytest.raises(InvalidArgumentError):
        parse_delete(f"<Delete><Object><Key>a</Key><Size>{size}</Size></Object></Delete>".encode())


def test_t53_keys_have_their_limit_in_xml_too():
    with pytest.raises(KeyTooLongError):
        parse_delete(f"<Delete><Object><Key>{'ü' * 513}</Key></Object></Delete>".encode())


def test_bucket_configurations():
    assert parse_create_bucket(b"") == NewBucket(None, {})
    assert parse_create_bucket(f"<CreateBucketConfiguration {NS}/>".encode()) == NewBucket(None, {})
    body = written_by_botocore("CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert parse_create_bucket(body) == NewBucket("eu-central-1", {})
    body = written_by_botocore("CreateBucket", CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "b"}]})
    assert parse_create_bucket(body) == NewBucket(None, {"a": "b"})
    with pytest.raises(UnsupportedFeatureError, match="directory buckets"):
        parse_create_bucket(b"<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>")
    with pytest.raises(MalformedXMLError, match="Tags is given twice"):
        parse_create_bucket(b"<CreateBucketConfiguration><Tags/><Tags/></CreateBucketConfiguration>")
    twice = b"<LocationConstraint>a</LocationConstraint>" * 2
    with pytest.raises(MalformedXMLError, match="LocationConstraint is given twice"):
        parse_create_bucket(b"<CreateBucketConfiguration>" + twice + b"</CreateBucketConfiguration>")


@pytest.mark.parametrize("state", ["Enabled", "Suspended"])
def test_versioning_configurations(state):
    body = written_by_botocore("PutBucketVersioning", VersioningConfiguration={"Status": state, "MFADelete": "Disabled"})
    assert parse_versioning(body) is Versioning(state)


@pytest.mark.parametrize(
    ("inside", "error"),
    [
        ("", IllegalVersioningConfigurationError),
        ("<Status/>", IllegalVersioningConfigurationError),
        ("<Status>enabled</Status>", MalformedXMLError),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", UnsupportedFeatureError),
        ("<Status>Enabled</Status><MfaDelete>yes</MfaDelete>", MalformedXMLError),
    ],
)
def test_versioning_configurations_that_ask_for_something_else(inside, error):
    with pytest.raises(error):
        parse_versioning(f"<VersioningConfiguration>{inside}</VersioningConfiguration>".encode())
