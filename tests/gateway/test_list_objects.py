"""Listing: order, pages, delimiters, encodings, odd names; compared with a model of a few lines."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest

from . import signer
from .raw import Answer
from .shelf import Shelf, fails, make_shelf, refused

TREE = [
    "a", "a+b", "a-b", "a/", "a/b", "a/b/c", "a/b/d", "a//x", "a0", "aa", "b", "b/1", "b/2", "b/3/4", "c d/e", "c+d/e",
    "ü", "ü/x", "\uffee", "\U0001f333", "z", "~", "!", "%41", "A", "B/c",
]  # fmt: skip


def in_order(keys: list[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def model(keys: list[str], prefix: str = "", delimiter: str = "", after: str = "") -> list[str]:
    """All entries of a list in order: keys as they are, common prefixes marked by a leading NUL.

    A marker that is itself a common prefix steps over all of it; one inside a prefix still shows that prefix.
    """
    found: list[str] = []
    for key in in_order([key for key in keys if key.startswith(prefix) and key.encode() > after.encode()]):
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        group = key[: cut + len(delimiter)] if cut >= 0 else ""
        entry = "\0" + group if group else key
        if (group and after == group) or (found and found[-1] == entry):
            continue
        found.append(entry)
    return found


def entries(answer: Answer) -> list[str]:
    keys = [node.text or "" for node in answer.xml.findall("Contents/Key")]
    groups = ["\0" + (node.text or "") for node in answer.xml.findall("CommonPrefixes/Prefix")]
    return sorted(keys + groups, key=lambda entry: entry.lstrip("\0").encode())


@pytest.fixture(scope="module")
def tree(service, s3) -> Shelf:

    shelf = make_shelf(service, s3)
    shuffled = TREE[:]
    random.Random(1).shuffle(shuffled)
    for key in shuffled:
        shelf.put(key, key.encode())
    return shelf


def pages(bucket: Shelf, listing: int, **options: str) -> list[list[str]]:
    """Follow a list from page to page, as its version asks for."""
    found, mark = [], {}
    for _ in range(200):
        pairs = {**({"list-type": "2"} if listing == 2 else {}), **options, **mark}
        answer = bucket.call("GET", query=signer.encode_query(pairs.items()))
        assert answer.status == 200, answer.body
        page = entries(answer)
        found.append(page)
        if listing == 2:
            assert answer.xml.findtext("KeyCount") == str(len(page))
        if answer.xml.findtext("IsTruncated") == "false":
            assert answer.xml.find("NextContinuationToken") is None
            return found
        if listing == 2:
            mark = {"continuation-token": answer.xml.findtext("NextContinuationToken") or ""}
        else:
            following = answer.xml.findtext("NextMarker")
            assert (following is not None) == ("delimiter" in options and options["delimiter"] != "")
            mark = {"marker": following or page[-1]}
    raise AssertionError("the list never ended")


@pytest.mark.parametrize("size", ["1", "2", "3", "7", "1000"])
@pytest.mark.parametrize("delimiter", ["", "/", "b", "//", "ü"])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "b/", "c", "ü", "nothing"])
@pytest.mark.parametrize("listing", [1, 2])
def test_trap_27_pages_of_every_kind_agree_with_the_model(tree: Shelf, listing, prefix, delimiter, size):
    options = {"prefix": prefix, "max-keys": size}
    options |= {"delimiter": delimiter} if delimiter else {}
    found = pages(tree, listing, **options)
    assert [entry for page in found for entry in page] == model(TREE, prefix, delimiter)
    assert all(len(page) <= int(size) for page in found)


@pytest.mark.parametrize("after", ["a", "a/", "a/b", "a/zzz", "b/1", "b/3", "ü", "\U0001f333", "nothing", "~~"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_trap_27_marker_and_start_after_are_exclusive(tree: Shelf, delimiter, after):
    options = {"delimiter": delimiter} if delimiter else {}
    v2 = tree.call("GET", query=signer.encode_query({"list-type": "2", "start-after": after, **options}.items()))
    assert entries(v2) == model(TREE, "", delimiter, after)
    v1 = tree.call("GET", query=signer.encode_query({"marker": after, **options}.items()))
    assert entries(v1) == model(TREE, "", delimiter, after)


def test_trap_25_order_is_that_of_bytes_over_the_whole_key(tree: Shelf):
    listed = [node.text for node in tree.call("GET", query="list-type=2").xml.findall("Contents/Key")]
    assert listed == in_order(TREE)
    assert listed.index("a+b") < listed.index("a-b") < listed.index("a/") < listed.index("a0")
    assert listed.index("\uffee") < listed.index("\U0001f333")  # not the order of UTF-16


@pytest.mark.parametrize("listing", [1, 2])
def test_trap_26_encoding_type_covers_names_and_nothing_else(tree: Shelf, listing):
    pairs = {"prefix": "c", "delimiter": "+", "encoding-type": "url", "max-keys": "1"}
    pairs |= {"list-type": "2", "start-after": "c "} if listing == 2 else {"marker": "c "}
    answer = tree.call("GET", query=signer.encode_query(pairs.items()))
    assert answer.xml.findtext("EncodingType") == "url"
    assert answer.xml.findtext("Delimiter") == "%2B"
    assert answer.xml.findtext("StartAfter" if listing == 2 else "Marker") == "c%20"
    assert [node.text for node in answer.xml.findall("Contents/Key")] == ["c%20d/e"]
    all_of_it = tree.call("GET", query=signer.encode_query({**pairs, "max-keys": "10"}.items()))
    assert [node.text for node in all_of_it.xml.findall("CommonPrefixes/Prefix")] == ["c%2B"]
    keys = tree.call("GET", query="list-type=2&encoding-type=url").xml.findall("Contents/Key")
    assert [unquote(node.text or "") for node in keys] == in_order(TREE)
    assert not any("+" in (node.text or "") or " " in (node.text or "") for node in keys)


def test_trap_26_another_encoding_is_refused(tree: Shelf):
    refused(tree.call("GET", query="list-type=2&encoding-type=base64"), 400, "InvalidArgument")


def test_trap_27_max_keys_zero_is_an_empty_whole_list(tree: Shelf):
    for query in ("max-keys=0", "list-type=2&max-keys=0"):
        answer = tree.call("GET", query=query)
        assert answer.xml.findtext("IsTruncated") == "false"
        assert entries(answer) == []


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "2147483648", "9" * 40, "1e3", "0x5", " 5"])
def test_t70_odd_max_keys_are_refused(tree: Shelf, value):
    """Class: -1, 2^31, text."""
    for start in ("", "list-type=2&", "versions&", "uploads&"):
        name = "max-uploads" if "uploads" in start else "max-keys"
        answer = tree.call("GET", query=start + signer.encode_query([(name, value)]))
        refused(answer, 400, "InvalidArgument")


def test_trap_27_more_than_a_thousand_is_cut_to_a_thousand(bucket: Shelf):

    with ThreadPoolExecutor(4) as pool:
        statuses = pool.map(lambda number: bucket.call("PUT", f"{number:04}", body=b"").status, range(1003))
        assert set(statuses) == {200}
    answer = bucket.call("GET", query="list-type=2&max-keys=5000")
    assert (answer.xml.findtext("MaxKeys"), len(entries(answer))) == ("1000", 1000)
    assert answer.xml.findtext("IsTruncated") == "true"
    assert [entry for page in pages(bucket, 2) for entry in page] == [f"{number:04}" for number in range(1003)]


def test_trap_27_the_token_is_opaque_and_wins_over_start_after(tree: Shelf):
    first = tree.call("GET", query="list-type=2&max-keys=3")
    token = first.xml.findtext("NextContinuationToken") or ""
    assert token not in TREE
    pairs = {"list-type": "2", "continuation-token": token, "start-after": "zzz"}
    rest = tree.call("GET", query=signer.encode_query(pairs.items()))
    assert entries(first) + entries(rest) == model(TREE)
    assert rest.xml.findtext("ContinuationToken") == token


@pytest.mark.parametrize("token", ["", "nonsense", "AAAA", "a/b", "=", "%00", "x" * 5000])
def test_t70_an_altered_token_is_refused(tree: Shelf, token):
    pairs = {"list-type": "2", "continuation-token": token}
    refused(tree.call("GET", query=signer.encode_query(pairs.items())), 400, "InvalidArgument")


def test_t70_a_token_with_one_changed_letter_never_breaks_the_service(tree: Shelf):
    token = tree.call("GET", query="list-type=2&max-keys=3").xml.findtext("NextContinuationToken") or ""
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        pairs = {"list-type": "2", "continuation-token": changed}
        assert tree.call("GET", query=signer.encode_query(pairs.items())).status in {200, 400}


def test_trap_27_owner_comes_in_v2_only_when_asked_for(tree: Shelf):
    assert tree.call("GET", query="list-type=2").xml.find("Contents/Owner") is None
    asked = tree.call("GET", query="list-type=2&fetch-owner=true").xml
    assert asked.findtext("Contents/Owner/ID") == tree.call("GET").xml.findtext("Contents/Owner/ID") != None  # noqa: E711 # a chain of three


def test_trap_27_an_empty_delimiter_is_left_out_of_the_answer(tree: Shelf):
    answer = tree.call("GET", query="delimiter=&prefix=")
    assert answer.xml.find("Delimiter") is None
    assert entries(answer) == model(TREE)


def test_trap_28_a_prefix_below_which_all_is_deleted_vanishes(versioned: Shelf):
    for key in ("gone/1", "gone/2", "here/1"):
        versioned.put(key, b"1")
    for key in ("gone/1", "gone/2"):
        versioned.s3.delete_object(Bucket=versioned.name, Key=key)
    for query in ("delimiter=/", "list-type=2&delimiter=/"):
        assert entries(versioned.call("GET", query=query)) == ["\0here/"]
    assert versioned.keys() == ["here/1"]
    assert entries(versioned.call("GET", query="versions&delimiter=/")) == ["\0gone/", "\0here/"]


CONTROLS = [chr(code) for code in range(1, 32)] + ["\x7f", "\x80", "\x9f", "\ufffe", "\u2028"]


def test_t54_swift_926048_control_characters_in_keys_are_listed_exactly(bucket: Shelf):
    keys = [f"a{letter}b" for letter in CONTROLS]
    for key in keys:
        assert bucket.call("PUT", key, body=b"1").status == 200, repr(key)
    answer = bucket.call("GET", query="list-type=2&encoding-type=url")
    assert [unquote(node.text or "") for node in answer.xml.findall("Contents/Key")] == in_order(keys)
    assert bucket.call("GET", query="list-type=2").body.startswith(b"<?xml")
    assert bucket.keys() == in_order(keys)  # the SDK asks for encoding-type=url


@pytest.mark.parametrize("listing", [1, 2])
def test_t54_lists_without_an_encoding_stay_well_formed(bucket: Shelf, listing):
    names = ["tab\tin", "line\nfeed", "carriage\rreturn", "<tag>&amp;", "]]>", '"quote"', "'single'"]
    for key in names:
        bucket.call("PUT", key, body=b"1")
    answer = bucket.call("GET", query="list-type=2" if listing == 2 else "")
    assert [node.text for node in answer.xml.findall("Contents/Key")] == in_order(names)


SQL_KEYS = ["100%", "100x", "a_b", "axb", "a\\b", "a'b", 'a"b', "a--b", "a;b", "*", "a*b", "[ab]", "a?b", "%", "_"]


@pytest.mark.parametrize("mark", ["%", "_", "a_", "a\\", "a'", 'a"', "*", "a*", "[", "a?", "100%", "a--", "a;"])
def test_t55_seaweedfs_cve_2024_40120_marks_of_query_languages_are_letters(bucket: Shelf, mark):
    for key in SQL_KEYS:
        assert bucket.call("PUT", key, body=b"1").status == 200
    for options in ({"prefix": mark}, {"delimiter": mark}, {"start-after": mark, "list-type": "2"}, {"marker": mark}):
        answer = bucket.call("GET", query=signer.encode_query(options.items()))
        after = options.get("start-after", options.get("marker", ""))
        assert entries(answer) == model(SQL_KEYS, options.get("prefix", ""), options.get("delimiter", ""), after), options


def test_listing_a_bucket_that_is_not_there(bucket: Shelf):
    for query in ("", "list-type=2", "versions", "uploads"):
        refused(bucket.raw.call("GET", "no-such-bucket-here", query=query), 404, "NoSuchBucket")


def test_list_type_must_be_2(tree: Shelf):
    for value in ("1", "3", "", "x"):
        refused(tree.call("GET", query=f"list-type={value}"), 400, "InvalidArgument")
    with fails(404, "NoSuchBucket"):
        tree.s3.list_objects_v2(Bucket="no-such-bucket-here")


def test_many_common_prefixes_page_as_units(bucket: Shelf):
    keys = [f"{number:03}/{leaf}" for number in range(40) for leaf in "ab"]
    for key in keys:
        bucket.put(key)
    found = pages(bucket, 2, **{"delimiter": "/", "max-keys": "7"})
    assert [entry for page in found for entry in page] == [f"\0{number:03}/" for number in range(40)]
    assert [len(page) for page in found] == [7] * 5 + [5]
