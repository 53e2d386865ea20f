"""The key service with the official SDK: what opens what, for which context; grants; dry runs; the wire."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from . import signer
from .people import allow, make_person, new_person
from .raw import Answer, with_length
from .service import SIEGEL, Service, arguments, command, end, keys_of, wait_ready
from .shelf import fails, sdk
from .signer import Ask, Keys
from .test_kms_keys import key_policy, make_key, root, to
from .test_sts import make_role, make_taker, with_session

CONTEXT = {"purpose": "invoice", "id": "7"}


@pytest.fixture(scope="module")
def key(kms: Any) -> str:
    return make_key(kms)


def test_what_is_encrypted_is_decrypted(kms: Any, key: str) -> None:
    for plaintext in (b"x", bytes(4096)):
        sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT)
        assert sealed["KeyId"].endswith(f":key/{key}")
        assert sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
        blob = sealed["CiphertextBlob"]
        assert len(blob) == len(plaintext) + 77
        reordered = dict(reversed(CONTEXT.items()))
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=reordered)
        assert (opened["Plaintext"], opened["KeyId"]) == (plaintext, sealed["KeyId"])
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=key)["Plaintext"] == plaintext
        assert kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=CONTEXT)["CiphertextBlob"] != blob


def test_sizes_and_contexts_have_limits(kms: Any, key: str) -> None:
    for plaintext in (b"", bytes(4097)):
        with fails(400, "ValidationException"):
            kms.encrypt(KeyId=key, Plaintext=plaintext)
    kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"k": "v" * 8191})
    with fails(400, "ValidationException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"k": "v" * 8192})
    with fails(400, "ValidationException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"": "v"})
    for size in (0, 1025):
        with fails(400, "ValidationException"):
            kms.generate_random(NumberOfBytes=size)


@pytest.mark.parametrize(
    "context",
    [{}, {"purpose": "invoice"}, {**CONTEXT, "more": ""}, {"id": "invoice", "purpose": "7"}, {"Purpose": "invoice", "id": "7"}],
)
def test_another_context_does_not_open(kms: Any, key: str, context: dict[str, str]) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    with fails(400, "InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)


def test_no_changed_ciphertext_opens(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    for at in range(len(blob)):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with fails(400, "InvalidCiphertextException", "AccessDeniedException"):
            kms.decrypt(CiphertextBlob=changed)
        with fails(400, "InvalidCiphertextException", "IncorrectKeyException"):
            kms.decrypt(CiphertextBlob=changed, KeyId=key)
    for cut in (blob[:-1], blob[:20], b"x", blob + b"x"):
        with fails(400, "InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=cut)


def test_a_ciphertext_opens_with_its_own_key_alone(kms: Any, key: str) -> None:
    other = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with fails(400, "IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=other)


def test_data_keys(kms: Any, key: str) -> None:
    for options, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)):
        made = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **options)
        assert len(made["Plaintext"]) == size
        opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (made["Plaintext"], made["KeyMaterialId"])
        bare = kms.generate_data_key_without_plaintext(KeyId=key, **options)
        assert "Plaintext" not in bare
        assert len(kms.decrypt(CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == size
    for options in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"KeySpec": "AES_512"}):
        with fails(400, "ValidationException"):
            kms.generate_data_key(KeyId=key, **options)
    first, second = (kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(2))
    assert (len(first), first == second) == (32, False)


def test_re_encryption_moves_to_another_key_and_context(service: Service, kms: Any, iam: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=other["KeyId"],
        DestinationEncryptionContext={"new": "yes"},
    )
    assert moved["KeyId"] == other["Arn"]
    assert moved["SourceKeyId"].endswith(key)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "yes"})["Plaintext"] == b"x"
    with fails(400, "InvalidCiphertextException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other["KeyId"])
    with fails(400, "IncorrectKeyException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, SourceKeyId=other["KeyId"], DestinationKeyId=key)
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo"):
        person = make_person(service, iam, allow(action))
        with fails(400, "AccessDeniedException"):
            sdk(service, person.keys, name="kms").re_encrypt(
                CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other["KeyId"]
            )
    kms.disable_key(KeyId=other["KeyId"])
    with fails(400, "DisabledException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=other["KeyId"])


def test_a_grant_gives_rights_and_its_end_takes_them(service: Service, kms: Any, iam: Any) -> None:
    key = make_key(kms)
    person = make_person(service, iam)
    own = sdk(service, person.keys, name="kms")
    with fails(400, "AccessDeniedException"):
        own.encrypt(KeyId=key, Plaintext=b"x")
    made = kms.create_grant(KeyId=key, GranteePrincipal=person.arn, Operations=["Encrypt", "DescribeKey"], Name="one")
    blob = own.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])["CiphertextBlob"]
    own.describe_key(KeyId=key)
    with fails(400, "AccessDeniedException"):
        own.decrypt(CiphertextBlob=blob)
    again = kms.create_grant(KeyId=key, GranteePrincipal=person.arn, Operations=["DescribeKey", "Encrypt"], Name="one")
    assert again["GrantId"] == made["GrantId"]
    (shown,) = kms.list_grants(KeyId=key)["Grants"]
    assert (shown["GrantId"], shown["GranteePrincipal"], shown["Name"]) == (made["GrantId"], person.arn, "one")
    assert shown["Operations"] == ["Encrypt", "DescribeKey"]
    assert kms.list_grants(KeyId=key, GranteePrincipal=root(service.owner.account_id))["Grants"] == []
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    for attempt in (lambda: own.encrypt(KeyId=key, Plaintext=b"x"), lambda: own.describe_key(KeyId=key)):
        with fails(400, "AccessDeniedException"):
            attempt()
    for attempt in (
        lambda: kms.revoke_grant(KeyId=key, GrantId=made["GrantId"]),
        lambda: kms.list_grants(KeyId=key, GrantId=made["GrantId"]),
    ):
        with fails(400, "InvalidGrantIdException"):
            attempt()
    for token in (made["GrantToken"], "nonsense", "####"):
        with fails(400, "InvalidGrantTokenException"):
            kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[token])


def test_constraints_of_grants(service: Service, kms: Any, iam: Any) -> None:
    key = make_key(kms)
    exact, wide = make_person(service, iam), make_person(service, iam)
    uses = ["Encrypt", "GenerateDataKey", "CreateGrant"]
    kms.create_grant(KeyId=key, GranteePrincipal=exact.arn, Operations=uses, Constraints={"EncryptionContextEquals": CONTEXT})
    kms.create_grant(KeyId=key, GranteePrincipal=wide.arn, Operations=uses, Constraints={"EncryptionContextSubset": {"id": "7"}})
    shown = [one["Constraints"] for one in kms.list_grants(KeyId=key)["Grants"]]
    assert {"EncryptionContextEquals": CONTEXT} in shown
    first, second = (sdk(service, person.keys, name="kms") for person in (exact, wide))
    first.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)
    for context in ({**CONTEXT, "more": "x"}, {"id": "7"}, {}):
        with fails(400, "AccessDeniedException"):
            first.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    for context in ({**CONTEXT, "more": "x"}, {"id": "7"}):
        second.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    for context in ({"id": "8"}, {"ID": "7"}, {}):
        with fails(400, "AccessDeniedException"):
            second.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
    third = make_person(service, iam).arn
    second.create_grant(
        KeyId=key, GranteePrincipal=third, Operations=["Encrypt"], Constraints={"EncryptionContextSubset": CONTEXT}
    )
    for caller, operations, constraints in (
        (second, ["Decrypt"], {"EncryptionContextSubset": CONTEXT}),
        (second, ["Encrypt"], {}),
        (second, ["Encrypt"], {"EncryptionContextSubset": {"id": "8"}}),
        (first, ["Encrypt"], {"EncryptionContextSubset": CONTEXT}),
    ):
        with fails(400, "AccessDeniedException"):
            caller.create_grant(KeyId=key, GranteePrincipal=third, Operations=operations, Constraints=constraints)
    for constraints, code in (
        ({"EncryptionContextEquals": CONTEXT, "EncryptionContextSubset": CONTEXT}, "ValidationException"),
        ({"SourceArn": "arn:aws:s3:::b"}, "UnsupportedOperationException"),
    ):
        with fails(400, code):
            kms.create_grant(KeyId=key, GranteePrincipal=third, Operations=["Encrypt"], Constraints=constraints)


def test_grants_are_retired_by_whom_they_name(service: Service, kms: Any, iam: Any, stranger_kms: Any) -> None:
    key = make_key(kms)
    grantee, retiring, nobody = (make_person(service, iam) for _ in range(3))

    def give(operations: list[str], **options: Any) -> Any:
        return kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=operations, **options)

    made = give(["Encrypt"], RetiringPrincipal=retiring.arn)
    (listed,) = kms.list_retirable_grants(RetiringPrincipal=retiring.arn)["Grants"]
    assert (listed["GrantId"], listed["RetiringPrincipal"]) == (made["GrantId"], retiring.arn)
    for person in (grantee, nobody):
        with fails(400, "AccessDeniedException"):
            sdk(service, person.keys, name="kms").retire_grant(GrantToken=made["GrantToken"])
    sdk(service, retiring.keys, name="kms").retire_grant(GrantToken=made["GrantToken"])
    assert kms.list_grants(KeyId=key)["Grants"] == kms.list_retirable_grants(RetiringPrincipal=retiring.arn)["Grants"] == []
    made = give(["Encrypt", "RetireGrant"])
    sdk(service, grantee.keys, name="kms").retire_grant(KeyId=key, GrantId=made["GrantId"])
    made = give(["Encrypt"])
    kms.retire_grant(KeyId=kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"], GrantId=made["GrantId"])
    made = give(["Encrypt"], RetiringPrincipal=root(service.stranger.account_id))
    (listed,) = stranger_kms.list_retirable_grants(RetiringPrincipal=root(service.stranger.account_id))["Grants"]
    assert listed["GrantId"] == made["GrantId"]
    with fails(400, "AccessDeniedException"):
        kms.list_retirable_grants(RetiringPrincipal=root(service.stranger.account_id))
    stranger_kms.retire_grant(GrantToken=made["GrantToken"])
    for options, code in (
        ({}, "ValidationException"),
        ({"GrantToken": made["GrantToken"], "KeyId": key}, "ValidationException"),
        ({"GrantToken": "x"}, "InvalidGrantTokenException"),
        ({"KeyId": key, "GrantId": made["GrantId"]}, "InvalidGrantIdException"),
    ):
        with fails(400, code):
            kms.retire_grant(**options)
    for options, code in (
        ({"GranteePrincipal": "nobody"}, "InvalidArnException"),
        ({"GranteePrincipal": f"arn:aws:iam::{service.owner.account_id}:user/{new_person()}"}, "InvalidArnException"),
        ({"GranteePrincipal": f"arn:aws:iam::{service.owner.account_id}:group/g"}, "InvalidArnException"),
        ({}, "ValidationException"),
        ({"GranteeServicePrincipal": "s3.amazonaws.com"}, "UnsupportedOperationException"),
    ):
        with fails(400, code):
            kms.create_grant(KeyId=key, Operations=["Encrypt"], **options)
    several = {give(["Encrypt"], RetiringPrincipal=retiring.arn)["GrantId"] for _ in range(5)}
    give(["Encrypt"], RetiringPrincipal=nobody.arn)
    first = kms.list_retirable_grants(RetiringPrincipal=retiring.arn, Limit=3)
    rest = kms.list_retirable_grants(RetiringPrincipal=retiring.arn, Limit=3, Marker=first["NextMarker"])
    assert {one["GrantId"] for one in (*first["Grants"], *rest["Grants"])} == several
    assert (len(first["Grants"]), rest["Truncated"]) == (3, False)
    with fails(400, "ValidationException"):
        kms.list_retirable_grants()
    with fails(400, "InvalidArnException"):
        kms.list_retirable_grants(RetiringPrincipal="x")


def test_grants_across_accounts_and_what_denies_them(service: Service, kms: Any, stranger_kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_grant(KeyId=key, GranteePrincipal=root(service.stranger.account_id), Operations=["Encrypt"])
    stranger_kms.encrypt(KeyId=key, Plaintext=b"x")
    account = service.owner.account_id
    deny = {**to("*", "kms:Encrypt"), "Effect": "Deny"}
    kms.put_key_policy(KeyId=key, Policy=key_policy(to(root(account), "kms:*"), deny))
    with fails(400, "AccessDeniedException"):
        stranger_kms.encrypt(KeyId=key, Plaintext=b"x")


def test_grants_to_sessions_stand_beside_those_to_their_role(service: Service, kms: Any, iam: Any, key: str) -> None:
    name, role = make_role(iam, service)
    sts = make_taker(service, iam)
    sessions = {one: sts.assume_role(RoleArn=role, RoleSessionName=one)["Credentials"] for one in ("ann", "bob", "cat")}
    # The ids of grants are random: some come before the role's, and some behind.
    for one in ("ann", "bob", "ann", "bob", "ann", "bob"):
        principal = f"arn:aws:sts::{service.owner.account_id}:assumed-role/{name}/{one}"
        kms.create_grant(KeyId=key, GranteePrincipal=principal, Operations=["Encrypt", "DescribeKey"])
    kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Encrypt"])
    for one, credentials in sessions.items():
        client = with_session(service, credentials, "kms")
        assert client.encrypt(KeyId=key, Plaintext=b"x")["KeyId"].endswith(key)
        if one == "cat":
            with fails(400, "AccessDeniedException"):
                client.describe_key(KeyId=key)
        else:
            client.describe_key(KeyId=key)
        client.close()


def test_dry_runs_change_and_show_nothing(service: Service, kms: Any, iam: Any) -> None:
    key = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    principal = root(service.owner.account_id)
    made = kms.create_grant(KeyId=key, GranteePrincipal=principal, Operations=["Encrypt"])["GrantId"]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("encrypt", {"KeyId": key, "Plaintext": b"x"}),
        ("decrypt", {"CiphertextBlob": blob}),
        ("re_encrypt", {"CiphertextBlob": blob, "DestinationKeyId": key}),
        ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
        ("generate_data_key_without_plaintext", {"KeyId": key, "KeySpec": "AES_256"}),
        ("create_grant", {"KeyId": key, "GranteePrincipal": principal, "Operations": ["Decrypt"]}),
        ("revoke_grant", {"KeyId": key, "GrantId": made}),
        ("retire_grant", {"KeyId": key, "GrantId": made}),
    ]
    other = sdk(service, make_person(service, iam).keys, name="kms")
    for name, options in calls:
        with fails(400, "DryRunOperationException"):
            getattr(kms, name)(**options, DryRun=True)
        with fails(400, "AccessDeniedException"):
            getattr(other, name)(**options, DryRun=True)
    assert [one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]] == [made]


def call(
    service: Service, target: str, body: bytes, keys: Keys | None = None, *, path: str = "/", method: str = "POST"
) -> Answer:
    headers = (("Host", service.host), ("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target))
    ask = Ask(method, path, "", headers, body)
    signed, _ = signer.sign_header(ask, keys or service.owner, hashlib.sha256(body).hexdigest(), service="kms")
    return service.raw().send(with_length(signed))


def told(answer: Answer, code: str, status: int = 400) -> str:
    found = json.loads(answer.body)
    assert (answer.status, found["__type"]) == (status, code)
    assert answer.header("content-type") == "application/x-amz-json-1.1"
    assert answer.header("x-amzn-requestid") == answer.header("x-amz-request-id")
    return str(found["message"])


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("TrentService.Nonsense", b"{}", "UnknownOperationException"),
        ("ListKeys", b"{}", "UnknownOperationException"),
        ("", b"{}", "UnknownOperationException"),
        ("TrentService.Sign", b"{}", "UnsupportedOperationException"),
        ("TrentService.ListKeys", b"{", "SerializationException"),
        ("TrentService.ListKeys", b"\xff", "SerializationException"),
        ("TrentService.CreateKey", b'{"Description": "\\ud800 half"}', "SerializationException"),
        ("TrentService.ListKeys", b"[]", "ValidationException"),
        ("TrentService.GenerateRandom", b'{"NumberOfBytes": 1, "Recipient": ' + b"[" * 100_000, "SerializationException"),
        ("TrentService.ListKeys", b'{"Unknown": 1}', "ValidationException"),
        ("TrentService.ListKeys", b'{"Limit": "1"}', "ValidationException"),
        ("TrentService.ListKeys", b'{"Limit": 1001}', "ValidationException"),
        ("TrentService.Decrypt", b'{"CiphertextBlob": "*"}', "ValidationException"),
        ("TrentService.Encrypt", b'{"KeyId": "k"}', "ValidationException"),
        ("TrentService.GenerateRandom", b'{"NumberOfBytes": 1, "Recipient": {}}', "UnsupportedOperationException"),
    ],
)
def test_what_no_sdk_would_send(service: Service, target: str, body: bytes, code: str) -> None:
    assert told(call(service, target, body), code)


def test_what_is_not_signed_learns_nothing(service: Service) -> None:
    for target in ("TrentService.ListKeys", "TrentService.Nonsense"):
        headers = (("Host", service.host), ("X-Amz-Target", target), ("Content-Length", "2"))
        told(service.raw().send(Ask("POST", "/", "", headers, b"{}")), "MissingAuthenticationTokenException")
        wrong = Keys(service.owner.access_key_id, "x" * 40)
        told(call(service, target, b"{}", wrong), "InvalidSignatureException")
        told(call(service, target, b"{}", Keys("SGLAAAAAAAAAAAAAAAAA", "x")), "UnrecognizedClientException")
    told(call(service, "TrentService.ListKeys", bytes(256 * 1024 + 1)), "RequestEntityTooLargeException", 413)
    told(call(service, "TrentService.ListKeys", b"{}", path="/bucket"), "UnknownOperationException")
    told(call(service, "TrentService.ListKeys", b"{}", method="PUT"), "UnknownOperationException")


def test_ciphertexts_open_after_a_restart_and_no_plaintext_rests(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    owner = keys_of(command("init", str(directory), "--json")["account"])
    log, out = tmp_path / "log", tmp_path / "out"
    secret = b"canary-of-the-key-service"
    blob = b""
    for turn in range(2):
        line = [SIEGEL, "serve", str(directory), "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments()]
        with log.open("ab") as errors, out.open("wb") as output:
            process = subprocess.Popen(line, stdout=output, stderr=errors)
        try:
            url, admin_url = wait_ready(process, out, log)
            service = Service(url, admin_url, directory, log, process.pid, owner, owner, owner)
            kms = sdk(service, name="kms")
            if not turn:
                key = make_key(kms)
                blob = kms.encrypt(KeyId=key, Plaintext=secret, EncryptionContext=CONTEXT)["CiphertextBlob"]
                kms.rotate_key_on_demand(KeyId=key)
            assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == secret
        finally:
            end(process)
    resting = [path.read_bytes() for path in directory.rglob("*") if path.is_file()] + [log.read_bytes()]
    for form in (secret, base64.b64encode(secret)):
        assert not any(form in content for content in resting)
