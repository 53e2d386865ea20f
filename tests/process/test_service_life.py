import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.process.running import Service, is_alive, serving, siegel, wait_until


def test_the_service_says_when_it_is_ready_and_answers(service):
    assert service.ask_s3() == 403
    assert service.ask_admin("/-/live") == (200, b'{"status":"live"}')
    status, body = service.ask_admin("/-/ready")
    assert status == 200, body
    assert json.loads(body)["checks"] == {"workers": "ok", "database": "ok", "ledger": "ok", "disk": "ok"}
    assert service.ask_admin("/metrics-of-nothing")[0] == 403


def test_it_is_made_of_workers_and_a_steward(service):
    assert sorted(service.children().values()) == ["steward", "worker-1", "worker-2"]


def test_the_threads_of_each_worker_keep_to_one_core_where_no_core_is_to_spare(service):
    workers = service.workers()
    cores = [{frozenset(os.sched_getaffinity(int(task.name))) for task in Path(f"/proc/{pid}/task").iterdir()} for pid in workers]
    everywhere = frozenset(os.sched_getaffinity(0))
    if len(workers) < len(everywhere):
        assert cores == [{everywhere}] * len(workers)
    else:
        # Threads for bodies come with the first large body.
        assert all(len(of_threads) == 1 and len(*of_threads) == 1 for of_threads in cores)
        assert frozenset.union(*(core for of_threads in cores for core in of_threads)) == everywhere


def test_a_second_instance_on_the_same_directory_is_refused(service, deployment):
    second = siegel("serve", deployment, "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    assert second.returncode == 253
    assert "another instance" in second.stderr
    assert service.ask_s3() == 403


def test_the_port_of_another_deployment_is_not_shared_silently(service, tmp_path):
    siegel("init", tmp_path / "other")
    second = siegel("serve", tmp_path / "other", "--s3", service.s3.netloc, "--admin", "127.0.0.1:0")
    assert second.returncode == 253
    assert "cannot be used" in second.stderr


def test_accounts_are_made_while_it_runs(service, deployment):
    made = siegel("account", "create", "second", "--data", deployment, "--json")
    assert made.returncode == 0, made.stderr
    assert set(json.loads(made.stdout)) == {"account_id", "name", "access_key_id", "secret_access_key"}
    again = siegel("account", "create", "second", "--data", deployment)
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    listed = json.loads(siegel("account", "list", "--data", deployment, "--json").stdout)
    assert {account["name"] for account in listed["accounts"]} == {"main", "second"}
    assert "second" in siegel("account", "list", "--data", deployment).stdout


def test_the_lock_clock_is_confirmed_while_it_runs(service, deployment):
    done = siegel("clock", "confirm", "--data", deployment, "--json")
    assert done.returncode == 0, done.stderr
    assert abs(json.loads(done.stdout)["lag_ended_ms"]) < 60_000
    assert "shows the time of day" in siegel("clock", "confirm", "--data", deployment).stdout
    assert service.ask_s3() == 403


def test_the_doctor_sees_the_running_service(service, deployment):
    seen = siegel("doctor", deployment, "--json")
    found = json.loads(seen.stdout)
    assert (seen.returncode, found["ok"]) == (0, True), found
    checks = {row["check"]: row for row in found["checks"]}
    assert {"clock", "free space", "sync", "sqlite", "root key and database"} <= set(checks)
    assert "3." in checks["sqlite"]["seen"]


def test_nothing_rests_in_plain_and_the_verification_leaves_nothing_behind(service, deployment):
    for _ in range(2):
        verified = siegel("verify", "sealed", "--data", deployment, "--json")
        report = json.loads(verified.stdout)
        assert verified.returncode == 0, report
        assert (report["sealed"], report["found"], report["control_missed"]) == (True, [], [])
        assert len(report["paths"]) == 50
    listed = json.loads(siegel("account", "list", "--data", deployment, "--json").stdout)
    assert "siegel-verify" not in {account["name"] for account in listed["accounts"]}


def test_a_worker_that_dies_is_replaced(service):
    workers = service.workers()
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: service.ask_admin("/-/ready")[0] == 503)
    wait_until(lambda: service.ask_admin("/-/ready")[0] == 200)
    assert workers[0] not in service.children()
    assert sorted(service.children().values()) == ["steward", "worker-1", "worker-2"]
    assert service.ask_s3() == 403


def test_a_steward_that_dies_is_replaced(service):
    steward = next(pid for pid, name in service.children().items() if name == "steward")
    os.kill(steward, signal.SIGKILL)
    wait_until(lambda: steward not in service.children() and len(service.children()) == 3)
    wait_until(lambda: _is_ready(service))


def _is_ready(service):
    try:
        return service.ask_admin("/-/ready")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_the_request_in_flight(spare, number):
    with (
        serving(spare, "--workers", "1") as service,
        socket.create_connection((service.s3.hostname, service.s3.port)) as client,
    ):
        client.sendall(b"PUT /some/thing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        client.settimeout(30)
        wait_until(lambda: service.ask_s3() == 403)
        service.process.send_signal(number)
        wait_until(lambda: "stopping" in service.log.read_text())
        client.sendall(b"67890")
        assert client.recv(4096).startswith(b"HTTP/1.1 403")
        assert service.process.wait(30) == 0


def test_told_twice_it_stops_at_once(spare):
    with (
        serving(spare, "--workers", "1") as service,
        socket.create_connection((service.s3.hostname, service.s3.port)) as client,
    ):
        client.sendall(b"PUT /some/thing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        wait_until(lambda: service.ask_s3() == 403)
        children = service.children()
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in service.log.read_text())
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == 1
        assert time.monotonic() - began < 5
        assert not any(is_alive(pid) for pid in children)


def test_when_the_supervisor_is_killed_nobody_goes_on(spare):
    with serving(spare, "--workers", "2") as service:
        children = service.children()
        os.kill(service.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in children), 5)
        # Whoever comes next waits for them, and is not refused.
        next_one = Service(spare, "--workers", "1")
        assert next_one.stop() == 0
