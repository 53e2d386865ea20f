"""The auditor by its commands: an honest ledger, a witness that is a process, and a provider who cheats."""

import json
import time

import pytest

from siegel.ledger.leaves import Facts, Leaf, encode_leaf
from siegel.ledger.signed_checkpoints import add_signatures
from tests.ledger.witnessing import Serving, WitnessPlace, done, siegel
from tests.unit.customer.ledgers import entry, publish, publish_openings
from tests.unit.ledger.log import ORIGIN, Log, log_keys

# Commands look at the clock of this machine, so these ledgers are of now.
NOW = time.time


class Provider:
    """A log whose operator publishes it, and has it witnessed before."""

    def __init__(self, folder, serving):
        self.folder = folder
        self.serving = serving
        self.log = Log()
        self.witnessed = 0

    def write(self, count):
        start = self.log.size
        self.log.append([entry(number, NOW()) for number in range(start, start + count)])
        return self

    def publish(self):
        publish(self.log, self.folder, at_s=int(NOW()), witnesses=[])
        status, _, lines = self.serving.add(self.log, self.witnessed)
        if status == 200:
            self.witnessed = self.log.size
            path = self.folder / "checkpoint"
            path.write_bytes(add_signatures(path.read_bytes(), lines))
        return status


@pytest.fixture
def stage(tmp_path):
    place = WitnessPlace(tmp_path / "witness", logs=log_keys())
    policy = tmp_path / "policy"
    logs = "".join(f"log {key.verifier}\n" for key in log_keys())
    policy.write_text(f"{logs}witness w {place.vkeys[0]}\nwitness w-pq {place.vkeys[1]}\ngroup both all w w-pq\nquorum both\n")
    with Serving(place) as serving:
        provider = Provider(tmp_path / "provider", serving)
        done("audit", "init", tmp_path / "audits", "--from", provider.folder, "--policy", policy)
        yield provider, tmp_path / "audits", policy


def told(*words):
    ended = siegel("audit", *words, "--json")
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def test_a_ledger_is_audited_as_it_grows_and_a_fork_is_found(stage, tmp_path):
    provider, audits, policy = stage
    assert provider.write(300).publish() == 200
    assert siegel("audit", "sync", audits).stdout.startswith("HOLDS")
    assert provider.write(300).publish() == 200
    code, found = told("sync", audits)
    assert (code, found["holds"], found["size"], set(found["witnesses"])) == (0, True, 600, {"w", "w-pq"})
    assert told("verify", audits)[0] == 0

    # A receipt, and its check by somebody who has the file and the policy alone.
    code, made = told("receipt", audits, f"{8:016X}", "-o", tmp_path)
    assert [one["index"] for one in made["receipts"]] == [7]
    file = made["receipts"][0]["file"]
    assert told("check", file, "--policy", policy)[1]["index"] == 7
    assert "HOLDS: it is entry 7 of 600" in done("audit", "check", file, "--policy", policy)
    (tmp_path / "bent").write_bytes((tmp_path / "entry-7.tlog-proof").read_bytes().replace(b"index 7", b"index 6"))
    code, found = told("check", tmp_path / "bent", "--policy", policy)
    assert (code, found["holds"]) == (3, False)

    # The provider rewrites an entry: no witness signs it, and the auditor names it.
    honest = provider.log
    provider.log = Log([*honest.entries[:100], entry(100, NOW(), request=4711), *honest.entries[101:]])
    assert provider.publish() == 422
    code, found = told("sync", audits)
    assert (code, found["holds"]) == (3, False)
    assert {finding["check"] for finding in found["findings"]} == {"quorum", "consistency"}
    head = f"{found['evidence']}/checkpoint"
    code, compared = told("compare", audits, head)
    assert (code, "two different histories of 600 entries" in str(compared["findings"])) == (3, True)

    # Nothing of that was believed: the honest ledger goes on.
    provider.log = honest
    assert provider.write(10).publish() == 200
    assert told("sync", audits)[0] == 0
    page = done("audit", "report", audits)
    assert page.startswith("Audit of a ledger")
    assert "HOLDS: nothing in this ledger was changed" in page
    done("audit", "report", audits, "-o", tmp_path / "page.txt")
    assert "ok    Enough witnesses" in (tmp_path / "page.txt").read_text()


def test_entries_are_shown(stage):
    provider, audits, _ = stage
    publish_openings(provider.write(20).log, provider.folder)
    provider.publish()
    done("audit", "sync", audits)
    lines = done("audit", "show", audits).splitlines()
    assert len(lines) == 20
    assert lines[7].split()[0] == "7"
    assert "object.read 200  arn:aws:iam::1:user/alice  photos/picture-7  from 192.0.2.7" in lines[7]
    (line,) = done("audit", "show", audits, "--request", f"{8:016X}", "--json").splitlines()
    assert json.loads(line)["object_key"] == "picture-7"
    assert len(done("audit", "show", audits, "--object", "picture-1?", "--first", 12).splitlines()) == 8
    assert done("audit", "show", audits, "--who", "*bob*") == ""
    path = audits / "ledger" / "openings" / "000.p" / "20"
    path.write_bytes(path.read_bytes().replace(b"picture-7", b"picture-\n"))
    ended = siegel("audit", "show", audits)
    assert ended.returncode == 3
    assert "!! the opening names another object" in ended.stdout
    assert len(ended.stdout.splitlines()) == 20
    path.unlink()
    assert done("audit", "show", audits).count("(erased)") == 20
    ended = siegel("audit", "verify", audits)
    assert (ended.returncode, "has lost 1 of its files, such as openings/000.p/20" in ended.stderr) == (1, True)
    done("audit", "sync", audits)
    assert done("audit", "show", audits).count("picture-") == 20
    path.write_bytes(bytes(40))
    assert "Of 20 entries it is not told who was there" in done("audit", "verify", audits)


def test_visitors_are_told_and_strangers_found(stage):
    provider, audits, _ = stage
    publish_openings(provider.write(20).log, provider.folder)
    provider.publish()
    done("audit", "sync", audits)
    lines = done("audit", "visitors", audits).splitlines()
    assert lines[0].split() == ["who", "times", "refused", "first", "last", "from"]
    assert lines[1].split()[:3] == ["arn:aws:iam::1:user/alice", "20", "0"]
    assert len(lines) == 2
    assert done("audit", "visitors", audits, "--known", "arn:aws:iam::1:user/*").splitlines() == lines
    ended = siegel("audit", "visitors", audits, "--known", "arn:aws:iam::1:user/bob", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["strangers"]) == (3, ["arn:aws:iam::1:user/alice"])
    assert "who is not known: arn:aws:iam::1:user/alice" in ended.stderr
    assert json.loads(done("audit", "visitors", audits, "--from", "2100-01-01", "--json"))["visitors"] == []
    (audits / "ledger" / "openings" / "000.p" / "20").unlink()
    assert siegel("audit", "visitors", audits, "--known", "arn:*").returncode == 3


def test_a_ledgers_own_words_hide_no_line(stage):
    provider, audits, _ = stage
    provider.write(1)
    facts = Facts(0, "object.read\x1b[1A\x1b[2K\n", 200, bytes(32), bytes(32), reason="\x9b2J\r")
    provider.log.append([encode_leaf(Leaf(int(NOW() * 1000), "", facts))])
    provider.publish()
    done("audit", "sync", audits)
    shown = done("audit", "show", audits)
    assert len(shown.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_a_mirror_that_was_tampered_with(stage):
    provider, audits, _ = stage
    provider.write(300).publish()
    done("audit", "sync", audits)
    path = audits / "ledger" / "tile" / "entries" / "000"
    path.write_bytes(path.read_bytes().replace(b"access 7", b"access 8"))
    ended = siegel("audit", "verify", audits)
    assert ended.returncode == 3
    assert ended.stdout.startswith("BROKEN")
    assert "entry 7 does not hash to what the tree says of it" in ended.stdout
    assert siegel("audit", "report", audits).returncode == 3


def test_a_mirror_whose_head_or_entries_cannot_be_read_says_which_file_and_what_to_do(stage):
    provider, audits, _ = stage
    provider.write(3).publish()
    done("audit", "sync", audits)
    head, bundle = audits / "ledger" / "checkpoint", audits / "ledger" / "tile" / "entries" / "000.p" / "3"
    whole = head.read_bytes()
    for place, code, why, way_out in (
        (head, 253, f"{head} is damaged: ", f"try: siegel audit sync {audits}\n"),
        (bundle, 1, "the entries in tile/entries/000.p/3 cannot be read: ", "try: siegel audit verify DIR\n"),
    ):
        place.write_bytes(b"x")
        for words in (("show", audits), ("visitors", audits), ("receipt", audits, "#0")):
            ended = siegel("audit", *words)
            assert (ended.returncode, why in ended.stderr, ended.stderr.endswith(way_out)) == (code, True, True), ended.stderr
        head.write_bytes(whole)
    (audits / "policy").unlink()
    ended = siegel("audit", "verify", audits)
    assert (ended.returncode, f"{audits}/policy is missing" in ended.stderr) == (253, True)


def test_a_head_of_another_ledger_is_called_so_and_nothing_is_called_broken(stage, tmp_path):
    provider, audits, _ = stage
    provider.write(3).publish()
    done("audit", "sync", audits)
    elsewhere, other = "store.example/ledger/777788889999", tmp_path / "other"
    publish(Log(provider.log.entries, origin=elsewhere), other, at_s=int(NOW()), witnesses=[])
    ended = siegel("audit", "sync", audits, "--from", other)
    assert (ended.returncode, ended.stdout.startswith("NOT SIGNED: ")) == (3, True)
    assert f"this is a head of {elsewhere}, and the policy names {ORIGIN}" in ended.stdout
    assert "recorded" not in ended.stdout
    ended = siegel("audit", "compare", audits, other / "checkpoint")
    assert ended.returncode == 1
    assert f"has the ledger {ORIGIN}, and this is a head of {elsewhere}" in ended.stderr
    (other / "checkpoint").write_bytes(b"nonsense")
    code, compared = told("compare", audits, other / "checkpoint")
    assert (code, {"quorum", "consistency"} <= set(compared["unchecked"])) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("sync", "{audits}/nowhere"), 253, "no directory of audits"),
        (("sync", "{audits}", "--from", "http://127.0.0.1:1/.ledger/1"), 1, "does not give"),
        (("sync", "{audits}", "--from", "gopher://x"), 253, "no URL"),
        (("verify", "{audits}/nowhere"), 253, "no directory of audits"),
        (("show", "{audits}"), 253, "no ledger yet"),
        (("sync", "{audits}", "--from", "{audits}/nowhere"), 1, "is no directory"),
        (("watch", "{audits}/ledger", "--once"), 253, "no directory of audits"),
        (("receipt", "{audits}", "#0"), 253, "no ledger yet"),
        (("receipt", "{audits}", "#0", "-o", "{audits}/policy"), 253, "no ledger yet"),
        (("keys", "{audits}/nowhere"), 1, "is no directory"),
        (("init", "{audits}2", "--from", "http://", "--policy", "{policy}"), 253, "no URL of a ledger"),
        (("init", "{audits}2", "--from", "x", "--policy", "{audits}/last"), 253, "cannot be read"),
        (("check", "{audits}/nowhere", "--policy", "{policy}"), 253, "cannot be read"),
        (("check", "{policy}", "--policy", "{audits}/audit.toml"), 253, "audit.toml"),
        (("compare", "{audits}", "{audits}/nowhere"), 253, "cannot be read"),
        (("init", "{audits}", "--from", "x", "--policy", "{policy}"), 253, "not empty"),
        (("init", "{audits}2", "--from", "x", "--policy", "{audits}/audit.toml"), 253, "audit.toml"),
        (("init", "{audits}2", "--from", "x", "--policy", "{policy}", "--max-age-s", "0"), 252, "--max-age-s"),
        (("init", "{audits}2", "--from", "x", "--policy", "{policy}", "--max-age-s", "3155760001"), 252, "--max-age-s"),
        (("init", "{audits}2", "--from", "x", "--policy", "{policy}", "--delay-s=-1"), 252, "--delay-s"),
        (("init", "{audits}2", "--from", "x", "--policy", "{policy}", "--delay-s", "3155760001"), 252, "--delay-s"),
        (("show", "{audits}", "--request", "018f3a77c2d1e4b0"), 1, "no request id of 16 hex digits"),
        (("show", "{audits}", "--request", "#1"), 1, "no request id of 16 hex digits"),
    ],
)
def test_commands_refuse_with_a_sentence(stage, words, code, why):
    _, audits, policy = stage
    ended = siegel("audit", *(word.format(audits=audits, policy=policy) for word in words))
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stderr.startswith("siegel: ")
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr
