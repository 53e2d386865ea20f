"""Entries of requests, and the uses of keys that they carry."""

import pytest
from msgspec.structs import replace

from siegel.domain.entry import CARRIED, UNWRAP, WRAP, Entry, carrying

OWN = Entry(1, "0A", "object.read", "1", "ann", "b", "k", "v", permit="Readers", bucket_id=7, manifest=b"m", consent_id="c")
USE = Entry(
    1, "0A", UNWRAP, "1", "ann", "b", "arn", permit="root of the account", bucket_id=7, key_ids=("key",), key_call_id="0B"
)


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
    assert carrying(own, (other,)) == (own, other)


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
    assert carrying(own, uses) == (own, *uses)
