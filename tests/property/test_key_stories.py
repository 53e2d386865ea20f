"""Objects under keys of the key service, driven by random stories, compared with a model of bucket and keys after every step.

What an object is sealed by, and whether it opens, follows from its own history and from its key's state at that moment alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.gateway.service import Service
from tests.gateway.shelf import new_name, sdk, seeded

from .model import PART_MIN

STORIES, STEPS = 40, 40

ENABLED, DISABLED, PENDING = "Enabled", "Disabled", "PendingDeletion"
REFUSALS = {DISABLED: "KMS.DisabledException", PENDING: "KMS.KMSInvalidStateException"}
CODES = {DISABLED: "DisabledException", PENDING: "KMSInvalidStateException"}
ROTATIONS_MAX = 25
BAD_REQUEST = 400
NAMES = st.sampled_from(["a", "a/b", "ü"])
SIZES = st.sampled_from([0, 1, 65_536, 65_537, 150_000])
NUMBERS = st.integers(0, 2)
CONTEXTS = st.sampled_from([{}, {"team": "red"}, {"team": "red", "ü": ""}])
PARTS = {"full": seeded(PART_MIN, 98), "empty": b"", "small": b"the end"}


@dataclass(frozen=True)
class Seal:
    """How something is sealed: by the account's own key, or by one of the story's, by its number."""

    key: int | None = None
    is_dsse: bool = False
    bucket_key: bool = False
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Stored:
    """An object."""

    body: bytes
    seal: Seal


@dataclass
class Upload:
    """An upload in parts."""

    name: str
    seal: Seal
    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


SEALS = st.builds(
    Seal,
    key=NUMBERS,
    is_dsse=st.booleans(),
    bucket_key=st.booleans(),
    context=CONTEXTS.map(lambda context: tuple(context.items())),
).map(lambda seal: replace(seal, bucket_key=seal.bucket_key and not seal.is_dsse))


def attempt(call: Callable[[], Any]) -> tuple[Any, str]:
    """Make a call; return its answer, or the code of a refusal, which is a 400."""
    try:
        return call(), ""
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != BAD_REQUEST:
            raise
        return None, str(error.response["Error"]["Code"])


class KeyStory(RuleBasedStateMachine):
    """One bucket, three keys, one model."""

    service: Service

    def __init__(self) -> None:
        super().__init__()
        self.s3, self.kms = sdk(self.service), sdk(self.service, name="kms")
        self.bucket = new_name()
        self.arns: list[str] = []
        self.states = [ENABLED] * 3
        self.rotations = [0] * 3
        self.default = Seal()
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}

    def teardown(self) -> None:
        for client in (self.s3, self.kms):
            client.close()

    @initialize()
    def furnish(self) -> None:
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.arns = [self.kms.create_key()["KeyMetadata"]["Arn"] for _ in self.states]

    # What is expected of a call.

    def codes(self, *seals: Seal | None) -> set[str]:
        """The refusals that seals may be the cause of; empty: all of them open and seal."""
        keys = [seal.key for seal in seals if seal is not None and seal.key is not None]
        return {REFUSALS[self.states[key]] for key in keys if self.states[key] != ENABLED}

    def told(self, codes: set[str], call: Callable[[], Any]) -> Any:
        """Return the answer, or None where the call was refused, as it had to be."""
        answer, code = attempt(call)
        if code:
            assert code in codes
            return None
        assert not codes, codes
        return answer

    def options(self, seal: Seal | None) -> dict[str, Any]:
        """The options of a write that asks for a seal; None asks for nothing."""
        if seal is None or seal.key is None:
            return {}
        context = base64.b64encode(json.dumps(dict(seal.context)).encode()).decode()
        return {
            "ServerSideEncryption": "aws:kms:dsse" if seal.is_dsse else "aws:kms",
            "SSEKMSKeyId": self.arns[seal.key],
            # Said or not, where it is said nowhere else: a request that says nothing gets what the bucket says.
            **(
                {"BucketKeyEnabled": seal.bucket_key} if seal.bucket_key or (self.default.bucket_key and not seal.is_dsse) else {}
            ),
            **({"SSEKMSEncryptionContext": context} if seal.context else {}),
        }

    def shown(self, answer: Any, seal: Seal) -> None:
        """Check what an answer tells of a seal."""
        algorithm = "AES256" if seal.key is None else "aws:kms:dsse" if seal.is_dsse else "aws:kms"
        assert answer["ServerSideEncryption"] == algorithm
        assert answer.get("SSEKMSKeyId") == (None if seal.key is None else self.arns[seal.key])
        assert bool(answer.get("BucketKeyEnabled")) == seal.bucket_key

    def at(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": name}

    # Keys.

    def change_key(self, number: int, operation: str, into: str, refused_in: set[str], **options: Any) -> None:
        state = self.states[number]
        _, code = attempt(lambda: getattr(self.kms, operation)(KeyId=self.arns[number], **options))
        if code:
            assert (state in refused_in, code) == (True, "KMSInvalidStateException")
            return
        assert state not in refused_in
        self.states[number] = into

    @rule(number=NUMBERS)
    def enable(self, number: int) -> None:
        self.change_key(number, "enable_key", ENABLED, {PENDING})

    @rule(number=NUMBERS)
    def disable(self, number: int) -> None:
        self.change_key(number, "disable_key", DISABLED, {PENDING})

    @rule(number=NUMBERS)
    def schedule_deletion(self, number: int) -> None:
        self.change_key(number, "schedule_key_deletion", PENDING, {PENDING}, PendingWindowInDays=7)

    @rule(number=NUMBERS)
    def cancel_deletion(self, number: int) -> None:
        self.change_key(number, "cancel_key_deletion", DISABLED, {ENABLED, DISABLED})

    @precondition(lambda self: any(state != ENABLED for state in self.states))
    @rule()
    def bring_all_back(self) -> None:
        """Stories in which most is refused tell little."""
        for number, state in enumerate(self.states):
            if state == PENDING:
                self.cancel_deletion(number)
            self.enable(number)

    @rule(number=NUMBERS)
    def rotate(self, number: int) -> None:
        state = self.states[number]
        _, code = attempt(lambda: self.kms.rotate_key_on_demand(KeyId=self.arns[number]))
        if code:
            assert code == CODES.get(state, "LimitExceededException")
            assert state != ENABLED or self.rotations[number] == ROTATIONS_MAX
            return
        assert state == ENABLED
        self.rotations[number] += 1

    # The bucket.

    @rule(seal=SEALS)
    def configure(self, seal: Seal) -> None:
        self.default = replace(seal, context=())
        default = {"SSEAlgorithm": "aws:kms:dsse" if seal.is_dsse else "aws:kms", "KMSMasterKeyID": self.arns[seal.key or 0]}
        rules = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": seal.bucket_key}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rules]})

    @rule()
    def configure_nothing(self) -> None:
        self.default = Seal()
        self.s3.delete_bucket_encryption(Bucket=self.bucket)

    # Objects.

    @rule(name=NAMES, size=SIZES, seal=st.none() | SEALS)
    def put(self, name: str, size: int, seal: Seal | None) -> None:
        body, wanted = seeded(size, len(self.objects)), seal or self.default
        answer = self.told(self.codes(wanted), lambda: self.s3.put_object(**self.at(name), Body=body, **self.options(seal)))
        if answer is not None:
            self.shown(answer, wanted)
            self.objects[name] = Stored(body, wanted)

    @precondition(lambda self: self.objects)
    @rule(data=st.data(), name=NAMES, seal=st.none() | SEALS)
    def copy(self, data: st.DataObject, name: str, seal: Seal | None) -> None:
        source = data.draw(st.sampled_from(sorted(self.objects)), label="source")
        stored, wanted = self.objects[source], seal or self.default
        if source == name and seal is None:
            return
        options = {**self.at(name), "CopySource": self.at(source), **self.options(seal)}
        answer = self.told(self.codes(stored.seal, wanted), lambda: self.s3.copy_object(**options))
        if answer is not None:
            self.shown(answer, wanted)
            self.objects[name] = Stored(stored.body, wanted)

    @precondition(lambda self: self.objects)
    @rule(data=st.data(), number=NUMBERS, bucket_key=st.booleans())
    def update(self, *, data: st.DataObject, number: int, bucket_key: bool) -> None:
        """Another key; where it is the same one, its newest material."""
        name = data.draw(st.sampled_from(sorted(self.objects)), label="object")
        stored = self.objects[name]
        wanted = Seal(number, bucket_key=bucket_key, context=stored.seal.context)
        before = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        codes = self.codes(stored.seal, wanted)
        if stored.seal.is_dsse:
            codes = codes | {"InvalidRequest"}
        encryption = {"SSEKMS": {"KMSKeyArn": self.arns[number], "BucketKeyEnabled": bucket_key}}
        answer = self.told(codes, lambda: self.s3.update_object_encryption(**self.at(name), ObjectEncryption=encryption))
        if answer is not None:
            self.objects[name] = replace(stored, seal=wanted)
        assert self.s3.list_objects_v2(Bucket=self.bucket)["Contents"] == before

    @precondition(lambda self: self.objects)
    @rule(data=st.data(), start=st.integers(0, 160_000), length=st.integers(1, 70_000))
    def get_range(self, data: st.DataObject, start: int, length: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.objects)), label="object")
        stored = self.objects[name]
        if start >= len(stored.body):
            return
        asked = f"bytes={start}-{start + length - 1}"
        answer = self.told(self.codes(stored.seal), lambda: self.s3.get_object(**self.at(name), Range=asked))
        if answer is not None:
            assert answer["Body"].read() == stored.body[start : start + length]

    @precondition(lambda self: self.objects)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.objects)), label="object")
        stored = self.objects[name]
        # A HEAD has no body that would name the code.
        codes = {"400"} if self.codes(stored.seal) else set()
        answer = self.told(codes, lambda: self.s3.head_object(**self.at(name)))
        if answer is not None:
            self.shown(answer, stored.seal)
            assert answer["ContentLength"] == len(stored.body)

    @precondition(lambda self: self.objects)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Removing takes no key."""
        name = data.draw(st.sampled_from(sorted(self.objects)), label="object")
        self.s3.delete_object(**self.at(name))
        del self.objects[name]

    # Uploads.

    @rule(name=NAMES, seal=st.none() | SEALS)
    def start_upload(self, name: str, seal: Seal | None) -> None:
        wanted = seal or self.default
        answer = self.told(self.codes(wanted), lambda: self.s3.create_multipart_upload(**self.at(name), **self.options(seal)))
        if answer is not None:
            self.shown(answer, wanted)
            self.uploads[answer["UploadId"]] = Upload(name, wanted)

    def any_upload(self, data: st.DataObject) -> tuple[Upload, dict[str, Any], str]:
        upload_id = list(self.uploads)[data.draw(st.integers(0, len(self.uploads) - 1), label="upload")]
        upload = self.uploads[upload_id]
        return upload, {**self.at(upload.name), "UploadId": upload_id}, upload_id

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=st.sampled_from([1, 2]), part=st.sampled_from(sorted(PARTS)))
    def put_part(self, data: st.DataObject, number: int, part: str) -> None:
        upload, place, _ = self.any_upload(data)
        call = {**place, "PartNumber": number, "Body": PARTS[part]}
        answer = self.told(self.codes(upload.seal), lambda: self.s3.upload_part(**call))
        if answer is not None:
            upload.parts[number] = (PARTS[part], answer["ETag"])

    @precondition(lambda self: self.uploads and self.objects)
    @rule(data=st.data(), number=st.sampled_from([1, 2]))
    def copy_part(self, data: st.DataObject, number: int) -> None:
        upload, place, _ = self.any_upload(data)
        source = data.draw(st.sampled_from(sorted(self.objects)), label="source")
        stored = self.objects[source]
        call = {**place, "PartNumber": number, "CopySource": self.at(source)}
        answer = self.told(self.codes(upload.seal, stored.seal), lambda: self.s3.upload_part_copy(**call))
        if answer is not None:
            upload.parts[number] = (stored.body, answer["CopyPartResult"]["ETag"])

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def list_parts(self, data: st.DataObject) -> None:
        upload, place, _ = self.any_upload(data)
        answer = self.told(self.codes(upload.seal), lambda: self.s3.list_parts(**place))
        if answer is not None:
            found = [(part["PartNumber"], part["Size"], part["ETag"]) for part in answer.get("Parts", [])]
            assert found == [(number, len(body), etag) for number, (body, etag) in sorted(upload.parts.items())]

    @precondition(lambda self: any(upload.parts for upload in self.uploads.values()))
    @rule(data=st.data())
    def complete_upload(self, data: st.DataObject) -> None:
        upload, place, upload_id = self.any_upload(data)
        bodies = [body for _, (body, _) in sorted(upload.parts.items())]
        if not bodies:
            return
        parts = [{"PartNumber": number, "ETag": etag} for number, (_, etag) in sorted(upload.parts.items())]
        codes = self.codes(upload.seal)
        if any(len(body) < PART_MIN for body in bodies[:-1]):
            codes = codes | {"EntityTooSmall"}
        answer = self.told(codes, lambda: self.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts}))
        if answer is not None:
            self.shown(answer, upload.seal)
            del self.uploads[upload_id]
            self.objects[upload.name] = Stored(b"".join(bodies), upload.seal)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort_upload(self, data: st.DataObject) -> None:
        _, place, upload_id = self.any_upload(data)
        self.s3.abort_multipart_upload(**place)
        del self.uploads[upload_id]

    # What holds after every step.

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not self.arns:
            return
        listed = {entry["Key"]: entry["Size"] for entry in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])}
        assert listed == {name: len(stored.body) for name, stored in self.objects.items()}
        for name, stored in self.objects.items():
            answer = self.told(self.codes(stored.seal), lambda name=name: self.s3.get_object(**self.at(name)))
            if answer is not None:
                assert answer["Body"].read() == stored.body
                self.shown(answer, stored.seal)


def test_stories_of_objects_and_their_keys_end_as_in_the_model(service: Service) -> None:
    KeyStory.service = service
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        KeyStory,
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
