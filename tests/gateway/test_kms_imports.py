"""Key material that customers bring along, with the official SDK: the import, its limits, and keys that wait for material."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha1, sha256
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from .imports import WRAPPING, import_options, wrap
from .log import Auditor
from .people import allow, make_person
from .service import Service
from .shelf import MIB, everything_on_disk, fails, make_shelf, sdk


def waiting_key(kms: Any) -> str:
    made = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    assert (made["Origin"], made["KeyState"], made["Enabled"]) == ("EXTERNAL", "PendingImport", False)
    return str(made["KeyId"])


def filled_key(kms: Any, material: bytes, **options: Any) -> str:
    key_id = waiting_key(kms)
    kms.import_key_material(**import_options(kms, key_id, material, **options))
    return key_id


def state(kms: Any, key_id: str) -> str:
    return str(kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"])


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [
        ("RSAES_OAEP_SHA_1", "RSA_2048"),
        ("RSAES_OAEP_SHA_256", "RSA_3072"),
        ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"),
        ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096"),
    ],
)
def test_every_wrapping_brings_the_material_along(kms: Any, algorithm: str, spec: str) -> None:
    key_id = waiting_key(kms)
    given = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    assert given["KeyId"].endswith(key_id)
    assert timedelta(hours=23) < given["ParametersValidTo"] - datetime.now(UTC) <= timedelta(hours=24)
    done = kms.import_key_material(
        KeyId=key_id,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(algorithm, given["PublicKey"], os.urandom(32)),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert shown["KeyState"] == "Enabled"
    assert shown["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert shown["CurrentKeyMaterialId"] == done["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"mine")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"mine"


def test_what_was_deleted_opens_again_with_the_same_material_alone(kms: Any) -> None:
    material = os.urandom(32)
    key_id = filled_key(kms, material, KeyMaterialDescription="from the safe")
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"mine", EncryptionContext={"a": "b"})["CiphertextBlob"]
    gone = kms.delete_imported_key_material(KeyId=key_id)
    assert state(kms, key_id) == "PendingImport"
    with fails(400, "KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    (listed,) = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert (listed["ImportState"], listed["KeyMaterialDescription"]) == ("PENDING_IMPORT", "from the safe")
    assert listed["KeyMaterialId"] == gone["KeyMaterialId"]
    for other in (os.urandom(32), material[:16], material + b"x", b"x"):
        with fails(400, "IncorrectKeyMaterialException"):
            kms.import_key_material(**import_options(kms, key_id, other))
    assert state(kms, key_id) == "PendingImport"
    options = import_options(kms, key_id, material, ImportType="EXISTING_KEY_MATERIAL", KeyMaterialId=gone["KeyMaterialId"])
    assert kms.import_key_material(**options)["KeyMaterialId"] == gone["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"mine"
    (listed,) = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert (listed["ImportState"], listed["KeyMaterialState"]) == ("IMPORTED", "CURRENT")
    assert kms.list_key_rotations(KeyId=key_id)["Rotations"] == []


def test_a_key_that_waits_for_its_material_does_nothing_but_wait(kms: Any, service: Service) -> None:
    key_id = waiting_key(kms)
    refused = [
        lambda: kms.encrypt(KeyId=key_id, Plaintext=b"x"),
        lambda: kms.generate_data_key(KeyId=key_id, KeySpec="AES_256"),
        lambda: kms.enable_key(KeyId=key_id),
        lambda: kms.disable_key(KeyId=key_id),
        lambda: kms.create_grant(
            KeyId=key_id, GranteePrincipal=f"arn:aws:iam::{service.owner.account_id}:root", Operations=["Decrypt"]
        ),
    ]
    for call in refused:
        with fails(400, "KMSInvalidStateException"):
            call()
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "k", "TagValue": "v"}])
    kms.schedule_key_deletion(KeyId=key_id)
    with fails(400, "KMSInvalidStateException"):
        kms.get_parameters_for_import(KeyId=key_id, **WRAPPING)
    kms.cancel_key_deletion(KeyId=key_id)
    assert state(kms, key_id) == "PendingImport"
    kms.import_key_material(**import_options(kms, key_id, os.urandom(32)))
    assert state(kms, key_id) == "Enabled"


def test_material_that_expires_is_gone_in_that_second(kms: Any) -> None:
    material = os.urandom(32)
    ends_at = datetime.now(UTC) + timedelta(days=1)
    key_id = filled_key(kms, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=ends_at)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert shown["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert abs(shown["ValidTo"] - ends_at) < timedelta(seconds=1)
    soon = datetime.now(UTC) + timedelta(seconds=3)
    kms.import_key_material(**import_options(kms, key_id, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=soon))
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"mine")["CiphertextBlob"]
    while state(kms, key_id) == "Enabled":
        time.sleep(0.05)
    with fails(400, "KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob)
    assert datetime.now(UTC) >= soon - timedelta(seconds=1)
    assert state(kms, key_id) == "PendingImport"


def test_objects_under_an_imported_key_open_while_it_has_its_material(kms: Any, s3: Any, service: Service) -> None:
    material = os.urandom(32)
    key_id = filled_key(kms, material)
    bucket = make_shelf(service, s3).name
    s3.put_object(Bucket=bucket, Key="letter", Body=b"dear", ServerSideEncryption="aws:kms", SSEKMSKeyId=key_id)
    kms.delete_imported_key_material(KeyId=key_id)
    with fails(400, "KMS.KMSInvalidStateException"):
        s3.get_object(Bucket=bucket, Key="letter")
    kms.import_key_material(**import_options(kms, key_id, material))
    answer = s3.get_object(Bucket=bucket, Key="letter")
    assert answer["Body"].read() == b"dear"


def test_what_expires_opens_no_object_in_that_second_and_ends_downloads(kms: Any, s3: Any, service: Service) -> None:
    bucket, soon = make_shelf(service, s3).name, datetime.now(UTC) + timedelta(seconds=8)
    key_id = filled_key(kms, os.urandom(32), **until(soon))
    seal = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
    s3.put_object(Bucket=bucket, Key="letter", Body=b"dear", **seal)
    s3.put_object(Bucket=bucket, Key="film", Body=bytes(64 * MIB), **seal)
    with closing(s3.get_object(Bucket=bucket, Key="film")["Body"]) as film:
        assert len(film.read(MIB)) == MIB
        assert s3.get_object(Bucket=bucket, Key="letter")["Body"].read() == b"dear"
        while state(kms, key_id) == "Enabled":
            time.sleep(0.05)
        with fails(400, "KMS.KMSInvalidStateException"):
            s3.get_object(Bucket=bucket, Key="letter")
        with fails(400, "KMS.KMSInvalidStateException"):
            s3.put_object(Bucket=bucket, Key="letter", Body=b"dear", **seal)
        with pytest.raises((IncompleteReadError, ResponseStreamingError)):
            film.read()


def until(moment: datetime) -> dict[str, Any]:
    return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": moment}


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda given: {"ImportToken": flipped(given["ImportToken"], 40)}, "InvalidImportTokenException"),
        (lambda given: {"ImportToken": b"x"}, "InvalidImportTokenException"),
        (lambda given: {"EncryptedKeyMaterial": flipped(given["EncryptedKeyMaterial"], 40)}, "InvalidCiphertextException"),
        (lambda given: {"EncryptedKeyMaterial": given["EncryptedKeyMaterial"][:-1]}, "InvalidCiphertextException"),
        (lambda given: {"EncryptedKeyMaterial": bytes(256)}, "InvalidCiphertextException"),
        (lambda given: {"EncryptedKeyMaterial": bytes(6145)}, "ValidationException"),
        (lambda given: {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}, "ValidationException"),
        (lambda given: {"ValidTo": datetime.now(UTC) + timedelta(days=1)}, "ValidationException"),
        (lambda given: until(datetime(2020, 1, 1, tzinfo=UTC)), "ValidationException"),
        (lambda given: until(datetime.now(UTC) + timedelta(days=366)), "ValidationException"),
        (lambda given: {"ImportType": "EXISTING_KEY_MATERIAL"}, "ValidationException"),
        (lambda given: {"KeyMaterialId": "0" * 64}, "ValidationException"),
        (lambda given: {"KeyMaterialDescription": "no, thanks!"}, "ValidationException"),
    ],
)
def test_an_import_that_is_wrong_changes_nothing(kms: Any, change: Any, code: str) -> None:
    key_id = waiting_key(kms)
    given = import_options(kms, key_id, os.urandom(32))
    with fails(400, code):
        kms.import_key_material(**given | change(given))
    assert state(kms, key_id) == "PendingImport"


def test_a_token_is_for_its_key_alone(kms: Any, service: Service) -> None:
    key_id, other = waiting_key(kms), waiting_key(kms)
    given = import_options(kms, key_id, os.urandom(32))
    with fails(400, "InvalidImportTokenException"):
        kms.import_key_material(**given | {"KeyId": other})


NEW, KNOWN = {"ImportType": "NEW_KEY_MATERIAL"}, {"ImportType": "EXISTING_KEY_MATERIAL"}


def listed(kms: Any, key_id: str, include: str = "ALL_KEY_MATERIAL") -> list[Any]:
    return list(kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial=include)["Rotations"])


def states(kms: Any, key_id: str) -> list[tuple[str, str]]:
    return [(one["KeyMaterialState"], one["ImportState"]) for one in listed(kms, key_id)]


def test_new_material_waits_for_the_rotation_that_makes_it_the_current_one(kms: Any) -> None:
    key_id = filled_key(kms, os.urandom(32), KeyMaterialDescription="first")
    first = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    old = kms.encrypt(KeyId=key_id, Plaintext=b"old")["CiphertextBlob"]
    with fails(400, "KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key_id)
    options = import_options(kms, key_id, os.urandom(32), KeyMaterialDescription="second", **NEW)
    second = kms.import_key_material(**options)["KeyMaterialId"]
    assert second != first
    assert states(kms, key_id) == [("CURRENT", "IMPORTED"), ("PENDING_ROTATION", "IMPORTED")]
    pending = listed(kms, key_id)[1]
    assert (pending["KeyMaterialId"], pending["KeyMaterialDescription"]) == (second, "second")
    assert not {"RotationDate", "RotationType"} & set(pending)
    assert listed(kms, key_id, "ROTATIONS_ONLY") == []
    # Until it is rotated, nothing uses it.
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == first
    assert kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["KeyMaterialId"] == first
    assert kms.rotate_key_on_demand(KeyId=key_id)["KeyId"].endswith(key_id)
    assert states(kms, key_id) == [("NON_CURRENT", "IMPORTED"), ("CURRENT", "IMPORTED")]
    (rotation,) = listed(kms, key_id, "ROTATIONS_ONLY")
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")
    assert abs(rotation["RotationDate"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == second
    fresh = kms.encrypt(KeyId=key_id, Plaintext=b"new")["CiphertextBlob"]
    for blob, name, text in ((old, first, b"old"), (fresh, second, b"new")):
        opened = kms.decrypt(CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (text, name)
    moved = kms.re_encrypt(CiphertextBlob=old, DestinationKeyId=key_id)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (first, second)
    with fails(400, "KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key_id)


def test_new_material_may_be_taken_back_and_replaced_until_the_rotation(kms: Any) -> None:
    key_id = filled_key(kms, os.urandom(32))
    material = os.urandom(32)
    pending = kms.import_key_material(**import_options(kms, key_id, material, **NEW))["KeyMaterialId"]
    with fails(400, "KMSInvalidStateException"):
        kms.import_key_material(**import_options(kms, key_id, os.urandom(32), **NEW))
    # It is known already: brought again it may be given an end, or another word about it.
    again = import_options(kms, key_id, material, KeyMaterialId=pending, **until(datetime.now(UTC) + timedelta(days=1)))
    assert kms.import_key_material(**again)["KeyMaterialId"] == pending
    assert listed(kms, key_id)[1]["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=pending)["KeyMaterialId"] == pending
    assert state(kms, key_id) == "Enabled"
    assert states(kms, key_id) == [("CURRENT", "IMPORTED")]
    other = kms.import_key_material(**import_options(kms, key_id, os.urandom(32), **NEW))["KeyMaterialId"]
    assert other != pending
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] == other


def test_new_material_that_expires_unused_is_no_material_to_rotate_to(kms: Any) -> None:
    key_id = filled_key(kms, os.urandom(32))
    soon = datetime.now(UTC) + timedelta(seconds=2)
    kms.import_key_material(**import_options(kms, key_id, os.urandom(32), **NEW, **until(soon)))
    while len(listed(kms, key_id)) > 1:
        time.sleep(0.05)
    with fails(400, "KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key_id)
    assert state(kms, key_id) == "Enabled"


def test_a_key_waits_while_any_of_its_materials_is_gone(kms: Any, s3: Any, service: Service) -> None:
    first, second, bucket = os.urandom(32), os.urandom(32), make_shelf(service, s3).name
    key_id = filled_key(kms, first)
    seal = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
    s3.put_object(Bucket=bucket, Key="old", Body=b"old", **seal)
    kms.import_key_material(**import_options(kms, key_id, second, **NEW))
    kms.rotate_key_on_demand(KeyId=key_id)
    s3.put_object(Bucket=bucket, Key="new", Body=b"new", **seal)
    names = [one["KeyMaterialId"] for one in listed(kms, key_id)]
    # The current one goes where none is named, the first one where that is.
    assert kms.delete_imported_key_material(KeyId=key_id)["KeyMaterialId"] == names[1]
    assert kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=names[0])["KeyMaterialId"] == names[0]
    assert states(kms, key_id) == [("NON_CURRENT", "PENDING_IMPORT"), ("CURRENT", "PENDING_IMPORT")]
    for material in (second, first):
        assert state(kms, key_id) == "PendingImport"
        for name in ("old", "new"):
            with fails(400, "KMS.KMSInvalidStateException"):
                s3.get_object(Bucket=bucket, Key=name)
        kms.import_key_material(**import_options(kms, key_id, material, **KNOWN))
    assert state(kms, key_id) == "Enabled"
    for name in ("old", "new"):
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()
    assert [one["KeyMaterialId"] for one in listed(kms, key_id)] == names


def test_the_first_end_of_all_materials_is_the_keys(kms: Any) -> None:
    late, early = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (9, 5))
    key_id = filled_key(kms, os.urandom(32), **until(late))
    kms.import_key_material(**import_options(kms, key_id, os.urandom(32), **NEW, **until(early)))
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["ValidTo"] == late
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["ValidTo"] == early
    assert [one["ValidTo"] for one in listed(kms, key_id)] == [late, early]


def test_imports_that_confuse_new_material_with_known_one_change_nothing(kms: Any) -> None:
    material = os.urandom(32)
    key_id = filled_key(kms, material)
    (name,) = [one["KeyMaterialId"] for one in listed(kms, key_id)]
    refused = [
        (material, NEW, "IncorrectKeyMaterialException"),
        (os.urandom(32), KNOWN, "IncorrectKeyMaterialException"),
        (os.urandom(32), {}, "IncorrectKeyMaterialException"),
        (os.urandom(32), {"KeyMaterialId": name}, "IncorrectKeyMaterialException"),
        (os.urandom(32), {**NEW, "KeyMaterialId": name}, "ValidationException"),
        (os.urandom(31), NEW, "IncorrectKeyMaterialException"),
        (material, {"KeyMaterialId": "0" * 64}, "ValidationException"),
    ]
    for brought, options, code in refused:
        with fails(400, code):
            kms.import_key_material(**import_options(kms, key_id, brought, **options))
    with fails(400, "ValidationException"):
        kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId="0" * 64)
    assert states(kms, key_id) == [("CURRENT", "IMPORTED")]
    assert state(kms, key_id) == "Enabled"


def test_imported_material_does_not_rotate_by_itself(kms: Any) -> None:
    material = os.urandom(32)
    key_id = filled_key(kms, material)
    for call in (kms.enable_key_rotation, kms.disable_key_rotation):
        with fails(400, "UnsupportedOperationException"):
            call(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.disable_key(KeyId=key_id)
    kms.import_key_material(**import_options(kms, key_id, material))
    assert state(kms, key_id) == "Disabled", "a key that has its material is enabled by EnableKey alone"


def test_imported_material_rests_and_is_told_nowhere_in_clear(service: Service) -> None:
    """In no file of the deployment, no log, no entry of the account's log with its opening, and no error that anybody gets."""
    first, second, refused, other = (f"canary{name:*<26}".encode() for name in ("first", "second", "refused", "other"))
    told: list[str] = []
    own = service.with_own_account("imports")
    kms = sdk(own, name="kms")

    def told_of(key_id: str, material: bytes, **options: Any) -> None:
        given = import_options(kms, key_id, material, **options)
        with fails(400, "IncorrectKeyMaterialException") as caught:
            kms.import_key_material(**given)
        told.append(str(caught.value.response))

    key_id = filled_key(kms, first, KeyMaterialDescription="from the safe")
    done = kms.import_key_material(**import_options(kms, key_id, second, **NEW))
    kms.rotate_key_on_demand(KeyId=key_id)
    told_of(key_id, refused)
    told_of(key_id, first, **NEW)
    told_of(key_id, other + b"too long", **NEW)
    told_of(waiting_key(kms), other[:31])
    told.append(str((done, listed(kms, key_id), kms.describe_key(KeyId=key_id))))
    log = Auditor(own.raw(), own.owner.account_id)
    entry = done["ResponseMetadata"]["RequestId"]
    (line,) = log.await_entries([entry])[entry]
    assert line.opening is not None
    places = {
        "disk": everything_on_disk(make_shelf(own, sdk(own))),
        "service's log": service.log.read_bytes(),
        "account's log": repr(log.lines()).encode(),
        "answers": "".join(told).encode(),
    }
    assert b"kms.import_key_material" in places["account's log"]
    for material in (first, second, refused, other[:31]):
        forms = [material, material.hex().encode(), material.decode().encode("utf-16-le"), b64encode(material)[:40]]
        forms += [digest(material).digest() for digest in (md5, sha1, sha256)]
        forms += [digest(material).hexdigest().encode() for digest in (md5, sha1, sha256)]
        for place, found in places.items():
            assert not [form for form in forms if form in found], (place, material)


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2"), ("RSAES_OAEP_SHA_256", "SM2")],
)
def test_wrappings_that_are_weak_or_unknown_are_refused(kms: Any, algorithm: str, spec: str) -> None:
    with fails(400, "UnsupportedOperationException"):
        kms.get_parameters_for_import(KeyId=waiting_key(kms), WrappingAlgorithm=algorithm, WrappingKeySpec=spec)


def test_keys_that_were_made_here_import_nothing(kms: Any) -> None:
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    with fails(400, "UnsupportedOperationException"):
        kms.get_parameters_for_import(KeyId=key_id, **WRAPPING)
    with fails(400, "UnsupportedOperationException"):
        kms.delete_imported_key_material(KeyId=key_id)
    with fails(400, "UnsupportedOperationException"):
        kms.import_key_material(KeyId=key_id, ImportToken=b"x", EncryptedKeyMaterial=b"x")


def test_policies_see_how_material_is_brought_along(kms: Any, iam: Any, service: Service) -> None:
    key_id = waiting_key(kms)
    conditions = {
        "StringEquals": {"kms:KeyOrigin": "EXTERNAL"},
        "StringEqualsIfExists": {"kms:WrappingAlgorithm": "RSAES_OAEP_SHA_256", "kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"},
        "DateLessThanIfExists": {"kms:ValidTo": (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")},
    }
    actions = ["kms:GetParametersForImport", "kms:ImportKeyMaterial"]
    person = make_person(service, iam, allow(actions, Condition=conditions))
    theirs = sdk(service, person.keys, name="kms")
    try:
        options = import_options(theirs, key_id, os.urandom(32))
        with fails(400, "AccessDeniedException"):
            theirs.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_1", WrappingKeySpec="RSA_2048")
        with fails(400, "AccessDeniedException"):
            theirs.import_key_material(**options)
        options["ExpirationModel"] = "KEY_MATERIAL_EXPIRES"
        with fails(400, "AccessDeniedException"):
            theirs.import_key_material(**options, ValidTo=datetime.now(UTC) + timedelta(days=3))
        theirs.import_key_material(**options, ValidTo=datetime.now(UTC) + timedelta(days=1))
    finally:
        theirs.close()
