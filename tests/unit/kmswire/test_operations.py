"""The table against AWS's own model: every operation, every member, every answer."""

from functools import cache

import botocore.loaders
import botocore.model
import botocore.parsers
import msgspec
import pytest

from siegel.domain.key_stores import ConnectionState, KeyStore
from siegel.domain.kms_errors import KmsUnknownOperationError, KmsUnsupportedOperationError
from siegel.domain.wrapping_keys import Grant, KeyAlias, KeyState, Material, WrappingKey
from siegel.kmswire import answers
from siegel.kmswire.asks import Ask, CreateGrant, GrantOperation
from siegel.kmswire.operation import About, Needs
from siegel.kmswire.operations import OPERATIONS, find_operation, read_call
from siegel.kmswire.protocol import SERVICE, TARGET_PREFIX
from siegel.kmswire.refused import REFUSED
from siegel.kmswire.statuspage import render_status_page

REGION, ACCOUNT = "eu-central-1", "111122223333"
KEY = WrappingKey(key_id="k", created_at_ms=1_500, materials=(Material(1, b"", 1_500), Material(2, b"", 2_500, "ON_DEMAND")))


@cache
def model():
    loaded = botocore.loaders.Loader().load_service_model("kms", "service-2")
    return botocore.model.ServiceModel(loaded, "kms")


def test_every_operation_of_the_model_works_or_is_refused_with_a_reason():
    assert set(OPERATIONS) | set(REFUSED) == set(model().operation_names)
    assert set(OPERATIONS) & set(REFUSED) == set()
    assert all(REFUSED.values())
    assert model().metadata["targetPrefix"] == TARGET_PREFIX.rstrip(".")
    assert model().metadata["jsonVersion"] == "1.1"


@pytest.mark.parametrize("name", OPERATIONS)
def test_members_are_those_of_the_model(name):
    shape = model().operation_model(name).input_shape
    fields = msgspec.structs.fields(OPERATIONS[name].ask)
    known = {field.encode_name for field in fields}
    # One class serves GenerateDataKey with the plaintext and without; only the first has Recipient.
    assert known - {"Recipient"} == set(shape.members) - {"Recipient"}
    required = {field.encode_name for field in fields if field.required}
    assert required - {"CiphertextBlob", "NumberOfBytes"} <= set(shape.required_members)
    assert set(shape.required_members) <= required | {"GranteePrincipal"}


def test_grants_give_operations_of_the_model():
    grantable = set(GrantOperation.__args__)
    assert grantable < set(model().shape_for("GrantOperation").enum)
    permissions = {row.permission.removeprefix("kms:") for row in OPERATIONS.values()}
    assert grantable - permissions == {"ReEncryptFrom", "ReEncryptTo"}


def test_rows_say_what_the_ledger_and_the_policies_call_them():
    row = OPERATIONS["GenerateDataKeyWithoutPlaintext"]
    assert (row.permission, row.kind) == ("kms:GenerateDataKeyWithoutPlaintext", "kms.generate_data_key_without_plaintext")
    assert OPERATIONS["ReEncrypt"].about is About.CIPHERTEXT
    assert OPERATIONS["CancelKeyDeletion"].needs is Needs.PENDING
    assert all(row.kind.startswith(f"{SERVICE}.") for row in OPERATIONS.values())


def test_operations_are_found_by_their_target():
    assert find_operation("TrentService.ListKeys") is OPERATIONS["ListKeys"]
    with pytest.raises(KmsUnsupportedOperationError, match="Sign is not supported: all keys are symmetric"):
        find_operation("TrentService.Sign")
    for target in ("", "ListKeys", "Sign", "TrentService.", "TrentService.listKeys", "Other.ListKeys"):
        with pytest.raises(KmsUnknownOperationError):
            find_operation(target)
    assert read_call(OPERATIONS["ListKeys"], b"").operation.name == "ListKeys"


def parsed(operation, answer):
    shape = model().operation_model(operation).output_shape
    response = {"body": answers.render_answer(answer), "headers": {}, "status_code": 200}
    told = botocore.parsers.create_parser("json").parse(response, shape)
    assert set(answer) == set(told) - {"ResponseMetadata"}
    return told


def view_of(key):
    return answers.key_view(REGION, ACCOUNT, key, key.state)


def test_an_external_key_shows_where_it_is():
    key = msgspec.structs.replace(KEY, key_store_id="cks-1", external_key_id="e")
    view = answers.key_view(REGION, ACCOUNT, key, KeyState.UNAVAILABLE)
    assert (view["KeyState"], view["Enabled"], view["Origin"]) == ("Unavailable", False, "EXTERNAL_KEY_STORE")
    shown = parsed("DescribeKey", {"KeyMetadata": view})["KeyMetadata"]
    assert (shown["CustomKeyStoreId"], shown["XksKeyConfiguration"]) == ("cks-1", {"Id": "e"})
    assert "CurrentKeyMaterialId" not in view


def test_a_key_store_shows_all_but_its_secret():
    store = KeyStore(store_id="cks-1", name="n", created_at_ms=1_500, endpoint="e", uri_path="p", access_key_id="a")
    store = msgspec.structs.replace(store, sealed_secret=b"hidden")
    bare = answers.store_view(store)
    assert not {"ConnectionErrorCode", "TrustAnchorCertificate"} & set(bare)
    failed = msgspec.structs.replace(store, state=ConnectionState.FAILED, failure="XKS_PROXY_TIMED_OUT", trust_pem="PEM")
    view = answers.store_view(failed)
    (shown,) = parsed("DescribeCustomKeyStores", answers.page_view("CustomKeyStores", [view], ""))["CustomKeyStores"]
    assert set(view) == set(shown)
    assert (shown["ConnectionState"], shown["ConnectionErrorCode"]) == ("FAILED", "XKS_PROXY_TIMED_OUT")
    assert "hidden" not in str(shown)


def test_views_are_what_clients_read():
    shown = parsed("DescribeKey", {"KeyMetadata": view_of(KEY)})["KeyMetadata"]
    assert set(view_of(KEY)) == set(shown)
    assert shown["CreationDate"].timestamp() == 1.5
    assert "DeletionDate" not in shown
    pending = view_of(msgspec.structs.replace(KEY, deletes_at_ms=9_000))
    assert (pending["DeletionDate"], pending["KeyState"], pending["Enabled"]) == (9.0, "PendingDeletion", False)
    alias = answers.alias_view(REGION, ACCOUNT, KeyAlias(name="alias/a", key_id="k", created_at_ms=1, updated_at_ms=2))
    assert parsed("ListAliases", answers.page_view("Aliases", [alias], ""))["Truncated"] is False
    assert parsed("ListAliases", answers.page_view("Aliases", [alias], "m"))["NextMarker"] == "m"


def test_an_imported_key_shows_where_its_material_is_from_and_until_when():
    key = WrappingKey(key_id="k", is_imported=True).with_material(Material(1, b"s", 1_500, expires_at_ms=9_000))
    view = view_of(key)
    assert (view["Origin"], view["ExpirationModel"], view["ValidTo"]) == ("EXTERNAL", "KEY_MATERIAL_EXPIRES", 9.0)
    assert set(parsed("DescribeKey", {"KeyMetadata": view})["KeyMetadata"]) == set(view)
    forever = view_of(key.with_material(Material(1, b"s", 1_500)))
    assert (forever["ExpirationModel"], "ValidTo" in forever) == ("KEY_MATERIAL_DOES_NOT_EXPIRE", False)
    waiting = view_of(key.without_material(1))
    assert (waiting["KeyState"], waiting["Enabled"]) == ("PendingImport", False)
    assert not {"ExpirationModel", "ValidTo"} & set(waiting)
    assert waiting["CurrentKeyMaterialId"] == view["CurrentKeyMaterialId"]


def test_rotations_of_an_imported_key_show_its_material_now_and_when_it_is_gone():
    material = Material(1, b"s", 1_500, fingerprint=b"f", expires_at_ms=9_000, description="from the safe")
    key = WrappingKey(key_id="k", is_imported=True).with_material(material)
    there = answers.rotation_view(REGION, ACCOUNT, key, key.materials[0])
    assert (there["ImportState"], there["ValidTo"], there["KeyMaterialState"]) == ("IMPORTED", 9.0, "CURRENT")
    without = key.without_material(1)
    gone = answers.rotation_view(REGION, ACCOUNT, without, without.materials[0])
    assert (gone["ImportState"], gone["KeyMaterialDescription"]) == ("PENDING_IMPORT", "from the safe")
    assert "ValidTo" not in gone
    assert gone["KeyMaterialId"] == there["KeyMaterialId"]
    (shown,) = parsed("ListKeyRotations", answers.page_view("Rotations", [there], ""))["Rotations"]
    assert set(shown) == set(there)


def test_a_grant_shows_what_it_has():
    grant = Grant(grant_id="g", key_id="k", grantee="a", operations=("Encrypt",))
    bare = answers.grant_view(REGION, ACCOUNT, grant)
    assert not {"RetiringPrincipal", "Constraints"} & set(bare)
    full = msgspec.structs.replace(grant, retiring="r", constraint="Equals", context=(("k", "v"),))
    view = answers.grant_view(REGION, ACCOUNT, full)
    assert (view["RetiringPrincipal"], view["Constraints"]) == ("r", {"EncryptionContextEquals": {"k": "v"}})
    (shown,) = parsed("ListGrants", answers.page_view("Grants", [view], ""))["Grants"]
    assert shown["KeyId"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"


def test_rotations_show_what_brought_each_material():
    first, second = (answers.rotation_view(REGION, ACCOUNT, KEY, material) for material in KEY.materials)
    assert (first["KeyMaterialState"], "RotationType" in first) == ("NON_CURRENT", False)
    assert (second["KeyMaterialState"], second["RotationType"], second["RotationDate"]) == ("CURRENT", "ON_DEMAND", 2.5)
    assert first["KeyMaterialId"] != second["KeyMaterialId"]


def test_bytes_are_base64_and_nothing_is_nothing():
    assert answers.render_answer({"Plaintext": b"\xff"}) == b'{"Plaintext":"/w=="}'
    assert answers.render_answer(None) == b""


def test_the_page_names_every_operation():
    page = render_status_page()
    assert all(f"| {name} |" in page for name in (*OPERATIONS, *REFUSED))


def test_every_ask_has_its_own_name_for_what_it_is():
    assert all(issubclass(row.ask, Ask) and row.ask.__doc__ for row in OPERATIONS.values())
    assert OPERATIONS["CreateGrant"].ask is CreateGrant
