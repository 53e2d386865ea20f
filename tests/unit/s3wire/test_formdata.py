"""The reader of forms: whatever is cut where, the same comes out; whatever a browser does not send is refused."""

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from siegel.domain.browser_errors import MalformedPOSTRequestError, MaxPostPreDataLengthExceededError
from siegel.domain.errors import InvalidArgumentError, S3Error
from siegel.domain.limits import FORM_FIELDS_BYTES_MAX, FORM_FIELDS_MAX, FORM_PART_HEAD_BYTES_MAX, FORM_TAIL_BYTES_MAX
from siegel.s3wire.formdata import FormFields, is_form, parse_boundary

BOUNDARY = b"--a-boundary"
MARK = b"--" + BOUNDARY


def part(name, value, more=""):
    return MARK + f'\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def form(fields=(("key", b"x"),), file=b"data", after=(), end=b"--\r\n", file_name="n.txt"):
    before = b"".join(part(name, value) for name, value in fields)
    behind = b"".join(part(name, value) for name, value in after)
    return before + part("file", file, f'; filename="{file_name}"') + behind + MARK + end


def read(body, cuts=()):
    """Feed a form in pieces; return its fields, the name and the bytes of its file."""
    edges = [0, *sorted(cut for cut in cuts if cut <= len(body)), len(body)]
    pieces = [body[start:stop] for start, stop in itertools.pairwise(edges)]
    fields = FormFields(BOUNDARY)
    while pieces and not fields.is_over:
        fields.feed(pieces.pop(0))
    if not fields.is_over:
        raise MalformedPOSTRequestError
    file = fields.file
    out = [bytes(data) for piece in (fields.rest, *pieces) for data in file.feed(piece)]
    file.finish()
    return fields.fields, fields.file_name, b"".join(out)


def refuses(body, error=MalformedPOSTRequestError):
    with pytest.raises(error):
        read(body)
    with pytest.raises(S3Error):
        read(body, range(len(body)))


def test_fields_and_a_file():
    body = form([("Key", "käse".encode()), ("policy", b"")], b"\x00\xff\r\n")
    assert read(body) == ({"key": "käse", "policy": ""}, "n.txt", b"\x00\xff\r\n")


def test_the_size_of_what_is_before_the_file():
    body = form()
    fields = FormFields(BOUNDARY)
    fields.feed(body)
    assert body[fields.size_bytes :] == fields.rest
    assert fields.rest.startswith(b"data\r\n")
    assert fields.file.end_bytes == len(b"\r\n" + MARK + b"--")


NEAR = st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"\r\n-", b"\r\n--", b"\r\n" + MARK[:-1], MARK, b"x", bytes(100)])
CONTENT = st.lists(NEAR | st.binary(max_size=20), max_size=12).map(b"".join)
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=6).filter("file".__ne__)


@given(
    st.dictionaries(NAMES, st.lists(NEAR, max_size=12).map(b"".join), max_size=4),
    CONTENT,
    st.dictionaries(NAMES.map("z-".__add__), st.lists(NEAR, max_size=12).map(b"".join), max_size=2),
    st.lists(st.integers(min_value=0, max_value=900), max_size=30),
    st.sampled_from([b"--", b"--\r\n"]),
)
def test_any_cut_gives_the_same(fields, file, after, cuts, end):
    assume(not any(b"\r\n" + MARK in value + b"\r\n" for value in (file, *fields.values(), *after.values())))
    body = form(fields.items(), file, after.items(), end)
    wanted = ({name: value.decode() for name, value in fields.items()}, "n.txt", file)
    assert read(body) == wanted
    assert read(body, cuts) == wanted
    assert read(body, range(len(body))) == wanted


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0, max_value=300), max_size=8))
def test_anything_else_is_refused_or_read_the_same_way(noise, cuts):
    for body in (noise, MARK + noise, form()[:70] + noise, form() + noise, form()[:-4] + noise):
        results = []
        for edges in ((), cuts, range(len(body))):
            try:
                results.append(read(body, edges))
            except S3Error:
                results.append(None)
        assert results[0] == results[1] == results[2]


def test_an_empty_piece_says_nothing():
    fields = FormFields(BOUNDARY)
    fields.feed(b"")
    fields.feed(form(file=b""))
    assert fields.file.feed(b"") == []


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data ; charset=utf-8 ; BOUNDARY="a b\'()+_,-./:=?"', b"a b'()+_,-./:=?"),
        ("multipart/form-data;boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_boundaries(text, boundary):
    assert is_form(text)
    assert parse_boundary(text) == boundary


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "; boundary=",
        '; boundary=""',
        "; boundary=a; boundary=b",
        "; boundary=" + "x" * 71,
        '; boundary="a "',
        "; boundary=a;",
        "x",
    ],
)
def test_boundaries_that_are_none(parameters):
    with pytest.raises(MalformedPOSTRequestError):
        parse_boundary(f"multipart/form-data{parameters}")


def test_other_types_are_no_forms():
    assert not is_form("multipart/form-data2; boundary=x")
    assert not is_form("")


@pytest.mark.parametrize(
    ("more", "file_name"),
    [
        ("", ""),
        ('; filename=""', ""),
        ("; filename=plain.txt", "plain.txt"),
        ('; filename="a\\"b.txt"', 'a"b.txt'),
        ('; filename="C:\\dir\\x.txt"', "C:\\dir\\x.txt"),
        ('; FileName="a\\\\b"', "a\\b"),
        ('; filename="a%22b;c=d"', "a%22b;c=d"),
        ('; filename="käse ☃"', "käse ☃"),
    ],
)
def test_names_of_files(more, file_name):
    body = part("key", b"x") + part("file", b"1", more) + MARK + b"--"
    assert read(body) == ({"key": "x"}, file_name, b"1")


def test_other_headers_of_a_part_say_nothing():
    head = (
        b'\r\nContent-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: 8bit\r\ncontent-disposition: form-data; name="a"'
    )
    assert read(MARK + head + b"\r\n\r\n1\r\n" + form())[0] == {"a": "1", "key": "x"}


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"no header",
        b": form-data",
        b"Content-Type: text/plain",
        b'Content-Disposition: attachment; name="a"',
        b"Content-Disposition: form-data",
        b'Content-Disposition: form-data; name=""',
        b'Content-Disposition: form-data; name="a"; name="b"',
        b'Content-Disposition: form-data; name="a"; more="b"',
        b"Content-Disposition: form-data; name=\"a\"; filename*=utf-8''b",
        b'Content-Disposition: form-data; name="a',
        b'Content-Disposition: form-data; name="a";',
        b'Content-Disposition: form-data; name="a" b',
        b'Content-Disposition : form-data; name="a"',
        b' Content-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="a"\r\n b',
        b'Content-Disposition: form-data; name="a\x00"',
        b'Content-Disposition: form-data; name="a\nb"',
        b'Content-Disposition: form-data; name="a\xff"',
        b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64',
    ],
)
def test_heads_of_parts_that_are_none(head):
    refuses(MARK + b"\r\n" + head + b"\r\n\r\n1\r\n" + form())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"preamble\r\n" + form(),
        b"\r\n" + form(),
        MARK,
        MARK + b"-",
        MARK + b" \r\n" + form()[len(MARK) + 2 :],
        MARK + b"\n" + form()[len(MARK) + 2 :],
        MARK + b"-\r\n",
        part("key", b"\xff") + form(),
        part("key", b"x")[:-2],
        form()[:-5],
        form(end=b""),
        form(end=b"\r\n"),
        form(end=b"--\n"),
        form(end=b"--\r\nx"),
        form(end=b"x"),
        form()[: -len(MARK)],
        form(after=[("late", b"x")], end=b""),
    ],
)
def test_forms_that_are_none(body):
    refuses(body)


def test_one_file_and_no_field_twice():
    refuses(part("key", b"x") + MARK + b"--", InvalidArgumentError)
    refuses(MARK + b"--\r\n", InvalidArgumentError)
    refuses(form([("key", b"x"), ("KEY", b"y")]), InvalidArgumentError)
    refuses(form(after=[("Key", b"y")]), InvalidArgumentError)
    refuses(form(after=[("file", b"y")]), InvalidArgumentError)
    refuses(form(after=[("late", b"x"), ("late", b"x")]), InvalidArgumentError)


def test_fields_have_limits():
    spare = FORM_FIELDS_BYTES_MAX - len(form([("key", b"")], file=b"").partition(b"\r\n\r\n" + b"\r\n" + MARK + b"--")[0]) - 4
    exact = form([("key", b"x" * spare)], file=b"")
    assert len(read(exact)[0]["key"]) == spare
    for cuts in ((), range(0, len(exact), 500)):
        with pytest.raises(MaxPostPreDataLengthExceededError):
            read(form([("key", b"x" * (spare + 1))]), cuts)
    many = [(f"f{number}", b"") for number in range(FORM_FIELDS_MAX)]
    assert len(read(form(many))[0]) == FORM_FIELDS_MAX
    refuses(form([*many, ("more", b"")]), MaxPostPreDataLengthExceededError)


def test_heads_of_parts_have_a_limit():
    head = b'\r\nContent-Disposition: form-data; name="a"\r\nX: ' + b"y" * FORM_PART_HEAD_BYTES_MAX + b"\r\n\r\n1\r\n"
    refuses(MARK + head + form(), MaxPostPreDataLengthExceededError)


def test_what_follows_the_file_has_a_limit():
    spare = FORM_TAIL_BYTES_MAX - len(b"\r\n" + part("late", b"") + MARK + b"--\r\n")
    assert read(form(after=[("late", b"x" * spare)]))[2] == b"data"
    refuses(form(after=[("late", b"x" * (spare + 1))]))


def test_a_large_piece_of_the_file_is_not_copied():
    fields = FormFields(BOUNDARY)
    fields.feed(form()[: -len(b"data\r\n" + MARK + b"--\r\n")])
    file = fields.file
    piece = bytes(100_000)
    assert file.feed(piece)[0] is piece
    cut = file.feed(piece + b"\r\n--")
    assert [type(data) for data in cut] == [memoryview]
    assert bytes(cut[0]) == piece
