"""Small objects: GET and PUT of 4 KiB, HEAD, and how many PUTs share one sync."""

import random
import re
from pathlib import Path

from bench import report
from bench.commits import commits_of
from bench.fill import exists, fill, make_bucket
from bench.load import Table, abba, play, presigned_table, put_table, small_body, write_bodies
from bench.report import Row
from bench.service import Deployment, serving
from bench.stage import Plan, Stage, check_get


def _small_keys(plan: Plan) -> list[str]:
    return [f"4k/{index:06d}" for index in range(plan.objects)]


def get4k(stage: Stage) -> list[Row]:
    """GET of 4 KiB, signed, by distinct URLs."""
    plan, keys = stage.plan, _small_keys(stage.plan)
    if not exists(stage.ours, stage.signer, keys[-1]):
        fill(stage.ours, stage.signer, [(key, small_body(index)) for index, key in enumerate(keys)])
    check_get(stage, keys[77], small_body(77))
    stage.signer.renew()
    table = presigned_table(plan.file("get.heads"), stage.signer, "GET", _picked(plan, keys))
    floors, ours = stage.versus(table)
    return [report.compared("GET 4 KiB, 32 connections", floors, ours, 0.20, 0.30)]


def _picked(plan: Plan, keys: list[str]) -> list[str]:
    return random.Random(1).choices(keys, k=plan.urls)


def head(stage: Stage) -> list[Row]:
    """HEAD, signed, by distinct URLs."""
    plan = stage.plan
    keys = [f"0k/{index:06d}" for index in range(plan.objects)]
    if not exists(stage.ours, stage.signer, keys[-1]):
        fill(stage.ours, stage.signer, [(key, b"") for key in keys])
    stage.signer.renew()
    table = presigned_table(plan.file("head.heads"), stage.signer, "HEAD", _picked(plan, keys))
    floors, ours = stage.versus(table)
    return [report.compared("HEAD, 32 connections", floors, ours, 0.20)]


def put4k(stage: Stage) -> list[Row]:
    """PUT of 4 KiB under fresh keys, the payload's hash signed."""
    plan = stage.plan
    bodies = write_bodies(plan.file("bodies"))
    tables = iter(range(1000))

    def table() -> Table:
        stage.signer.renew()
        name = next(tables)
        keys = [f"4k/new-{plan.run}-{name}-{index:06d}" for index in range(plan.puts)]
        return put_table(plan.file("put.heads"), bodies, stage.signer, keys)

    floors, ours = abba(
        plan.rounds,
        lambda: play(stage.floor, table(), seconds=plan.seconds),
        lambda: play(stage.ours, table(), seconds=plan.seconds),
    )
    return [report.compared("PUT 4 KiB, signed payload, 32 connections", floors, ours, 0.15, 0.25)]


def puts_per_sync(plan: Plan) -> list[Row]:
    """How many PUTs of 4 KiB share one sync.

    Two runs: strace counts the syncs of each commit, but slows the service down; so the commits for so many PUTs are those that
    the journal shows of a run without strace.
    """
    deployment = Deployment.create(plan.folder / "small")
    log = plan.file("syncs.log")
    log.unlink(missing_ok=True)
    wrapper = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", str(log))
    done_watched, commits_watched, syncs = _count_commits(plan, deployment, wrapper, log)
    done, commits, _ = _count_commits(plan, deployment, (), log)
    syncs_per_commit = syncs / max(commits_watched, 1)
    ratio = done / max(commits * syncs_per_commit, 1)
    detail = (
        f"{done:,} PUTs in {commits:,} commits, {syncs_per_commit:.2f} calls of fsync or fdatasync each, checkpoints included; "
        f"under strace, which counted those, {done_watched:,} PUTs in {commits_watched:,} commits"
    )
    return [Row("PUT 4 KiB: PUTs per sync", f"{ratio:.1f}", "", "", ">= 8", ratio >= 8, detail)]


def _count_commits(plan: Plan, deployment: Deployment, wrapper: tuple[str, ...], log: Path) -> tuple[int, int, int]:
    """Return the PUTs, commits and syncs of one run; without a wrapper no syncs are counted."""
    with serving(deployment.start(plan.workers, wrapper=wrapper)) as ours:
        signer = deployment.signer(ours)
        make_bucket(ours, signer)
        keys = [f"4k/sync-{plan.run}-{len(wrapper)}-{index:06d}" for index in range(plan.puts)]
        table = put_table(plan.file("put.heads"), write_bodies(plan.file("bodies")), signer, keys)
        syncs, commits = -_syncs(log), -commits_of(deployment.directory)
        load = play(ours, table, seconds=plan.seconds)
        return load.requests - load.failures, commits + commits_of(deployment.directory), syncs + _syncs(log)


def _syncs(log: Path) -> int:
    return len(re.findall(r"\b(?:fsync|fdatasync)\(", log.read_text(encoding="utf-8")))
