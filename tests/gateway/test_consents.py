"""Operators see what a customer has signed for, as long as that holds, and nothing else; each use and refusal is an entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .consenting import Parties, parties
from .service import Service
from .shelf import fails


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("consents")) as found:
        found.s3.put_object(Bucket=found.bucket, Key="case/1", Body=b"one")
        found.s3.put_object(Bucket=found.bucket, Key="case/2", Body=b"two")
        yield found


def read(s3: Any, bucket: str, key: str, **options: Any) -> bytes:
    with s3.get_object(Bucket=bucket, Key=key, **options)["Body"] as stream:
        return bytes(stream.read())


def told(theirs: Parties, consent_id: str, *, at_least: int = 0) -> list[tuple[str, int]]:
    return [(line.leaf.facts.kind, line.leaf.facts.status) for line in theirs.lines(consent_id, at_least=at_least)]


def test_a_grant_is_used_and_each_use_is_an_entry(theirs: Parties) -> None:
    consent_id = theirs.granted("case/1")
    s3 = theirs.engineer(consent_id)
    for _ in range(3):
        assert read(s3, theirs.bucket, "case/1") == b"one"
    assert read(s3, theirs.bucket, "case/1", Range="bytes=1-") == b"ne"
    s3.head_object(Bucket=theirs.bucket, Key="case/1")
    with fails(403, "AccessDenied"):
        read(s3, theirs.bucket, "case/2")
    assert told(theirs, consent_id, at_least=10) == [
        ("consent.request", 200),
        ("consent.approve", 200),
        ("consent.activate", 200),
        ("consent.credentials", 200),
        *[("object.read", 200)] * 3,
        ("object.read", 206),
        ("object.head", 200),
        ("object.read", 403),
    ]
    used = theirs.lines(consent_id)[4]
    assert used.opening is not None
    assert used.opening.principal == f"arn:aws:siegel:::support/{consent_id}/jane.doe"
    assert (used.opening.permit, used.opening.object_key) == (f"consent {consent_id}", "case/1")
