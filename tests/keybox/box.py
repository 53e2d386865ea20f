"""A box as its owner has it: commands, and a process that serves."""

import json
import re

from tests.command_line import SIEGEL, siegel
from tests.customer_server import CustomerServer
from tests.keybox.caller import Caller

READY = re.compile(r"ready keybox=(https?://127\.0\.0\.1:\d+)\n")


def keybox(*words, **options):
    return siegel("keybox", *words, **options)


def done(*words):
    ended = keybox(*words)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


class Box:
    """A directory with a box in it, made by commands."""

    def __init__(self, folder, *words, opening=()):
        self.folder = folder
        self.opening = tuple(map(str, opening))
        self.made = json.loads(done("init", folder, "--json", *words, *self.opening))

    @property
    def public_key(self):
        return self.made["public_key"]

    def command(self, name, *words):
        return done(*name.split(), self.folder, *words, *self.opening)

    def create_key(self, name):
        return self.command("create-key", name).strip()

    def log(self):
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_bytes().splitlines()]

    def last(self, operation):
        return [line for line in self.log() if line["operation"] == operation][-1]

    def write_policy(self, text):
        fresh = self.folder / "policy.fresh"
        fresh.write_text(text)
        fresh.rename(self.folder / "policy.toml")

    def caller(self, url, **changes):
        credential = self.made["xks"]["XksProxyAuthenticationCredential"]
        prefix = self.made["xks"]["XksProxyUriPath"].removesuffix("/kms/xks/v1")
        return Caller(url, credential["AccessKeyId"], credential["RawSecretAccessKey"], prefix).but(**changes)


class Serving(CustomerServer):
    """The process of a key server. `program` is another launcher that takes the same words."""

    def __init__(self, box, *words, program=(SIEGEL,)):
        listening = ("keybox", "serve", box.folder, "--listen", "127.0.0.1:0", *box.opening)
        super().__init__((*program, *listening, *words), READY, box.folder.with_suffix(".err"))
