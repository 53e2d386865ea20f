"""Keys of the box in a PKCS#11 token: used, disabled, destroyed there, and never read."""

import json
import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from siegel.customer.keybox.certificates import verify_certificate
from tests.keybox.box import Box, Serving, keybox
from tests.keybox.caller import AAD, decrypt_body, encrypt_body
from tests.softhsm import make_tokens, module, write_pin


@pytest.fixture
def token(tmp_path, monkeypatch):
    environment = make_tokens(tmp_path, "box", "other")
    monkeypatch.setenv("SOFTHSM2_CONF", environment["SOFTHSM2_CONF"])
    return ("--pkcs11-module", module(), "--pkcs11-token", "box", "--pkcs11-pin-file", str(write_pin(tmp_path)))


@pytest.fixture
def box(tmp_path, token):
    return Box(tmp_path / "box", opening=token)


def kms_of(box, serving):
    keys = box.made["kms"]
    return boto3.client(
        "kms",
        endpoint_url=serving.url.geturl(),
        region_name="eu-central-1",
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def code(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


def in_token(box, name):
    return box.command("create-key", name, "--in-token").strip()


def objects_in(tmp_path):
    return sorted(path for path in (tmp_path / "tokens").rglob("*.object") if path.name != "token.object")


def test_both_faces_work_with_a_key_that_the_box_has_not(box, tmp_path):
    key_id = in_token(box, "main")
    assert len(objects_in(tmp_path)) == 1
    with Serving(box) as serving:
        xks, kms = box.caller(serving.url), kms_of(box, serving)
        sealed = xks.key(key_id, "encrypt", encrypt_body(aad=AAD, cdiv="SHA_256"))
        assert sealed.status == 200, sealed.body
        assert xks.key(key_id, "decrypt", decrypt_body(sealed.json, AAD)).status == 200
        assert xks.key(key_id, "decrypt", decrypt_body(sealed.json)).error == "InvalidCiphertextException"
        made = kms.generate_data_key(KeyId="alias/main", KeySpec="AES_256", EncryptionContext={"a": "b"})
        asked = {"CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": {"a": "b"}}
        assert kms.decrypt(**asked)["Plaintext"] == made["Plaintext"]
        box.command("disable", "main")
        assert code(kms.decrypt, **asked) == "DisabledException"
        assert xks.key(key_id, "decrypt", decrypt_body(sealed.json, AAD)).error == "InvalidStateException"
        box.command("enable", "main")
        assert kms.decrypt(**asked)["Plaintext"] == made["Plaintext"]
        assert serving.stop() == 0
    with Serving(box) as serving:
        assert kms_of(box, serving).decrypt(**asked)["Plaintext"] == made["Plaintext"], "after a new start too"


def test_a_destroyed_key_is_gone_from_the_token_and_has_its_certificate(box, tmp_path):
    key_id = in_token(box, "doomed")
    with Serving(box) as serving:
        kms = kms_of(box, serving)
        blob = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["CiphertextBlob"]
        backup = (box.folder / "box.sealed").read_bytes()
        box.command("destroy", "doomed", "--yes")
        assert code(kms.decrypt, CiphertextBlob=blob) == "NotFoundException"
        assert objects_in(tmp_path) == []
        certificate = (box.folder / "certificates" / f"{key_id}.json").read_bytes()
        said = verify_certificate(certificate, box.public_key)
        assert (said["key_id"], bool(said["token"])) == (key_id, True)
        assert box.command("certificate", key_id).encode() == certificate
        # Unlike a key in the file, it does not come back with yesterday's copy of the box.
        (box.folder / "box.sealed").write_bytes(backup)
        assert code(kms.decrypt, CiphertextBlob=blob) == "KMSInternalException"
        health = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "1"}}
        assert box.caller(serving.url).post("health", health).error == "InternalException"
    assert "has 0 keys" in serving.errors.read_text()


def test_without_the_right_token_nothing_is_used_nor_destroyed(box, token, tmp_path):
    key_id = in_token(box, "main")
    bare = {name: text for name, text in os.environ.items() if not name.startswith("SIEGEL_KEYBOX")}
    other = (*token[:3], "other", *token[4:])
    wrong_pin = tmp_path / "wrong"
    wrong_pin.touch(0o600)
    wrong_pin.write_text("0000\n")
    cases = [
        (("serve", box.folder, "--listen", "127.0.0.1:0"), "is in a token"),
        (("serve", box.folder, "--listen", "127.0.0.1:0", *other), "in another token"),
        (("destroy", box.folder, "main", "--yes"), "no token is named"),
        (("destroy", box.folder, "main", "--yes", *other), "in another token"),
        (("create-key", box.folder, "more", "--in-token"), "no token is named"),
        (("create-key", box.folder, "more", *token[:4]), "a token has three"),
        (("create-key", box.folder, "more", "--in-token", *token[:3], "none", *token[4:]), "knows no token"),
        (("create-key", box.folder, "more", "--in-token", *token[:5], str(wrong_pin)), "PIN is not that"),
        (("create-key", box.folder, "more", "--in-token", "--pkcs11-module", "/none", *token[2:]), "is missing"),
    ]
    for words, said in cases:
        ended = keybox(*words, env=bare)
        assert (ended.returncode, said in ended.stderr) == (253, True), (words, ended.stderr)
    listed = json.loads(box.command("list", "--json"))["keys"]
    assert [(row["key_id"], row["state"]) for row in listed] == [(key_id, "enabled")]
    assert len(objects_in(tmp_path)) == 1
    assert not (box.folder / "certificates").exists()
