"""Consents at a box that serves: the provider's people pass by what its owner signed, and by nothing else; the log says why."""

import base64
import json
import time

import pytest
from msgspec.structs import replace

from tests.keybox.box import Box, Serving, done, keybox
from tests.keybox.caller import decrypt_body, encrypt_body, told
from tests.unit.ledger.consenting import APPROVAL, KEYS, REQUEST, SIGNERS, WITNESS, approval_note, evidence
from tests.unit.ledger.log import log_keys, policy_text

ID, PERSON = REQUEST.consent_id, REQUEST.person
PRINCIPAL = f"arn:aws:siegel:::support/{ID}/{PERSON}"


def aad_of(key="case 7/video.mp4", account=REQUEST.account_id):
    return base64.b64encode(json.dumps({"account": account, "bucket": "film", "key": key, "version": "v1"}).encode()).decode()


def now_approval(**changes):
    """An approval of now, since the box looks at the clock of this machine."""
    now = int(time.time())
    shift = now - 60 - REQUEST.requested_at_s
    times = {name: getattr(REQUEST, name) + shift for name in ("requested_at_s", "answer_by_s", "not_before_s", "expires_s")}
    request = replace(REQUEST, **times, copies_until_s=now + 86_400, **changes)
    return replace(APPROVAL, request=request, decided_at_s=now - 30, expires_s=request.expires_s, scope=request.scope)


def proven(approval, **changes):
    return evidence(approval, asked_at_ms=approval.decided_at_s * 1000, **changes)


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path / "box")
    made.key_id = made.create_key("main")
    (tmp_path / "keys").write_bytes(KEYS.encode())
    (tmp_path / "policy").write_bytes(policy_text(witnesses=[WITNESS]))
    done("consent", "trust", made.folder, "--keys", tmp_path / "keys", "--policy", tmp_path / "policy")
    made.write_policy('consents = "required"\n')
    start(made)
    made.sealed = {
        key: made.xks.key(made.key_id, "encrypt", encrypt_body(aad=aad_of(key))).json for key in ("case 7/video.mp4", "x")
    }
    yield made
    assert made.serving.stop() == 0


def start(box):
    box.serving = Serving(box)
    box.xks = box.caller(box.serving.url)


def read(box, key="case 7/video.mp4", principal=PRINCIPAL, **metadata):
    """Let the store ask for a data key; return the answer and what the log says of it."""
    more = {"awsPrincipalArn": principal, "consentAction": "read", **metadata}
    answer = box.xks.key(
        box.key_id, "decrypt", decrypt_body(box.sealed[key], aad_of(key), requestMetadata=told("Decrypt", **more))
    )
    return answer, box.last("xks.decrypt")


def give(box, tmp_path, data):
    (tmp_path / "evidence").write_bytes(data)
    return keybox("consent", "add", box.folder, tmp_path / "evidence", "--json")


def refused(box, why, **asked):
    answer, line = read(box, **asked)
    assert (answer.status, answer.error) == (403, "AccessDeniedException")
    assert why in line["detail"], line["detail"]
    assert (line["result"], line["principal"]) == ("AccessDeniedException", asked.get("principal", PRINCIPAL))
    return True


def test_a_consent_opens_its_objects_to_its_person_until_it_is_revoked(box, tmp_path):
    assert read(box, principal="arn:aws:iam::111122223333:user/alice")[0].status == 200
    refused(box, "was given none")
    given = give(box, tmp_path, proven(now_approval()))
    assert json.loads(given.stdout) == {"consent_id": ID, "person": PERSON}
    assert box.last("box.consent-add")["key_id"] == ID
    answer, line = read(box, consentId=ID, consentPerson=PERSON, consentTicket=REQUEST.ticket)
    assert answer.status == 200
    assert (line["principal"], line["metadata"]["consentTicket"]) == (PRINCIPAL, REQUEST.ticket)
    refused(box, "about other objects", key="x")
    refused(box, f"it is for {PERSON}", principal=f"arn:aws:siegel:::support/{ID}/somebody.else")
    refused(box, "names no consent", principal="operator/AKIAOPERATOR")
    sealing = encrypt_body(aad=aad_of(), requestMetadata=told("Encrypt", awsPrincipalArn=PRINCIPAL))
    assert box.xks.key(box.key_id, "encrypt", sealing).error == "AccessDeniedException"

    listed = json.loads(done("consent", "list", box.folder, "--json"))["consents"]
    assert [(row["consent"], row["state"], row["person"]) for row in listed] == [(ID, "live", PERSON)]
    done("consent", "revoke", box.folder, ID)
    refused(box, "it was revoked")
    assert read(box, principal="arn:aws:iam::111122223333:user/alice")[0].status == 200
    assert json.loads(done("consent", "list", box.folder, "--json"))["consents"][0]["state"] == "revoked"
    done("consent", "revoke", box.folder, ID)
    done("log", box.folder, "--verify")


def test_reads_beyond_those_granted_are_refused_also_after_a_new_start(box, tmp_path):
    give(box, tmp_path, proven(now_approval(max_reads=2)))
    assert [read(box, kmsRequestId=f"r{number}")[0].status for number in (1, 1, 2, 1)] == [200] * 4
    refused(box, "2 reads, and they are used up", kmsRequestId="r3")
    assert box.serving.stop() == 0
    start(box)
    refused(box, "2 reads, and they are used up", kmsRequestId="r3")
    assert read(box, kmsRequestId="r2")[0].status == 200


def test_an_expired_one_one_to_come_and_a_short_one_end_by_the_clock(box, tmp_path):
    old = now_approval()
    over = replace(old.request, requested_at_s=1000, answer_by_s=2000, not_before_s=1000, expires_s=3000)
    give(box, tmp_path, proven(replace(old, request=over, decided_at_s=1500, expires_s=3000)))
    refused(box, "it has expired")
    later = replace(old.request, not_before_s=int(time.time()) + 3000)
    give(box, tmp_path, proven(replace(old, request=later)))
    refused(box, "not valid yet")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"nonsense\n", "no consent evidence"),
        (proven(now_approval(), note=approval_note(now_approval(), SIGNERS[:1])), "have to"),
        (proven(now_approval(), witnesses=()), "quorum"),
        (proven(now_approval(), log_keys=log_keys("elsewhere.example/444455556666")), "no trusted key"),
        (proven(now_approval(), note=approval_note(now_approval(person="somebody.else"))), "another approval"),
    ],
    ids=["nonsense", "k-of-n", "only-in-a-database", "foreign-account", "edited"],
)
def test_what_does_not_hold_is_not_taken_and_opens_nothing_where_it_is_put_by_hand(box, tmp_path, data, why):
    ended = give(box, tmp_path, data)
    assert (ended.returncode, why in ended.stderr, "Traceback" in ended.stderr) == (253, True, False), ended.stderr
    assert not (box.folder / "consents" / ID).exists()
    (box.folder / "consents" / ID).write_bytes(data)
    refused(box, why)
    (row,) = json.loads(done("consent", "list", box.folder, "--json"))["consents"]
    assert (row["state"], why in row["reason"]) == ("invalid", True)


def test_evidence_under_another_name_is_replayed_and_opens_nothing(box, tmp_path):
    give(box, tmp_path, proven(now_approval()))
    other = "f" * 16
    (box.folder / "consents" / ID).rename(box.folder / "consents" / other)
    refused(box, "evidence of another consent", principal=f"arn:aws:siegel:::support/{other}/{PERSON}")


def test_without_the_policys_word_a_consent_opens_nothing(box, tmp_path):
    give(box, tmp_path, proven(now_approval()))
    box.write_policy("# all\n")
    refused(box, "lets nobody of the provider's pass")
    box.write_policy('consents = "optional"\n')
    refused(box, "cannot be read")
    box.write_policy('consents = "required"\nprincipals = ["arn:aws:iam::*"]\n')
    refused(box, "principals does not allow it")


def test_what_cannot_be_pinned_is_said(box, tmp_path):
    for keys, policy, why in (
        (b"threshold 3\n", policy_text(witnesses=[WITNESS]), "threshold"),
        (KEYS.encode(), policy_text(witnesses=[]), "needs a quorum"),
        (KEYS.encode(), b"", "quorum line"),
    ):
        (tmp_path / "keys").write_bytes(keys)
        (tmp_path / "policy").write_bytes(policy)
        ended = keybox("consent", "trust", box.folder, "--keys", tmp_path / "keys", "--policy", tmp_path / "policy")
        assert (ended.returncode, why in ended.stderr) == (253, True), ended.stderr
    assert "no id of a consent" in keybox("consent", "revoke", box.folder, "../x").stderr
    assert "holds no box" in keybox("consent", "list", tmp_path).stderr
