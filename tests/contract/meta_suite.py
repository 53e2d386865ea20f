"""What every MetaStore and its Journal keep. A driver's tests derive from `MetaStoreContract` and give it a store."""

import asyncio
from contextlib import suppress

import msgspec
import pytest
from tests.contract.meta_fixtures import (
    BUCKET,
    START_MS,
    ManualClock,
    a_bucket,
    a_version,
    entry,
    identifier,
    newest_of,
    write,
)
from tests.contract.meta_ledgers_suite import LedgersContract
from tests.contract.meta_objects_suite import ObjectsContract
from tests.contract.meta_uploads_suite import UploadsContract

from siegel.domain.errors import NoSuchKeyError, PreconditionFailedError, StorageError
from siegel.domain.objects import Account, Credential, CredentialKind, Versioning


def an_account(account_id="111122223333", name="acme"):
    return Account(account_id=account_id, name=name, created_at_ms=START_MS, sealed_keys=b"keys")


def a_credential(access_key_id="AKIA1", kind=CredentialKind.ROOT):
    return Credential(
        access_key_id=access_key_id, kind=kind, account_id="111122223333", created_at_ms=START_MS, sealed_secret=b"secret"
    )


def journal_of(store):
    return [kept for _, batch in store.entries(0, 1000) for kept in batch]


class MetaStoreContract(ObjectsContract, UploadsContract, LedgersContract):
    """One promise of the port per test."""

    def make_store(self, tmp_path, clock):
        raise AssertionError("a driver's tests make their store")

    @pytest.fixture
    def clock(self):
        return ManualClock()

    @pytest.fixture
    def store(self, tmp_path, clock):
        made = self.make_store(tmp_path, clock)
        yield made
        made.close()

    # Identities.

    def test_accounts_come_back_in_order_of_their_ids(self, store):
        accounts = [an_account("333", "c"), an_account("111", "b"), an_account("222", "a")]
        for account in accounts:
            write(store, lambda writer, account=account: writer.identities.insert_account(account))
        assert store.reader.identities.find_account("111") == accounts[1]
        assert store.reader.identities.find_account("444") is None
        assert store.reader.identities.list_accounts() == sorted(accounts, key=lambda account: account.account_id)

    @pytest.mark.parametrize("taken", [an_account("111122223333", "other"), an_account("999", "acme")])
    def test_an_accounts_id_and_name_are_its_own(self, store, taken):
        write(store, lambda writer: writer.identities.insert_account(an_account()))
        with pytest.raises(StorageError):
            write(store, lambda writer: writer.identities.insert_account(taken))
        assert store.reader.identities.list_accounts() == [an_account()]

    @pytest.mark.parametrize("kind", list(CredentialKind))
    def test_an_access_key_comes_back_as_it_was_given(self, store, kind):
        write(store, lambda writer: writer.identities.insert_credential(a_credential(kind=kind)))
        found = store.reader.identities.find_credential("AKIA1")
        assert found == a_credential(kind=kind)
        assert found.kind is kind
        assert store.reader.identities.find_credential("akia1") is None

    def test_an_access_keys_id_is_its_own(self, store):
        write(store, lambda writer: writer.identities.insert_credential(a_credential()))
        with pytest.raises(StorageError):
            write(store, lambda writer: writer.identities.insert_credential(a_credential(kind=CredentialKind.OPERATOR)))
        assert store.reader.identities.find_credential("AKIA1") == a_credential()

    def test_the_access_keys_of_a_user_come_oldest_first(self, store):
        keys = [
            Credential(f"KEY{n}", CredentialKind.USER, "111122223333", START_MS + at, b"s", user_name)
            for n, at, user_name in [(1, 2, "ann"), (2, 1, "ann"), (3, 0, "bob"), (4, 1, "ann"), (5, 0, "")]
        ]
        for key in keys:
            write(store, lambda writer, key=key: writer.identities.insert_credential(key))
        assert store.reader.identities.credentials_of("111122223333", "ann") == [keys[1], keys[3], keys[0]]
        assert store.reader.identities.credentials_of("111122223333", "") == [keys[4]]
        assert store.reader.identities.credentials_of("999", "ann") == []

    def test_an_access_keys_owner_and_state_change_and_nothing_else(self, store):
        write(store, lambda writer: writer.identities.insert_credential(a_credential()))
        changed = Credential("AKIA1", CredentialKind.OPERATOR, "9", 0, b"other", "ann", is_active=False)
        write(store, lambda writer: writer.identities.replace_credential(changed))
        assert store.reader.identities.find_credential("AKIA1") == msgspec.structs.replace(
            a_credential(), user_name="ann", is_active=False
        )
        unknown = msgspec.structs.replace(changed, access_key_id="AKIA2")
        write(store, lambda writer: writer.identities.replace_credential(unknown))
        assert store.reader.identities.find_credential("AKIA2") is None

    def test_access_keys_are_scanned_by_their_ids(self, store):
        keys = [a_credential(access_key_id=f"AKIA{number}") for number in (3, 1, 2)]
        for key in keys:
            write(store, lambda writer, key=key: writer.identities.insert_credential(key))
        assert store.reader.seals.scan_credentials("", 2) == [keys[1], keys[2]]
        assert store.reader.seals.scan_credentials("AKIA2", 2) == [keys[0]]
        assert store.reader.seals.scan_credentials("AKIA3", 2) == []

    def test_what_the_custodian_sealed_is_replaced_and_nothing_else(self, store):
        write(store, lambda writer: writer.identities.insert_account(an_account()))
        write(store, lambda writer: writer.identities.insert_credential(a_credential()))

        def change(writer):
            writer.seals.reseal_account(an_account().account_id, b"anew")
            writer.seals.reseal_credential("AKIA1", b"anew as well")
            writer.seals.reseal_account("999", b"nobody's")
            writer.seals.reseal_credential("AKIA2", b"nobody's")

        write(store, change)
        assert store.reader.identities.list_accounts() == [msgspec.structs.replace(an_account(), sealed_keys=b"anew")]
        resealed = msgspec.structs.replace(a_credential(), sealed_secret=b"anew as well")
        assert store.reader.seals.scan_credentials("", 9) == [resealed]

    def test_a_removed_access_key_is_gone(self, store):
        write(store, lambda writer: writer.identities.insert_credential(a_credential()))
        write(store, lambda writer: writer.identities.remove_credential("AKIA1"))
        write(store, lambda writer: writer.identities.remove_credential("AKIA1"))
        assert store.reader.identities.find_credential("AKIA1") is None

    # Records.

    def test_a_document_comes_back_under_its_scope_kind_and_name(self, store):
        records = store.reader.records
        places = [("bucket/1", "policy", ""), ("bucket/1", "cors", ""), ("bucket/11", "policy", ""), ("account/1", "user", "a")]
        for number, place in enumerate(places):
            write(store, lambda writer, place=place, n=number: writer.records.put(*place, b"%d" % n))
        assert [records.find(*place) for place in places] == [b"0", b"1", b"2", b"3"]
        assert records.find("bucket/1", "policy") == b"0"
        assert records.find("bucket/1", "policy", "a") is None
        assert records.find("account/1", "user", "A") is None

    def test_a_document_is_replaced_and_removed(self, store):
        write(store, lambda writer: writer.records.put("s", "k", "", b"old"))
        write(store, lambda writer: writer.records.put("s", "k", "", b"new"))
        assert store.reader.records.find("s", "k") == b"new"
        assert write(store, lambda writer: writer.records.remove("s", "k"))
        assert not write(store, lambda writer: writer.records.remove("s", "k"))
        assert store.reader.records.find("s", "k") is None

    def test_documents_are_scanned_by_the_bytes_of_their_names(self, store):
        names = ["A", "a", "a\x00", "a/b", "ab", "é", "\uffff", "\U0010ffff"]
        for name in reversed(names):
            write(store, lambda writer, name=name: writer.records.put("s", "k", name, name.encode()))
            write(store, lambda writer, name=name: writer.records.put("s", "k2", name, b""))
            write(store, lambda writer, name=name: writer.records.put("s2", "k", name, b""))
        everything = [(name, name.encode()) for name in names]
        assert store.reader.records.scan("s", "k", "", 100) == everything
        assert store.reader.records.scan("s", "k", "a", 2) == everything[2:4]
        assert store.reader.records.scan("s", "k", "\U0010ffff", 2) == []
        assert store.reader.records.scan("none", "k", "", 2) == []

    def test_a_scope_is_removed_with_all_that_is_in_it(self, store):
        for scope, kind, name in [("s", "k", ""), ("s", "k", "a"), ("s", "l", "b"), ("s/1", "k", ""), ("s1", "k", "")]:
            write(store, lambda writer, place=(scope, kind, name): writer.records.put(*place, b"x"))
        write(store, lambda writer: writer.records.remove_scope("s"))
        assert not any(store.reader.records.scan("s", kind, "", 10) for kind in "kl")
        assert store.reader.records.find("s", "k") is None
        assert store.reader.records.find("s/1", "k") == store.reader.records.find("s1", "k") == b"x"

    @pytest.mark.parametrize(
        "change",
        [
            lambda records: records.put("s", "k", "", b"x"),
            lambda records: records.remove("s", "k"),
            lambda records: records.remove_scope("s"),
        ],
    )
    def test_documents_change_inside_a_transaction_alone(self, store, change):
        with pytest.raises(StorageError):
            change(store.reader.records)

    # Buckets.

    @pytest.mark.parametrize("allowed", [None, True, False])
    @pytest.mark.parametrize("versioning", list(Versioning))
    def test_a_bucket_comes_back_as_it_was_given(self, store, versioning, allowed):
        given = a_bucket(versioning=versioning, sse_c_allowed=allowed)
        kept = write(store, lambda writer: writer.buckets.insert(given))
        found = store.reader.buckets.find("box")
        assert found == kept
        assert found.versioning is versioning
        assert found.sse_c_allowed is allowed
        assert store.reader.buckets.find("Box") is None

    def test_a_buckets_settings_change(self, store):
        kept = write(store, lambda writer: writer.buckets.insert(a_bucket()))
        changed = type(kept)(
            kept.bucket_id, kept.name, kept.account_id, kept.region, kept.created_at_ms, Versioning.SUSPENDED, sse_c_allowed=True
        )
        write(store, lambda writer: writer.buckets.replace(changed))
        assert store.reader.buckets.find("box") == changed

    def test_a_buckets_name_is_its_own(self, store):
        kept = write(store, lambda writer: writer.buckets.insert(a_bucket()))
        with pytest.raises(StorageError):
            write(store, lambda writer: writer.buckets.insert(a_bucket(account_id="999")))
        assert store.reader.buckets.find("box") == kept

    def test_a_bucket_id_is_never_used_twice(self, store):
        seen = set()
        for _ in range(3):
            kept = write(store, lambda writer: writer.buckets.insert(a_bucket()))
            write(store, lambda writer, kept=kept: writer.buckets.remove(kept.bucket_id))
            assert store.reader.buckets.find("box") is None
            seen.add(kept.bucket_id)
        assert len(seen) == 3

    def test_a_settings_change_of_a_removed_bucket_does_not_reach_its_successor(self, store):
        old = write(store, lambda writer: writer.buckets.insert(a_bucket(versioning=Versioning.ENABLED)))
        write(store, lambda writer: writer.buckets.remove(old.bucket_id))
        new = write(store, lambda writer: writer.buckets.insert(a_bucket()))
        write(store, lambda writer: writer.buckets.replace(old))
        assert store.reader.buckets.find("box") == new

    def test_an_accounts_buckets_come_in_pages_by_name(self, store):
        for name in ("b1", "a2", "a1", "c"):
            write(store, lambda writer, name=name: writer.buckets.insert(a_bucket(name)))
        write(store, lambda writer: writer.buckets.insert(a_bucket("a3", account_id="999")))

        def names(*question):
            return [bucket.name for bucket in store.reader.buckets.list_of("111122223333", *question)]

        assert names("", "", 10) == ["a1", "a2", "b1", "c"]
        assert names("", "", 2) == ["a1", "a2"]
        assert names("", "a2", 10) == ["b1", "c"]
        assert names("a", "", 10) == ["a1", "a2"]
        assert names("a", "a1", 10) == ["a2"]
        assert names("b", "a1", 10) == ["b1"]
        assert names("d", "", 10) == []

    def test_identities_and_buckets_are_not_written_outside_a_transaction(self, store):
        for ask in (
            lambda: store.reader.identities.insert_account(an_account()),
            lambda: store.reader.identities.insert_credential(a_credential()),
            lambda: store.reader.seals.reseal_account("111122223333", b"anew"),
            lambda: store.reader.seals.reseal_credential("AKIA1", b"anew"),
            lambda: store.reader.buckets.insert(a_bucket()),
            lambda: store.reader.buckets.replace(a_bucket()),
            lambda: store.reader.buckets.remove(1),
        ):
            with pytest.raises(StorageError):
                ask()

    # Transactions.

    def test_a_change_returns_its_result_and_sees_its_own_writes(self, store):
        def change(writer):
            writer.objects.insert(a_version(), b"body")
            return writer.objects.find_current(BUCKET, "a", with_body=True).body

        assert write(store, change) == b"body"

    def test_an_exception_undoes_all_of_its_change_and_is_raised(self, store):
        kept = write(store, lambda writer: writer.objects.insert(a_version("a", 1), b"old"))

        def change(writer):
            writer.objects.remove(kept, [])
            writer.objects.insert(a_version("a", 2), b"new")
            writer.objects.insert(a_version("b", 3), b"other")
            writer.identities.insert_account(an_account())
            raise NoSuchKeyError("never mind")

        with pytest.raises(NoSuchKeyError, match="never mind"):
            write(store, change, entry())
        assert store.reader.objects.scan_versions(BUCKET, "", None, None, 10) == [kept]
        assert store.reader.inline_body(kept.body_id) == b"old"
        assert store.reader.identities.list_accounts() == []
        assert journal_of(store) == []

    def test_any_exception_comes_back_as_it_is_and_the_store_goes_on(self, store):
        for error in (ValueError("wrong"), KeyError("gone"), StorageError("torn")):

            def change(writer, error=error):
                raise error

            with pytest.raises(type(error)) as caught:
                write(store, change)
            assert caught.value.args == error.args
        write(store, lambda writer: writer.objects.insert(a_version(), b""))

    def test_an_exception_undoes_no_other_change_of_the_same_moment(self, store):
        def change(writer, number):
            writer.objects.insert(a_version(f"k{number}", number), b"")
            if number % 3 == 0:
                raise PreconditionFailedError
            return number

        async def all_at_once():
            return await asyncio.gather(
                *(store.write(lambda writer, n=n: change(writer, n), entry(str(n))) for n in range(9)), return_exceptions=True
            )

        results = asyncio.run(all_at_once())
        survivors = [1, 2, 4, 5, 7, 8]
        assert [result for result in results if isinstance(result, int)] == survivors
        assert sum(isinstance(result, PreconditionFailedError) for result in results) == 3
        found = store.reader.objects.scan_current(BUCKET, "", None, 100)
        assert [version.object_key for version in found] == [f"k{number}" for number in survivors]
        assert [kept.request_id for kept in journal_of(store)] == [str(number) for number in survivors]

    def test_a_failing_statement_poisons_no_other_change(self, store):
        write(store, lambda writer: writer.identities.insert_account(an_account()))

        def taken(writer):
            writer.objects.insert(a_version("lost", 1), b"")
            writer.identities.insert_account(an_account())

        async def both():
            return await asyncio.gather(
                store.write(taken, None),
                store.write(lambda writer: writer.objects.insert(a_version("kept", 2), b""), None),
                return_exceptions=True,
            )

        failed, _ = asyncio.run(both())
        assert isinstance(failed, StorageError)
        assert [version.object_key for version in store.reader.objects.scan_current(BUCKET, "", None, 9)] == ["kept"]

    def test_a_change_may_survive_a_refused_statement(self, store):
        def change(writer):
            writer.objects.insert(a_version("kept", 1), b"")
            writer.identities.insert_account(an_account())
            try:
                writer.identities.insert_account(an_account())
            except StorageError:
                return "taken"

        assert write(store, change) == "taken"
        assert store.reader.identities.list_accounts() == [an_account()]
        assert store.reader.objects.find_current(BUCKET, "kept")

    def test_changes_of_the_same_moment_see_each_other_in_turn(self, store):
        def create_if_absent(writer):
            if newest_of(writer.objects, BUCKET, "a"):
                raise PreconditionFailedError
            return writer.objects.insert(a_version(), b"")

        async def race():
            return await asyncio.gather(*(store.write(create_if_absent, None) for _ in range(20)), return_exceptions=True)

        results = asyncio.run(race())
        assert sum(isinstance(result, PreconditionFailedError) for result in results) == 19
        assert len(store.reader.objects.scan_versions(BUCKET, "", None, None, 100)) == 1

    def test_many_changes_at_once_all_arrive(self, store):
        async def flood():
            await asyncio.gather(
                *(
                    store.write(lambda writer, n=n: writer.objects.insert(a_version(f"{n:04}", n), b"%d" % n), entry(str(n)))
                    for n in range(500)
                )
            )

        asyncio.run(flood())
        found = store.reader.objects.scan_current(BUCKET, "", None, 1000)
        assert [version.object_key for version in found] == [f"{number:04}" for number in range(500)]
        assert sorted(int(kept.request_id) for kept in journal_of(store)) == list(range(500))

    def test_a_client_that_goes_away_harms_nobody_else(self, store):
        async def story():
            gone = [asyncio.ensure_future(store.write(lambda w: w.objects.insert(a_version("x", 1), b""), None))]
            stays = [
                asyncio.ensure_future(store.write(lambda w, n=n: w.objects.insert(a_version(f"k{n}", n), b""), entry()))
                for n in range(2, 5)
            ]
            await asyncio.sleep(0)
            gone[0].cancel()
            await asyncio.gather(*stays)
            with suppress(asyncio.CancelledError):
                await gone[0]

        asyncio.run(story())
        assert len(journal_of(store)) == 3
        write(store, lambda writer: writer.objects.insert(a_version("later", 9), b""))

    def test_writes_after_closing_are_refused(self, store):
        store.close()
        with pytest.raises(StorageError):
            write(store, lambda writer: None)
        with pytest.raises(StorageError):
            asyncio.run(store.append(entry()))
        store.close()

    # The generation.

    def test_the_generation_changes_with_an_invalidating_change_only(self, store):
        before = store.generation()
        write(store, lambda writer: writer.objects.insert(a_version(), b""))
        asyncio.run(store.append(entry()))
        assert store.generation() == before

        def change(writer):
            assert writer.generation() == before
            writer.invalidate()
            return writer.generation()

        promised = write(store, change)
        assert store.generation() == promised != before
        assert write(store, lambda writer: writer.generation()) == promised

    def test_every_invalidating_change_counts(self, store):
        seen = {store.generation()}
        for _ in range(5):
            write(store, lambda writer: writer.invalidate())
            seen.add(store.generation())
        assert len(seen) == 6

    # The journal.

    def test_entries_come_back_in_order_as_they_were_given(self, store):
        given = [
            entry("r1"),
            entry(
                "r2", object_key="é\x00", version_id="v", byte_range="bytes=0-1", status=403, reason="AccessDenied", source="::1"
            ),
            entry("r3", kind="PutObject"),
        ]
        asyncio.run(store.append(given[0]))
        asyncio.run(store.append(given[1]))
        write(store, lambda writer: None, given[2])
        assert journal_of(store) == given

    def test_an_entry_may_be_made_from_the_result(self, store):
        write(
            store,
            lambda writer: writer.objects.insert(a_version(), b""),
            lambda kept: entry(version_id=kept.version_id.hex()),
        )
        assert [kept.version_id for kept in journal_of(store)] == [identifier(1).hex()]

    def test_a_change_whose_entry_cannot_be_made_is_undone(self, store):
        def no_entry(_result):
            raise ValueError("no entry")

        with pytest.raises(ValueError, match="no entry"):
            write(store, lambda writer: writer.objects.insert(a_version(), b""), no_entry)
        assert newest_of(store.reader.objects, BUCKET, "a") is None
        assert journal_of(store) == []

    def test_entries_are_read_in_pages_of_batches(self, store):
        for number in range(5):
            asyncio.run(store.append(entry(str(number))))
        pages = store.entries(0, 2)
        assert len(pages) == 2
        seen = []
        after = 0
        while page := store.entries(after, 2):
            seen.extend(kept.request_id for _, batch in page for kept in batch)
            after = page[-1][0]
        assert seen == ["0", "1", "2", "3", "4"]

    def test_entries_and_changes_of_the_same_moment_keep_their_order(self, store):
        async def together():
            await asyncio.gather(
                *(store.append(entry(str(n))) if n % 2 else store.write(lambda writer: None, entry(str(n))) for n in range(20))
            )

        asyncio.run(together())
        assert [int(kept.request_id) for kept in journal_of(store)] == list(range(20))
