"""The way of a call, without a network: what tests with a process cannot bring about."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from tests.keybox.caller import AAD, Caller, encrypt_body, told

from siegel.customer.keybox import ciphers, kms, server, signatures, xks
from siegel.customer.keybox.content import Face
from siegel.customer.keybox.desk import Desk
from siegel.customer.keybox.folder import OpenBox
from siegel.customer.keybox.keeper import Keeper, Unlocked, initialise
from siegel.customer.keybox.logbook import Logbook
from siegel.customer.keybox.logfile import LogFile
from siegel.customer.keybox.server import UNSIGNED_LINES_PER_MINUTE_MAX, KeyServer
from siegel.domain.errors import StorageError

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
URL = urlsplit("http://127.0.0.1:9443")
HEALTH = {"requestMetadata": {"kmsOperation": "KmsHealthCheck", "kmsRequestId": "r"}}
HEALTH_PATH = "/kms/xks/v1/health"


@pytest.fixture
def stage(tmp_path):
    place = Unlocked(tmp_path / "box")
    content = initialise(place)
    key = Keeper(place).create_key("main")
    held = {credential.face: credential for credential in content.credentials}
    callers = {face: Caller(URL, credential.access_key_id, credential.secret, service=face) for face, credential in held.items()}
    return SimpleNamespace(place=place, key_id=key.key_id, xks=callers[Face.XKS], kms=callers[Face.KMS])


def lines(stage):
    return [json.loads(line) for line in (stage.place.folder / "log.jsonl").read_text().splitlines()]


class Conversation:
    """One server in one event loop; every call is a list of ASGI messages."""

    def __init__(self, stage, logfile=LogFile, now_ms=lambda: NOW_MS):
        self.desk = Desk(OpenBox(stage.place.folder, stage.place.secret()))
        self.book = Logbook(logfile(stage.place.folder / "log.jsonl"))
        self.server = KeyServer(self.desk, self.book, now_ms=now_ms)

    async def say(self, method, path, headers, messages, client=("192.0.2.7", 1)):
        coming, sent = iter(messages), []

        async def receive():
            return next(coming)

        async def send(message):
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": raw,
            "client": client,
        }
        await self.server(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])

    async def post(self, caller, path, body, **more):
        data = json.dumps(body).encode()
        messages = [{"type": "http.request", "body": data, "more_body": False}]
        return await self.say("POST", path, caller.sign("POST", path, data, at=NOW), messages, **more)


def talk(stage, story, **options):
    async def run():
        conversation = Conversation(stage, **options)
        try:
            return await story(conversation)
        finally:
            conversation.book.close()

    return asyncio.run(run())


def test_a_call_in_pieces(stage):
    async def story(with_server):
        data = json.dumps(HEALTH).encode()
        messages = [
            {"type": "http.request", "body": data[:5], "more_body": True},
            {"type": "http.request", "more_body": True},
            {"type": "http.request", "body": data[5:]},
        ]
        return await with_server.say(
            "POST", HEALTH_PATH, stage.xks.sign("POST", HEALTH_PATH, data, at=NOW), messages, client=None
        )

    assert talk(stage, story)[0] == 200
    assert "source" not in lines(stage)[-1]


@pytest.mark.parametrize(
    ("headers", "messages"),
    [
        ({"host": "x"}, [{"type": "http.disconnect"}]),
        ({"host": "x", "content-length": "65537"}, []),
        ({"host": "x", "content-length": "9" * 5000}, []),
        ({"host": "x", "content-length": "many"}, []),
        ({"host": "x"}, [{"type": "http.request", "body": bytes(65537), "more_body": True}]),
        ({}, [{"type": "http.request", "body": b"{}"}]),
    ],
)
def test_requests_that_are_not_read_to_the_end_close_the_connection(stage, headers, messages):
    status, answered, body = talk(stage, lambda server: server.say("POST", HEALTH_PATH, headers, messages))
    assert (status, body["errorName"]) == (400, "ValidationException")
    assert answered[b"connection"] == b"close"


def test_calls_without_a_signature_do_not_fill_the_log(stage):
    count = UNSIGNED_LINES_PER_MINUTE_MAX + 7
    before = len(lines(stage))
    stranger = stage.xks.but(secret="wrong")

    async def story(with_server):
        answers = [await with_server.post(stranger, HEALTH_PATH, HEALTH) for _ in range(count)]
        assert {status for status, _, _ in answers} == {401}
        return await with_server.post(stage.xks, HEALTH_PATH, HEALTH)

    assert talk(stage, story)[0] == 200
    added = lines(stage)[before:]
    assert len(added) == UNSIGNED_LINES_PER_MINUTE_MAX + 1
    assert added[-1]["refused_before"] == 7
    assert "refused_before" not in added[0]


def test_what_cannot_be_written_down_is_refused(stage):
    class Failing(LogFile):
        def append(self, _entries):
            raise StorageError("the disk is gone")

    path = f"/kms/xks/v1/keys/{stage.key_id}/encrypt"
    status, _, body = talk(stage, lambda server: server.post(stage.xks, path, encrypt_body()), logfile=Failing)
    assert (status, body["errorName"]) == (500, "InternalException")
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.GenerateDataKey"}
    caller = stage.kms.but(headers=headers, signed=("host", "x-amz-date", "x-amz-target"))
    asked = {"KeyId": stage.key_id, "KeySpec": "AES_256"}
    status, _, body = talk(stage, lambda server: server.post(caller, "/", asked), logfile=Failing)
    assert (status, body["__type"]) == (500, "KMSInternalException")
    assert "Plaintext" not in body


def test_whatever_fails_is_answered_and_told_to_the_operator(stage, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("a mistake of ours")

    async def story(with_server):
        monkeypatch.setattr(with_server.desk, "content", fail)
        return await with_server.post(stage.xks, HEALTH_PATH, HEALTH)

    status, _, body = talk(stage, story)
    assert (status, body["errorName"]) == (500, "InternalException")
    assert "mistake" not in json.dumps(body)
    assert "a mistake of ours" in caplog.text


def test_a_ciphertext_that_does_not_open_is_never_answered(stage, monkeypatch):
    monkeypatch.setattr(xks, "open_xks", lambda *_: b"something else")
    path = f"/kms/xks/v1/keys/{stage.key_id}/encrypt"
    for target, body in ((path, encrypt_body(aad=AAD)), (HEALTH_PATH, HEALTH)):
        status, _, answer = talk(stage, lambda server, target=target, body=body: server.post(stage.xks, target, body))
        assert (status, answer["errorName"]) == (500, "InternalException")
    monkeypatch.setattr(kms, "open_blob", lambda *_: b"something else")
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.GenerateDataKey"}
    caller = stage.kms.but(headers=headers, signed=("host", "x-amz-date", "x-amz-target"))
    asked = {"KeyId": stage.key_id, "NumberOfBytes": 1}
    status, _, answer = talk(stage, lambda server: server.post(caller, "/", asked))
    assert (status, answer["__type"]) == (500, "KMSInternalException")
    assert lines(stage)[-1]["result"] == "InternalException"
    assert ciphers.IV_BYTES == 12


def test_the_doorman_forgets_old_signing_keys(stage, monkeypatch):
    monkeypatch.setattr(signatures, "SIGNING_KEYS_MAX", 2)

    async def story(with_server):
        regions = [await with_server.post(stage.xks.but(region=f"r-{n}"), HEALTH_PATH, HEALTH) for n in range(5)]
        again = await with_server.post(stage.xks.but(region="r-4"), HEALTH_PATH, HEALTH)
        return [status for status, _, _ in [*regions, again]]

    assert talk(stage, story) == [200] * 6


def test_a_presigned_url_is_no_signature_here(stage):
    async def story(with_server):
        conversation = with_server
        query = "&".join(
            f"X-Amz-{name}={value}"
            for name, value in {
                "Algorithm": "AWS4-HMAC-SHA256",
                "Credential": f"{stage.xks.access_key_id}%2F20260301%2Fr%2Fkms-xks-proxy%2Faws4_request",
                "Date": "20260301T120000Z",
                "Expires": "60",
                "SignedHeaders": "host",
                "Signature": "0" * 64,
            }.items()
        )
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"{}"}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "raw_path": b"/",
            "query_string": query.encode(),
            "headers": [(b"host", b"x"), (b"x-amz-target", b"TrentService.Decrypt")],
            "client": None,
        }
        await conversation.server(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    status, body = talk(stage, story)
    assert (status, body["__type"]) == (400, "UnrecognizedClientException")


@pytest.mark.parametrize("metadata", [told("x") | {"kmsRequestId": ""}, told("x", person="Ä" * 500)])
def test_opaque_texts_are_taken_as_they_are(stage, metadata):
    path = f"/kms/xks/v1/keys/{stage.key_id}/metadata"
    status, _, _ = talk(stage, lambda server: server.post(stage.xks, path, {"requestMetadata": metadata}))
    assert status == 200


def test_a_body_that_does_not_come(stage, monkeypatch):
    monkeypatch.setattr(server, "BODY_S_MAX", 0.01)

    async def story(with_server):
        sent = []

        async def never():
            await asyncio.get_running_loop().create_future()

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "raw_path": HEALTH_PATH.encode(), "headers": []}
        await with_server.server(scope, never, send)
        return sent[0]["status"], dict(sent[0]["headers"])[b"connection"]

    assert talk(stage, story) == (400, b"close")
