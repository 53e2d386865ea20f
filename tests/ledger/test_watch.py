"""`siegel audit watch` as it is run: as a service and from cron, with a command, a webhook and a mail server to tell."""

import base64
import json
import shlex
import signal
import ssl
import subprocess
import sys
import time

import pytest

from siegel.customer.audit.notices import MailChannel, Notice, NoticeError, WebhookChannel
from tests.gateway.certificates import make_certificates
from tests.ledger.notified import Hooks, MailServer
from tests.ledger.witnessing import SIEGEL, done, siegel
from tests.unit.customer.ledgers import entry, publish
from tests.unit.ledger.log import Log, policy_text

TAKE = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('ab').write(sys.stdin.buffer.read())"
PATIENCE_S = 60
NOTICE = Notice(notice_id="0f", at="2027-01-15T08:00:00Z", event="finding", check="dates", ledger="store", message="m")


class Provider:
    """A ledger in a directory, of now."""

    def __init__(self, folder):
        self.folder = folder
        self.log = Log()

    def publish(self, count, **how):
        start = self.log.size
        self.log.append([entry(number, time.time()) for number in range(start, start + count)])
        publish(self.log, self.folder, **{"at_s": int(time.time()), "witnesses": [], **how})


@pytest.fixture
def audits(tmp_path):
    provider = Provider(tmp_path / "provider")
    provider.publish(300)
    (tmp_path / "policy").write_bytes(policy_text())
    done("audit", "init", tmp_path / "audits", "--from", provider.folder, "--policy", tmp_path / "policy")
    return provider, tmp_path / "audits"


@pytest.fixture
def certificates(tmp_path):
    return make_certificates(tmp_path)


def test_from_cron_each_thing_is_told_once_and_by_every_way(audits, tmp_path):
    provider, folder = audits
    hooks, mail, taken = Hooks(), MailServer(), tmp_path / "taken"
    command = shlex.join([sys.executable, "-c", TAKE, str(taken)])
    ways = ["--exec", command, "--webhook", f"http://127.0.0.1:{hooks.port}/hook", "--smtp", f"127.0.0.1:{mail.port}"]
    words = ("audit", "watch", folder, "--once", *ways, "--mail-from", "audit@a.example", "--mail-to", "b@c.example")
    try:
        ended = siegel(*words)
        assert (ended.returncode, "HOLDS 300 entries" in ended.stdout, hooks.taken) == (0, True, [])

        # The same entries under a head of two hours ago.
        provider.publish(0, at_s=int(time.time()) - 7200)
        hooks.status = 302
        ended = siegel(*words, "--json")
        assert ended.returncode == 3
        assert "not delivered, and tried again: webhook: 127.0.0.1 answers 302" in ended.stderr
        assert json.loads(ended.stdout)["waiting"] == 1
        assert hooks.asked == 1
        hooks.status = 200
        assert siegel(*words).returncode == 3
        (told,) = hooks.taken
        assert (told["event"], told["check"]) == ("finding", "freshness")
        (line,) = taken.read_bytes().splitlines()
        assert json.loads(line) == told
        ((receivers, message),) = mail.taken
        subject = f"[siegel audit] freshness does not hold: {told['ledger']}"
        assert (receivers, " ".join(message["subject"].split())) == (["b@c.example"], subject)
        assert json.loads(message.get_payload(1).get_payload(decode=True)) == told

        provider.publish(10)
        ended = siegel(*words)
        assert (ended.returncode, "WELL AGAIN" in ended.stdout) == (0, True)
        assert [one["event"] for one in hooks.taken] == ["finding", "well"]
        assert siegel(*words).returncode == 0
        assert len(hooks.taken) == len(mail.taken) == len(taken.read_bytes().splitlines()) == 2
    finally:
        hooks.close()
        mail.close()


def test_the_providers_own_warning_is_told_by_every_way_when_it_begins_and_ends(audits, tmp_path):
    provider, folder = audits
    hooks, mail, taken = Hooks(), MailServer(), tmp_path / "taken"
    command = shlex.join([sys.executable, "-c", TAKE, str(taken)])
    ways = ["--exec", command, "--webhook", f"http://127.0.0.1:{hooks.port}/hook", "--smtp", f"127.0.0.1:{mail.port}"]
    words = ("audit", "watch", folder, "--once", *ways, "--mail-from", "audit@a.example", "--mail-to", "b@c.example")
    warning, since = provider.folder / "warning", "2027-01-15T08:00:00Z"
    try:
        for text, event, word, number in (
            (f"store.example/ledger/1 {since}\n", "warning", "WARNED  warning:", 1),
            (f"store.example/ledger/1 {since}\n", "warning", "", 1),
            ("", "warning-over", "WARNED NO MORE  warning-over:", 2),
        ):
            warning.write_text(text)
            ended = siegel(*words)
            assert (ended.returncode, "HOLDS 300 entries" in ended.stdout, word in ended.stdout) == (0, True, True)
            lines = [json.loads(line) for line in taken.read_bytes().splitlines()]
            assert [len(each) for each in (hooks.taken, mail.taken, lines)] == [number] * 3
            assert hooks.taken[-1] == lines[-1]
            assert (lines[-1]["event"], lines[-1]["check"]) == (event, event)
            assert since in lines[-1]["message"]
            subject = " ".join(mail.taken[-1][1]["subject"].split())
            assert subject.startswith("[siegel audit] the provider"), subject
            assert "warn" in subject
    finally:
        hooks.close()
        mail.close()


def test_it_runs_until_it_is_told_to_end_and_goes_on_where_it_was(audits):
    provider, folder = audits
    hooks = Hooks()
    words = [SIEGEL, "audit", "watch", folder, "--every-s", "1", "--json", "--webhook", f"http://127.0.0.1:{hooks.port}/"]
    try:
        for place in (provider.folder, provider.folder.with_name("away")):
            if place != provider.folder:
                provider.folder.rename(place)
            process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            first = json.loads(process.stdout.readline())
            assert first["holds"] is (place == provider.folder)
            again = siegel("audit", "watch", folder, "--once")
            assert (again.returncode, "another watch runs" in again.stderr) == (253, True)
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, errors) == (0, "")
        assert [(one["check"], one["event"]) for one in hooks.taken] == [("provider", "finding")]
    finally:
        hooks.close()


@pytest.fixture
def others(tmp_path):
    """Two more ledgers, with their directories."""
    made = []
    for name in ("second", "third"):
        provider = Provider(tmp_path / name)
        provider.publish(20)
        done("audit", "init", tmp_path / f"{name}-audits", "--from", provider.folder, "--policy", tmp_path / "policy")
        made.append((provider, tmp_path / f"{name}-audits"))
    return made


def test_several_are_watched_and_none_that_fails_holds_up_another(audits, others, tmp_path):
    folders = [audits[1], *(folder for _, folder in others)]
    taken = tmp_path / "taken"
    words = ("audit", "watch", *folders, "--once", "--json", "--exec", shlex.join([sys.executable, "-c", TAKE, str(taken)]))
    ended = siegel(*words)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {json.loads(line)["directory"] for line in ended.stdout.splitlines()} == set(map(str, folders))
    # One does not answer, one is no directory of audits any more, and of the third something is told.
    others[0][0].folder.rename(tmp_path / "away")
    (others[1][1] / "audit.toml").write_text("damaged")
    audits[0].publish(0, at_s=int(time.time()) - 7200)
    ended = siegel(*words)
    assert ended.returncode == 3
    assert f"{folders[2]} is not watched" in ended.stderr
    assert {json.loads(line)["directory"] for line in ended.stdout.splitlines()} == {str(folders[0]), str(folders[1])}
    assert sorted(json.loads(line)["check"] for line in taken.read_bytes().splitlines()) == ["freshness", "provider"]
    # Each knows for itself what was told.
    assert siegel(*words).returncode == 3
    assert len(taken.read_bytes().splitlines()) == 2
    audits[0].publish(1)
    assert siegel(*words).returncode == 1


def test_several_are_watched_until_it_is_told_to_end_and_what_is_mended_is_watched_again(audits, others):
    folders = [audits[1], *(folder for _, folder in others)]
    settings = folders[2] / "audit.toml"
    good = settings.read_bytes()
    settings.write_text("damaged")
    words = [SIEGEL, "audit", "watch", *folders, "--every-s", "1", "--json"]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "is not watched" in process.stderr.readline()
    assert {json.loads(process.stdout.readline())["directory"] for _ in range(4)} == set(map(str, folders[:2]))
    settings.write_bytes(good)
    give_up = time.monotonic() + PATIENCE_S
    while json.loads(process.stdout.readline())["directory"] != str(folders[2]):
        assert time.monotonic() < give_up
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_one_place_is_not_that_of_several(audits, others):
    ended = siegel("audit", "watch", audits[1], others[0][1], "--once", "--from", audits[0].folder)
    assert (ended.returncode, "another place of one ledger" in ended.stderr) == (253, True)


def test_a_command_that_fails_is_tried_again(audits, tmp_path):
    _, folder = audits
    ended = siegel("audit", "watch", folder, "--once", "--from", "http://127.0.0.1:1/.ledger/1", "--exec", "false", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["could_check"], told["waiting"]) == (1, False, 1)
    assert "exec: false ended with 1" in ended.stderr
    taken = tmp_path / "taken"
    command = shlex.join([sys.executable, "-c", TAKE, str(taken)])
    assert siegel("audit", "watch", folder, "--once", "--exec", command).returncode == 0
    events = [json.loads(line) for line in taken.read_bytes().splitlines()]
    assert [(one["event"], one["check"]) for one in events] == [("finding", "provider"), ("well", "all")]


def test_mail_needs_a_sender(audits):
    ended = siegel("audit", "watch", audits[1], "--once", "--mail-to", "a@b.example")
    assert (ended.returncode, "--mail-from" in ended.stderr) == (253, True)


def test_mail_goes_encrypted_and_signed_in(certificates):
    authority, certificate, key = certificates
    login = base64.b64encode(b"\0audit\0geheim").decode()
    server = MailServer((certificate, key), login)
    signed_in = {"SIEGEL_SMTP_USER": "audit", "SIEGEL_SMTP_PASSWORD": "geheim"}
    try:
        place = f"localhost:{server.port}"
        way = ("a@b.example", ("c@d.example", "e@f.example"))
        MailChannel(place, *way, authority=authority, environment=signed_in).send(NOTICE)
        ((receivers, _),) = server.taken
        assert (receivers, server.plain, server.logins) == (["c@d.example", "e@f.example"], 0, [login])
        # Somebody else's certificate: nothing is sent, the password least of all.
        with pytest.raises(NoticeError, match="certificate"):
            MailChannel(place, *way, environment=signed_in).send(NOTICE)
        assert (len(server.taken), server.logins) == (1, [login])
        with pytest.raises(NoticeError, match="does not take the mail"):
            MailChannel(place, *way, authority=authority, environment=signed_in | {"SIEGEL_SMTP_USER": "b"}).send(NOTICE)
    finally:
        server.close()


def test_mail_leaves_this_machine_only_encrypted():
    # Another address of this machine, of which nothing says that it is one.
    server = MailServer(host="127.0.0.2")
    try:
        with pytest.raises(NoticeError, match="no STARTTLS"):
            MailChannel(f"127.0.0.2:{server.port}", "a@b.example", ("c@d.example",)).send(NOTICE)
        assert server.taken == []
    finally:
        server.close()


def test_a_webhook_is_called_over_tls(certificates):
    authority, certificate, key = certificates
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    hooks = Hooks(context)
    try:
        WebhookChannel(f"https://localhost:{hooks.port}/a?b=c", authority).send(NOTICE)
        assert [one["notice_id"] for one in hooks.taken] == ["0f"]
        with pytest.raises(NoticeError, match="certificate"):
            WebhookChannel(f"https://localhost:{hooks.port}/").send(NOTICE)
    finally:
        hooks.close()
    with pytest.raises(NoticeError, match="localhost does not take it"):
        WebhookChannel(f"https://localhost:{hooks.port}/").send(NOTICE)
