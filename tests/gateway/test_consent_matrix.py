"""The access matrix of operators: without a consent no door opens, and with the widest one there is, six operations do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from siegel.access.consent import ACTIONS
from siegel.kmswire.operations import OPERATIONS

from .consenting import Parties, parties
from .matrix import KEY, ROUTES, Place, request_of
from .raw import RawClient
from .service import Service
from .shelf import Shelf, fails
from .signer import Keys
from .test_access_matrix import (
    OF_ONESELF,
    QUERY_ACTIONS,
    CallerOf,
    MakeClient,
    call,
    call_kms,
    client_of,
    everything,
    form_of,
    refusal_of,
)
from .test_consents import read

# Where a token of an identity provider decides, nobody has to sign.
SIGNED = [(name, action) for name, action in QUERY_ACTIONS if not action.unsigned]


@pytest.fixture(scope="module")
def theirs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(service, tmp_path_factory.mktemp("matrix")) as found:
        yield found


@pytest.fixture(scope="module")
def shelf(theirs: Parties) -> Shelf:
    shelf = Shelf(theirs.bucket, theirs.s3, theirs.raw, theirs.service)
    shelf.put(KEY, b"mine")
    shelf.put("a/1", b"one")
    shelf.put("a/2", b"two")
    return shelf


@pytest.fixture(scope="module")
def place(theirs: Parties, shelf: Shelf) -> Place:
    return Place(theirs.bucket, shelf.start(KEY), theirs.account_id)


@pytest.fixture(scope="module")
def widest(theirs: Parties) -> CallerOf:
    """An engineer with a consent to everything that can be consented to."""
    return caller_of(theirs, theirs.granted("*", actions=["list", "head", "read"]))


def caller_of(theirs: Parties, consent_id: str) -> CallerOf:
    given = theirs.credentials(consent_id)
    return CallerOf(Keys(given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"])


@pytest.fixture(scope="module")
def client(service: Service) -> MakeClient:
    return cache(partial(client_of, service))


@pytest.fixture(scope="module")
def before(shelf: Shelf, place: Place) -> object:
    return everything(shelf)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_the_widest_consent_opens_what_lists_and_reads(
    route: Any, widest: CallerOf, shelf: Shelf, place: Place, before: object
) -> None:
    raw: RawClient = shelf.service.raw()
    answer = raw.send(widest.sign(raw, request_of(raw, route, place)))
    if route.operation in ACTIONS:
        assert answer.status == 200, answer.body
    else:
        assert refusal_of(answer, route.method), (answer.status, answer.body[:300])
        assert b"mine" not in answer.body
        assert everything(shelf) == before


def test_a_form_is_no_read(widest: CallerOf, shelf: Shelf, place: Place, before: object) -> None:
    answer = form_of(widest, place.bucket).post(shelf.service.raw(), place.bucket)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert everything(shelf) == before


@pytest.mark.parametrize(("name", "action"), SIGNED, ids=lambda value: getattr(value, "name", value))
def test_no_action_of_iam_and_sts_is_within_a_consent(name: str, action: Any, widest: CallerOf, client: MakeClient) -> None:
    assert call(client, name, action.name, widest) == "AccessDenied"


def test_not_even_who_one_is(widest: CallerOf, client: MakeClient) -> None:
    assert "GetCallerIdentity" in OF_ONESELF
    assert call(client, "sts", "GetCallerIdentity", widest) == "AccessDenied"


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_no_operation_of_kms_is_within_a_consent(row: Any, widest: CallerOf, client: MakeClient) -> None:
    assert call_kms(client, row.name, widest, {}) == "AccessDeniedException"


def test_refusals_at_other_doors_are_entries_with_the_consent(theirs: Parties, client: MakeClient) -> None:
    consent_id = theirs.granted("*")
    assert call(client, "sts", "GetCallerIdentity", caller_of(theirs, consent_id)) == "AccessDenied"
    (line,) = theirs.lines(consent_id, kind="sts.refused")
    assert (line.leaf.facts.status, line.leaf.facts.reason) == (403, "AccessDenied")


def test_lists_within_the_prefix_alone(theirs: Parties, shelf: Shelf) -> None:
    consent_id = theirs.granted("a/*", actions=["list"])
    s3 = theirs.engineer(consent_id)
    listed = s3.list_objects_v2(Bucket=shelf.name, Prefix="a/")
    assert [each["Key"] for each in listed["Contents"]] == ["a/1", "a/2"]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=shelf.name, Prefix="a/1")["Contents"]] == ["a/1"]
    assert s3.list_object_versions(Bucket=shelf.name, Prefix="a/")["Versions"]
    for prefix in ("", "a", "b/"):
        with fails(403, "AccessDenied"):
            s3.list_objects_v2(Bucket=shelf.name, Prefix=prefix)
    for attempt in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError, match=r"403|does not permit"):
            attempt(Bucket=shelf.name, Key="a/1")
    lists = theirs.lines(consent_id, kind="bucket.list", at_least=5)
    assert [line.opening.object_key for line in lists if line.opening] == ["a/", "a/1", "", "a", "b/"]


def test_a_single_object_permits_no_list(theirs: Parties, shelf: Shelf) -> None:
    s3 = theirs.engineer(theirs.granted("a/1", actions=["list", "read"]))
    assert read(s3, shelf.name, "a/1") == b"one"
    with fails(403, "AccessDenied"):
        s3.list_objects_v2(Bucket=shelf.name, Prefix="a/1")


def test_heads_are_no_reads(theirs: Parties, shelf: Shelf) -> None:
    s3 = theirs.engineer(theirs.granted("a/1", actions=["head"]))
    assert s3.head_object(Bucket=shelf.name, Key="a/1")["ContentLength"] == 3
    with fails(403, "AccessDenied"):
        read(s3, shelf.name, "a/1")


def test_versions_are_of_the_object(theirs: Parties, service: Service) -> None:
    shelf = Shelf(theirs.bucket, theirs.s3, theirs.raw, service)
    shelf.version()
    first = shelf.put("v", b"first")["VersionId"]
    shelf.put("v", b"second")
    other = shelf.put("w", b"other")["VersionId"]
    s3 = theirs.engineer(theirs.granted("v"))
    assert read(s3, shelf.name, "v", VersionId=first) == b"first"
    assert read(s3, shelf.name, "v", Range="bytes=0-2") == b"sec"
    with fails(403, "AccessDenied"):
        read(s3, shelf.name, "w", VersionId=other)


def test_keys_with_signs_of_all_kinds(theirs: Parties, shelf: Shelf) -> None:
    for key, encoded in (("t\u00e4glich/100 %*", "t%C3%A4glich/100%20%25%2A"), ("x\ny", "x%0Ay"), ("${a}?", "${a}?")):
        theirs.s3.put_object(Bucket=shelf.name, Key=key, Body=key.encode())
        s3 = theirs.engineer(theirs.granted(encoded))
        assert read(s3, shelf.name, key) == key.encode()
        with fails(403, "AccessDenied"):
            read(s3, shelf.name, key + "x")


def test_what_is_not_there_is_not_told_outside_the_scope(theirs: Parties, shelf: Shelf) -> None:
    s3 = theirs.engineer(theirs.granted("gone"))
    with fails(404, "NoSuchKey"):
        read(s3, shelf.name, "gone")
    for bucket, key in ((shelf.name, "gone-too"), ("no-such-bucket-at-all", "gone")):
        with fails(403, "AccessDenied"):
            read(s3, bucket, key)
