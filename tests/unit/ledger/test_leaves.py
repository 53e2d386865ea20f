"""Entries and openings: the vectors beside the format page, and what commitments are good for."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from siegel.domain.ledgers import LedgerFormError, ProofError
from siegel.ledger.entry_heads import EntryHead, read_entry_head
from siegel.ledger.hashing import leaf_hash
from siegel.ledger.leaves import (
    SALT_BYTES,
    Facts,
    Leaf,
    Opening,
    check_opening,
    commit_content,
    commit_name,
    commit_person,
    decode_leaf,
    decode_opening,
    encode_leaf,
    encode_opening,
)

FOLDER = Path(__file__).parents[2] / "vectors" / "entry"
GOOD = json.loads((FOLDER / "good.json").read_text(encoding="utf-8"))
BAD = json.loads((FOLDER / "bad.json").read_text(encoding="utf-8"))

OPENING = Opening(bytes(range(32)), "arn:aws:iam::111122223333:root", "192.0.2.1", "root of the account", "box", "a/b")
FACTS = Facts(1_700_000_000_000, "object.read", 200, commit_person(OPENING), commit_name(OPENING))
LEAF = Leaf(1_700_000_000_005, "0A1B2C3D4E5F6071", FACTS)


def named(vectors):
    assert vectors
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def opening_of(vector):
    return Opening(bytes.fromhex(vector["salts"]), *(vector[name] for name in Opening.__struct_fields__[1:]))


@pytest.mark.parametrize("vector", named(GOOD))
def test_vectors_are_what_this_code_makes_and_reads(vector):
    opening = opening_of(vector["opening"])
    manifest = bytes.fromhex(vector["manifest"])
    facts = Facts(
        **{
            **vector["facts"],
            "key_ids": tuple(vector["facts"].get("key_ids", ())),
            "person": commit_person(opening),
            "name": commit_name(opening),
            "content": commit_content(opening, manifest),
        }
    )
    leaf = Leaf(vector["recorded_at_ms"], vector["request_id"], facts)
    entry, stored = bytes.fromhex(vector["entry"]), bytes.fromhex(vector["stored_opening"])
    assert encode_leaf(leaf) == entry
    assert decode_leaf(entry) == leaf
    assert encode_opening(opening) == stored
    assert decode_opening(stored) == opening
    assert leaf_hash(entry).hex() == vector["leaf_hash"]
    assert read_entry_head(entry) == EntryHead(leaf.recorded_at_ms, leaf.request_id)
    check_opening(leaf, opening)


@pytest.mark.parametrize("vector", named(BAD["entries"]))
def test_bad_entries_are_refused(vector):
    with pytest.raises(LedgerFormError):
        decode_leaf(bytes.fromhex(vector["bytes"]))


@pytest.mark.parametrize("vector", named(BAD["openings"]))
def test_bad_openings_are_refused(vector):
    with pytest.raises(LedgerFormError):
        decode_opening(bytes.fromhex(vector["bytes"]))


def test_a_text_that_is_none_is_malformed():
    entry = encode_leaf(replace(LEAF, facts=replace(FACTS, version_id="version")))
    with pytest.raises(LedgerFormError, match="malformed"):
        decode_leaf(entry.replace(b"version", b"\xc4ersion"))
    with pytest.raises(LedgerFormError):
        decode_leaf(entry[:17] + b"\x91" * 100_000)


def test_an_erased_opening_is_none():
    assert decode_opening(b"") is None


def test_fields_of_a_later_release_are_passed_over():
    whole = replace(FACTS, consent_id="c", key_call_id="k")
    entry = encode_leaf(replace(LEAF, facts=whole))
    later = [*msgspec.msgpack.decode(entry[17:]), "new"]
    assert decode_leaf(entry[:17] + msgspec.msgpack.encode(later)).facts == whole


def test_fields_that_an_earlier_release_did_not_write_are_their_defaults():
    earlier = msgspec.msgpack.decode(encode_leaf(LEAF)[17:])[:5]
    assert decode_leaf(encode_leaf(LEAF)[:17] + msgspec.msgpack.encode(earlier)).facts == FACTS


@pytest.mark.parametrize("field", ["principal", "source", "permit"])
def test_another_person_is_found_out(field):
    with pytest.raises(ProofError, match="person"):
        check_opening(LEAF, replace(OPENING, **{field: "other"}))


@pytest.mark.parametrize("field", ["bucket", "object_key"])
def test_another_object_is_found_out(field):
    with pytest.raises(ProofError, match="object"):
        check_opening(LEAF, replace(OPENING, **{field: "other"}))


def test_nothing_moves_from_one_field_to_the_next():
    assert commit_name(replace(OPENING, bucket="ab", object_key="c")) != commit_name(
        replace(OPENING, bucket="a", object_key="bc")
    )


def test_the_same_name_has_another_commitment_with_each_salt():
    other = replace(OPENING, salts=bytes(2 * SALT_BYTES))
    assert commit_name(other) != commit_name(OPENING)
    assert commit_person(other) != commit_person(OPENING)
    assert commit_content(other, b"m") != commit_content(OPENING, b"m")


def test_without_a_manifest_there_is_no_content():
    assert commit_content(OPENING, b"") == b""


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data):
    for read in (decode_leaf, decode_opening):
        try:
            read(data)
        except LedgerFormError:
            continue
