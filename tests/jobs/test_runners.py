"""The other runners on real hosts: pip with wheels of our own, Docker's own engine, commands on the worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.dockerd import IMAGE, engine
from tests.jobs.hosts import run
from tests.jobs.test_pip import wheel
from tests.lab.instances import Instance
from tests.lab.parts import need

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.runners import docker, local, pip, runners, ssh, tables

LAB = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")]


def on_hosts(test: Any) -> Any:
    for mark in LAB:
        test = mark(test)
    return test


def test_every_runner_is_found() -> None:
    assert set(runners()) >= {"ssh", "pip", "docker", "local"}


def test_rows_are_aligned() -> None:
    assert tables.lines([["a", "1"], ["long", "2"]], ("NAME", "N")) == b"NAME  N\na     1\nlong  2\n"
    assert tables.lines([]) == b""


@pytest.mark.parametrize(
    ("runner", "work", "field"),
    [
        (pip, {}, "operation"),
        (pip, {"operation": "instal"}, "operation"),
        (pip, {"operation": "install"}, "packages"),
        (pip, {"operation": "install", "packages": ["--upgrade"]}, "packages"),
        (pip, {"operation": "install", "packages": ["a; rm -rf /\n"]}, "packages"),
        (pip, {"operation": "install", "packages": ["a"], "venv": "relative"}, "path"),
        (pip, {"operation": "install", "packages": ["a"], "index_url": "https://me:word@pypi.example"}, "index_url"),
        (pip, {"operation": "install", "packages": ["a @ https://me:word@h.example/a.whl"]}, "packages"),
        (pip, {"operation": "install", "requirements": "--index-url https://:w@h.example\na"}, "requirements"),
        (pip, {"operation": "uninstall", "packages": ["$(id)"]}, "packages"),
        (pip, {"operation": "create"}, "venv"),
        (pip, {"operation": "list", "is_user": "yes"}, "is_user"),
        (docker, {"operation": "pss"}, "operation"),
        (docker, {"operation": "exec", "container": "web"}, "command"),
        (docker, {"operation": "exec", "command": ["id"]}, "container"),
        (docker, {"operation": "run", "image": "a:1", "ports": ["x"]}, "ports"),
        (docker, {"operation": "run", "image": "a:1", "cpus": "many"}, "cpus"),
        (docker, {"operation": "run", "image": "a:1", "network": "host", "ports": ["80"]}, "ports"),
        (docker, {"operation": "prune", "kind": "everything"}, "kind"),
        (docker, {"operation": "ps", "socket": "docker.sock"}, "socket"),
        (docker, {"operation": "ps", "contaner": "x"}, "work"),
        (docker, {"operation": "logs", "container": "x", "tail": "all"}, "tail"),
        (ssh, {"script": "id", "interpreter": "python '"}, "interpreter"),
        (local, {"command": ""}, "command"),
        (local, {"command": "id", "memory_mb": 0}, "memory_mb"),
        (local, {"command": "id", "cpu_seconds": True}, "cpu_seconds"),
    ],
)
def test_work_that_cannot_be_meant_is_told(runner: Any, work: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        runner.read(work)
    assert caught.value.field == field


@on_hosts
def test_packages_are_installed_listed_and_removed(lab: Instance, shared: Path) -> None:
    need("pip3")
    wheels, venv = shared / "wheels", shared / "venvs" / "app"
    wheels.mkdir()
    (shared / "venvs").mkdir()
    (shared / "venvs").chmod(0o777)
    wheel(wheels, "qd_alpha", "1.0")

    def do(*words: str, code: int = 0) -> dict[str, Any]:
        done = lab.qd("pip", *words, "-q", "name:web01", "-o", "json", check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout)["hosts"][0])

    assert do("create", str(venv))["status"] == "changed"
    assert do("create", str(venv))["status"] == "ok"
    offline = ["--venv", str(venv), "--find-links", str(wheels), "--no-index", "--uv", "never"]
    would = do("install", "qd-alpha", *offline, "--check")
    assert (would["status"], would["values"]["changes"][0]["after"]) == ("changed", "1.0")
    made = do("install", "qd-alpha", *offline)
    assert (made["status"], made["stdout"]) == ("changed", "qd_alpha  -  ->  1.0\n".replace("qd_alpha", "qd-alpha"))
    assert do("install", "qd-alpha", *offline)["status"] == "ok"
    names = {one["name"] for one in do("list", "--venv", str(venv))["values"]["packages"]}
    assert "qd_alpha" in names or "qd-alpha" in names
    assert str(venv) in do("environments", "--below", str(shared))["stdout"]
    missing = do("install", "no-such-package", *offline, code=2)
    assert (missing["status"], missing["exit_code"]) == ("failed", 1)
    assert do("uninstall", "qd-alpha", "--venv", str(venv), "--uv", "never")["status"] == "changed"
    assert do("remove", str(venv))["status"] == "changed"


@on_hosts
def test_a_command_on_the_worker_knows_its_host(lab: Instance) -> None:
    done = run(lab, 'echo "$QD_HOST_NAME $QD_HOST_ADDRESS"; env | grep -c SECRET', "name:web02", "--local", code=2)
    assert done["hosts"][0]["stdout"] == "web02 127.0.2.2\n0\n"
    token = lab.run("token", "create", "--data", str(lab.data), "--name", "op", "--role", "operator").stdout.strip()
    words = ["run", "id", "-q", "name:web02", "--local"]
    refused = lab.run(*words, check=False, QD_URL=lab.url, QD_TOKEN=token)
    assert refused.returncode == 77
    assert "jobs.run_local" in refused.stderr


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The socket of an engine that the hosts' accounts may speak to."""
    need("dockerd")
    with engine() as url:
        path = Path(url.removeprefix("unix://"))
        path.parent.chmod(0o755)
        path.chmod(0o666)
        yield str(path)


@on_hosts
def test_containers_are_run_looked_at_and_removed(lab: Instance, socket: str) -> None:
    def do(operation: str, code: int = 0, **more: Any) -> dict[str, Any]:
        from httpx import Client

        body = {"runner": "docker", "query": "name:web03", "work": {"operation": operation, "socket": socket, **more}}
        with Client(base_url=f"{lab.url}/api/v1", headers={"Authorization": f"Bearer {lab.token}"}, timeout=60) as http:
            run_id = http.post("/runs", json=body).raise_for_status().json()["id"]
        done = lab.qd("runs", "watch", str(run_id), "-o", "json", check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout)["hosts"][0])

    once = do("run", image=IMAGE, command=["/bin/busybox", "echo", "in a container"], is_removed=True, network="none")
    assert (once["status"], once["stdout"]) == ("ok", "in a container\n")
    made = do("run", image=IMAGE, command=["/bin/busybox", "sleep", "600"], name="held", detach=True, network="none")
    assert (made["status"], made["values"]["name"]) == ("changed", "held")
    assert "held" in do("ps")["stdout"]
    inside = do("exec", container="held", command=["/bin/busybox", "sh", "-c", "echo $0 in; exit 4"], code=2)
    assert (inside["exit_code"], inside["stdout"]) == (4, "sh in\n")
    assert do("network-create", network="front", subnet="10.87.3.0/24")["status"] == "changed"
    assert "10.87.3.0/24" in do("networks")["stdout"]
    assert do("network-remove", network="front")["status"] == "changed"
    assert do("kill", container="held")["status"] == "changed"
    gone = do("stop", container="nobody", code=2)
    assert gone["status"] == "failed"
    assert "nobody" in gone["error"]
    assert do("remove", container="held", by_force=True)["status"] == "changed"
    assert do("ps", is_all=True)["values"]["containers"] == []
