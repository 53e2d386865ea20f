"""Entries of requests, and the uses of keys that they carry."""

import pytest
from msgspec.structs import replace

from siegel.domain.entry import CARRIED, UNWRAP, WRAP, Entry, NotedUse, carrying

OWN = Entry(1, "0A", "object.read", "1", "ann", "b", "k", "v", permit="Readers", bucket_id=7, manifest=b"m", consent_id="c")
USE = NotedUse(UNWRAP, "1", "b", 7, "arn", ("key",), "root of the account", key_call_id="0B")


def test_the_one_use_of_a_request_is_carried_by_its_entry():
    found = carrying(OWN, (USE,))
    assert found == replace(OWN, permit="Readers\nroot of the account", key_ids=("key",), key_call_id="0B")


def test_a_request_without_uses_has_its_entry_alone():
    assert carrying(OWN, ()) is OWN


@pytest.mark.parametrize(("kind", "use"), CARRIED.items())
@pytest.mark.parametrize("status", [200, 201, 204, 206, 303])
def test_each_kind_carries_one_kind_of_use(kind, use, status):
    own = replace(OWN, kind=kind, status=status)
    assert carrying(own, (replace(USE, kind=use),)).key_ids == ("key",)
    other = replace(USE, kind=WRAP if use == UNWRAP else UNWRAP)
    assert carrying(own, (other,)) == (own, other.entry_beside(own))


@pytest.mark.parametrize(
    ("own", "uses"),
    [
        (OWN, (USE, USE)),
        (OWN, (replace(USE, status=403),)),
        (replace(OWN, status=304), (USE,)),
        (replace(OWN, status=403), (USE,)),
        (replace(OWN, kind="object.delete"), (USE,)),
        (OWN, (replace(USE, account_id="2"),)),
        (OWN, (replace(USE, bucket_id=8),)),
    ],
    ids=["two uses", "refused use", "not modified", "refused request", "other kind", "key of another account", "other bucket"],
)
def test_all_other_uses_have_entries_of_their_own(own, uses):
    assert carrying(own, uses) == (own, *(use.entry_beside(own) for use in uses))


def test_the_entry_of_a_use_tells_of_the_key_and_whose_request_it_was():
    own = replace(OWN, source="127.0.0.1", byte_range="0-1")
    use = replace(USE, account_id="2", bucket="c", bucket_id=8, status=403, reason="AccessDenied")
    assert use.entry_beside(own) == Entry(
        1,
        "0A",
        UNWRAP,
        "2",
        "ann",
        "c",
        "arn",
        status=403,
        reason="AccessDenied",
        source="127.0.0.1",
        bucket_id=8,
        permit="root of the account",
        key_ids=("key",),
        consent_id="c",
        key_call_id="0B",
    )
