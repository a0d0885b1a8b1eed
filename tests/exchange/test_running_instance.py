"""The whole way: a running instance, its queue, its worker, and what people and Ansible see of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.instances import Instance

SCRIPT = Path(__file__).parents[2] / "deploy/ansible/quarterdeck_inventory"
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 60
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("instance")]


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
    return found


def test_this_machine_arrives_by_itself_with_its_metrics(instance: Instance) -> None:
    def hosts() -> Any:
        return instance.get("/api/v1/items?q=type:host%20state:running", token=instance.token)[1]["items"]

    host = eventually(hosts)[0]
    assert host["attributes"]["cpu_count"] == os.cpu_count()
    path = f"/api/v1/items/{host['id']}/metrics"
    metrics = eventually(lambda: instance.get(path, token=instance.token)[1]["items"])
    assert "system_memory_usage_bytes" in {metric["metric"] for metric in metrics}


def test_a_file_goes_in_and_comes_out_and_ansible_reads_it(instance: Instance, tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text("name,address,ssh_port,ssh_user,label.role\nlab-web1,10.9.0.1,2222,ops,lab\n")
    words = ("items", "import", str(path), "--type", "host", "--key", "name", "-o", "json")
    assert json.loads(instance.qd(*words, "--dry-run").stdout)["create"] == 1
    assert json.loads(instance.qd(*words).stdout) == {"create": 1, "update": 0, "unchanged": 0, "errors": []}
    path.write_text(instance.qd("items", "export", "-q", "name:lab-web1", "--format", "csv").stdout)
    assert json.loads(instance.qd(*words).stdout) == {"create": 0, "update": 0, "unchanged": 1, "errors": []}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("QD_")},
        "QD_URL": instance.url, "QD_TOKEN": instance.token, "QD_QUERY": "name:lab-web1",
        "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    command = [BIN / "ansible-inventory", "-i", SCRIPT, "--list"]
    listed = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert listed["label_role_lab"]["hosts"] == ["lab-web1"]
    assert listed["_meta"]["hostvars"]["lab-web1"]["ansible_port"] == 2222
