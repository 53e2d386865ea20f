"""What a dishonest provider does with his database, his root key and his program. No command of the service does any of it.

    cheat read DATA CREDENTIALS s3://BUCKET/KEY    read an object in the customer's name, and write nothing down
    cheat rewrite DATA ACCOUNT NUMBER PRINCIPAL    say that somebody else did what entry NUMBER says; build and sign the tree anew

The second one wants the service stopped.
"""

from __future__ import annotations

import asyncio
import configparser
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace

from siegel.app.assembly import build_s3
from siegel.app.config import load_config, resolve
from siegel.app.settings import Settings
from siegel.app.wiring import open_deployment
from siegel.domain.logs import Run
from siegel.envelope.record import NONCE_BYTES
from siegel.ledger.bundles import encode_bundle, entries_of
from siegel.ledger.checkpoints import Checkpoint
from siegel.ledger.frontier import Frontier, grow
from siegel.ledger.leaves import commit_person, decode_leaf, decode_opening, encode_leaf, encode_opening
from siegel.ledger.signed_checkpoints import sign_checkpoint
from siegel.service.ledgers.files import open_run, read_entries
from siegel.service.ledgers.secrets import LogSecrets, open_secrets

HERE = "http://127.0.0.1"


class Forgetful:
    """A store that writes nothing down of who reads."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, *_entries: Any) -> None:
        """Forget."""


def settings_of(data: str) -> Settings:
    return resolve(load_config(Path(data), {}), Path(data))


async def read(data: str, credentials: str, uri: str) -> None:
    settings = settings_of(data)
    deployment = open_deployment(settings)
    application = build_s3(dataclasses.replace(deployment, store=Forgetful(deployment.store)), settings)
    words = configparser.ConfigParser()
    words.read(credentials)
    owner = Credentials(words["default"]["aws_access_key_id"], words["default"]["aws_secret_access_key"])
    request = AWSRequest("GET", f"{HERE}/{quote(uri.removeprefix('s3://'))}")
    S3SigV4Auth(owner, "s3", settings.region).add_auth(request)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as client:
        answer = await client.get(request.url, headers=dict(request.headers.items()))
    sys.stdout.write(answer.text)
    deployment.close()
    answer.raise_for_status()


async def rewrite(data: str, account_id: str, number: str, principal: str) -> None:
    deployment = open_deployment(settings_of(data))
    ledgers = deployment.store.reader.ledgers
    log = ledgers.find(account_id)
    assert log is not None
    secrets = open_secrets(deployment.custodian, log.origin, log.sealed_secrets)
    old = next(run for run in ledgers.runs(log.log_id, 0, log.size) if run.first <= int(number) < run.first + run.count)
    run = _rewritten(old, secrets, int(number) - old.first, principal)
    entries = read_entries(ledgers, log.log_id, 0, log.size)
    entries[run.first : run.first + run.count] = entries_of(run.entries)
    growth = grow(Frontier(), entries)
    now_ms = deployment.clock.now_ms()
    note = sign_checkpoint(Checkpoint(log.origin, log.size, growth.frontier.root), secrets.signers, now_ms // 1000)

    def change(tx: Any) -> None:
        sql = tx.ledgers._statements.write
        place = (run.log_id, run.first)
        sql("UPDATE ledger_run SET entries = ? WHERE log_id = ? AND first = ?", (run.entries, *place))
        tx.ledgers.put_openings(run.log_id, run.first, run.sealed_openings)
        for tile, hashes in growth.files:
            if tile.level > 0:
                tx.ledgers.put_tile(log.log_id, tile.level, tile.index, hashes)
        head = (growth.frontier.root, log.size, now_ms, note, log.log_id)
        sql("UPDATE ledger SET root = ?, head_size = ?, signed_at_ms = ?, checkpoint = ? WHERE log_id = ?", head)
        sql("UPDATE ledger SET witnessed_size = 0, witnessed_at_ms = 0, witnessed = x'' WHERE log_id = ?", (log.log_id,))

    await deployment.store.write(change, None)
    deployment.head_marks.put(log.log_id, log.size, growth.frontier.root)
    deployment.close()


def _rewritten(run: Run, secrets: LogSecrets, place: int, principal: str) -> Run:
    """Return a run in whose entry at `place` somebody else has done it: commitments and names fit one another."""
    context = secrets.run_context(run.first)
    entries, openings = entries_of(run.entries), open_run(secrets.openings, context, run.sealed_openings)
    leaf, opening = decode_leaf(entries[place]), decode_opening(openings[place])
    assert leaf is not None
    assert opening is not None
    opening = replace(opening, principal=principal)
    facts = replace(leaf.facts, person=commit_person(opening), consent_id="")
    entries[place], openings[place] = encode_leaf(replace(leaf, facts=facts)), encode_opening(opening)
    sealed = secrets.openings.seal(encode_bundle(openings), context, os.urandom(NONCE_BYTES))
    return replace(run, entries=encode_bundle(entries), sealed_openings=sealed)


COMMANDS = {"read": read, "rewrite": rewrite}

if __name__ == "__main__":
    asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
