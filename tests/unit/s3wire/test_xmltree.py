"""Every XML body that this service reads, under attack."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siegel.domain.errors import MalformedXMLError, MaxMessageLengthExceededError, S3Error
from siegel.domain.limits import XML_BYTES_MAX
from tests.unit.s3wire.finite import finite

from .xmlbodies import BODIES, good_body, reader_of


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "before",
    [
        b'<?xml version="1.0" encoding="UTF-8"?>\n',
        b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
        b'<?xml version="1.0"?>',
        b"\xef\xbb\xbf",
        b"<!-- hello -->",
        b" \n",
    ],
)
def test_prologues_that_clients_write(name, before):
    assert reader_of(name)(before + good_body(name)) == reader_of(name)(good_body(name))


def hostile(good):
    root = good[1 : good.index(b">")]
    deep = b"<a>" * 1_000_000
    return [
        b"<!DOCTYPE x>" + good,
        b"<!doctype x>" + good,
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + good,
        b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/x">%e;]>' + good,
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + good,
        b"<" + root + b"><!ENTITY x 'y'></" + root + b">",
        b"<" + root + b">&undefined;</" + root + b">",
        good.replace(b">", b' xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/>', 1),
        good.decode().encode("utf-16"),
        good.decode().encode("utf-16-le"),
        good.decode().encode("utf-32"),
        good.decode().encode("utf-7") + b"+ADw-",
        b'<?xml version="1.0" encoding="UTF-7"?>' + good,
        b'<?xml version="1.0" encoding="cp037"?>' + good,
        good.decode().encode("cp037"),
        b"\xff\xfe" + good,
        good + b"\0",
        good + good,
        good[:-1],
        good[:-3] + b"x>",
        b"\xff",
        b"not xml",
        b" ",
        b"<" + root + b">" + deep[: XML_BYTES_MAX - 100],
        b"<Other/>",
    ]


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("number", range(25))
def test_t67_t68_cve_2022_47950_hostile_xml(name, number):
    body = hostile(good_body(name))[number]
    with finite(), pytest.raises(MalformedXMLError):
        reader_of(name)(body)


@pytest.mark.parametrize("name", BODIES)
def test_t68_bodies_beyond_the_limit(name):
    with pytest.raises(MaxMessageLengthExceededError):
        reader_of(name)(b" " * (XML_BYTES_MAX + 1))


@pytest.mark.parametrize("name", BODIES.keys() - {"create bucket"})
def test_trap_33_an_empty_body_is_malformed(name):
    with pytest.raises(MalformedXMLError):
        reader_of(name)(b"")


@given(body=st.binary(max_size=200), name=st.sampled_from(sorted(BODIES)))
def test_t100_no_body_causes_anything_but_an_s3_error(body, name):
    with suppress(S3Error):
        reader_of(name)(b"<" + body)


@given(spot=st.integers(0, 60), byte=st.integers(0, 255), name=st.sampled_from(sorted(BODIES)))
def test_t100_nor_does_a_changed_byte(spot, byte, name):
    good = good_body(name)
    with suppress(S3Error):
        reader_of(name)(good[:spot] + bytes([byte]) + good[spot + 1 :])


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "inside",
    ["<Unknown/>", "<x:Foreign xmlns:x='http://elsewhere.example/'/>", "text", "<unknown>1</unknown>", "<?target instruction?>"],
)
def test_t69_what_is_not_known_is_refused(name, inside):
    good = good_body(name)
    end = good.index(b">") + 1
    with pytest.raises(MalformedXMLError):
        reader_of(name)(good[:end] + inside.encode() + good[end:])


@pytest.mark.parametrize("name", BODIES)
def test_t69_every_element_that_may_stand_once_is_refused_twice(name):
    good = good_body(name)
    root = good[1 : good.index(b">")]
    inside = good[len(root) + 2 : -len(root) - 3]
    if name not in {"delete", "complete upload"}:
        with pytest.raises(MalformedXMLError):
            reader_of(name)(b"<" + root + b">" + inside * 2 + b"</" + root + b">")
    with pytest.raises(MalformedXMLError):
        reader_of(name)(b"<" + root + b" Status='1'>" + inside + b"</" + root + b">")
