"""An account of a deployment as its owner has it: requests, an auditor's directory, a witness of its own."""

import json
import os
import time
from contextlib import contextmanager

from tests.command_line import siegel
from tests.gateway.raw import RawClient
from tests.gateway.signer import Keys
from tests.ledger.witnessing import done
from tests.process.running import initialise, serving, wait_until

LOOPBACK = {"SIEGEL_OUTBOUND_ALLOW": "127.0.0.0/8"}
IN_TIME_S = 60
POLICY = "witness w {vkey} {url}\ngroup enough all w\nquorum enough\n"


class Customer:
    """An account of a deployment, with an auditor's directory and a witness of its own."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data"
        made = initialise(self.data)
        told, self.operator = made["account"], made["operator"]["access_key_id"]
        self.name = told["name"]
        self.keys = Keys(told["access_key_id"], told["secret_access_key"], told["account_id"])
        self.audits, self.url = folder / "audits", ""

    @contextmanager
    def serving(self, workers=1, **more):
        with serving(self.data, "--workers", workers, env=os.environ | LOOPBACK | more) as service:
            self.url = service.s3.geturl()
            self.raw = RawClient((service.s3.hostname, service.s3.port), service.s3.netloc, self.keys)
            yield service

    def file(self, path):
        answer = self.raw.call("GET", ".ledger", f"{self.keys.account_id}/{path}")
        return answer.body.decode() if answer.status == 200 else None

    def access(self):
        """Make an entry, and return its request's id."""
        return self.raw.call("GET", "").header("x-siegel-entry")

    def begin(self, folder, serving_witness):
        """Put the policy, and begin to audit from the keys of now."""
        wait_until(lambda: self.file("vkeys") is not None, IN_TIME_S)
        vkeys = self.file("vkeys").split()
        (folder.folder / "logs").write_text("".join(f"log {vkey}\n" for vkey in vkeys))
        policy = POLICY.format(vkey=folder.vkeys[0], url=serving_witness.url.geturl())
        assert self.raw.call("PUT", ".ledger", f"{self.keys.account_id}/policy", body=policy.encode()).status == 204
        pinned = self.folder / "policy"
        pinned.write_text("".join(f"log {vkey}\n" for vkey in vkeys) + policy)
        place = f"{self.url}/.ledger/{self.keys.account_id}"
        done("audit", "init", self.audits, "--from", place, "--policy", pinned, "--delay-s", "600")
        return vkeys

    def sync(self):
        env = {**os.environ, "AWS_ACCESS_KEY_ID": self.keys.access_key_id, "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key}
        place = f"{self.url}/.ledger/{self.keys.account_id}"
        ended = siegel("audit", "sync", self.audits, "--from", place, "--json", env=env)
        assert ended.returncode in {0, 3}, ended.stderr
        return json.loads(ended.stdout)

    def sync_until(self, entry):
        """Sync until the mirror has that request's entry; every sync on the way must hold, but for a quorum not there yet."""
        give_up = time.monotonic() + IN_TIME_S
        while True:
            found = self.sync()
            assert {finding["check"] for finding in found["findings"]} <= {"quorum"}, found
            if found["holds"] and siegel("audit", "receipt", self.audits, entry, "-o", self.folder).returncode == 0:
                return found
            assert time.monotonic() < give_up, found
            time.sleep(0.2)

    def entries(self):
        """What the mirror says, entry by entry."""
        return [json.loads(line) for line in done("audit", "show", self.audits, "--json").splitlines()]

    def pin(self):
        """Begin to audit from the keys of now, without witnesses."""
        wait_until(lambda: self.file("vkeys") is not None, IN_TIME_S)
        pinned = self.folder / "policy"
        pinned.write_text("".join(f"log {vkey}\n" for vkey in self.file("vkeys").split()) + "quorum none\n")
        place = f"{self.url}/.ledger/{self.keys.account_id}"
        done("audit", "init", self.audits, "--from", place, "--policy", pinned, "--delay-s", "600")
