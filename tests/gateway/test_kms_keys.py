"""The key service with the official SDK: keys, aliases, policies, tags, rotation; what binds, and when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .people import allow, deny, make_person, new_person
from .service import Service
from .shelf import fails, sdk


def make_key(kms: Any, **options: Any) -> str:
    return str(kms.create_key(**options)["KeyMetadata"]["KeyId"])


def key_policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def to(principal: str, actions: Any, **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*", **elements}


def root(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


def test_a_key_is_created_shown_and_listed(service: Service, kms: Any) -> None:
    made = kms.create_key(Description="for reports", Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]
    assert made["Arn"] == f"arn:aws:kms:eu-central-1:{service.owner.account_id}:key/{made['KeyId']}"
    assert (made["KeyState"], made["Enabled"], made["KeySpec"], made["KeyUsage"], made["Origin"], made["KeyManager"]) == (
        "Enabled", True, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "CUSTOMER",
    )  # fmt: skip
    assert abs(made["CreationDate"] - datetime.now(UTC)) < timedelta(minutes=5)
    for name in (made["KeyId"], made["Arn"]):
        assert kms.describe_key(KeyId=name)["KeyMetadata"] == made
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
    assert {"KeyId": made["KeyId"], "KeyArn": made["Arn"]} in [key for page in pages for key in page["Keys"]]
    assert kms.list_keys(ResourceOwners=["SERVICE_PROVIDER"])["Keys"] == []
    kms.update_key_description(KeyId=made["KeyId"], Description="for all")
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Description"] == "for all"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"KeySpec": "RSA_2048"}, "UnsupportedOperationException"),
        ({"KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"CustomerMasterKeySpec": "HMAC_256"}, "UnsupportedOperationException"),
        ({"Origin": "AWS_CLOUDHSM"}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL", "CustomKeyStoreId": "cks-1"}, "ValidationException"),
        ({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": "cks-1", "XksKeyId": "k"}, "CustomKeyStoreNotFoundException"),
        ({"Origin": "EXTERNAL_KEY_STORE", "MultiRegion": True}, "ValidationException"),
        ({"XksKeyId": "k"}, "ValidationException"),
        ({"MultiRegion": True}, "UnsupportedOperationException"),
        ({"Policy": "{}"}, "MalformedPolicyDocumentException"),
        ({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}, "TagException"),
        ({"Tags": [{"TagKey": "k", "TagValue": "1"}, {"TagKey": "k", "TagValue": "2"}]}, "TagException"),
        ({"Description": "x" * 8193}, "ValidationException"),
    ],
)
def test_keys_that_cannot_be(kms: Any, options: dict[str, Any], code: str) -> None:
    with fails(400, code):
        kms.create_key(**options)


def test_what_does_not_exist_is_not_found(service: Service, kms: Any) -> None:
    account = service.owner.account_id
    for name in (
        "00000000-0000-4000-8000-000000000000",
        f"arn:aws:kms:eu-central-1:{account}:key/00000000-0000-4000-8000-000000000000",
        "alias/none",
        f"arn:aws:kms:eu-central-1:{account}:alias/none",
        f"arn:aws:kms:us-west-2:{account}:key/x",
    ):
        with fails(400, "NotFoundException"):
            kms.describe_key(KeyId=name)
    with fails(400, "InvalidArnException"):
        kms.describe_key(KeyId="arn:aws:s3:::bucket")
    with fails(400, "InvalidMarkerException"):
        kms.list_keys(Marker="###")
    with fails(400, "NotFoundException"):
        kms.enable_key(KeyId="alias/none")


def test_aliases_name_keys_and_can_be_moved(service: Service, kms: Any) -> None:
    first, second = make_key(kms), make_key(kms)
    name = f"alias/{new_person()}"
    kms.create_alias(AliasName=name, TargetKeyId=first)
    arn = f"arn:aws:kms:eu-central-1:{service.owner.account_id}:{name}"
    for known in (name, arn):
        assert kms.describe_key(KeyId=known)["KeyMetadata"]["KeyId"] == first
    with fails(400, "AlreadyExistsException"):
        kms.create_alias(AliasName=name, TargetKeyId=second)
    blob = kms.encrypt(KeyId=name, Plaintext=b"old")["CiphertextBlob"]
    kms.update_alias(AliasName=name, TargetKeyId=second)
    (shown,) = kms.list_aliases(KeyId=second)["Aliases"]
    assert (shown["AliasName"], shown["AliasArn"], shown["TargetKeyId"]) == (name, arn, second)
    assert shown["LastUpdatedDate"] >= shown["CreationDate"]
    assert kms.list_aliases(KeyId=first)["Aliases"] == []
    assert name in [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]]
    with fails(400, "IncorrectKeyException"):
        kms.decrypt(KeyId=name, CiphertextBlob=blob)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"
    kms.delete_alias(AliasName=name)
    for again in (lambda: kms.delete_alias(AliasName=name), lambda: kms.update_alias(AliasName=name, TargetKeyId=first)):
        with fails(400, "NotFoundException"):
            again()
    with fails(400, "InvalidAliasNameException"):
        kms.create_alias(AliasName="alias/aws/mine", TargetKeyId=first)
    with fails(400, "ValidationException"):
        kms.create_alias(AliasName="mine", TargetKeyId=first)


def test_an_alias_takes_the_right_on_the_name_and_on_the_key(service: Service, kms: Any, iam: Any) -> None:
    key = kms.create_key()["KeyMetadata"]
    name = f"alias/{new_person()}"
    arn = f"arn:aws:kms:eu-central-1:{service.owner.account_id}:{name}"
    for resources in ([arn], [key["Arn"]]):
        person = make_person(service, iam, allow("kms:*Alias", resources))
        with fails(400, "AccessDeniedException"):
            sdk(service, person.keys, name="kms").create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    person = make_person(service, iam, allow("kms:*Alias", [arn, key["Arn"]]))
    own = sdk(service, person.keys, name="kms")
    own.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    other = make_key(kms)
    with fails(400, "AccessDeniedException"):
        own.update_alias(AliasName=name, TargetKeyId=other)
    own.delete_alias(AliasName=name)


def test_a_disabled_key_does_nothing_at_once_on_every_worker(service: Service, kms: Any) -> None:
    key = make_key(kms)
    clients = [sdk(service, name="kms") for _ in range(8)]
    blobs = [client.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for client in clients]
    for _ in range(3):
        kms.disable_key(KeyId=key)
        for client, blob in zip(clients, blobs, strict=True):
            with fails(400, "DisabledException"):
                client.decrypt(CiphertextBlob=blob)
            with fails(400, "DisabledException"):
                client.generate_data_key(KeyId=key, KeySpec="AES_256")
        kms.enable_key(KeyId=key)
        for client, blob in zip(clients, blobs, strict=True):
            assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_key_that_is_to_be_deleted_can_be_kept(kms: Any) -> None:
    key = make_key(kms)
    for days in (6, 31):
        with fails(400, "ValidationException"):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    with fails(400, "KMSInvalidStateException"):
        kms.cancel_key_deletion(KeyId=key)
    told = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (told["KeyState"], told["PendingWindowInDays"]) == ("PendingDeletion", 7)
    assert abs(told["DeletionDate"] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=5)
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"], shown["DeletionDate"]) == ("PendingDeletion", False, told["DeletionDate"])
    for attempt in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.enable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
        lambda: kms.create_alias(AliasName="alias/late", TargetKeyId=key),
        lambda: kms.rotate_key_on_demand(KeyId=key),
    ):
        with fails(400, "KMSInvalidStateException"):
            attempt()
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"].endswith(key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_tags_of_keys_decide(service: Service, kms: Any, iam: Any) -> None:
    key, other = make_key(kms, Tags=[{"TagKey": "team", "TagValue": "red"}]), make_key(kms)
    person = make_person(service, iam, allow("kms:Encrypt", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}))
    own = sdk(service, person.keys, name="kms")
    own.encrypt(KeyId=key, Plaintext=b"x")
    with fails(400, "AccessDeniedException"):
        own.encrypt(KeyId=other, Plaintext=b"x")
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "blue"}, {"TagKey": "a", "TagValue": ""}])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": ""}, {"TagKey": "team", "TagValue": "blue"}]
    with fails(400, "AccessDeniedException"):
        own.encrypt(KeyId=key, Plaintext=b"x")
    kms.untag_resource(KeyId=key, TagKeys=["a"])
    assert kms.list_resource_tags(KeyId=key, Limit=1)["Truncated"] is False
    for number in range(49):
        kms.tag_resource(KeyId=other, Tags=[{"TagKey": f"k{number}", "TagValue": "v"}])
    with fails(400, "LimitExceededException"):
        kms.tag_resource(KeyId=other, Tags=[{"TagKey": "x", "TagValue": "v"}, {"TagKey": "y", "TagValue": "v"}])


def test_the_key_policy_is_the_root_of_authority(service: Service, kms: Any, iam: Any) -> None:
    account = service.owner.account_id
    person = make_person(service, iam, allow("kms:*"))
    own = sdk(service, person.keys, name="kms")
    key = make_key(kms)
    first = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    assert first["Statement"][0]["Principal"] == {"AWS": root(account)}
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    own.encrypt(KeyId=key, Plaintext=b"x")
    text = key_policy(to(root(account), "kms:*", Condition={"StringEquals": {"aws:PrincipalArn": root(account)}}))
    kms.put_key_policy(KeyId=key, Policy=text)
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == text
    with fails(400, "AccessDeniedException"):
        own.encrypt(KeyId=key, Plaintext=b"x")
    kms.put_key_policy(KeyId=key, Policy=key_policy(to(root(account), "kms:PutKeyPolicy"), to(person.arn, "kms:Encrypt")))
    iam.delete_user_policy(UserName=person.name, PolicyName="own")
    own.encrypt(KeyId=key, Plaintext=b"x")
    for attempt in (lambda: kms.encrypt(KeyId=key, Plaintext=b"x"), lambda: kms.describe_key(KeyId=key)):
        with fails(400, "AccessDeniedException"):
            attempt()


def test_nobody_is_shut_out_by_mistake(service: Service, kms: Any, iam: Any) -> None:
    key, account = make_key(kms), service.owner.account_id
    closed = key_policy(to(root(account), "kms:Encrypt"))
    for text in (closed, key_policy(to(root(account), "kms:*"), to(f"arn:aws:iam::{account}:user/nobody-there", "kms:Encrypt"))):
        with fails(400, "MalformedPolicyDocumentException"):
            kms.put_key_policy(KeyId=key, Policy=text)
        with fails(400, "MalformedPolicyDocumentException"):
            kms.create_key(Policy=text)
    kms.describe_key(KeyId=key)
    kms.put_key_policy(KeyId=key, Policy=closed, BypassPolicyLockoutSafetyCheck=True)
    with fails(400, "AccessDeniedException"):
        kms.put_key_policy(KeyId=key, Policy=key_policy(to(root(account), "kms:*")))
    for bad in ('{"Version":"2012-10-17","Statement":[]}', key_policy(to(root(account), "s3:*")), "x"):
        with fails(400, "MalformedPolicyDocumentException"):
            kms.create_key(Policy=bad, BypassPolicyLockoutSafetyCheck=True)


def test_a_user_made_again_under_an_old_name_gets_nothing_from_old_policies(service: Service, kms: Any, iam: Any) -> None:
    account = service.owner.account_id
    person = make_person(service, iam)
    key = make_key(kms, Policy=key_policy(to(root(account), "kms:*"), to(person.arn, "kms:Encrypt")))
    sdk(service, person.keys, name="kms").encrypt(KeyId=key, Plaintext=b"x")
    iam.delete_access_key(UserName=person.name, AccessKeyId=person.keys.access_key_id)
    iam.delete_user(UserName=person.name)
    iam.create_user(UserName=person.name)
    made = iam.create_access_key(UserName=person.name)["AccessKey"]
    again = sdk(service, type(person.keys)(made["AccessKeyId"], made["SecretAccessKey"]), name="kms")
    with fails(400, "AccessDeniedException"):
        again.encrypt(KeyId=key, Plaintext=b"x")


def test_keys_are_used_across_accounts_where_both_sides_say_so(service: Service, kms: Any, stranger_kms: Any) -> None:
    account, other = service.owner.account_id, service.stranger.account_id
    key = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for attempt in (
        lambda: stranger_kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: stranger_kms.decrypt(CiphertextBlob=blob),
        lambda: stranger_kms.describe_key(KeyId=key),
        lambda: stranger_kms.describe_key(KeyId=key[:-1] + ("0" if key[-1] != "0" else "1")),
        lambda: stranger_kms.describe_key(KeyId=f"arn:aws:kms:eu-central-1:{account}:alias/none"),
    ):
        with fails(400, "AccessDeniedException"):
            attempt()
    with fails(400, "NotFoundException"):
        stranger_kms.describe_key(KeyId=key.rpartition("/")[2])
    rights = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey", "kms:DisableKey"]
    kms.put_key_policy(KeyId=key, Policy=key_policy(to(root(account), "kms:*"), to(root(other), rights)))
    assert stranger_kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == account
    made = stranger_kms.encrypt(KeyId=key, Plaintext=b"theirs")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=made)["Plaintext"] == b"theirs"
    assert stranger_kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    with fails(400, "AccessDeniedException"):
        stranger_kms.disable_key(KeyId=key)


def test_policies_decide_by_encryption_context_alias_and_account(service: Service, kms: Any, iam: Any) -> None:
    key = make_key(kms)
    name = f"alias/{new_person()}"
    kms.create_alias(AliasName=name, TargetKeyId=key)

    def may(condition: dict[str, Any], **options: Any) -> bool:
        person = make_person(service, iam, allow("kms:Encrypt", Condition=condition))
        try:
            sdk(service, person.keys, name="kms").encrypt(**{"KeyId": key, "Plaintext": b"x", **options})
        except ClientError as error:
            return error.response["Error"]["Code"] != "AccessDeniedException"
        return True

    context = {"EncryptionContext": {"dept": "red", "id": "1"}}
    by_value = {"StringEquals": {"kms:EncryptionContext:dept": "red"}}
    assert may(by_value, **context)
    assert not may(by_value, EncryptionContext={"dept": "blue"})
    assert not may(by_value)
    assert may({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["dept", "id"]}}, **context)
    assert not may({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["dept"]}}, **context)
    assert may({"StringEquals": {"kms:RequestAlias": name}}, KeyId=name)
    assert not may({"StringEquals": {"kms:RequestAlias": name}})
    assert may({"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}})
    assert may({"StringEquals": {"kms:CallerAccount": service.owner.account_id, "kms:KeySpec": "SYMMETRIC_DEFAULT"}})
    assert not may({"StringEquals": {"kms:CallerAccount": service.stranger.account_id}})
    assert not may({"StringLike": {"kms:ViaService": "*"}})


def test_a_denial_in_the_key_policy_binds_everybody(service: Service, kms: Any) -> None:
    account = service.owner.account_id
    no = {**to("*", "kms:Decrypt"), "Effect": "Deny", "Condition": {"Null": {"kms:EncryptionContext:ticket": "true"}}}
    key = make_key(kms, Policy=key_policy(to(root(account), "kms:*"), no))
    bare = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with fails(400, "AccessDeniedException"):
        kms.decrypt(CiphertextBlob=bare)
    context = {"ticket": "7"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"


def test_rotation_keeps_what_was_encrypted_before(kms: Any) -> None:
    key = make_key(kms)
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"0")["CiphertextBlob"]]
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    assert abs(status["NextRotationDate"] - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    kms.disable_key_rotation(KeyId=key)
    assert "NextRotationDate" not in kms.get_key_rotation_status(KeyId=key)
    with fails(400, "ValidationException"):
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=89)
    for number in range(1, 26):
        kms.rotate_key_on_demand(KeyId=key)
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"%d" % number)["CiphertextBlob"])
    with fails(400, "LimitExceededException"):
        kms.rotate_key_on_demand(KeyId=key)
    assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in blobs] == [b"%d" % number for number in range(26)]
    assert len({kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] for blob in blobs}) == 26
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key, PaginationConfig={"PageSize": 7})
    rotations = [one for page in pages for one in page["Rotations"]]
    assert [one["RotationType"] for one in rotations] == ["ON_DEMAND"] * 25
    assert rotations[-1]["KeyMaterialState"] == "CURRENT"
    assert len(kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]) == 26


def test_whoever_may_create_keys_creates_them_under_conditions(service: Service, kms: Any, iam: Any) -> None:
    tagged = allow(["kms:CreateKey", "kms:TagResource"], Condition={"StringEquals": {"aws:RequestTag/team": "red"}})
    person = make_person(service, iam, tagged, allow("kms:PutKeyPolicy"), deny("kms:ScheduleKeyDeletion"))
    own = sdk(service, person.keys, name="kms")
    with fails(400, "AccessDeniedException"):
        own.create_key()
    key = own.create_key(Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]["KeyId"]
    with fails(400, "AccessDeniedException"):
        own.schedule_key_deletion(KeyId=key)
