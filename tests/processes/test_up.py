"""`quarterdeck up`: starts, keeps, and stops the processes of an instance."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.lab.instances import QUARTERDECK, Instance, running_instance
from tests.lab.parts import directory, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running() -> Iterator[Instance]:
    with running_instance({"QD_OIDC_CLIENT_SECRET": "hunter2-very-secret"}) as instance:
        yield instance


@pytest.fixture
def fresh() -> Iterator[Instance]:
    with directory() as home:
        instance = Instance(home / "data")
        try:
            yield instance
        finally:
            instance.stop()


def _family(instance: Instance) -> list[psutil.Process]:
    assert instance.server is not None
    root = psutil.Process(instance.server.process.pid)
    return [root, *root.children(recursive=True)]


def _all_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of these very processes lives; a zombie is waiting for its parent only."""
    return all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in processes)


def test_the_first_start_prints_one_address_and_one_set_up_link(running: Instance) -> None:
    said = running.output()
    assert re.findall(r"ready: (\S+)", said) == [running.url]
    assert running.set_up_link
    said = running.output()
    assert len(re.findall(rf"{running.url}/set-up/\S{{30,}}", said)) == 1
    assert not (running.data / "run" / "set-up.json").exists()


def test_it_tells_of_every_process_when_ready(running: Instance) -> None:
    status, body = running.get("/readyz")
    assert (status, body["status"]) == (200, "ready")
    assert {name: state["status"] for name, state in body["processes"].items()} == dict.fromkeys(
        ("web", "worker", "intake", "engine"), "ready"
    )


def test_each_process_answers_for_itself(running: Instance) -> None:
    assert running.get("/healthz") == (200, {"status": "ok", "process": "web"})
    intake = Instance(running.data)
    intake.url = f"http://{running.environment['QD_INTAKE_HTTP']}"
    assert intake.get("/readyz") == (200, {"status": "ready", "process": "intake"})
    assert intake.get("/nothing")[0] == 404


def test_a_second_up_on_the_same_directory_says_so(running: Instance) -> None:
    second = running.run("up", "--data", str(running.data), "--listen", "127.0.0.1:1", check=False)
    assert second.returncode == 65
    assert f"already runs on {running.data}" in second.stderr
    assert running.url in second.stderr


def test_secrets_are_in_no_command_line_and_no_log(running: Instance) -> None:
    commands = " ".join(" ".join(process.cmdline()) for process in _family(running))
    logs = "".join(path.read_text() for path in (running.data / "log").iterdir() if path.is_file())
    keys = [(running.data / "secrets" / name).read_text().strip() for name in ("django", "audit", "engine")]
    for secret in ("hunter2-very-secret", *keys):
        assert secret not in commands + logs + running.output()


@pytest.mark.parametrize("name", ["intake", "engine", "worker", "web"])
def test_it_restarts_a_process_that_is_killed(running: Instance, name: str) -> None:
    before = running.pids()[name]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running.pids()[name] not in (0, before), "the restart")
    wait_until(lambda: running.get("/readyz")[0] == 200, f"readiness; {running.get('/readyz')}", 120)
    assert f"{name} ended by SIGKILL" in running.output()


def test_readyz_says_which_process_does_not_serve(running: Instance) -> None:
    os.kill(running.pids()["intake"], signal.SIGSTOP)
    try:
        status, body = running.get("/readyz")
    finally:
        os.kill(running.pids()["intake"], signal.SIGCONT)
    assert (status, body["status"]) == (503, "not ready")
    assert "intake" in {name for name, state in body["processes"].items() if state["status"] != "ready"}


def test_status_and_doctor_find_everything_well(running: Instance) -> None:
    wait_until(lambda: running.get("/readyz")[0] == 200, "readiness")
    assert "ready" in running.run("status", "--data", str(running.data)).stdout
    doctor = running.run("doctor", "--data", str(running.data))
    assert "error" not in doctor.stdout


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_everything_cleanly(fresh: Instance, kind: signal.Signals) -> None:
    server = fresh.start()
    family = _family(fresh)
    assert len(family) >= 5
    assert server.stop(kind) == 0
    assert _all_gone(family)
    assert fresh.output().rstrip().endswith("stopped")
    assert not (fresh.data / "run" / "supervisor.json").exists()


def test_nothing_is_left_when_the_supervisor_itself_is_killed(fresh: Instance) -> None:
    server = fresh.start()
    family = _family(fresh)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: _all_gone(family), "the end of every process")
    # And the directory can be used again at once.
    fresh.start()
    assert fresh.get("/readyz")[0] == 200


@pytest.mark.parametrize("setting", ["listen", "intake"])
def test_it_refuses_a_port_that_is_in_use(fresh: Instance, setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        listen = taken if setting == "listen" else fresh.listen
        more = {} if setting == "listen" else {"QD_INTAKE_HTTP": taken}
        done = fresh.run("up", "--data", str(fresh.data), "--listen", listen, check=False, **more)
    assert done.returncode == 69
    assert f"cannot listen on {taken}: another program has it" in done.stderr


def test_it_refuses_a_directory_that_it_cannot_make(fresh: Instance) -> None:
    fresh.data.parent.joinpath("file").write_text("no directory")
    bad = fresh.data.parent / "file" / "data"
    done = fresh.run("up", "--data", str(bad), "--listen", fresh.listen, check=False, QD_DATA=str(bad))
    assert done.returncode == 73
    assert "cannot be written" in done.stderr


def test_it_refuses_a_disk_that_takes_no_more(fresh: Instance) -> None:
    """No file may grow: to the process that is what a full disk or a quota looks like."""
    words = ["prlimit", "--fsize=0", *QUARTERDECK, "up", "--data", str(fresh.data), "--listen", fresh.listen]
    done = subprocess.run(words, env=fresh.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 73
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_refuses_a_wrong_setting_with_a_sentence(fresh: Instance) -> None:
    done = fresh.run("up", check=False, QD_SESSION_HOURS="forever")
    assert done.returncode == 65
    assert 'setting session_hours is "forever": expected a whole number' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer_is_waited_for(fresh: Instance) -> None:
    fresh.environment["QD_DATABASE_URL"] = "postgresql://nobody:hunter2-password@127.0.0.1:1/none"
    fresh.start(wait=False)
    wait_until(lambda: "it starts again" in fresh.output(), "the first restart")
    assert "hunter2-password" not in fresh.output() + fresh.logs()


def test_doctor_says_the_next_step_for_each_finding(fresh: Instance) -> None:
    fresh.data.joinpath("secrets").mkdir(parents=True)
    fresh.data.joinpath("secrets", "django").write_text("x")
    fresh.data.joinpath("secrets", "django").chmod(0o644)
    fresh.data.joinpath("records.sqlite3").write_text("this is no database, but long enough to look like one" * 20)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        other.listen()
        done = fresh.run(
            *("doctor", "-o", "json"), check=False, QD_LISTEN=taken, QD_LISTN="x", QD_BROKER_URL="redis://127.0.0.1:1/0"
        )
    findings = {finding["check"]: finding for finding in json.loads(done.stdout) if finding["state"] != "ok"}
    assert done.returncode == 1
    assert set(findings) == {"settings", "permissions", "records", "processes", "ports", "broker_url"}
    assert all(finding["hint"] for finding in findings.values())
    assert findings["settings"]["hint"] == 'did you mean "QD_LISTEN"?'


def test_doctor_says_which_setting_is_wrong(fresh: Instance) -> None:
    done = fresh.run("doctor", check=False, QD_LISTEN="nowhere")
    assert done.returncode == 1
    assert "setting listen" in done.stdout


def test_status_says_that_nothing_runs(fresh: Instance, tmp_path: Path) -> None:
    done = fresh.run("status", "--data", str(tmp_path), check=False)
    assert done.returncode == 69
    assert done.stdout.startswith("not running")
