"""The AWS command line keeps a tree of files in the store."""

import base64
import json
import time
from typing import Any

from bench import Bench
from file_tree import digest_of, digests_below

CLIENT = "awscli"
LARGE = "large/twenty.bin"
WITHOUT_WAITING_S = 20


def test_a_tree_goes_up_and_comes_back(bench: Bench) -> None:
    bench.do("make_bucket")
    bench.do("upload", folder=bench.tree.root)
    assert bench.stored_digests("tree/") == bench.tree.digests
    bench.do("download", folder=bench.home / "back")
    assert digests_below(bench.home / "back") == bench.tree.digests


def test_a_second_sync_finds_nothing_to_do(bench: Bench) -> None:
    assert bench.do("upload", folder=bench.tree.root) == ""
    assert bench.do("download", folder=bench.home / "back") == ""


def test_empty_files_hold_up_nothing(bench: Bench) -> None:
    """The CLI waits for `100 Continue` before it sends a file.

    Where a final answer comes in its stead, as for an empty file, its botocore (1.43) takes the next answer on that connection
    for the same one, reads its head as a body, and waits until the store hangs up. So the store has to end the connection.
    """
    folder = bench.home / "often-empty"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02}").write_text(f"{number}" if number % 2 else "")
    began = time.monotonic()
    bench.run("aws", "s3", "cp", "--recursive", folder, f"s3://{bench.bucket}/often-empty/")
    assert time.monotonic() - began < WITHOUT_WAITING_S
    assert bench.stored_digests("often-empty/") == digests_below(folder)


def test_what_is_listed_is_what_is_there(bench: Bench) -> None:
    lines = bench.do("list").splitlines()
    listed = {line.split(maxsplit=3)[3]: int(line.split()[2]) for line in lines}
    assert listed == {f"tree/{name}": bench.tree.size_bytes(name) for name in bench.tree.digests}


def test_a_range_is_read(bench: Bench) -> None:
    words = ("aws", "s3api", "get-object", "--bucket", bench.bucket, "--key", f"tree/{LARGE}")
    told = json.loads(bench.run(*words, "--range", "bytes=16000-99999", "part"))
    whole = (bench.tree.root / LARGE).read_bytes()
    assert told["ContentRange"] == f"bytes 16000-99999/{len(whole)}"
    assert (bench.home / "part").read_bytes() == whole[16000:100000]


def test_an_object_is_moved_within_the_store(bench: Bench) -> None:
    bench.do("move", object=f"tree/{LARGE}", target="moved/a b+c")
    assert f"tree/{LARGE}" not in bench.stored_keys()
    bench.run("aws", "s3", "cp", "--only-show-errors", f"s3://{bench.bucket}/moved/a b+c", "moved")
    assert digest_of(bench.home / "moved") == bench.tree.digests[LARGE]


def test_text_goes_in_and_out_by_pipe(bench: Bench) -> None:
    bench.run("aws", "s3", "cp", "-", f"s3://{bench.bucket}/piped", text_in="from the pipe\n")
    assert bench.do("read", object="piped") == "from the pipe\n"


def test_a_presigned_url_opens_the_object(bench: Bench) -> None:
    assert bench.fetch(bench.do("share", object="piped").strip()) == (200, b"from the pipe\n")


def test_a_conditional_write_does_not_overwrite(bench: Bench) -> None:
    words = ("aws", "s3api", "put-object", "--bucket", bench.bucket, "--key", "piped", "--if-none-match", "*")
    bench.run(*words, status=255)
    assert bench.do("read", object="piped") == "from the pipe\n"


def test_what_is_absent_is_told_by_the_exit_code(bench: Bench) -> None:
    bench.run("aws", "s3", "cp", f"s3://{bench.bucket}/absent", "-", status=1)
    bench.run("aws", "s3api", "head-object", "--bucket", bench.bucket, "--key", "absent", status=255)
    bench.run("aws", "s3", "ls", f"s3://{bench.bucket}-absent", status=255)


def test_a_user_reads_with_a_key_of_its_own_that_is_replaced(bench: Bench) -> None:
    user = ("--user-name", f"reader-{bench.bucket}"[:64])
    actions = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bench.bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [actions]})

    def iam(action: str, *words: str) -> dict[str, Any]:
        told = bench.run("aws", "iam", action, *user, *words)
        return json.loads(told) if told.strip() else {}

    def new_key() -> dict[str, str]:
        made = iam("create-access-key")["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}

    read = ("aws", "s3api", "get-object", "--bucket", bench.bucket, "--key", "piped", "read-by-user")
    arn = iam("create-user", "--tags", "Key=team,Value=red")["User"]["Arn"]
    old = new_key()
    bench.run(*read, status=255, **old)
    iam("put-user-policy", "--policy-name", "read", "--policy-document", policy)
    assert iam("get-user-policy", "--policy-name", "read")["PolicyDocument"]["Statement"] == [actions]
    bench.run(*read, **old)
    assert (bench.home / "read-by-user").read_text() == "from the pipe\n"
    bench.run("aws", "s3", "rm", f"s3://{bench.bucket}/piped", status=1, **old)
    asked = ("--policy-source-arn", arn, "--action-names", "s3:GetObject", "s3:DeleteObject")
    told = json.loads(
        bench.run("aws", "iam", "simulate-principal-policy", *asked, "--resource-arns", f"arn:aws:s3:::{bench.bucket}/piped")
    )
    assert [one["EvalDecision"] for one in told["EvaluationResults"]] == ["allowed", "implicitDeny"]
    new = new_key()
    bench.run("aws", "iam", "create-access-key", *user, status=255)
    iam("update-access-key", "--access-key-id", old["AWS_ACCESS_KEY_ID"], "--status", "Inactive")
    bench.run(*read, status=255, **old)
    bench.run(*read, **new)
    bench.run("aws", "iam", "delete-user", *user, status=255)
    for key in (old, new):
        iam("delete-access-key", "--access-key-id", key["AWS_ACCESS_KEY_ID"])
    bench.run(*read, status=255, **new)
    iam("delete-user-policy", "--policy-name", "read")
    iam("delete-user")
    bench.run("aws", "iam", "get-user", *user, status=255)


def test_a_role_is_taken_on_for_a_while(bench: Bench) -> None:
    role = ("--role-name", f"role-{bench.bucket}"[:64])
    actions = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bench.bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [actions]})

    def told(*words: str, **more: Any) -> dict[str, Any]:
        answer = bench.run("aws", *words, **more)
        return json.loads(answer) if answer.strip() else {}

    user = ("--user-name", f"taker-{bench.bucket}"[:64])
    taker = told("iam", "create-user", *user)["User"]
    key = told("iam", "create-access-key", *user)["AccessKey"]
    trusting = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": taker["Arn"]}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusting]})
    arn = told("iam", "create-role", *role, "--assume-role-policy-document", trust)["Role"]["Arn"]
    told("iam", "put-role-policy", *role, "--policy-name", "read", "--policy-document", policy)
    session = ("--role-arn", arn, "--role-session-name", "nightly", "--duration-seconds", "900")
    bench.run("aws", "sts", "assume-role", *session, status=255)
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    made = told("sts", "assume-role", *session, **own)["Credentials"]
    keys = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }
    assert told("sts", "get-caller-identity", **keys)["Arn"].endswith("/nightly")
    read = ("aws", "s3api", "get-object", "--bucket", bench.bucket, "--key", "piped", "read-by-role")
    bench.run(*read, **keys)
    assert (bench.home / "read-by-role").read_text() == "from the pipe\n"
    bench.run("aws", "s3", "rm", f"s3://{bench.bucket}/piped", status=1, **keys)
    told("iam", "delete-role-policy", *role, "--policy-name", "read")
    bench.run(*read, status=255, **keys)
    told("iam", "delete-role", *role)
    told("iam", "delete-access-key", *user, "--access-key-id", key["AccessKeyId"])
    told("iam", "delete-user", *user)
    bench.run("aws", "sts", "get-caller-identity", status=255, **keys)


def test_a_key_encrypts_and_rotates_and_is_disabled(bench: Bench) -> None:
    alias = f"alias/{bench.bucket}"

    def kms(action: str, *words: str, **more: Any) -> dict[str, Any]:
        answer = bench.run("aws", "kms", action, *words, **more)
        return json.loads(answer) if answer.strip() else {}

    key_id = kms("create-key", "--description", "reports", "--tags", "TagKey=team,TagValue=red")["KeyMetadata"]["KeyId"]
    kms("create-alias", "--alias-name", alias, "--target-key-id", key_id)
    (bench.home / "secret").write_text("for nobody else\n")
    context = ("--encryption-context", "purpose=report")
    sealed = kms("encrypt", "--key-id", alias, "--plaintext", "fileb://secret", *context)["CiphertextBlob"]
    (bench.home / "sealed").write_bytes(base64.b64decode(sealed))
    kms("rotate-key-on-demand", "--key-id", key_id)
    opened = kms("decrypt", "--ciphertext-blob", "fileb://sealed", *context)
    assert base64.b64decode(opened["Plaintext"]) == b"for nobody else\n"
    assert len(kms("list-key-rotations", "--key-id", key_id)["Rotations"]) == 1
    assert kms("list-aliases", "--key-id", key_id)["Aliases"][0]["AliasName"] == alias
    kms("decrypt", "--ciphertext-blob", "fileb://sealed", status=255)
    kms("disable-key", "--key-id", key_id)
    kms("decrypt", "--ciphertext-blob", "fileb://sealed", *context, status=255)
    told = kms("schedule-key-deletion", "--key-id", key_id, "--pending-window-in-days", "7")
    assert told["KeyState"] == "PendingDeletion"


def test_everything_is_deleted(bench: Bench) -> None:
    bench.do("delete", object="")
    assert bench.stored_keys() == []
