"""The key service as transactions and entries: what is written down, what time does to keys, what is never stored."""

import asyncio
import base64
import json
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from tests.gateway.imports import wrap

from siegel.access.caller import root_caller
from siegel.domain.addresses import parse_allowed
from siegel.domain.errors import AccessDeniedError, SealBrokenError, SlowDownError, StorageError
from siegel.domain.kms_errors import (
    KmsDisabledError,
    KmsError,
    KmsExpiredImportTokenError,
    KmsInvalidCiphertextError,
    KmsInvalidStateError,
    KmsLimitExceededError,
    KmsNotFoundError,
)
from siegel.domain.objects import Account
from siegel.domain.records import Kind, account_scope, decode_document, encode_document
from siegel.domain.wrapping_keys import WrappingKey
from siegel.drivers.custody.local import LocalCustodian
from siegel.drivers.meta.memory import MemoryStore
from siegel.drivers.outbound import HttpOutbound
from siegel.drivers.system import SystemRandomness
from siegel.kmswire.operations import OPERATIONS, find_operation, read_call
from siegel.s3wire.request import parse_request
from siegel.service.kms import aliases, grants, imports, keys
from siegel.service.kms.keys import DAY_MS
from siegel.service.kms.material import Materials, material_context
from siegel.service.kms.proxies import Proxies
from siegel.service.kms.scene import Unwrapped
from siegel.service.kms.upkeep import KeyUpkeep
from siegel.service.kms.use_cases import CHANGES, READS, KeyService
from siegel.service.trail import Trail
from siegel.service.unproven import Unproven
from siegel.web.door_steps import note_refusal

OWN, OTHER = "111122223333", "444455556666"
ROOT, STRANGER = root_caller(OWN, "SGL" + "A" * 17), root_caller(OTHER, "SGL" + "B" * 17)
START_MS = 1_700_000_000_000


class HandClock:
    at_ms = START_MS

    def now_ms(self):
        return self.at_ms

    def moment(self):
        return self.at_ms, self.at_ms


class Bench:
    def __init__(self):
        self.clock = HandClock()
        self.lock_clock = HandClock()
        self.store = MemoryStore(self.clock)
        self.custodian = LocalCustodian(bytes(32))
        self.randomness = SystemRandomness()
        self.service = self.worker()
        self.upkeep = KeyUpkeep(
            self.store, self.custodian, clock=self.clock, lock_time=self.lock_clock, randomness=self.randomness
        )
        for account_id in (OWN, OTHER):
            account = Account(account_id=account_id, name=account_id, created_at_ms=1, sealed_keys=b"")
            asyncio.run(self.store.write(lambda tx, account=account: tx.identities.insert_account(account), None))

    def worker(self):
        return KeyService(
            self.store,
            self.store,
            self.custodian,
            clock=self.clock,
            lock_time=self.lock_clock,
            randomness=self.randomness,
            proxies=Proxies(HttpOutbound(parse_allowed([])), self.clock, "eu-central-1"),
            region="eu-central-1",
        )

    def ask(self, name, caller=ROOT, worker=None, **members):
        return asyncio.run(self.call(name, caller, worker, **members))

    @staticmethod
    def trail(caller=ROOT):
        trail = Trail(5, "REQUEST", "192.0.2.1")
        trail.caller, trail.account_id = caller, caller.account_id
        return trail

    def call(self, name, caller=ROOT, worker=None, trail=None, **members):
        body = json.dumps(members, default=lambda value: base64.b64encode(value).decode()).encode()
        spoken = read_call(find_operation(f"TrentService.{name}"), body)
        request = parse_request("POST", "http", b"/", b"", [(b"host", b"h")], "192.0.2.1", ())
        trail = trail or self.trail(caller)
        trail.kind = spoken.operation.kind
        return (worker or self.service).answer(spoken, request, trail)

    def make_key(self, caller=ROOT, **members):
        return self.ask("CreateKey", caller, **members)["KeyMetadata"]["Arn"]

    def pass_days(self, days):
        self.clock.at_ms += days * DAY_MS
        self.lock_clock.at_ms += days * DAY_MS

    def tidy(self):
        kept = asyncio.run(self.upkeep.run_once())
        return kept.deleted, kept.rotated

    def written(self):
        return [entry for _, batch in self.store.entries(0, 1000) for entry in batch]


@pytest.fixture
def bench():
    return Bench()


def stored_key(bench, arn):
    stored = bench.store.reader.records.find(account_scope(OWN), Kind.WRAPPING_KEY, arn.rpartition("/")[2])
    return None if stored is None else decode_document(stored, WrappingKey)


def put(bench, key):
    def change(tx):
        tx.records.put(account_scope(OWN), Kind.WRAPPING_KEY, key.key_id, encode_document(key))
        tx.invalidate()

    asyncio.run(bench.store.write(change, None))


def test_every_operation_has_its_use_case(bench):
    assert set(CHANGES) == {name for name, row in OPERATIONS.items() if row.changes}
    uses = set(bench.service._uses)
    assert set(READS) | uses == {name for name, row in OPERATIONS.items() if not row.changes}
    assert set(READS) & uses == set()


def test_material_is_unwrapped_before_the_transaction_and_for_its_own_key_alone(bench, monkeypatch):
    arn = bench.make_key(Origin="EXTERNAL")
    members = bring_along(bench, arn, b"m" * 32)
    unwrap, other = imports.unwrap_import, "0b1c2d3e-0000-4000-8000-00000000000a"
    busy = []

    def watched(*words):
        busy.append(bench.store.is_writing)
        return unwrap(*words)

    write = bench.store.write

    async def write_watched(change, entry):
        bench.store.is_writing = True
        try:
            return await write(change, entry)
        finally:
            bench.store.is_writing = False

    bench.store.is_writing, bench.store.write = False, write_watched
    monkeypatch.setattr(imports, "unwrap_import", watched)
    bench.ask("ImportKeyMaterial", **members)
    assert busy == [False]

    async def of_another(_materials, _scene, _ask):
        return Unwrapped(OWN, other, b"m" * 32)

    bench.service._inquiries._asks["ImportKeyMaterial"] = lambda scene, ask: of_another(None, scene, ask)
    with pytest.raises(KmsInvalidStateError, match="meanwhile"):
        bench.ask("ImportKeyMaterial", **members)
    assert "mmm" not in repr(Unwrapped(OWN, other, b"m" * 32))


def test_every_call_is_written_down_with_its_key_and_without_its_plaintext(bench):
    arn = bench.make_key()
    blob = bench.ask("Encrypt", KeyId=arn, Plaintext=b"canary")["CiphertextBlob"]
    bench.ask("Decrypt", CiphertextBlob=blob)
    bench.ask("ListKeys")
    bench.ask("GenerateRandom", NumberOfBytes=8)
    seen = [(entry.kind, entry.object_key, entry.account_id, entry.status) for entry in bench.written()]
    assert seen == [
        ("kms.create_key", arn, OWN, 200),
        ("kms.encrypt", arn, OWN, 200),
        ("kms.decrypt", arn, OWN, 200),
        ("kms.list_keys", "", OWN, 200),
        ("kms.generate_random", "", OWN, 200),
    ]
    assert "canary" not in repr(bench.written())


def test_a_call_about_keys_of_two_accounts_is_written_down_in_both(bench):
    own, other = bench.make_key(), bench.make_key(STRANGER)
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"} for account in (OWN, OTHER)
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    bench.ask("PutKeyPolicy", STRANGER, KeyId=other, Policy=policy)
    blob = bench.ask("Encrypt", KeyId=own, Plaintext=b"x")["CiphertextBlob"]
    bench.ask("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other)
    assert [(entry.account_id, entry.object_key) for entry in bench.written() if entry.kind == "kms.re_encrypt"] == [
        (OTHER, other),
        (OWN, own),
    ]


def test_a_refused_call_about_keys_of_two_accounts_is_written_down_in_both(bench):
    own, other = bench.make_key(), bench.make_key(STRANGER)
    allow_all = {"Effect": "Allow", "Principal": {"AWS": [OWN, OTHER]}, "Action": "kms:*", "Resource": "*"}
    denied = {"Effect": "Deny", "Principal": {"AWS": OWN}, "Action": "kms:ReEncryptTo", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow_all, denied]})
    bench.ask("PutKeyPolicy", STRANGER, KeyId=other, Policy=policy)
    blob = bench.ask("Encrypt", KeyId=own, Plaintext=b"x")["CiphertextBlob"]
    trail = bench.trail()
    with pytest.raises(AccessDeniedError):
        asyncio.run(bench.call("ReEncrypt", trail=trail, CiphertextBlob=blob, DestinationKeyId=other))
    parts = SimpleNamespace(unproven=Unproven(bench.store, bench.clock))
    assert asyncio.run(note_refusal(parts, trail, 400, "AccessDeniedException")) is None
    assert [
        (entry.account_id, entry.object_key, entry.status, entry.reason)
        for entry in bench.written()
        if entry.kind == "kms.re_encrypt"
    ] == [(OTHER, other, 400, "AccessDeniedException"), (OWN, own, 400, "AccessDeniedException")]


def test_a_change_tells_every_worker_and_a_use_none(bench):
    arn = bench.make_key()
    second = bench.worker()
    blob = bench.ask("Encrypt", KeyId=arn, Plaintext=b"x", worker=second)["CiphertextBlob"]
    before = bench.store.generation()
    bench.ask("Decrypt", CiphertextBlob=blob)
    assert bench.store.generation() == before
    bench.ask("DisableKey", KeyId=arn)
    assert bench.store.generation() != before
    with pytest.raises(KmsDisabledError):
        bench.ask("Decrypt", CiphertextBlob=blob, worker=second)


def test_a_key_goes_with_all_that_is_its_own_when_its_time_has_come(bench):
    arn = bench.make_key()
    bench.ask("CreateAlias", AliasName="alias/a", TargetKeyId=arn)
    root = f"arn:aws:iam::{OWN}:root"
    bench.ask("CreateGrant", KeyId=arn, GranteePrincipal=root, RetiringPrincipal=root, Operations=["Encrypt"])
    blob = bench.ask("Encrypt", KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    bench.ask("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    bench.pass_days(6)
    assert bench.tidy() == (0, 0)
    assert stored_key(bench, arn).materials
    bench.pass_days(1)
    assert bench.tidy() == (1, 0)
    for kind in (Kind.WRAPPING_KEY, Kind.KEY_ALIAS, Kind.KEY_GRANT, Kind.RETIRABLE_GRANT):
        assert bench.store.reader.records.scan(account_scope(OWN), kind, "", 10) == []
    with pytest.raises(AccessDeniedError):
        bench.ask("Decrypt", CiphertextBlob=blob)
    with pytest.raises(KmsNotFoundError):
        bench.ask("CancelKeyDeletion", KeyId=arn)
    last = bench.written()[-1]
    assert (last.kind, last.account_id, last.object_key) == ("steward.delete_key", OWN, arn.rpartition("/")[2])


def test_a_clock_that_was_set_ahead_deletes_nothing(bench):
    arn = bench.make_key()
    bench.ask("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    bench.clock.at_ms += 365 * DAY_MS
    assert bench.tidy() == (0, 0)
    bench.ask("CancelKeyDeletion", KeyId=arn)


def test_a_clock_that_was_set_back_shortens_no_time_of_reflection(bench):
    arn = bench.make_key()
    bench.clock.at_ms -= 365 * DAY_MS
    told = bench.ask("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    assert told["DeletionDate"] == (START_MS + 7 * DAY_MS) / 1000
    assert bench.tidy() == (0, 0)


def test_what_is_not_due_any_more_is_left_alone_and_no_entry_says_otherwise(bench):
    arn = bench.make_key()
    entries = len(bench.written())
    key_id = arn.rpartition("/")[2]
    for work in (bench.upkeep._delete, bench.upkeep._rotate):
        assert asyncio.run(work(OWN, key_id)) is False
        assert asyncio.run(work(OWN, "gone")) is False
    assert len(bench.written()) == entries


def test_a_key_rotates_by_itself_and_opens_all_it_ever_sealed(bench):
    arn, still = bench.make_key(), bench.make_key()
    bench.ask("EnableKeyRotation", KeyId=arn)
    bench.ask("EnableKeyRotation", KeyId=still)
    bench.ask("DisableKey", KeyId=still)
    blobs = []
    for turn in range(3):
        blobs.append(bench.ask("Encrypt", KeyId=arn, Plaintext=b"%d" % turn)["CiphertextBlob"])
        assert bench.tidy() == (0, 0)
        bench.pass_days(365)
        assert bench.tidy() == (0, 1)
    assert [bench.ask("Decrypt", CiphertextBlob=blob)["Plaintext"] for blob in blobs] == [b"0", b"1", b"2"]
    told = bench.ask("ListKeyRotations", KeyId=arn)["Rotations"]
    assert [one["RotationType"] for one in told] == ["AUTOMATIC"] * 3
    assert bench.ask("GetKeyRotationStatus", KeyId=arn)["NextRotationDate"] == (START_MS + 4 * 365 * DAY_MS) / 1000
    assert "steward.rotate_key" in {entry.kind for entry in bench.written()}


def test_material_is_sealed_for_its_account_key_and_number(bench):
    materials = Materials(bench.custodian, bench.randomness)
    made = materials.make(OWN, "k", 1, at_ms=5)
    assert len(materials.open(OWN, "k", made)) == 32
    for account_id, key_id, material in ((OTHER, "k", made), (OWN, "j", made), (OWN, "k", replace(made, number=2))):
        with pytest.raises(SealBrokenError):
            materials.open(account_id, key_id, material)
    assert material_context("1", "k", 2) == b"siegel key material v1\0" + b"1/k/2"


def test_a_custodian_that_returns_something_else_makes_no_key(bench):
    class Forgetful:
        def wrap(self, plaintext, context):
            return b"sealed"

        def unwrap(self, wrapped, context):
            return bytes(32)

    with pytest.raises(SealBrokenError):
        Materials(Forgetful(), bench.randomness).make(OWN, "k", 1, at_ms=5)


def test_material_that_was_moved_or_damaged_opens_nothing(bench):
    first, second = bench.make_key(), bench.make_key()
    blob = bench.ask("Encrypt", KeyId=first, Plaintext=b"x")["CiphertextBlob"]
    put(bench, replace(stored_key(bench, first), materials=stored_key(bench, second).materials))
    with pytest.raises(KmsInvalidCiphertextError):
        bench.ask("Decrypt", CiphertextBlob=blob)
    with pytest.raises(SealBrokenError):
        bench.ask("Encrypt", KeyId=first, Plaintext=b"x")


def test_a_policy_that_cannot_be_read_lets_nobody_in(bench):
    arn = bench.make_key()
    put(bench, replace(stored_key(bench, arn), policy_text="{"))
    for name in ("DescribeKey", "GetKeyPolicy", "DisableKey"):
        with pytest.raises(StorageError):
            bench.ask(name, KeyId=arn)


@pytest.mark.parametrize(
    ("where", "name", "members"),
    [
        ((keys, "KMS_KEYS_MAX"), "CreateKey", {}),
        ((aliases, "KMS_ALIASES_PER_KEY_MAX"), "CreateAlias", {"AliasName": "alias/b", "TargetKeyId": "ARN"}),
        ((aliases, "KMS_ALIASES_MAX"), "CreateAlias", {"AliasName": "alias/b", "TargetKeyId": "ARN"}),
        (
            (grants, "KMS_GRANTS_PER_KEY_MAX"),
            "CreateGrant",
            {"KeyId": "ARN", "GranteePrincipal": f"arn:aws:iam::{OWN}:root", "Operations": ["Encrypt"]},
        ),
    ],
)
def test_there_are_limits(bench, monkeypatch, where, name, members):
    arn = bench.make_key()
    bench.ask("CreateAlias", AliasName="alias/a", TargetKeyId=arn)
    bench.ask("CreateGrant", KeyId=arn, GranteePrincipal=f"arn:aws:iam::{OWN}:root", Operations=["Decrypt"])
    monkeypatch.setattr(*where, 1)
    with pytest.raises(KmsLimitExceededError):
        bench.ask(name, **{member: arn if value == "ARN" else value for member, value in members.items()})


def test_what_was_refused_left_nothing(bench):
    arn = bench.make_key()
    before = bench.store.reader.records.scan(account_scope(OWN), Kind.WRAPPING_KEY, "", 10)
    refused = [
        ("PutKeyPolicy", {"KeyId": arn, "Policy": "{}"}),
        ("CancelKeyDeletion", {"KeyId": arn}),
        ("CreateKey", {"Policy": json.dumps({"Version": "2012-10-17", "Statement": []})}),
    ]
    for name, members in refused:
        with pytest.raises(KmsError):
            bench.ask(name, **members)
    assert bench.store.reader.records.scan(account_scope(OWN), Kind.WRAPPING_KEY, "", 10) == before


def bring_along(bench, arn, material, **members):
    given = bench.ask("GetParametersForImport", KeyId=arn, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    wrapped = wrap("RSAES_OAEP_SHA_256", given["PublicKey"], material)
    members = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", **members}
    return {"KeyId": arn, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **members}


def test_so_many_wait_for_a_pair_of_keys_and_others_come_again(bench, monkeypatch):
    monkeypatch.setattr(imports, "KMS_IMPORT_PAIRS_WAITING_MAX", 2)
    arn = bench.make_key(Origin="EXTERNAL")
    members = {"KeyId": arn, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}

    async def ask():
        for _ in range(2):
            calls = (bench.call("GetParametersForImport", **members) for _ in range(5))
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(answer, SlowDownError) for answer in answers] == [False, False, True, True, True]
            assert all(answer["PublicKey"] for answer in answers[:2])

    asyncio.run(ask())


def test_an_import_token_is_good_for_a_day(bench):
    arn = bench.make_key(Origin="EXTERNAL")
    members = bring_along(bench, arn, b"m" * 32)
    bench.clock.at_ms += DAY_MS
    bench.ask("ImportKeyMaterial", **members)
    bench.clock.at_ms += 1
    with pytest.raises(KmsExpiredImportTokenError):
        bench.ask("ImportKeyMaterial", **members)


def test_expired_material_is_used_no_more_and_taken_away_by_the_steward(bench):
    arn = bench.make_key(Origin="EXTERNAL")
    ends_ms = bench.clock.at_ms + 5_000
    members = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": ends_ms / 1000}
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"m" * 32, **members))
    blob = bench.ask("Encrypt", KeyId=arn, Plaintext=b"mine")["CiphertextBlob"]
    bench.clock.at_ms = ends_ms - 1
    assert bench.ask("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"mine"
    assert asyncio.run(bench.upkeep.run_once()).expired == 0
    bench.clock.at_ms = ends_ms
    with pytest.raises(KmsInvalidStateError):
        bench.ask("Decrypt", CiphertextBlob=blob)
    assert stored_key(bench, arn).materials
    assert asyncio.run(bench.upkeep.run_once()).expired == 1
    assert asyncio.run(bench.upkeep.run_once()).expired == 0
    (left,) = stored_key(bench, arn).materials
    assert (left.sealed, left.expires_at_ms, stored_key(bench, arn).expires_at_ms) == (b"", 0, 0)
    assert bench.written()[-1].kind == "steward.expire_key_material"
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"m" * 32))
    assert bench.ask("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"mine"


def test_a_transaction_takes_expired_material_for_gone_before_the_steward_has_come(bench):
    arn = bench.make_key(Origin="EXTERNAL")
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"m" * 32))
    members = {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": (bench.clock.at_ms + 5_000) / 1000}
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"n" * 32, ImportType="NEW_KEY_MATERIAL", **members))
    bench.clock.at_ms += 5_000
    with pytest.raises(KmsInvalidStateError):
        bench.ask("RotateKeyOnDemand", KeyId=arn)
    # The next new material is none of that which has expired.
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"o" * 32, ImportType="NEW_KEY_MATERIAL"))
    bench.ask("RotateKeyOnDemand", KeyId=arn)
    assert [material.number for material in stored_key(bench, arn).materials] == [1, 2]


def test_expiry_that_was_put_off_meanwhile_takes_nothing_away(bench):
    arn = bench.make_key(Origin="EXTERNAL")
    bench.ask("ImportKeyMaterial", **bring_along(bench, arn, b"m" * 32))
    assert not asyncio.run(bench.upkeep._expire(OWN, arn.rpartition("/")[2]))
    assert stored_key(bench, arn).materials[0].sealed
    assert bench.written()[-1].kind == "kms.import_key_material"


def test_the_material_itself_is_nowhere_in_clear(bench):
    arn = bench.make_key(Origin="EXTERNAL")
    members = bring_along(bench, arn, b"canary" + b"m" * 26)
    bench.ask("ImportKeyMaterial", **members)
    assert b"canary" not in encode_document(stored_key(bench, arn))
    assert "canary" not in repr(bench.written())
    assert b"canary" not in members["ImportToken"]
