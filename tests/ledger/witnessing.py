"""A witness as its owner has it: commands, and a process that serves. And a log that speaks to it over the network."""

import http.client
import json
import re
import ssl

from siegel.ledger.witness_requests import AddCheckpoint
from tests.command_line import SIEGEL, siegel
from tests.customer_server import CustomerServer

READY = re.compile(r"ready witness=(https?://127\.0\.0\.1:\d+)\n")


def done(*words):
    ended = siegel(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


class WitnessPlace:
    """The directory of a witness, made by the command."""

    def __init__(self, folder, name="witness.example/w1", logs=()):
        self.folder = folder
        self.vkeys = json.loads(done("witness", "init", folder, "--name", name, "--json"))["vkeys"]
        self.watch(logs)

    def watch(self, keys):
        (self.folder / "logs").write_text("".join(f"log {key.verifier}\n" for key in keys))

    def shown(self):
        return json.loads(done("witness", "show", self.folder, "--json"))["logs"]


class Serving(CustomerServer):
    """The process of a witness. `program` is another launcher that takes the same words."""

    def __init__(self, place, *words, program=(SIEGEL,)):
        listening = ("witness", "serve", place.folder, "--listen", "127.0.0.1:0")
        super().__init__((*program, *listening, *words), READY, place.folder.with_suffix(".err"))

    def ask(self, method, path, body=b"", authority=None):
        if authority:
            context = ssl.create_default_context(cafile=authority)
            connection = http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=30, context=context)
        else:
            connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type"), answer.read()
        finally:
            connection.close()

    def add(self, log, old, **more):
        body = AddCheckpoint(old, log.consistency(old), log.checkpoint()).encode()
        return self.ask("POST", "/add-checkpoint", body, **more)
