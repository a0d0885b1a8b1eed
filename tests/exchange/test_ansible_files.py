"""Our reading of Ansible's files, compared with what ansible-inventory itself makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.inventory.exchange.ansible_files import load_inventory

INI = """
; a comment
lonely ansible_host=10.0.0.9 note="two words" # trailing
[web]
web[01:03].example.com ansible_port=2222 ratio=0.5 flag=True tags="['a', 'b']" text='"8"' nothing=None
db[a:c:2]
bastion:2200
[web:vars]
level = group
http_port=8080
quoted='x y'
[db]
db[a:b] level=host
[db:vars]
level=db
ansible_group_priority=10
[site:children]
web
db
[site:vars]
level=site
top=1
"""
YAML = """
all:
  vars: {level: all, shared: yes, when_: 2024-01-01}
  hosts:
    lonely: {ansible_host: 10.0.0.9, nested: {a: [1, {b: c}]}}
  children:
    web:
      hosts:
        web[1:2]: {ansible_port: 2222}
      vars: {level: web}
      children:
        frontend:
          hosts: {web1: {role: front}}
          vars: {level: frontend, mode: 0644}
    empty:
"""


def ours(path: Path) -> dict[str, dict[str, Any]]:
    inventory = load_inventory(path).inventory
    return {host: inventory.variables_of(host) for host in inventory.hosts}


def groups(path: Path) -> dict[str, set[str]]:
    inventory = load_inventory(path).inventory
    return {host: set(inventory.groups_of(host)) - {"all"} for host in inventory.hosts}


def theirs(path: Path, tmp_path: Path) -> dict[str, Any]:
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "HOME": str(tmp_path), "ANSIBLE_HOME": str(tmp_path)}
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", path, "--list"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def their_groups(found: dict[str, Any], host: str) -> set[str]:
    parents: dict[str, set[str]] = {}
    for name, group in found.items():
        for child in group.get("children", ()):
            parents.setdefault(child, set()).add(name)
    wanted = {name for name, group in found.items() if host in group.get("hosts", ())}
    todo = list(wanted)
    while todo:
        for parent in parents.get(todo.pop(), set()) - wanted:
            wanted.add(parent)
            todo.append(parent)
    return wanted - {"all", "ungrouped"}


def directory(tmp_path: Path) -> Path:
    root = tmp_path / "inventory"
    for name, text in {
        "hosts": INI,
        "group_vars/all.yml": "level: file_all\nfrom_all: 1\n",
        "group_vars/web": "level: file_web\n",
        "group_vars/db/one.yml": "level: file_db\nlist: [1, 2]\n",
        "group_vars/db/two.yml": "second: true\n",
        "host_vars/lonely.yml": "level: file_host\n",
        "host_vars/dba.json": '{"level": "json"}',
        "README.md": "not an inventory",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(params=["ini", "yaml", "directory"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "directory":
        return directory(tmp_path)
    path = tmp_path / ("hosts" if request.param == "ini" else "hosts.yml")
    path.write_text(INI if request.param == "ini" else YAML)
    return path


@pytest.mark.slow
def test_it_reads_what_ansible_reads(source: Path, tmp_path: Path) -> None:
    found = theirs(source, tmp_path)
    expected = {host: {**values} for host, values in found["_meta"]["hostvars"].items()}
    for values in expected.values():
        values.pop("ansible_group_priority", None)
    assert {host: values for host, values in ours(source).items() if values} == {h: v for h, v in expected.items() if v}


@pytest.mark.slow
def test_it_puts_hosts_into_the_groups_that_ansible_does(source: Path, tmp_path: Path) -> None:
    found = theirs(source, tmp_path)
    mine = {host: names - {"ungrouped"} for host, names in groups(source).items()}
    assert mine == {host: their_groups(found, host) for host in mine}


def test_a_host_variable_wins_over_groups_and_a_child_over_its_parent(tmp_path: Path) -> None:
    found = ours(directory(tmp_path))
    assert found["lonely"]["level"] == "file_host"
    assert found["dba"]["level"] == "json"
    assert found["web01.example.com"]["level"] == "file_web"
    assert found["web01.example.com"]["tags"] == ["a", "b"]
    assert found["bastion"]["ansible_port"] == 2200
