"""Key material that customers bring along, with the official SDK: the import, its limits, and keys that wait for material."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from .imports import WRAPPING, import_options, wrap
from .people import allow, make_person
from .service import Service
from .shelf import MIB, fails, make_shelf, sdk


@pytest.fixture(scope="module")
def kms(service: Service) -> Iterator[Any]:
    client = sdk(service, name="kms")
    yield client
    client.close()


@pytest.fixture(scope="module")
def s3(service: Service) -> Iterator[Any]:
    client = sdk(service)
    yield client
    client.close()


@pytest.fixture(scope="module")
def iam(service: Service) -> Iterator[Any]:
    client = sdk(service, name="iam")
    yield client
    client.close()


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


def test_a_key_has_one_material_and_what_it_has_does_not_rotate(kms: Any) -> None:
    material = os.urandom(32)
    key_id = filled_key(kms, material)
    with fails(400, "UnsupportedOperationException"):
        kms.import_key_material(**import_options(kms, key_id, os.urandom(32), ImportType="NEW_KEY_MATERIAL"))
    for call in (kms.enable_key_rotation, kms.rotate_key_on_demand, kms.disable_key_rotation):
        with fails(400, "UnsupportedOperationException"):
            call(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.disable_key(KeyId=key_id)
    kms.import_key_material(**import_options(kms, key_id, material))
    assert state(kms, key_id) == "Disabled", "a key that has its material is enabled by EnableKey alone"


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
