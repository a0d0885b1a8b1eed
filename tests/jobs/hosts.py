"""Twelve hosts that are one sshd, an instance that knows them, and the command line that is used on them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.lab.instances import Instance, running_instance
from tests.lab.parts import directory, wait_until
from tests.lab.ssh_hosts import SshHost, ssh_host

HOSTS = 12


@pytest.fixture(scope="session")
def lab_host() -> Iterator[SshHost]:
    """One sshd that listens on as many addresses as there are hosts."""
    addresses = (f"ListenAddress 127.0.2.{number}" for number in range(1, HOSTS + 1))
    with ssh_host("Subsystem sftp internal-sftp", *addresses) as running:
        yield running


@contextmanager
def knowing(host: SshHost, environment: dict[str, str], home: Path) -> Iterator[Instance]:
    """An instance that knows twelve hosts, and how to sign in on them."""
    (home / "key").touch(0o600)
    (home / "key").write_text(host.key)
    rows = [f"web{number:02},127.0.2.{number},{host.port},ops,lab" for number in range(1, HOSTS + 1)]
    (home / "hosts.csv").write_text("\n".join(["name,address,ssh_port,ssh_user,env", *rows]) + "\n")
    with running_instance({"QD_WORKER_DEAD_SECONDS": "6", **environment}) as instance:
        instance.qd("credentials", "create", "--name", "lab", "--user", "ops", "--key-file", str(home / "key"))
        instance.qd("credentials", "attach", "lab", "-q", "env:lab")
        instance.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")
        done = run(instance, "true", "env:lab", "--accept-new-host-keys")
        assert done["state"] == "succeeded", done
        yield instance


@pytest.fixture(scope="session")
def lab(lab_host: SshHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with knowing(lab_host, {}, tmp_path_factory.mktemp("lab")) as instance:
        yield instance


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that the hosts' accounts may look into."""
    with directory() as home:
        home.chmod(0o755)
        yield home


def run(lab: Instance, command: str, query: str, *more: str, code: int = 0) -> dict[str, Any]:
    done = lab.qd("run", command, "-q", query, *more, "-o", "json", check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def begin(lab: Instance, command: str, query: str, *more: str) -> int:
    done = lab.qd("run", command, "-q", query, *more, "--detach", "-o", "json")
    return int(json.loads(done.stdout)[0]["id"])


def read(lab: Instance, run_id: int) -> dict[str, Any]:
    status, found = lab.get(f"/api/v1/runs/{run_id}", token=lab.token)
    assert status == 200, found
    return dict(found)


def wait_state(lab: Instance, run_id: int, *states: str) -> dict[str, Any]:
    def is_in() -> bool:
        # People's requests are limited by the minute.
        time.sleep(0.3)
        return read(lab, run_id)["state"] in states

    wait_until(is_in, f"run {run_id} in {states}")
    return read(lab, run_id)


def hosts(lab: Instance, run_id: int) -> dict[str, dict[str, Any]]:
    shown = json.loads(lab.qd("runs", "show", str(run_id), "--with-output", "-o", "json").stdout)
    return {one["name"]: one for one in shown["hosts"]}
