"""Objects under a key that only a key server has: beside objects without one, and with a call for each GET.

Service, key server and load maker share the machine. The key server's log tells how many calls there were.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any

import boto3

from bench.fill import make_bucket
from bench.load import BUCKET, Load, Table, abba, play, presigned_table, small_body
from bench.report import Row, of_loads
from bench.service import BenchError, Deployment, Running, run_server, serving, siegel
from bench.stage import Plan

OBJECTS = 256
CACHED_SHARE_MIN = 0.90
UNCACHED_PER_S_MIN = 1500
# The bound on a data key while the objects of one class are read over and over.
TIME_LIMIT_TAG = "siegel:data-key-seconds"


@dataclass(frozen=True)
class _Box:
    """A key server that runs: its directory, its process, and what a key store needs to know of it."""

    folder: Path
    running: Running
    told: dict[str, Any]

    def new_key(self, name: str) -> str:
        """Make a key and return its id."""
        return _keybox("create-key", str(self.folder), name).strip()

    def calls(self) -> int:
        """Return how often it has opened a layer."""
        with (self.folder / "log.jsonl").open("rb") as lines:
            return sum(b'"operation":"xks.decrypt"' in line for line in lines)


def keyserver(plan: Plan) -> list[Row]:
    """Return the rows of GETs of 4 KiB under an external key: kept data keys, and a call for each."""
    folder = plan.file(f"keyserver-{plan.run}")
    try:
        with _key_server(folder / "box") as box:
            near = {"SIEGEL_OUTBOUND_ALLOW": box.running.authority}
            deployment = Deployment.create(folder / "data")
            with serving(deployment.start(plan.workers, environment=near)) as ours:
                return _measure(plan, deployment, ours, box)
    finally:
        rmtree(folder, ignore_errors=True)


def _measure(plan: Plan, deployment: Deployment, ours: Running, box: _Box) -> list[Row]:
    signer = deployment.signer(ours)
    make_bucket(ours, signer)
    kms, s3 = (client_of(deployment, ours, name) for name in ("kms", "s3"))
    store = _connect(kms, box)
    keys = {
        "plain": "",
        "kept": _external_key(kms, store, box, "kept", "3600"),
        "asked": _external_key(kms, store, box, "asked", "0"),
    }
    tables: dict[str, Table] = {}
    for name, key in keys.items():
        options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        for index in range(OBJECTS):
            s3.put_object(Bucket=BUCKET, Key=f"{name}/{index:06d}", Body=small_body(index), **options)
        paths = (f"{name}/{index % OBJECTS:06d}" for index in range(plan.urls))
        tables[name] = presigned_table(plan.file(f"{name}.heads"), signer, "GET", paths)
        play(ours, tables[name], seconds=plan.seconds)
    before = box.calls()
    plain, kept = abba(
        plan.rounds,
        partial(play, ours, tables["plain"], seconds=plan.seconds),
        partial(play, ours, tables["kept"], seconds=plan.seconds),
    )
    between = box.calls()
    used = box.running.cpu_s()
    asked = [play(ours, tables["asked"], seconds=plan.seconds) for _ in range(plan.rounds)]
    calls = box.calls() - between
    box_us = (box.running.cpu_s() - used) / max(calls, 1) * 1e6
    return [_kept_row(plain, kept, between - before), _asked_row(asked, calls, box_us)]


def _kept_row(plain: list[Load], kept: list[Load], calls: int) -> Row:
    mine, bare = median(load.rate for load in kept), median(load.rate for load in plain)
    plain_us = median(load.cpu_us for load in plain)
    detail = f"{of_loads(kept)}, {calls} calls; without a key {plain_us:.0f} us of processor per request"
    name = "GET 4 KiB under a key server's key, kept"
    return Row(name, f"{mine:,.0f}/s", f"{bare:,.0f}/s", f"{mine / bare:.2f}", ">= 0.90", mine / bare >= CACHED_SHARE_MIN, detail)


def _asked_row(asked: list[Load], calls: int, box_us: float) -> Row:
    rate = median(load.rate for load in asked)
    requests = sum(load.requests for load in asked)
    detail = (
        f"{of_loads(asked)}, {calls / requests:.2f} calls for each; the key server takes {box_us:.0f} us of processor per call"
    )
    name = "GET 4 KiB under a key server's key, asked for each"
    return Row(name, f"{rate:,.0f}/s", "", "", f">= {UNCACHED_PER_S_MIN:,}/s", rate >= UNCACHED_PER_S_MIN, detail)


@contextmanager
def _key_server(folder: Path) -> Iterator[_Box]:
    folder.parent.mkdir(parents=True)
    told = json.loads(_keybox("init", str(folder), "--json"))["xks"]
    command = [siegel(), "keybox", "serve", str(folder), "--listen", "127.0.0.1:0"]
    with serving(run_server(command, "keybox=http://")) as running:
        yield _Box(folder, running, told)


def _keybox(*words: str) -> str:
    done = subprocess.run([siegel(), "keybox", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"siegel keybox {words[0]} failed: {done.stderr.strip()}")
    return done.stdout


def client_of(deployment: Deployment, ours: Running, name: str) -> Any:
    """Return a client of one of the service's APIs, as the owner of the deployment's account."""
    return boto3.client(
        name,
        endpoint_url=f"http://{ours.authority}",
        region_name=deployment.region,
        aws_access_key_id=deployment.access_key_id,
        aws_secret_access_key=deployment.secret_access_key,
    )


def _connect(kms: Any, box: _Box) -> str:
    store = str(
        kms.create_custom_key_store(
            CustomKeyStoreName="bench",
            CustomKeyStoreType="EXTERNAL_KEY_STORE",
            XksProxyConnectivity="PUBLIC_ENDPOINT",
            XksProxyUriEndpoint=f"http://{box.running.authority}",
            **box.told,
        )["CustomKeyStoreId"]
    )
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    return store


def _external_key(kms: Any, store: str, box: _Box, name: str, seconds: str) -> str:
    tags = [{"TagKey": TIME_LIMIT_TAG, "TagValue": seconds}]
    made = kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=box.new_key(name), Tags=tags)
    return str(made["KeyMetadata"]["Arn"])
