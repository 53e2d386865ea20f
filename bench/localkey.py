"""Objects under a key of the key service that the deployment holds, beside objects without one."""

from collections.abc import Callable
from functools import partial
from shutil import rmtree
from statistics import median
from typing import Any

from bench.fill import TINY, fill, make_bucket
from bench.keyserver import client_of
from bench.large import DOWNLOADS_PER_ROUND, STREAMS, source_file
from bench.load import BUCKET, Load, abba, play, presigned_table, put_table, small_body, write_bodies
from bench.million import LIST_CONNECTIONS
from bench.report import Row, of_loads
from bench.service import Deployment, Running, serving
from bench.signing import Signer
from bench.stage import Plan
from bench.transfer import SharedKeys, download, together, upload

OBJECTS = 256
PAGE = 1_000
LISTS = 2_000
LARGE_REPEATS = 4
SHARE_MIN = 0.95
KINDS = ("plain", "key")

Default = dict[str, str]


def local_key(plan: Plan) -> list[Row]:
    """Return the rows of GET, HEAD, PUT and LIST under a local key, and those of 64 MiB."""
    folder = plan.file(f"localkey-{plan.run}")
    try:
        deployment = Deployment.create(folder)
        with serving(deployment.start(plan.workers)) as ours:
            return _Measuring(plan, deployment, ours).rows()
    finally:
        rmtree(folder, ignore_errors=True)


class _Measuring:
    def __init__(self, plan: Plan, deployment: Deployment, ours: Running) -> None:
        self._plan, self._ours = plan, ours
        self._signer: Signer = deployment.signer(ours)
        make_bucket(ours, self._signer)
        kms, self._s3 = (client_of(deployment, ours, name) for name in ("kms", "s3"))
        arn = str(kms.create_key()["KeyMetadata"]["Arn"])
        self._defaults: dict[str, Default] = {
            "plain": {"SSEAlgorithm": "AES256"},
            "key": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn},
        }
        self._numbers = iter(range(1000))

    def rows(self) -> list[Row]:
        """Return all rows."""
        for kind in KINDS:
            _seal_by(self._s3, self._defaults[kind])
            bodies = [(f"{method}/{kind}/{index}", body) for index in range(OBJECTS) for method, body in _small(index)]
            fill(self._ours, self._signer, [*bodies, *((f"LIST/{kind}/{index:04}", TINY) for index in range(PAGE))])
        return [
            self._read("GET 4 KiB", "GET"),
            self._read("HEAD", "HEAD"),
            self._put(),
            self._list(),
            self._transfer("PUT 64 MiB", self._upload, self._plan.rounds),
            self._transfer("GET 64 MiB, warm", self._download, DOWNLOADS_PER_ROUND * self._plan.rounds),
        ]

    def _read(self, name: str, method: str) -> Row:
        paths = {kind: [f"{method}/{kind}/{index % OBJECTS}" for index in range(self._plan.urls)] for kind in KINDS}
        tables = [presigned_table(self._plan.file(f"{method}.{kind}"), self._signer, method, paths[kind]) for kind in KINDS]
        plays = [partial(play, self._ours, table, seconds=self._plan.seconds) for table in tables]
        for one in plays:
            one()
        return _row(name, *abba(self._plan.rounds, *plays))

    def _put(self) -> Row:
        bodies = write_bodies(self._plan.file("bodies"))

        def put(kind: str) -> Load:
            _seal_by(self._s3, self._defaults[kind])
            self._signer.renew()
            number = next(self._numbers)
            keys = [f"PUT/{number}/{index}" for index in range(self._plan.puts)]
            table = put_table(self._plan.file("put.heads"), bodies, self._signer, keys)
            return play(self._ours, table, seconds=self._plan.seconds)

        return _row("PUT 4 KiB", *abba(self._plan.rounds, *(partial(put, kind) for kind in KINDS)))

    def _list(self) -> Row:
        def lists(kind: str) -> Load:
            query = f"list-type=2&max-keys={PAGE}&prefix=LIST%2F{kind}%2F"
            table = presigned_table(self._plan.file("LIST.heads"), self._signer, "GET", [""], [query] * LISTS)
            return play(self._ours, table, connections=LIST_CONNECTIONS, seconds=self._plan.seconds)

        return _row(f"LIST {PAGE:,} keys", *abba(self._plan.rounds, *(partial(lists, kind) for kind in KINDS)))

    def _transfer(self, name: str, run: Callable[[str], float], rounds: int) -> Row:
        for kind in KINDS:
            run(kind)
        plain, keyed = abba(rounds, *(partial(run, kind) for kind in KINDS))
        mine, bare = median(keyed) / 1e6, median(plain) / 1e6
        return _share(f"{name}, {STREAMS} connections", mine, bare, "MB/s", "")

    def _upload(self, kind: str) -> float:
        _seal_by(self._s3, self._defaults[kind])
        keys = SharedKeys(_large(kind))
        return together([partial(upload, self._ours, self._signer, source_file(self._plan), keys)] * STREAMS)

    def _download(self, kind: str) -> float:
        keys = SharedKeys(_large(kind))
        return together([partial(download, self._ours, self._signer, keys)] * STREAMS)


def _small(index: int) -> list[tuple[str, bytes]]:
    return [("GET", small_body(index)), ("HEAD", b"")]


def _large(kind: str) -> list[str]:
    return [f"64m/{kind}/{slot}" for slot in range(STREAMS)] * LARGE_REPEATS


def _seal_by(s3: Any, default: Default) -> None:
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)


def _row(name: str, plain: list[Load], keyed: list[Load]) -> Row:
    mine, bare = median(load.rate for load in keyed), median(load.rate for load in plain)
    plain_us = median(load.cpu_us for load in plain)
    detail = f"{of_loads(keyed)}; without a key {plain_us:.0f} us of processor per request"
    return _share(name, mine, bare, "/s", detail)


def _share(name: str, mine: float, bare: float, unit: str, detail: str) -> Row:
    measured = mine / bare
    space = " " if unit[0].isalpha() else ""
    return Row(
        f"{name} under a local key",
        f"{mine:,.0f}{space}{unit}",
        f"{bare:,.0f}{space}{unit} without a key",
        f"{measured:.2f}",
        f">= {SHARE_MIN}",
        measured >= SHARE_MIN,
        detail,
    )
