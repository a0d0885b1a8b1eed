"""Runs on real hosts, by a running instance and its command line: what people and scripts see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.jobs.hosts import HOSTS, begin, hosts, knowing, read, run, wait_state
from tests.lab.brokers import BROKERS
from tests.lab.instances import QUARTERDECK, Instance
from tests.lab.parts import wait_until
from tests.lab.ssh_hosts import OPS, SshHost, odd_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")]


def processes(mark: str) -> list[psutil.Process]:
    """Return what runs on the hosts with `mark` in its arguments; they share the machine with us."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if any(mark in word for word in line) and line[:1] != [sys.executable] and "qd" not in line[:2]:
                found.append(process)
    return found


def test_each_host_tells_what_it_did(lab: Instance) -> None:
    done = run(lab, "echo out; echo err >&2; id -un", "env:lab")
    assert [one["name"] for one in done["hosts"]] == [f"web{number:02}" for number in range(1, HOSTS + 1)]
    first = done["hosts"][0]
    assert (first["status"], first["exit_code"], first["stdout"], first["stderr"]) == ("ok", 0, "out\nops\n", "err\n")
    assert first["seconds"] > 0
    assert isinstance(first["item"], int)


def test_a_failure_has_its_exit_code(lab: Instance) -> None:
    done = run(lab, "exit 7", "name:web01", code=2)
    assert (done["hosts"][0]["status"], done["hosts"][0]["exit_code"]) == ("failed", 7)


def test_a_host_that_is_not_there_has_another(lab: Instance) -> None:
    lab.qd("items", "create", "--type", "host", "--name", "gone", "primary_ip=127.0.0.1", "ssh_port=1", "env=off")
    lab.qd("credentials", "attach", "lab", "-q", "env:off")
    done = run(lab, "true", "env:off", code=3)
    assert done["hosts"][0]["status"] == "unreachable"
    assert "refused" in done["hosts"][0]["error"]


def test_a_terminal_shows_lines_below_their_hosts(lab: Instance) -> None:
    done = lab.qd("run", "printf 'a\\033[31mb\\n'", "-q", "name:(web01 OR web02)")
    assert "web01 | a\\x1b[31mb\n" in done.stdout
    assert "web02 ok exit 0" in done.stderr
    assert "succeeded: 2 ok" in done.stderr


def test_a_script_runs_with_its_arguments_and_leaves_nothing(lab: Instance, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_bytes(b"#!/usr/bin/env python3\r\nimport sys, os\r\nprint(sys.argv[1:], os.environ['A'])\r\n")
    words = ["--script", str(script), "--arg", "a b", "--arg", "$(id)", "--arg", "'", "--env", "A=x y"]
    done = lab.qd("run", "-q", "name:web01", *words, "-o", "json")
    assert json.loads(done.stdout)["hosts"][0]["stdout"] == """['a b', '$(id)', "'"] x y\n"""
    left = run(lab, "ls -A /tmp | grep -c '^[.]qd[.]'; true", "name:web01")
    assert left["hosts"][0]["stdout"] == "0\n"


def test_bytes_that_are_no_text_hurt_nothing(lab: Instance) -> None:
    done = run(lab, r"printf 'a\000\377\033]0;title\007b\n'; head -c 300000 /dev/urandom", "name:web01")
    assert done["hosts"][0]["stdout"].startswith(
        "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\x1b]0;title\x07b\n"
    )


def test_output_beyond_the_limit_is_counted(lab: Instance) -> None:
    run_id = run(lab, "head -c 30000000 /dev/zero | tr '\\0' 'x' | fold -w 100", "name:web01")["run"]
    found = hosts(lab, run_id)["web01"]
    assert found["is_cut"]
    assert found["stdout_bytes"] == 10 << 20
    assert len(found["stdout"]) == 1 << 20
    whole = lab.qd("runs", "output", str(run_id), str(found["id"]))
    assert len(whole.stdout) == 10 << 20


def test_become_needs_its_password_and_shows_it_nowhere(lab: Instance) -> None:
    refused = run(lab, "id -un", "name:web01", "--become", code=2)
    assert refused["hosts"][0]["status"] == "failed"
    words = ["credentials", "create", "--name", "sudo", "--become", "sudo", "--password-stdin"]
    subprocess.run(
        [*QUARTERDECK, *words], input=OPS, text=True, check=True, capture_output=True,
        env={**lab.environment, "QD_URL": lab.url, "QD_TOKEN": lab.token},
    )  # fmt: skip
    lab.qd("credentials", "attach", "sudo", "-q", "name:web01")
    done = run(lab, f"id -un; echo 'the word is {OPS}'", "name:web01", "--become")
    assert done["hosts"][0]["stdout"] == "root\nthe word is ********\n"
    for path in (lab.data / "log").iterdir():
        assert OPS not in path.read_text(errors="replace")


def test_a_host_has_its_time(lab: Instance) -> None:
    done = run(lab, "sleep 4711", "name:web01", "--timeout", "1s", code=2)
    assert "1 s" in done["hosts"][0]["error"]
    wait_until(lambda: not processes("4711"), "the end of the command")


def test_cancelling_ends_the_processes_on_the_hosts(lab: Instance) -> None:
    run_id = begin(lab, "sleep 4712 & sleep 4712", "env:lab")
    wait_until(lambda: len(processes("sleep 4712")) >= HOSTS, "all hosts")
    lab.qd("runs", "cancel", str(run_id))
    assert wait_state(lab, run_id, "cancelled")["counts"] == {"cancelled": HOSTS}
    wait_until(lambda: not [one for one in processes("4712") if one.name() == "sleep"], "their end")


def test_a_rolling_run_stops_at_failures_and_the_rest_is_retried(lab: Instance, shared: Path) -> None:
    fence = shared / "fence"
    fence.touch()
    done = run(lab, f"test ! -e {fence}", "env:lab", "--batch", "2,50%", "--max-fail", "50%", code=2)
    assert done["state"] == "stopped"
    assert [one["status"] for one in done["hosts"]] == ["failed"] * 2 + ["skipped"] * (HOSTS - 2)
    fence.unlink()
    again = lab.qd("runs", "retry", str(done["run"]), "--reason", "the fence is gone", "-o", "json")
    assert [one["status"] for one in json.loads(again.stdout)["hosts"]] == ["ok"] * HOSTS


def test_a_canary_waits_for_a_word(lab: Instance) -> None:
    run_id = begin(lab, "echo done", "env:lab", "--batch", "1,100%", "--pause")
    assert wait_state(lab, run_id, "paused")["counts"] == {"ok": 1, "waiting": HOSTS - 1}
    lab.qd("runs", "resume", str(run_id))
    assert wait_state(lab, run_id, "succeeded")["counts"] == {"ok": HOSTS}


def test_the_odd_one_out_is_on_top(lab: Instance) -> None:
    command = 'case "$SSH_CONNECTION" in *127.0.2.5*) echo odd;; *) echo even;; esac'
    done = run(lab, command, "env:lab")
    groups = json.loads(lab.qd("runs", "groups", str(done["run"]), "-o", "json").stdout)
    assert [(one["count"], one["stdout"]) for one in groups] == [(1, "odd\n"), (HOSTS - 1, "even\n")]
    assert groups[0]["name"] == "web05"


def test_what_hosts_printed_is_found_like_a_log(lab: Instance) -> None:
    run(lab, "printf '\\033[32mkraken in sight\\033[0m\\npassword=hunter2secret\\n'", "name:web03")
    found = json.loads(lab.qd("logs", "search", "kraken item:web03", "-o", "json").stdout)
    assert [line["message"] for line in found] == ["kraken in sight"]
    assert found[0]["attributes"]["stream"] == "stdout"
    assert not json.loads(lab.qd("logs", "search", "hunter2secret", "-o", "json").stdout)


def test_it_is_on_the_hosts_timeline(lab: Instance) -> None:
    run(lab, "echo on the timeline", "name:web04")
    item = json.loads(lab.qd("items", "list", "-q", "name:web04", "-o", "json").stdout)[0]["id"]
    _status, found = lab.get(f"/api/v1/items/{item}/timeline", token=lab.token)
    assert any(one["kind"] == "run.finished" and "on the timeline" in one["title"] for one in found["items"])


def test_a_killed_worker_forgets_no_host_and_does_none_twice(lab: Instance, shared: Path) -> None:
    """Each host adds a line to a file; the worker is killed when some have, and others are at it."""
    _kill_in_the_middle(lab, shared)


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_it_is_the_same_when_the_broker_restarts_too(
    lab_host: SshHost, kind: str, shared: Path, tmp_path: Path
) -> None:
    with BROKERS[kind]() as broker, knowing(lab_host, {"QD_BROKER_URL": broker.url}, tmp_path) as lab:
        # What was announced is lost with it, or comes twice: neither is a matter.
        _kill_in_the_middle(lab, shared, broker.restart)


def _kill_in_the_middle(lab: Instance, shared: Path, meanwhile: Callable[[], None] | None = None) -> None:
    marks = shared / "marks"
    marks.touch()
    marks.chmod(0o666)
    command = f'echo "${{SSH_CONNECTION#* * }}" >> {marks}; sleep 2; echo done'
    run_id = begin(lab, command, "env:lab", "--at-once", "3")
    wait_until(lambda: len(marks.read_text().splitlines()) >= 5, "some hosts")
    psutil.Process(json.loads((lab.data / "run" / "runs.json").read_text())["pid"]).kill()
    if meanwhile is not None:
        meanwhile()
    done = wait_state(lab, run_id, "failed")
    assert set(done["counts"]) == {"lost", "ok"}
    # Three were at it, and three may have ended without it being written down.
    assert done["counts"]["lost"] <= 6
    assert sum(done["counts"].values()) == HOSTS
    assert "died" in done["note"]
    told = marks.read_text().splitlines()
    assert len(told) == len(set(told))
    # It is on record that a host begins before anything is done there: a lost one may not have got so far.
    assert HOSTS - len(told) <= done["counts"]["lost"]


def test_a_stopped_worker_hands_on_what_it_has_not_begun(lab: Instance) -> None:
    run_id = begin(lab, "sleep 1.5; echo done", "env:lab", "--at-once", "2")
    wait_until(lambda: read(lab, run_id)["counts"].get("ok", 0) >= 2, "some hosts")
    psutil.Process(lab.pids()["worker"]).terminate()
    done = wait_state(lab, run_id, "succeeded", "failed")
    assert done["counts"] == {"ok": HOSTS}


def test_a_restarted_web_process_changes_nothing(lab: Instance) -> None:
    command = [*QUARTERDECK, "run", "sleep 3; echo done", "-q", "name:web01", "-o", "json"]
    environment = {**lab.environment, "QD_URL": lab.url, "QD_TOKEN": lab.token}
    watching = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: processes("sleep 3; echo"), "the command")
    psutil.Process(lab.pids()["web"]).kill()
    output, _notes = watching.communicate(timeout=120)
    assert json.loads(output)["hosts"][0]["stdout"] == "done\n"
    lab.wait_ready()


def test_hosts_that_behave_oddly_are_told_apart(lab: Instance) -> None:
    def hang(connection: Any) -> None:
        while connection.recv(1000):
            pass

    with (
        odd_server(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) as http,
        odd_server(hang) as silent,
    ):
        for name, port in (("http", http), ("silent", silent)):
            values = ["primary_ip=127.0.0.1", f"ssh_port={port}", "env=odd"]
            lab.qd("items", "create", "--type", "host", "--name", name, *values)
        done = run(lab, "true", "env:odd", "--credential", "lab", code=3)
    assert [one["status"] for one in done["hosts"]] == ["unreachable"] * 2
    assert len({one["error"] for one in done["hosts"]}) == 2
