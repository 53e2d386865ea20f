"""Who stands behind a key, and that in doubt nobody does."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from siegel.access.caller import CallerKind
from siegel.access.decide import decide
from siegel.access.evaluation import Asked, ResourceSide
from siegel.domain.errors import AccessDeniedError, InvalidAccessKeyIdError, StorageError
from siegel.domain.identities import Group, ManagedPolicy, PolicyVersion, Role, UniqueName, User
from siegel.domain.objects import Credential, CredentialKind
from siegel.domain.query_errors import NoSuchEntityError
from siegel.domain.records import DEPLOYMENT_SCOPE, Kind, account_scope, encode_document
from siegel.drivers.meta.memory import MemoryStore
from siegel.service.identities.entities import EntityWriter
from siegel.service.identities.provided import PROVIDED
from siegel.service.principals import arn_of, default_text, resolve, rights_of_role, text_now, trust_of, unique_id_of

OWN, OTHER = "111122223333", "444455556666"
OBJECT = "arn:aws:s3:::b/k"


class FixedClock:
    def now_ms(self):
        return 1_700_000_000_000


def text(action, effect="Allow", **elements):
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": "*", **elements}})


KEY = Credential("SGK" + "A" * 17, CredentialKind.USER, OWN, 0, b"", "bob")
BOB = User(name="bob", path="/staff/", unique_id="SGU" + "B" * 18, tags=(("team", "red"),))
READER = Role(name="reader", unique_id="SGR" + "R" * 18, trust_text=text("sts:AssumeRole"))


@pytest.fixture
def store():
    made = MemoryStore(FixedClock())
    put(made, BOB, READER)
    return made


def change(store, work):
    return asyncio.run(store.write(work, None))


def put(store, *entities, account=OWN):
    def work(tx):
        writer = EntityWriter(tx, account)
        for entity in entities:
            if writer.find(type(entity), entity.name) is None:
                writer.insert(entity)
            else:
                writer.put(entity)

    change(store, work)


def may(caller, action="s3:GetObject", resource=OBJECT):
    try:
        decide(caller, Asked(action, resource), ResourceSide(OWN))
    except AccessDeniedError:
        return False
    return True


def test_a_user_is_who_the_account_says_it_is(store):
    caller = resolve(store.reader, KEY)
    assert (caller.kind, caller.account_id, caller.name) == (CallerKind.USER, OWN, "bob")
    assert caller.arn == f"arn:aws:iam::{OWN}:user/staff/bob"
    assert (caller.principal_id, caller.access_key_id, dict(caller.tags)) == (BOB.unique_id, KEY.access_key_id, {"team": "red"})
    assert not may(caller)


def test_a_users_rights_are_its_own_policies_those_attached_and_those_of_its_groups(store):
    managed = ManagedPolicy(name="m", unique_id="SGPM", versions=(PolicyVersion(1, text("s3:PutObject"), 0),))
    put(
        store,
        managed,
        Group(name="g", inline=(("p", text("s3:DeleteObject")),), attached=("arn:aws:iam::aws:policy/IAMFullAccess",)),
        replace(BOB, inline=(("own", text("s3:GetObject")),), attached=(f"arn:aws:iam::{OWN}:policy/m",), groups=("g",)),
    )
    caller = resolve(store.reader, KEY)
    assert all(may(caller, action) for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "iam:CreateUser"))
    assert not may(caller, "s3:ListBucket")


def test_a_boundary_limits_them(store):
    put(store, replace(BOB, inline=(("own", text("*")),), boundary="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"))
    caller = resolve(store.reader, KEY)
    assert may(caller)
    assert not may(caller, "s3:PutObject")


@pytest.mark.parametrize(
    "credential",
    [
        replace(KEY, is_active=False),
        replace(KEY, user_name="gone"),
        replace(KEY, user_name="BOB"),
        replace(KEY, user_name=""),
        replace(KEY, account_id=OTHER),
        replace(KEY, kind=CredentialKind.OPERATOR),
        Credential("SGL" + "A" * 17, CredentialKind.ROOT, OWN, 0, b"", is_active=False),
    ],
)
def test_a_key_that_is_off_or_nobodys_opens_nothing(store, credential):
    with pytest.raises(InvalidAccessKeyIdError):
        resolve(store.reader, credential)


def test_the_root_is_the_root(store):
    caller = resolve(store.reader, Credential("SGL" + "A" * 17, CredentialKind.ROOT, OWN, 0, b""))
    assert (caller.kind, caller.arn) == (CallerKind.ROOT, f"arn:aws:iam::{OWN}:root")


@pytest.mark.parametrize(
    "broken",
    [
        {"inline": (("own", "no policy"),)},
        {"inline": (("own", text("s3:*", effect="Perhaps")),)},
        {"attached": (f"arn:aws:iam::{OWN}:policy/gone",)},
        {"attached": ("arn:aws:iam::aws:policy/Gone",)},
        {"groups": ("gone",)},
        {"boundary": f"arn:aws:iam::{OWN}:policy/gone"},
    ],
)
def test_t33_a_policy_that_cannot_be_read_denies(store, broken):
    """It is never taken for one that is not there: whoever has it gets in nowhere, not even by other policies."""
    put(store, replace(BOB, inline=(("all", text("*")),)))
    assert may(resolve(store.reader, KEY))
    put(store, replace(BOB, **({"inline": (("all", text("*")),)} | broken)))
    with pytest.raises(StorageError):
        resolve(store.reader, KEY)


def test_t33_a_damaged_user_or_policy_denies(store):
    change(store, lambda tx: tx.records.put(account_scope(OWN), Kind.USER, "bob", b"\xff"))
    with pytest.raises(StorageError):
        resolve(store.reader, KEY)
    put_back = encode_document(replace(BOB, attached=(f"arn:aws:iam::{OWN}:policy/m",)))
    change(store, lambda tx: tx.records.put(account_scope(OWN), Kind.USER, "bob", put_back))
    change(store, lambda tx: tx.records.put(account_scope(OWN), Kind.MANAGED_POLICY, "m", b"\x91\x02"))
    with pytest.raises(StorageError):
        resolve(store.reader, KEY)


def test_t33_a_policy_without_its_default_version_denies():
    with pytest.raises(StorageError):
        default_text(ManagedPolicy(name="m", versions=(PolicyVersion(1, "{}", 0),), default_number=2))


def test_a_role_has_rights_and_says_who_may_take_them_on(store):
    trust = json.dumps({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}})
    put(store, replace(READER, inline=(("own", text("s3:GetObject")),), trust_text=trust))
    rights = rights_of_role(store.reader, OWN, "reader")
    assert len(rights.identity.all) == 1
    assert len(trust_of(replace(READER, trust_text=trust)).statements.all) == 1
    with pytest.raises(NoSuchEntityError):
        rights_of_role(store.reader, OTHER, "reader")
    with pytest.raises(StorageError):
        trust_of(replace(READER, trust_text="{}"))


def test_arns_lead_to_unique_ids_and_back(store):
    bob, reader = f"arn:aws:iam::{OWN}:user/staff/bob", f"arn:aws:iam::{OWN}:role/reader"
    assert unique_id_of(store.reader, bob) == BOB.unique_id
    assert unique_id_of(store.reader, reader) == READER.unique_id
    assert unique_id_of(store.reader, f"arn:aws:sts::{OWN}:assumed-role/reader/job") == READER.unique_id
    assert unique_id_of(store.reader, BOB.unique_id) == BOB.unique_id
    assert arn_of(store.reader, BOB.unique_id) == bob
    assert arn_of(store.reader, READER.unique_id) == reader
    for wrong in (
        f"arn:aws:iam::{OWN}:user/bob",
        f"arn:aws:iam::{OWN}:user/staff/BOB",
        f"arn:aws:iam::{OTHER}:user/staff/bob",
        f"arn:aws:iam::{OWN}:role/staff/bob",
        f"arn:aws:iam::{OWN}:root",
        f"arn:aws:sts::{OWN}:assumed-role/writer/job",
        "SGU" + "X" * 18,
        "a" * 64,
        "",
    ):
        assert unique_id_of(store.reader, wrong) is None
    assert arn_of(store.reader, "SGU" + "X" * 18) is None


def test_unique_ids_follow_a_user_under_another_name_and_go_with_it(store):
    renamed = replace(BOB, name="robert")
    change(store, lambda tx: EntityWriter(tx, OWN).rename(BOB, renamed))
    assert arn_of(store.reader, BOB.unique_id) == f"arn:aws:iam::{OWN}:user/staff/robert"
    change(store, lambda tx: EntityWriter(tx, OWN).remove(renamed))
    assert arn_of(store.reader, BOB.unique_id) is None


def test_a_policy_is_shown_with_the_names_of_now(store):
    names = [f"arn:aws:iam::{OWN}:user/staff/bob", f"arn:aws:sts::{OWN}:assumed-role/reader/job", BOB.unique_id]
    bindings = tuple((name, unique_id_of(store.reader, name)) for name in names[:2])
    written = json.dumps({"Statement": {"Principal": {"AWS": names[:2]}}}, indent=3)
    assert text_now(store.reader, written, bindings) == written

    def shown(text=written, bound=bindings):
        return json.loads(text_now(store.reader, text, bound))["Statement"]["Principal"]["AWS"]

    by_id = json.dumps({"Statement": {"Principal": {"AWS": [BOB.unique_id]}}})
    assert shown(by_id, ((BOB.unique_id, BOB.unique_id),)) == names[:1]
    renamed = replace(BOB, name="robert")
    change(store, lambda tx: EntityWriter(tx, OWN).rename(BOB, renamed))
    put(store, replace(BOB, unique_id="SGU" + "C" * 18))
    assert shown() == [f"arn:aws:iam::{OWN}:user/staff/robert", names[1]]
    for entity in (renamed, READER):
        change(store, lambda tx, entity=entity: EntityWriter(tx, OWN).remove(entity))
    put(store, replace(READER, unique_id="SGR" + "S" * 18))
    assert shown() == [BOB.unique_id, f"{READER.unique_id}:job"]
    with pytest.raises(StorageError):
        text_now(store.reader, "no policy", bindings)


def test_an_id_that_leads_nowhere_is_damage(store):
    lost = encode_document(UniqueName(account_id=OWN, kind="user", name="lost"))
    change(store, lambda tx: tx.records.put(DEPLOYMENT_SCOPE, Kind.UNIQUE_ID, "SGULOST", lost))
    with pytest.raises(StorageError):
        arn_of(store.reader, "SGULOST")


def test_policies_that_every_account_has_can_be_read():
    assert len(PROVIDED) >= 5
    for arn, policy in PROVIDED.items():
        assert arn.startswith("arn:aws:iam::aws:policy/")
        assert json.loads(default_text(policy))["Statement"]
