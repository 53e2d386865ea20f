"""Small objects under a key of the key service that the deployment holds, beside objects without one."""

from collections.abc import Callable
from functools import partial
from shutil import rmtree
from statistics import median
from typing import Any

from bench.fill import make_bucket
from bench.keyserver import client_of
from bench.load import BUCKET, Load, abba, play, presigned_table, put_table, small_body, write_bodies
from bench.report import Row, of_loads
from bench.service import Deployment, Running, serving
from bench.stage import Plan

OBJECTS = 256
SHARE_MIN = 0.95


def local_key(plan: Plan) -> list[Row]:
    """Return the rows of GET, HEAD and PUT under a local key."""
    folder = plan.file(f"localkey-{plan.run}")
    try:
        deployment = Deployment.create(folder)
        with serving(deployment.start(plan.workers)) as ours:
            return _measure(plan, deployment, ours)
    finally:
        rmtree(folder, ignore_errors=True)


def _measure(plan: Plan, deployment: Deployment, ours: Running) -> list[Row]:
    signer = deployment.signer(ours)
    make_bucket(ours, signer)
    kms, s3 = (client_of(deployment, ours, name) for name in ("kms", "s3"))
    arn = str(kms.create_key()["KeyMetadata"]["Arn"])
    for index in range(OBJECTS):
        for method, body in (("GET", small_body(index)), ("HEAD", b"")):
            s3.put_object(Bucket=BUCKET, Key=f"{method}/plain/{index}", Body=body)
            options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
            s3.put_object(Bucket=BUCKET, Key=f"{method}/key/{index}", Body=body, **options)
    rows: list[Row] = []
    for method in ("GET", "HEAD"):
        plays = [
            partial(play, ours, presigned_table(plan.file(f"{method}.{kind}"), signer, method, paths), seconds=plan.seconds)
            for kind in ("plain", "key")
            for paths in [[f"{method}/{kind}/{index % OBJECTS}" for index in range(plan.urls)]]
        ]
        for one in plays:
            one()
        name = "GET 4 KiB" if method == "GET" else method
        rows.append(_row(name, *abba(plan.rounds, *plays)))
    bodies = write_bodies(plan.file("bodies"))
    numbers = iter(range(1000))

    def put(default: dict[str, str]) -> Load:
        _seal_by(s3, default)
        signer.renew()
        kind = next(numbers)
        table = put_table(plan.file("put.heads"), bodies, signer, [f"PUT/{kind}/{index}" for index in range(plan.puts)])
        return play(ours, table, seconds=plan.seconds)

    plain: Callable[[], Load] = partial(put, {"SSEAlgorithm": "AES256"})
    keyed: Callable[[], Load] = partial(put, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn})
    return [*rows, _row("PUT 4 KiB", *abba(plan.rounds, plain, keyed))]


def _seal_by(s3: Any, default: dict[str, str]) -> None:
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)


def _row(name: str, plain: list[Load], keyed: list[Load]) -> Row:
    mine, bare = median(load.rate for load in keyed), median(load.rate for load in plain)
    plain_us = median(load.cpu_us for load in plain)
    detail = f"{of_loads(keyed)}; without a key {plain_us:.0f} us of processor per request"
    measured = mine / bare
    return Row(
        f"{name} under a local key",
        f"{mine:,.0f}/s",
        f"{bare:,.0f}/s",
        f"{measured:.2f}",
        ">= 0.95",
        measured >= SHARE_MIN,
        detail,
    )
