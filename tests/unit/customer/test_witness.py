"""What a witness checks, keeps and answers; without a network."""

import asyncio
import errno
import hashlib
import threading
from pathlib import Path

import pytest
from tests.unit.ledger.log import ORIGIN, Log, log_keys

from siegel.customer.keybox import durable
from siegel.customer.witness import folder as folders
from siegel.customer.witness import server as servers
from siegel.customer.witness.folder import WitnessFolder, hash_origin, initialise
from siegel.customer.witness.keyfile import make_key_file
from siegel.customer.witness.server import Witness, WitnessServer
from siegel.customer.witness.steps import RefusedError
from siegel.domain.errors import ConfigurationError, StorageError
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.hashing import EMPTY_ROOT
from siegel.ledger.keys import Algorithm, SignerKey
from siegel.ledger.notes import NoteSignature, parse_note
from siegel.ledger.signed_checkpoints import add_signatures, open_checkpoint, sign_checkpoint
from siegel.ledger.witness_requests import AddCheckpoint

NOW_MS = 1_800_000_000_500


@pytest.fixture
def place(tmp_path):
    made = initialise(tmp_path / "witness", "witness.example/w1")
    (made.path / "logs").write_text("".join(f"log {key.verifier}\n" for key in log_keys()))
    return made


@pytest.fixture
def witness(place):
    return Witness(place, lambda: NOW_MS)


def entries(count):
    return [b"entry %d" % number for number in range(count)]


LOG = Log(entries(300))


def log_of(size):
    return Log(entries(size))


def ask(log, old, *, proof=None, checkpoint=None):
    made = log.consistency(old) if proof is None and 0 <= old <= log.size else proof or ()
    return AddCheckpoint(old, made, checkpoint or log.checkpoint()).encode()


def refused(witness, body):
    with pytest.raises(RefusedError) as caught:
        witness.add(body)
    return caught.value


def test_it_signs_what_comes_behind_what_it_signed(witness, place):
    for old, size in ((0, 3), (3, 3), (3, 257), (257, 300)):
        log = log_of(size)
        lines = witness.add(ask(log, old))
        opened = open_checkpoint(add_signatures(log.checkpoint(), lines), place.verifiers)
        assert opened.checkpoint == log.head
        assert opened.signed == dict.fromkeys(place.verifiers, NOW_MS // 1000)
        assert place.last(ORIGIN) == log.head


def test_an_empty_log_can_be_seen_too(witness, place):
    assert witness.add(ask(Log(), 0))
    assert place.last(ORIGIN).root == EMPTY_ROOT
    assert witness.add(ask(log_of(3), 0))


def test_what_it_keeps_has_its_own_and_the_logs_signatures_alone(witness, place):
    stranger = NoteSignature("stranger.example", b"abcd", b"x" * 64)
    witness.add(ask(LOG, 0, checkpoint=add_signatures(LOG.checkpoint(), stranger.line.encode())))
    kept = parse_note(place.last_note(hash_origin(ORIGIN)))
    assert [line.name for line in kept.signatures] == [ORIGIN, ORIGIN, "witness.example/w1", "witness.example/w1"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 0\n\nno note\n", 400),
        (ask(LOG, 0).replace(b"old 0", b"old 00"), 400),
        (ask(LOG, 0).replace(b"\n300\n", b"\n0300\n"), 400),
        (ask(LOG, 301), 400),
        (ask(LOG, 0, checkpoint=sign_checkpoint(LOG.head, [], 0) + b"\n"), 400),
        (ask(Log(entries(3), log_keys(number=9)), 0), 403),
        (ask(LOG, 0).replace(b"\n300\n", b"\n299\n"), 403),
        (ask(LOG, 7), 409),
        (ask(LOG, 0, proof=(EMPTY_ROOT,)), 422),
    ],
)
def test_what_it_refuses_at_first(witness, place, body, status):
    assert refused(witness, body).status == status
    assert place.last(ORIGIN) is None


def test_a_log_that_it_does_not_know(witness, place):
    (place.path / "logs").write_text("# nobody\n")
    assert refused(witness, ask(LOG, 0)).status == 404
    (place.path / "logs").write_text("".join(f"log {key.verifier}\n" for key in log_keys()))
    assert witness.add(ask(LOG, 0))


def test_an_empty_tree_has_one_root(witness):
    forged = type(LOG.head)(ORIGIN, 0, b"x" * 32)
    assert refused(witness, ask(Log(), 0, checkpoint=sign_checkpoint(forged, log_keys(), 0))).status == 422


def test_it_says_the_size_that_it_knows(witness):
    witness.add(ask(log_of(7), 0))
    answer = refused(witness, ask(LOG, 0))
    assert (answer.status, answer.body, answer.content_type) == (409, b"7\n", "text/x.tlog.size")
    assert witness.add(ask(LOG, 7))
    assert refused(witness, ask(log_of(7), 7)).body == b"300\n"


def test_split_view_the_second_of_two_trees_is_refused_and_kept(witness, place):
    witness.add(ask(LOG, 0))
    fork = Log([*entries(299), b"something else"])
    answer = refused(witness, ask(fork, 300))
    assert (answer.status, answer.is_fork) == (422, True)
    assert "different roots" in answer.body.decode()
    (kept,) = (place.path / "forks").iterdir()
    assert open_checkpoint(kept.read_bytes(), [key.verifier for key in log_keys()]).checkpoint == fork.head
    assert refused(witness, ask(fork, 300)).is_fork
    assert len(list((place.path / "forks").iterdir())) == 1
    assert place.last(ORIGIN) == LOG.head


def test_a_fork_that_grew_finds_no_proof(witness, place):
    witness.add(ask(LOG, 0))
    fork = Log([*entries(299), b"something else"]).append([b"more"])
    for proof in (fork.consistency(300), fork.consistency(256), (), LOG.consistency(256)):
        answer = refused(witness, AddCheckpoint(300, proof, fork.checkpoint()).encode())
        assert (answer.status, answer.is_fork) == (422, False)
    assert place.last(ORIGIN) == LOG.head


def test_forks_do_not_fill_the_disk(witness, place, monkeypatch):
    monkeypatch.setattr(folders, "FORKS_MAX", 2)
    witness.add(ask(log_of(3), 0))
    for number in range(4):
        assert refused(witness, ask(Log([*entries(2), b"%d" % number]), 3)).is_fork
    assert len(list((place.path / "forks").iterdir())) == 2


FORK = Log([*entries(299), b"something else"])


def test_a_fork_that_finds_no_room_is_kept_the_next_time(witness, place, monkeypatch):
    witness.add(ask(LOG, 0))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            witness.add(ask(FORK, 300))
    assert list((place.path / "forks").iterdir()) == []
    assert refused(witness, ask(FORK, 300)).is_fork
    (kept,) = (place.path / "forks").iterdir()
    assert open_checkpoint(kept.read_bytes(), [key.verifier for key in log_keys()]).checkpoint == FORK.head


def test_an_empty_file_in_the_place_of_a_fork_is_no_proof(witness, place):
    witness.add(ask(LOG, 0))
    refused(witness, ask(FORK, 300))
    (kept,) = (place.path / "forks").iterdir()
    kept.write_bytes(b"")
    assert refused(witness, ask(FORK, 300)).is_fork
    assert open_checkpoint(kept.read_bytes(), [key.verifier for key in log_keys()]).checkpoint == FORK.head


def test_a_fork_is_kept_where_the_directory_of_the_others_was_taken_away(witness, place):
    witness.add(ask(LOG, 0))
    (place.path / "forks").rmdir()
    assert refused(witness, ask(FORK, 300)).is_fork
    assert len(list((place.path / "forks").iterdir())) == 1


def test_a_fork_that_cannot_be_kept_is_an_answer_with_a_reason(witness, place, caplog):
    (place.path / "forks").rmdir()
    (place.path / "forks").touch()
    answers = talk(witness, ("POST", b"/add-checkpoint", ask(LOG, 0)), ("POST", b"/add-checkpoint", ask(FORK, 300)))
    assert [status for status, _, _ in answers] == [200, 500]
    assert "a fork cannot be kept" in caplog.text


def test_an_origin_that_no_witness_can_sign_is_refused_as_the_list_is_read(witness, place):
    keys = [SignerKey("o" * size, Algorithm.ED25519, b"%032d" % size).verifier for size in (255, 256)]
    (place.path / "logs").write_text("".join(f"log {key}\n" for key in keys))
    with pytest.raises(ConfigurationError, match="no origin of more than 255 bytes"):
        witness.add(ask(LOG, 0))
    (place.path / "logs").write_text(f"log {keys[0]}\n")
    assert refused(witness, ask(LOG, 0)).status == 404


def extended_by_others(log, algorithm):
    """Return the log's checkpoint with an extension line, and its old signature of one kind: anybody can write that."""
    note = parse_note(log.checkpoint())
    kept = "".join(line.line for line, key in zip(note.signatures, log_keys(), strict=True) if key.algorithm is algorithm)
    return f"{note.text}more\n\n{kept}".encode()


def test_extension_lines_that_no_key_of_the_log_has_signed(witness, place):
    """An ML-DSA-44 signature says nothing of them."""
    forged = extended_by_others(LOG, Algorithm.ML_DSA_44)
    assert refused(witness, AddCheckpoint(0, (), forged).encode()).status == 403
    assert place.last(ORIGIN) is None
    extended = Checkpoint(ORIGIN, LOG.size, LOG.head.root, ("more",))
    witness.add(AddCheckpoint(0, (), sign_checkpoint(extended, log_keys(), 0)).encode())
    assert place.last(ORIGIN) == extended


def test_what_could_not_be_read_again_is_not_signed(witness, place):
    """A note that is as long as notes may be has no room for the witness's lines."""
    long = Checkpoint(ORIGIN, LOG.size, LOG.head.root, ("x" * 1000,) * 520)
    assert refused(witness, AddCheckpoint(0, (), sign_checkpoint(long, log_keys(), 0)).encode()).status == 400
    assert place.last(ORIGIN) is None
    assert witness.add(ask(LOG, 0))


def test_nothing_is_signed_that_could_not_be_stored(witness, place, monkeypatch):
    witness.add(ask(log_of(3), 0))

    def fail(*_):
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(folders, "replace_whole", fail)
        with pytest.raises(StorageError, match="full"):
            witness.add(ask(LOG, 3))
    assert place.last(ORIGIN) == log_of(3).head
    assert witness.add(ask(LOG, 3))


def test_a_first_checkpoint_that_could_not_be_stored_leaves_nothing(witness, place, monkeypatch):
    """A witness that is cut off before the rename finds no file of its own that it could not read."""

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail)
        with pytest.raises(StorageError):
            witness.add(ask(LOG, 0))
    assert place.last(ORIGIN) is None
    assert witness.add(ask(LOG, 0))


def test_it_signs_nothing_once_its_memory_is_damaged(witness, place):
    witness.add(ask(log_of(3), 0))
    state = place.path / "state" / hash_origin(ORIGIN)
    kept = state.read_bytes()
    other = Log(entries(3), log_keys()).checkpoint()
    for damaged in (b"", kept[:-5], kept.replace(b"\n3\n", b"\n2\n"), other, kept.replace(ORIGIN.encode(), b"another.example")):
        state.write_bytes(damaged)
        with pytest.raises(StorageError, match="signed last"):
            witness.add(ask(LOG, 3))
    state.unlink()
    state.mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        witness.add(ask(LOG, 3))


def test_it_signs_nothing_for_a_log_once_what_it_has_signed_is_gone(witness, place):
    """Else it would sign a second history from the beginning."""
    witness.add(ask(log_of(3), 0))
    (place.path / "state" / hash_origin(ORIGIN)).unlink()
    for again in witness, Witness(WitnessFolder(place.path)):
        for old_size in 0, 3:
            with pytest.raises(StorageError, match="is gone"):
                again.add(ask(LOG, old_size))


def test_a_log_whose_first_note_was_kept_before_it_was_noted_is_noted_with_the_next(witness, place):
    witness.add(ask(log_of(3), 0))
    (place.path / "signed").unlink()
    Witness(WitnessFolder(place.path)).add(ask(LOG, 3))
    assert (place.path / "signed").read_text() == f"{hash_origin(ORIGIN)}\n"


def test_a_list_of_what_was_signed_that_cannot_be_read_begins_no_witness(witness, place):
    witness.add(ask(LOG, 0))
    (place.path / "signed").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="signed cannot be read"):
        WitnessFolder(place.path)


@pytest.mark.parametrize("text", ["log nonsense\n", "quorum none\n", "witness w x\n"])
def test_a_list_of_logs_that_cannot_be_read_signs_nothing(witness, place, text):
    (place.path / "logs").write_text(text)
    with pytest.raises(ConfigurationError):
        witness.add(ask(LOG, 0))
    (place.path / "logs").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        witness.add(ask(LOG, 0))


def test_a_witness_begins_once(tmp_path, place):
    with pytest.raises(ConfigurationError, match="not empty"):
        initialise(place.path, "witness.example/w1")
    with pytest.raises(ConfigurationError, match="no witness can be named"):
        initialise(tmp_path / "spaces", "a name")
    with pytest.raises(ConfigurationError, match="no witness can be named"):
        initialise(tmp_path / "long", "n" * 256)
    with pytest.raises(ConfigurationError, match="holds no witness"):
        WitnessFolder(tmp_path)
    with pytest.raises(ConfigurationError, match="File name too long"):
        WitnessFolder(tmp_path / ("n" * 256))
    with pytest.raises(StorageError, match="cannot be written"):
        initialise(place.path / "logs" / "below", "w")
    assert [str(key) for key in WitnessFolder(place.path).verifiers] == [str(key) for key in place.verifiers]
    (place.path / "state").rmdir()
    with pytest.raises(ConfigurationError, match="signs no more"):
        WitnessFolder(place.path)


def test_a_key_file_is_private_and_whole(place):
    path = place.path / "witness.key"
    kept = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigurationError, match="exists already"):
        make_key_file(path, "w")
    for damaged, why in (
        (kept.replace(b"v1", b"v2"), "malformed"),
        (kept.replace(b"w1", b"w2"), "mistyped"),
        (kept[:-1], "malformed"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ConfigurationError, match=why):
            WitnessFolder(place.path)
    path.write_bytes(kept)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other users"):
        WitnessFolder(place.path)
    for signer in place.signers:
        assert signer.seed.hex() not in repr(signer)


async def say(server, method, path, body=b"", *more):
    headers, pieces, *_ = *more, *((), None)[len(more) :]
    coming = iter(pieces or [{"type": "http.request", "body": body, "more_body": False}])
    sent = []

    async def receive():
        return next(coming)

    async def send(message):
        sent.append(message)

    await server({"method": method, "raw_path": path, "headers": headers}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def talk(witness, *calls):
    async def run():
        server = WitnessServer(witness)
        answers = [await say(server, *call) for call in calls]
        server.close()
        return answers

    return asyncio.run(run())


def test_answers(witness, place):
    watched = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint".encode()
    answers = talk(
        witness,
        ("GET", watched),
        ("POST", b"/add-checkpoint", ask(log_of(7), 0)),
        ("POST", b"/add-checkpoint", ask(LOG, 0)),
        ("GET", watched),
        ("HEAD", watched),
        ("GET", b"/-/live"),
        ("GET", b"/add-checkpoint"),
        ("POST", watched),
        ("GET", b"/"),
        ("GET", b"/" + b"A" * 64 + b"/checkpoint"),
        ("POST", b"/add-checkpoint", b"x" * 2_000_000),
        ("POST", b"/add-checkpoint", b"", [(b"content-length", b"99999999")]),
        ("POST", b"/add-checkpoint", b"", (), [{"type": "http.disconnect"}]),
    )
    assert [status for status, _, _ in answers] == [404, 200, 409, 200, 200, 200, 405, 405, 404, 404, 400, 400, 400]
    assert answers[2][1][b"content-type"] == b"text/x.tlog.size"
    assert answers[2][2] == b"7\n"
    assert open_checkpoint(answers[3][2], place.verifiers).checkpoint == log_of(7).head
    assert (answers[4][2], answers[4][1][b"content-length"]) == (b"", answers[3][1][b"content-length"])
    assert [answers[place][1][b"allow"] for place in (6, 7)] == [b"POST", b"GET, HEAD"]
    assert answers[10][1][b"connection"] == b"close"


def test_a_disk_that_fails_is_an_answer(witness, place):
    (place.path / "logs").rename(place.path / "elsewhere")
    assert talk(witness, ("POST", b"/add-checkpoint", ask(LOG, 0)))[0][0] == 500


def test_when_too_many_wait(place, monkeypatch):
    monkeypatch.setattr(servers, "WAITING_MAX", 1)
    going = threading.Event()

    class Slow(Witness):
        def add(self, body):
            going.wait(20)
            return super().add(body)

    async def run():
        server = WitnessServer(Slow(place, lambda: NOW_MS))
        first = asyncio.create_task(say(server, "POST", b"/add-checkpoint", ask(LOG, 0)))
        await asyncio.sleep(0)
        second = await say(server, "POST", b"/add-checkpoint", ask(LOG, 0))
        going.set()
        answers = (await first)[0], second[0]
        server.close()
        return answers

    assert asyncio.run(run()) == (200, 503)


def test_of_many_at_once_one_history_is_signed(place):
    """Two forks race: whoever comes first is the log, and nothing of the other is ever signed."""
    forks = [Log([*entries(5), b"one"]), Log([*entries(5), b"two"])]

    async def run():
        server = WitnessServer(Witness(place, lambda: NOW_MS))
        bodies = [ask(forks[number % 2], 0) for number in range(20)]
        answers = await asyncio.gather(*(say(server, "POST", b"/add-checkpoint", body) for body in bodies))
        server.close()
        return [status for status, _, _ in answers]

    statuses = asyncio.run(run())
    assert (statuses.count(200), statuses.count(409)) == (1, 19)
