"""What a large bucket costs: LIST, growth from a thousand objects to a million, and the start."""

import random
import re
import time
from statistics import median

from bench import report
from bench.client import Client
from bench.fill import TINY, exists, fill, make_bucket
from bench.load import BUCKET, Load, Table, play, presigned_table, put_table, write_bodies
from bench.report import Row
from bench.service import BenchError, Deployment, Running, serving
from bench.signing import Signer
from bench.stage import Plan

PREFIXES = 1000
PAGE = 1000
LIST_CONNECTIONS = 8
THOUSAND = 1000
GROWTH = 1.3
# What was just read is remembered: among a million objects, no key is asked for twice in a round.
ASKED_ONCE = 100_000


def key_of(number: int, count: int) -> str:
    """Return the key of one of `count` objects, which spread evenly over a thousand prefixes."""
    per_prefix = max(count // PREFIXES, 1)
    return f"p{number // per_prefix:04d}/{number % per_prefix:06d}"


def _body_of(number: int) -> bytes:
    """Return the body of an object: a line of text, nothing for every tenth."""
    return TINY if number % 10 else b""


def filled(plan: Plan, name: str, count: int) -> Deployment:
    """Return a deployment whose bucket holds `count` small objects; one made by an earlier run is taken as it is."""
    deployment = Deployment.create(plan.folder / f"{name}-{count}")
    with serving(deployment.start(plan.workers)) as ours:
        signer = deployment.signer(ours)
        make_bucket(ours, signer)
        last = key_of(count - 1, count)
        if not exists(ours, signer, last):
            plan.say(f"storing {count:,} objects")
            numbers = list(range(count))
            random.Random(4).shuffle(numbers)
            numbers.remove(count - 1)
            rate = fill(ours, signer, [(key_of(number, count), _body_of(number)) for number in numbers])
            signer.renew()
            fill(ours, signer, [(last, _body_of(count - 1))])
            plan.say(f"stored at {rate:,.0f}/s")
    return deployment


def _listed(server: Running, signer: Signer, query: str, element: str) -> int:
    client = Client(server.connect())
    answer = client.call(signer.head("GET", f"/{BUCKET}", query=query))
    client.close()
    if answer.status != 200:
        raise BenchError(f"LIST {query}: {answer.status} {answer.body[:300]!r}")
    return len(re.findall(f"<{element}>".encode(), answer.body))


def _list_table(plan: Plan, signer: Signer, count: int) -> Table:
    """Pages of 1,000 keys that begin anywhere in the bucket but in its last page."""
    signer.renew()
    choice = random.Random(5)
    starts = [key_of(choice.randrange(max(count - PAGE, 1)), count).replace("/", "%2F") for _ in range(2000)]
    queries = [f"list-type=2&max-keys={PAGE}&start-after={start}" for start in starts]
    return presigned_table(plan.file("list.heads"), signer, "GET", [""], queries)


def listing(plan: Plan) -> list[Row]:
    """LIST of 1,000 keys anywhere in the bucket, and of its 1,000 common prefixes."""
    count = plan.million
    deployment = filled(plan, "filled", count)
    with serving(deployment.start(plan.workers)) as ours:
        signer = deployment.signer(ours)
        per_page = _listed(ours, signer, f"list-type=2&max-keys={PAGE}", "Key")
        flat = _list_table(plan, signer, count)
        rounds = [play(ours, flat, connections=LIST_CONNECTIONS, seconds=plan.seconds) for _ in range(plan.rounds)]
        rows = [_listing_row(f"LIST {per_page:,} keys of {count:,}", "keys", per_page, rounds)]
        query = f"delimiter=%2F&list-type=2&max-keys={PAGE}"
        prefixes = _listed(ours, signer, query, "CommonPrefixes")
        table = presigned_table(plan.file("list.heads"), signer, "GET", [""], [query] * 1000)
        rounds = [play(ours, table, connections=LIST_CONNECTIONS, seconds=plan.seconds) for _ in range(plan.rounds)]
        rows.append(_listing_row(f"LIST {prefixes:,} common prefixes over {count:,} keys", "prefixes", prefixes, rounds))
        query = "delimiter=%2F&list-type=2&max-keys=10"
        table = presigned_table(plan.file("list.heads"), signer, "GET", [""], [query] * 1000)
        short = [play(ours, table, connections=1, seconds=plan.seconds) for _ in range(plan.rounds)]
        value = f"{median(load.p50_ms for load in short):.2f} ms"
        rows.append(Row("LIST 10 common prefixes, one connection", value, "", "", "", None, report.of_loads(short)))
    return rows


def _listing_row(workload: str, unit: str, per_page: int, rounds: list[Load]) -> Row:
    rate = median(load.rate for load in rounds) * per_page
    return Row(workload, f"{rate:,.0f} {unit}/s", "", "", f">= 150,000 {unit}/s", rate >= 150_000, report.of_loads(rounds))


def growth(plan: Plan) -> list[Row]:
    """PUT, GET, HEAD and LIST with a thousand objects and with a million, in turn."""
    counts = (THOUSAND, plan.million)
    # The small one is made afresh, because the PUTs below make it grow.
    deployments = [filled(plan, f"grown-{plan.run}", THOUSAND), filled(plan, "filled", plan.million)]
    figures: dict[str, tuple[list[Load], list[Load]]] = {name: ([], []) for name in ("GET", "HEAD", "LIST", "PUT")}
    with serving(deployments[0].start(plan.workers)) as small, serving(deployments[1].start(plan.workers)) as large:
        for number in range(plan.rounds + 1):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            for name, pair in figures.items():
                for side in order:
                    server, signer = (small, large)[side], deployments[side].signer((small, large)[side])
                    table, connections = _growth_table(plan, name, signer, counts[side], number)
                    load = play(server, table, connections=connections, seconds=plan.seconds if number else 1)
                    if number:
                        pair[side].append(load)
    return [_growth_row(plan, name, *pair) for name, pair in figures.items()]


def _growth_table(plan: Plan, name: str, signer: Signer, count: int, number: int) -> tuple[Table, int]:
    choice = random.Random(number)
    path = plan.file("growth.heads")
    if name == "LIST":
        if count <= PAGE:
            return presigned_table(path, signer, "GET", [""], [f"list-type=2&max-keys={PAGE}"] * 2000), LIST_CONNECTIONS
        return _list_table(plan, signer, count), LIST_CONNECTIONS
    if name == "PUT":
        keys = [f"p{choice.randrange(PREFIXES):04d}/new-{plan.run}-{number}-{index:06d}" for index in range(plan.puts)]
        return put_table(path, write_bodies(plan.file("bodies")), signer, keys), 32
    # wrk waits for the body that a HEAD's Content-Length names: ask for the empty objects.
    step = 10 if name == "HEAD" else 1
    numbers = choice.sample(range(0, count, step), min(ASKED_ONCE, count // step))
    return presigned_table(path, signer, name, [key_of(number, count) for number in numbers]), 32


def _growth_row(plan: Plan, name: str, small: list[Load], large: list[Load]) -> Row:
    few, many = median(load.rate for load in small), median(load.rate for load in large)
    ratio = few / many
    return Row(
        f"Growth: {name}, {THOUSAND:,} to {plan.million:,} objects",
        f"{many:,.0f}/s",
        f"{few:,.0f}/s",
        f"{ratio:.2f}x",
        f"<= {GROWTH}x",
        ratio <= GROWTH,
        report.of_loads(large),
    )


def start(plan: Plan) -> list[Row]:
    """Time from the command to the first answer 200, with an empty directory and with a million objects."""
    rows = []
    empty = Deployment.create(plan.folder / f"empty-{plan.run}")
    for text, deployment, limit_s in (
        ("empty", empty, 1.5),
        (f"{plan.million:,} objects", filled(plan, "filled", plan.million), 2.5),
    ):
        times = [_first_answer_s(plan, deployment) for _ in range(plan.rounds)]
        value = median(times)
        rows.append(Row(f"Start to first 200, {text}", f"{value:.2f} s", "", "", f"<= {limit_s} s", value <= limit_s))
    return rows


def _first_answer_s(plan: Plan, deployment: Deployment) -> float:
    began = time.perf_counter()
    with serving(deployment.start(plan.workers)) as ours:
        client = Client(ours.connect())
        status = client.call(deployment.signer(ours).head("GET", "/")).status
        took = time.perf_counter() - began
        client.close()
    if status != 200:
        raise BenchError(f"ListBuckets answered {status} after the start")
    return took
