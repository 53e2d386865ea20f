"""A ledger is fetched from a server in the account's name; whoever else is asked, or answers oddly, is told from a ledger."""

import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.gateway.certificates import make_certificates
from tests.unit.customer.ledgers import NOW_S, Desk, log_of

from siegel.customer.audit import sources
from siegel.customer.audit.book import Book
from siegel.customer.audit.sources import ATTEMPTS_MAX, Credential, FolderSource, HttpSource, SourceError, find_credential
from siegel.customer.audit.sync import sync
from siegel.customer.consent.decisions import ConsentError
from siegel.customer.consent.desk import ConsentDesk
from siegel.domain.errors import ConfigurationError, S3Error
from siegel.s3wire.request import parse_request
from siegel.s3wire.sigv4 import parse_claim, signing_key, verify

CREDENTIAL = Credential("AKIDEXAMPLE", "secret", "a token")
PREFIX = "/.ledger/111122223333/"


class Handler(BaseHTTPRequestHandler):
    """Serves a directory to whoever signs with CREDENTIAL."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.pop(0) if self.server.answers else self.answer()
        status, body, *more = answer
        if status is None:
            self.close_connection = True
            self.wfile.write(body)
            return
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) + bool(self.server.cut) + self.server.is_endless * 10**6))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(self.server.cut)
        self.server.cut -= bool(self.server.cut)
        while self.server.is_endless:
            try:
                self.wfile.write(b"x")
            except ConnectionError:
                self.close_connection = True
                return
            time.sleep(0.01)

    def do_PUT(self):
        self.server.sent = self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def answer(self):
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        request = parse_request(self.command, "http", self.path.encode(), b"", headers, "", ())
        try:
            claim = parse_claim(request, "s3")
            key = signing_key(CREDENTIAL.secret, claim.date, claim.region, "s3")
            verify(request, claim, key, now_ms=int(time.time() * 1000), region="eu-central-1")
            assert request.headers["x-amz-security-token"] == CREDENTIAL.token
            if self.command == "PUT":
                assert request.headers["x-amz-content-sha256"] == sha256(self.server.sent).hexdigest()
                return 204, b""
        except (S3Error, AttributeError):
            return 403, b"denied"
        path = self.server.folder / self.path.removeprefix(PREFIX)
        return (200, path.read_bytes()) if path.is_file() else (404, b"none")

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.folder, made.asked, made.answers, made.cut, made.is_endless = tmp_path / "provider", [], [], 0, False
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def asking(server):
    """Return what asks the server, and is closed at the end."""
    made = []

    def ask(credential=CREDENTIAL, **more):
        made.append(HttpSource(f"http://127.0.0.1:{server.server_address[1]}{PREFIX}", credential, **more))
        return made[-1]

    yield ask
    for source in made:
        source.close()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sources, "_PAUSE_S", 0)


def test_a_ledger_is_fetched_in_the_accounts_name(server, asking, tmp_path):
    desk = Desk(tmp_path).publish(log_of(600))
    found = sync(Book(desk.book.folder), asking(region="eu-central-1"), NOW_S)
    assert found.report.findings == []
    assert f"{PREFIX}tile/entries/002.p/88" in server.asked
    assert f"{PREFIX}handover/000" in server.asked
    before = len(server.asked)
    assert sync(Book(desk.book.folder), asking(), NOW_S).report.findings == []
    assert len(server.asked) == before + 4


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        (None, r"status 403; no access key is named, by AWS_ACCESS_KEY_ID or AWS_PROFILE$"),
        (Credential("AKIDEXAMPLE", "another", "a token"), r"status 403$"),
    ],
)
def test_without_the_right_there_is_no_answer(server, asking, credential, said):
    with pytest.raises(SourceError, match=said):
        asking(credential).get("checkpoint")
    assert len(server.asked) == 1


def test_what_fails_is_tried_again(server, asking, quick, tmp_path):
    Desk(tmp_path).publish(log_of(1))
    source = asking()
    server.answers = [(503, b""), (None, b"")]
    assert source.get("checkpoint").startswith(b"store.example")
    server.answers = [(500, b"")] * ATTEMPTS_MAX
    with pytest.raises(SourceError, match="status 500"):
        source.get("checkpoint")
    server.answers = [(None, b"")] * ATTEMPTS_MAX
    with pytest.raises(SourceError, match="does not give checkpoint"):
        source.get("checkpoint")


def test_a_file_is_put_and_a_refusal_says_why(server, asking):
    asking(region="eu-central-1").put("policy", b"quorum none\n")
    assert (server.sent, server.asked) == (b"quorum none\n", [f"{PREFIX}policy"])
    fault = b"<Error><Code>InvalidRequest</Code><Message>It says &lt;\x1b[1m&quot;no&quot;.</Message></Error>"
    server.answers = [(400, fault), (503, b""), (None, b"")]
    with pytest.raises(SourceError, match=r'does not take policy: status 400, InvalidRequest: It says <\?\[1m"no"\.'):
        asking().put("policy", b"x")
    with pytest.raises(SourceError, match="status 503"):
        asking().put("policy", b"x")
    with pytest.raises(SourceError, match="does not answer"):
        asking().put("policy", b"x")
    assert len(server.asked) == 4


def test_redirects_are_not_followed(server, asking):
    server.answers = [(302, b"", ("location", "http://127.0.0.1:1/elsewhere"))]
    with pytest.raises(SourceError, match="status 302"):
        asking().get("checkpoint")


def test_an_answer_without_end_is_cut(server, asking, monkeypatch):
    monkeypatch.setattr(sources, "FILE_BYTES_MAX", 10)
    server.answers = [(200, b"x" * 1000), (200, b"y")]
    source = asking()
    assert source.get("checkpoint") == b"x" * 11
    assert source.get("checkpoint") == b"y"


def test_an_answer_that_is_cut_is_none(server, asking, quick):
    """A connection that breaks must not look like a ledger that was changed."""
    server.cut = ATTEMPTS_MAX - 1
    server.answers = [(200, b"whole")] * ATTEMPTS_MAX
    source = asking()
    assert source.get("checkpoint") == b"whole"
    server.cut = ATTEMPTS_MAX
    server.answers = [(200, b"whole")] * ATTEMPTS_MAX
    with pytest.raises(SourceError, match="IncompleteRead"):
        source.get("checkpoint")


def test_an_answer_that_never_ends(server, asking, quick, monkeypatch):
    """Bytes that come one by one keep no watch waiting for ever."""
    monkeypatch.setattr(sources, "ANSWER_S_MAX", 0.05)
    server.answers = [(200, b"x")] * ATTEMPTS_MAX
    server.is_endless = True
    with pytest.raises(SourceError, match="no whole answer"):
        asking().get("checkpoint")


def test_a_servers_words_do_not_move_the_cursor(server, asking, quick):
    server.answers = [(None, b"\x1b[2Jnonsense\r\n\r\n")] * ATTEMPTS_MAX
    with pytest.raises(SourceError, match=r"\?\[2Jnonsense"):
        asking().get("checkpoint")


def test_tls(tmp_path):
    authority, _, _ = make_certificates(tmp_path)
    with pytest.raises(SourceError, match="does not give"):
        HttpSource("https://127.0.0.1:1/.ledger/1", None, authority=authority).get("checkpoint")
    with pytest.raises(ConfigurationError, match="no usable certificate"):
        HttpSource("https://127.0.0.1:1/", None, authority=tmp_path / "nowhere.pem")


@pytest.mark.parametrize("text", ["ftp://host/x", "https://", "https://host/x?y", "https://host/x#y", "host/x"])
def test_what_is_no_url_of_a_ledger(text):
    with pytest.raises(ConfigurationError, match="no URL of a ledger"):
        HttpSource(text, None)


def test_credentials_are_found_where_the_aws_tools_find_them(tmp_path):
    words = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"}
    assert find_credential(words) == Credential("A", "S", "T")
    assert find_credential({"AWS_ACCESS_KEY_ID": "A"}) is None
    path = tmp_path / ".aws" / "credentials"
    home = {"HOME": str(tmp_path)}
    assert find_credential(home) is None
    path.parent.mkdir()
    path.write_text("[default]\naws_access_key_id = D\naws_secret_access_key = S%\n[other]\naws_access_key_id = O\n")
    assert find_credential(home) == Credential("D", "S%")
    assert find_credential(home | {"AWS_PROFILE": "other"}) is None
    assert find_credential(home | {"AWS_PROFILE": "nobody"}) is None
    assert find_credential({"AWS_SHARED_CREDENTIALS_FILE": str(path)}) == Credential("D", "S%")
    path.write_text("nonsense")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_credential(home)
    assert "S%" not in repr(Credential("D", "S%"))


def test_without_a_token_none_is_sent(asking, server):
    server.answers = [(200, b"x")]
    assert asking(Credential("A", "S")).get("checkpoint") == b"x"


def test_a_directory_that_cannot_be_read(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(SourceError, match="cannot be read"):
        FolderSource(tmp_path).get("checkpoint")
    (tmp_path / "file").touch()
    assert FolderSource(tmp_path).get("file/below") is None


def test_a_store_that_speaks_no_utf8_is_refused_with_a_sentence(server):
    url = f"http://127.0.0.1:{server.server_address[1]}/.consent/111122223333"
    source = HttpSource(url, CREDENTIAL)
    server.answers = [(200, b'{"consent_id":"\xff","state":"","request":""}')]
    try:
        with pytest.raises(ConsentError, match="none that is known here"):
            ConsentDesk(source, "111122223333").show("0123456789abcdef")
    finally:
        source.close()
