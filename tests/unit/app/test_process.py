"""Where the threads of a worker may work."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from siegel.app.process import CORES, keep_to_core, leave_core


def in_a_thread(*steps):
    """Take the steps in a thread of their own, and return the cores it may then use, and those of a thread that it starts."""

    def work():
        for step in steps:
            step()
        with ThreadPoolExecutor(1) as pool:
            return os.sched_getaffinity(0), pool.submit(os.sched_getaffinity, 0).result()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("number", range(1, 2 * len(CORES) + 1))
def test_a_worker_keeps_to_a_core_with_all_that_it_starts(number):
    core = {CORES[number % len(CORES)]}
    assert in_a_thread(lambda: keep_to_core(number, 2 * len(CORES))) == (core, core)


def test_as_many_workers_as_cores_have_one_each():
    taken = [in_a_thread(lambda number=number: keep_to_core(number, len(CORES)))[0] for number in range(1, len(CORES) + 1)]
    assert set.union(*taken) == set(CORES)
    assert all(len(cores) == 1 for cores in taken)


def test_where_there_are_cores_to_spare_threads_go_where_they_like():
    assert in_a_thread(lambda: keep_to_core(1, len(CORES) - 1))[0] == set(CORES)


def test_a_thread_that_seldom_needs_the_interpreter_leaves_the_core():
    assert in_a_thread(lambda: keep_to_core(1, len(CORES)), leave_core)[0] == set(CORES)


@pytest.mark.parametrize("refusal", [PermissionError(), OSError(errno.EINVAL, "none of these cores")])
def test_where_the_system_decides_alone_nothing_fails(monkeypatch, refusal):
    def refuse(_thread, _cores):
        raise refusal

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert in_a_thread(lambda: keep_to_core(1, len(CORES)), leave_core)[0] == set(CORES)
