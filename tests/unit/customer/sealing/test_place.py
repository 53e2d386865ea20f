import pytest

from siegel.customer.sealing.place import ObjectPlace, parse_prefix, parse_uri
from siegel.customer.sealing.refusals import SealingError


def test_a_place_is_read_and_written_as_people_write_it():
    place = parse_uri("s3://evidence/2026/a b.mp4", "111122223333")
    assert place == ObjectPlace("evidence", "2026/a b.mp4", "111122223333")
    assert place.uri == "s3://evidence/2026/a b.mp4"
    assert parse_prefix("s3://evidence") == parse_prefix("s3://evidence/") == ObjectPlace("evidence", "")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("evidence/a", "not an address"),
        ("https://evidence/a", "not an address"),
        ("s3:///a", "not an address"),
        ("s3://evidence/", "a bucket, not an object"),
        ("s3://evidence/" + "ä" * 513, "at most 1024 bytes"),
        ("s3://evidence/\udcff", "at most 1024 bytes"),
        ("s3://" + "b" * 256 + "/a", "at most 255"),
    ],
)
def test_what_is_no_place_is_refused(uri, words):
    with pytest.raises(SealingError, match=words):
        parse_uri(uri)


def test_an_account_has_a_name_of_some_length():
    with pytest.raises(SealingError, match="at most 255"):
        parse_uri("s3://b/k", "1" * 256)


def test_no_two_places_are_bound_alike():
    one, two = ObjectPlace("a", "b/c"), ObjectPlace("a", "b", "c")
    assert one.context(bytes(16)) != two.context(bytes(16))
    assert one.context(bytes(16)) != one.context(b"\1" * 16)
