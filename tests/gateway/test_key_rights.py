"""What S3's operations take of keys, and how callers come to it: the tables of the access matrix, tried out.

Precedents: MinIO CVE-2025-62506, CVE-2024-55949, the class: a right that is asked for beside the operation's own, and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from siegel.service.kms.key_rights import KEY_RIGHTS

from .form import signed_form
from .key_ways import WAYS, Scene, Way
from .matrix import KEY, ROUTES, Place, request_of
from .people import Person, allow, document, make_person
from .service import Service
from .shelf import Shelf, fails, make_shelf, sdk
from .test_access_matrix import refusal_of
from .test_kms_keys import key_policy, make_key
from .test_sse_kms import arn_of, under

Give = Callable[..., Person]


class Stage:
    """A bucket whose object and upload have one key, and whatever is made in it another."""

    def __init__(self, service: Service, s3: Any, present: str, new: str) -> None:
        self.shelf = make_shelf(service, s3)
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": new}}
        self.shelf.s3.put_bucket_encryption(Bucket=self.shelf.name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        self.shelf.put(KEY, b"mine", **under(present))
        self.upload = self.shelf.start(KEY, **under(present))
        self.part = self.shelf.part(KEY, self.upload, 1, b"part")
        self.new = new

    def call(self, operation: str, person: Person) -> None:
        """Do an operation as somebody. Raises ClientError."""
        if operation == "PostObject":
            shelf = self.shelf
            assert signed_form(person.keys, shelf.name, "form").post(shelf.service.raw(), shelf.name).status == 204
            return
        with closing(person.s3) as s3:
            CALLS[operation](s3, self, {"Bucket": self.shelf.name, "Key": KEY})


def of_upload(stage: Stage) -> dict[str, Any]:
    return {"UploadId": stage.upload}


CALLS: dict[str, Callable[[Any, Stage, dict[str, Any]], Any]] = {
    "GetObject": lambda s3, _, at: s3.get_object(**at)["Body"].read(),
    "HeadObject": lambda s3, _, at: s3.head_object(**at),
    "GetObjectAttributes": lambda s3, _, at: s3.get_object_attributes(**at, ObjectAttributes=["ETag"]),
    "PutObject": lambda s3, _, at: s3.put_object(**at, Body=b"new"),
    "CopyObject": lambda s3, _, at: s3.copy_object(**at | {"Key": "copy"}, CopySource=at),
    "CreateMultipartUpload": lambda s3, _, at: s3.create_multipart_upload(**at),
    "UploadPart": lambda s3, stage, at: s3.upload_part(**at, **of_upload(stage), PartNumber=2, Body=b"more"),
    "UploadPartCopy": lambda s3, stage, at: s3.upload_part_copy(**at, **of_upload(stage), PartNumber=2, CopySource=at),
    "ListParts": lambda s3, stage, at: s3.list_parts(**at, **of_upload(stage)),
    "CompleteMultipartUpload": lambda s3, stage, at: s3.complete_multipart_upload(
        **at, **of_upload(stage), MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": stage.part["ETag"]}]}
    ),
    "UpdateObjectEncryption": lambda s3, stage, at: s3.update_object_encryption(
        **at, ObjectEncryption={"SSEKMS": {"KMSKeyArn": stage.new}}
    ),
}


@pytest.fixture(scope="module")
def keys(kms: Any) -> tuple[str, str]:
    return arn_of(kms, make_key(kms)), arn_of(kms, make_key(kms))


@pytest.fixture(scope="module")
def give(service: Service, iam: Any) -> Give:
    """A person who may do what S3 decides, and what is given of rights on keys."""
    person = make_person(service, iam)

    def change(*rights: tuple[str, str]) -> Person:
        text = document(allow(["s3:*", "s3express:*"]), *(allow(right, key) for right, key in rights))
        iam.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=text)
        return person

    return change


def test_every_operation_that_takes_something_of_a_key_is_tried_out() -> None:
    assert {*CALLS, "PostObject"} == set(KEY_RIGHTS)


@pytest.mark.parametrize("operation", KEY_RIGHTS)
def test_t25_whoever_lacks_one_right_on_a_key_does_not_get_in(
    service: Service, s3: Any, keys: tuple[str, str], give: Give, operation: str
) -> None:
    rights = KEY_RIGHTS[operation]
    taken = [(right, key) for key, own in zip(keys, (rights.of_present, rights.of_new), strict=True) for right in own]
    stage = Stage(service, s3, *keys)

    for lacking in taken:
        person = give(*(pair for pair in taken if pair != lacking))
        if operation == "PostObject":
            answer = signed_form(person.keys, stage.shelf.name, "form").post(service.raw(), stage.shelf.name)
            assert (answer.status, answer.code) == (403, "AccessDenied"), lacking
        else:
            with stage.shelf.unchanged(), pytest.raises(ClientError) as refused:
                stage.call(operation, person)
            status = refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
            assert status == 403, lacking
    stage.call(operation, give(*taken))


# Ledgers and consents are no objects of S3, and have rights of their own.
OTHERS = [
    route for route in ROUTES if route.operation not in KEY_RIGHTS and route.action.partition(":")[0] in {"s3", "s3express"}
]


@pytest.mark.parametrize("route", OTHERS, ids=lambda route: route.operation)
def test_t25_all_other_operations_take_nothing_of_keys(
    route: Any, service: Service, s3: Any, keys: tuple[str, str], give: Give
) -> None:
    stage, raw = Stage(service, s3, *keys), service.raw()
    place = Place(stage.shelf.name, stage.upload, service.owner.account_id)
    answer = raw.send(raw.as_caller(give().keys).sign(request_of(raw, route, place)))
    assert not refusal_of(answer, route.method), (answer.status, answer.body[:300])


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.text)
def test_t25_a_right_on_a_key_is_had_in_these_ways_and_no_other(
    service: Service, bucket: Shelf, kms: Any, iam: Any, way: Way
) -> None:
    user = make_person(service, iam)
    scene = Scene(service.owner.account_id, user.arn, service.stranger.account_id, f"arn:aws:s3:::{bucket.name}/{KEY}")
    key = arn_of(kms, make_key(kms))
    bucket.put(KEY, b"mine", **under(key))
    iam.put_user_policy(UserName=user.name, PolicyName="own", PolicyDocument=document(allow("s3:*"), *way.own_policy(scene)))
    if way.is_stranger:
        statement = {"Effect": "Allow", "Principal": {"AWS": scene.stranger}, "Action": "s3:*", "Resource": f"{scene.arn}"}
        bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=document(statement))
    if way.grant is not None:
        kms.create_grant(KeyId=key, **way.grant(scene))
    policy = key_policy(*way.key_policy(scene))
    kms.put_key_policy(KeyId=key, Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    client = sdk(service, service.stranger if way.is_stranger else user.keys)
    at = {"Bucket": bucket.name, "Key": KEY}
    try:
        if way.can_get:
            assert client.get_object(**at)["Body"].read() == b"mine"
        else:
            with fails(403, "AccessDenied"):
                client.get_object(**at)
        if way.can_put:
            client.put_object(**at, Body=b"theirs", **under(key))
        else:
            with bucket.unchanged(), fails(403, "AccessDenied"):
                client.put_object(**at, Body=b"theirs", **under(key))
    finally:
        client.close()
