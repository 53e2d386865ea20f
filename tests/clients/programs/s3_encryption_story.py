"""Amazon's S3 Encryption Client: formats V3 and V2, parts, instruction files, and whatever a store could do to them.

Every data key that the client is given is written to `data-keys.txt`, in hex, so that the store can be searched for it.
"""

import base64
import io
import json
import sys
from pathlib import Path

import boto3
import use
from botocore.exceptions import BotoCoreError
from connect import client, context, keybox, store
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring
from s3_encryption.materials.materials import AlgorithmSuite, CommitmentPolicy
from story import BUCKET, LARGE, TREE, content, digest, tell

CANARY = sys.argv[3].encode()
PART_BYTES = 5 << 20
BODY = CANARY * 3000
OTHER = CANARY[::-1] * 3000
# What formats V3 and V2 keep in an instruction file: of V3 what wraps the key, of V2 everything.
IN_THE_FILE = {"v3": {"x-amz-3", "x-amz-w", "x-amz-t", "x-amz-m"}, "v2": None}


def kept(parsed, **_):
    """Write down the data key of an answer of the box; refusals have none."""
    if "Plaintext" not in parsed:
        return
    with Path("data-keys.txt").open("a", encoding="ascii") as held:
        print(parsed["Plaintext"].hex(), file=held)


def client_like(wrapped, held, **different):
    """Make a client like the one of the settings, with other ideas of formats."""
    keyring = KmsKeyring(held, client.config.keyring.kms_key_id)
    return S3EncryptionClient(wrapped, S3EncryptionClientConfig(keyring=keyring, **different))


def another(service):
    """Make a client of the SDK like the one of the settings, without what the encryption client has put into it."""
    known = store if service == "s3" else keybox
    held = known._get_credentials()
    return boto3.client(
        service,
        endpoint_url=known.meta.endpoint_url,
        region_name=known.meta.region_name,
        aws_access_key_id=held.access_key,
        aws_secret_access_key=held.secret_key,
        verify=known._endpoint.http_session._verify,
        config=known.meta.config,
    )


keys_of_v2 = another("kms")
for one in (keybox, keys_of_v2):
    for operation in ("GenerateDataKey", "Decrypt"):
        one.meta.events.register(f"after-call.kms.{operation}", kept)
plain_store = another("s3")
v2 = client_like(
    another("s3"),
    keys_of_v2,
    encryption_algorithm=AlgorithmSuite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF,
    commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
)
CLIENTS = {"v3": client, "v2": v2}


def put(key, body=BODY, by=client):
    """Store a body, encrypted for its place."""
    by.put_object(Bucket=BUCKET, Key=key, Body=body, EncryptionContext=context(BUCKET, key))


def read(key, by=client, bound_to=None, **more):
    """Return the plaintext of an object."""
    bound = context(BUCKET, bound_to or key)
    return by.get_object(Bucket=BUCKET, Key=key, EncryptionContext=bound, **more)["Body"].read()


def refusal(key, **more):
    """Read what must be refused; return the client's words."""
    try:
        read(key, **more)
    except BotoCoreError as error:
        return str(error)
    raise AssertionError(f"{key} was opened")


def stored(key):
    """Return what the store really holds: metadata and body."""
    answer = plain_store.get_object(Bucket=BUCKET, Key=key)
    return answer["Metadata"], answer["Body"].read()


def plant(key, metadata, body):
    """Store something as a store that does what it likes would."""
    plain_store.put_object(Bucket=BUCKET, Key=key, Metadata=metadata, Body=body)


def the_page_holds():
    place = {"Bucket": BUCKET, "Key": "report.txt"}
    assert read("report.txt") == b"for us alone"
    assert use.place == place


def an_object_of_either_format_goes_up_and_comes_back():
    for name, by in CLIENTS.items():
        put(f"objects/{name}", by=by)
        assert read(f"objects/{name}", by=by) == BODY
        metadata, body = stored(f"objects/{name}")
        assert ("x-amz-3" in metadata) is (name == "v3"), metadata
        assert ("x-amz-key-v2" in metadata) is (name == "v2"), metadata
        assert CANARY not in body
        assert len(body) == len(BODY) + 16
    put("objects/empty", b"")
    assert read("objects/empty") == b""
    name = "odd/a+b/ü &=.txt"
    client.put_object(Bucket=BUCKET, Key=name, Body=BODY, EncryptionContext={"bucket": BUCKET})
    assert client.get_object(Bucket=BUCKET, Key=name, EncryptionContext={"bucket": BUCKET})["Body"].read() == BODY


def files_go_up_in_parts():
    for name, by in CLIENTS.items():
        key = f"parts/{name}"
        by.upload_file(str(TREE / LARGE), BUCKET, key, multipart_chunksize=PART_BYTES, EncryptionContext=context(BUCKET, key))
        assert plain_store.head_object(Bucket=BUCKET, Key=key)["ETag"].endswith('-4"')
        assert digest(read(key, by=by)) == digest(content(LARGE))
    key = "parts/stream"
    client.upload_fileobj(io.BytesIO(BODY * 50), BUCKET, key, PART_BYTES, EncryptionContext=context(BUCKET, key))
    assert digest(read(key)) == digest(BODY * 50)


def single_calls_upload_parts():
    place = {"Bucket": BUCKET, "Key": "parts/calls"}
    upload = client.create_multipart_upload(**place, EncryptionContext=context(*place.values()))["UploadId"]
    parts = []
    for number, body in enumerate((bytes(PART_BYTES), BODY), 1):
        done = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=body, IsLastPart=number == 2)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    assert read("parts/calls") == bytes(PART_BYTES) + BODY
    left = client.create_multipart_upload(Bucket=BUCKET, Key="parts/left")["UploadId"]
    client.abort_multipart_upload(Bucket=BUCKET, Key="parts/left", UploadId=left)
    assert "Uploads" not in plain_store.list_multipart_uploads(Bucket=BUCKET)


def with_instruction_file(name, suffix):
    """Move what wraps the key of an object into an instruction file, as the format has it; return the object's key."""
    key = f"instructed/{name}{suffix}"
    put(key, by=CLIENTS[name])
    metadata, body = stored(key)
    moved = {field: text for field, text in metadata.items() if IN_THE_FILE[name] is None or field in IN_THE_FILE[name]}
    plant(key, {field: text for field, text in metadata.items() if field not in moved}, body)
    plant(f"{key}{suffix}", {}, json.dumps(moved).encode())
    return key


def instruction_files_are_read():
    for name, by in CLIENTS.items():
        key = with_instruction_file(name, ".instruction")
        assert read(key, by=by) == BODY
        by.delete_object(Bucket=BUCKET, Key=key)
        assert plain_store.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] == 0
        key = with_instruction_file(name, ".for-others")
        assert read(key, by=by, InstructionFileSuffix=".for-others") == BODY
        by.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key}]}, InstructionFileSuffix=".for-others")
        assert plain_store.list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] == 0


def an_instruction_file_of_another_object_is_refused():
    key, other = with_instruction_file("v3", ".instruction"), "instructed/other"
    put(other, OTHER)
    metadata, _ = stored(other)
    wrapped = {field: metadata[field] for field in IN_THE_FILE["v3"] & set(metadata)}
    plant(f"{key}.instruction", {}, json.dumps(wrapped).encode())
    assert "does not match" in refusal(key)
    wrapped["x-amz-t"] = bound_text(key)
    plant(f"{key}.instruction", {}, json.dumps(wrapped).encode())
    assert "InvalidCiphertextException" in refusal(key)


def bound_text(key):
    """Return the stored form of the context of an object of format V3."""
    return json.dumps({**context(BUCKET, key), "aws:x-amz-cek-alg": "115"})


def another_context_is_refused_here_and_at_the_box():
    for name, by in CLIENTS.items():
        put("context/real", by=by)
        assert "does not match" in refusal("context/real", by=by, bound_to="context/other")
        metadata, body = stored("context/real")
        field = "x-amz-t" if name == "v3" else "x-amz-matdesc"
        bound = json.loads(metadata[field]) | {"key": "context/moved"}
        plant("context/moved", metadata | {field: json.dumps(bound)}, body)
        assert "InvalidCiphertextException" in refusal("context/moved", by=by)


def a_changed_body_is_refused():
    for name, by in CLIENTS.items():
        key = f"changed/{name}"
        put(key, by=by)
        metadata, body = stored(key)
        middle = len(body) // 2
        changes = {
            "a bit of the first byte": bytes([body[0] ^ 1]) + body[1:],
            "a bit in the middle": body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :],
            "a bit of the tag": body[:-1] + bytes([body[-1] ^ 1]),
            "cut": body[:-1],
            "cut in half": body[:middle],
            "only the tag": body[-16:],
            "nothing": b"",
            "longer": body + b"\0",
            "halves swapped": body[middle:] + body[:middle],
        }
        for what, changed in changes.items():
            plant(key, metadata, changed)
            assert refusal(key, by=by), what
        plant(key, metadata, body)
        assert read(key, by=by) == BODY


def heads_and_bodies_cannot_be_exchanged():
    for name, by in CLIENTS.items():
        one, two = (f"exchanged/{name}/{which}" for which in ("one", "two"))
        put(one, by=by)
        put(two, OTHER, by=by)
        (head, body), (other_head, other_body) = stored(one), stored(two)
        for metadata, planted in ((head, other_body), (other_head, body), (other_head, other_body)):
            plant(one, metadata, planted)
            assert refusal(one, by=by)
        for field in head:
            if head[field] != other_head[field]:
                plant(one, head | {field: other_head[field]}, body)
                assert refusal(one, by=by), field
            plant(one, {named: text for named, text in head.items() if named != field}, body)
            assert field in {"x-amz-tag-len", "x-amz-m"} or refusal(one, by=by), field


def a_key_is_committed_to():
    put("committed", OTHER)
    put("committed", BODY)
    newer, body = stored("committed")
    put("committed", OTHER)
    older, _ = stored("committed")
    # Same place, so the box unwraps the other key: what refuses it is the commitment.
    plant("committed", newer | {"x-amz-3": older["x-amz-3"]}, body)
    assert "commitment" in refusal("committed").lower()
    commitment = bytearray(base64.b64decode(newer["x-amz-d"]))
    commitment[0] ^= 1
    plant("committed", newer | {"x-amz-d": base64.b64encode(commitment).decode()}, body)
    assert "commitment" in refusal("committed").lower()


def format_v2_is_refused_where_v3_is_required():
    put("objects/v2", by=v2)
    assert "commit" in refusal("objects/v2").lower()


def what_is_not_encrypted_is_refused():
    plant("planted", {}, b"planted")
    assert "nstruction" in refusal("planted")


tell(
    the_page_holds,
    an_object_of_either_format_goes_up_and_comes_back,
    files_go_up_in_parts,
    single_calls_upload_parts,
    instruction_files_are_read,
    an_instruction_file_of_another_object_is_refused,
    another_context_is_refused_here_and_at_the_box,
    a_changed_body_is_refused,
    heads_and_bodies_cannot_be_exchanged,
    a_key_is_committed_to,
    format_v2_is_refused_where_v3_is_required,
    what_is_not_encrypted_is_refused,
)
