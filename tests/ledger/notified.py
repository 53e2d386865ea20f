"""Those who are notified: a server that takes webhooks, and a mail server with STARTTLS, as small as they can be."""

import json
import socket
import ssl
import threading
from contextlib import suppress
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hooks:
    """Takes notices by POST. `status` is what it answers; nothing is taken unless that is 200."""

    def __init__(self, tls=None):
        hooks = self
        self.status, self.taken, self.asked = 200, [], 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                hooks.asked += 1
                if hooks.status == 200:
                    hooks.taken.append(json.loads(body))
                self.send_response(hooks.status)
                if hooks.status == 302:
                    self.send_header("location", self.path + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """Takes mails (RFC 5321). With `certificate` it offers STARTTLS and takes nothing without it."""

    def __init__(self, certificate=None, login="", host="127.0.0.1"):
        self.taken, self.logins, self.plain = [], [], 0
        self._login = login
        self._tls = None
        if certificate:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(*certificate)
        self._socket = socket.create_server((host, 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with suppress(OSError):
            connection.sendall(b"220 mail.example ready\r\n")
            receivers, is_secret, stream = [], False, connection.makefile("rb")
            while line := stream.readline():
                word, _, rest = line.decode().strip().partition(" ")
                word = word.upper()
                if word == "STARTTLS":
                    connection.sendall(b"220 go on\r\n")
                    connection = self._tls.wrap_socket(connection, server_side=True)
                    stream, is_secret = connection.makefile("rb"), True
                    continue
                if word == "DATA":
                    connection.sendall(b"354 go on\r\n")
                    mail = b"".join(iter(stream.readline, b".\r\n"))
                    self.plain += not is_secret
                    self.taken.append((receivers, message_from_bytes(mail)))
                connection.sendall(self._answer(word, rest, receivers, is_secret=is_secret) + b"\r\n")
                if word == "QUIT":
                    break
            stream.close()
            connection.close()

    def _answer(self, word, rest, receivers, *, is_secret):
        if word in {"EHLO", "HELO"}:
            offers = ["mail.example", *(["STARTTLS"] if self._tls and not is_secret else [])]
            offers += ["AUTH PLAIN"] if self._login else []
            return "".join(f"250-{offer}\r\n" for offer in offers).encode() + b"250 8BITMIME"
        if word == "AUTH":
            self.logins.append(rest.split()[-1])
            return b"235 welcome" if rest.split()[-1] == self._login else b"535 no"
        if word == "RCPT":
            receivers.append(rest.partition("<")[2].partition(">")[0])
        return b"221 bye" if word == "QUIT" else b"250 OK"
