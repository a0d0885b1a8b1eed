"""The inventory as Ansible sees it: safe groups, variables, and the real ansible-inventory on the real script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.inventory import actions
from quarterdeck.inventory.exchange.dynamic import dynamic_inventory, host_variables
from quarterdeck.inventory.models import SavedView

SCRIPT = Path(__file__).parents[2] / "deploy/ansible/quarterdeck_inventory"
BIN = Path(sys.executable).parent


def fleet() -> None:
    values = {"primary_ip": "10.0.0.1", "env": "prod", "ssh_port": 2222, "ssh_user": "ops", "cpu_count": 4}
    actions.create_item(SYSTEM, "host", "web1", values, labels={"role": "web", "team/name": "a-b", "机房": "北京"})
    actions.create_item(SYSTEM, "host", "web 2", {"fqdn": "web2.example.com", "env": "dev"}, labels={"role": "web"})
    actions.create_item(SYSTEM, "rack", "r1")
    for number in range(2):
        actions.create_item(SYSTEM, "host", "twin", {"cpu_count": number + 1})
    SavedView.objects.create(slug="big-ones", title="Big", query="cpu_count:>=4", shared=True)
    SavedView.objects.create(slug="mine", title="Mine", query="", shared=False, owner="system")
    SavedView.objects.create(slug="broken", title="Broken", query="no_such_field:1", shared=True)


@pytest.fixture
def found(db: None) -> dict[str, Any]:
    fleet()
    return dynamic_inventory(SYSTEM)


def test_hosts_have_their_connection_and_attributes_as_variables(found: dict[str, Any]) -> None:
    variables = found["_meta"]["hostvars"]["web1"]
    wanted = {"ansible_host": "10.0.0.1", "ansible_port": 2222, "ansible_user": "ops", "cpu_count": 4, "qd_env": "prod"}
    assert wanted.items() <= variables.items()
    assert found["_meta"]["hostvars"]["web_2"]["ansible_host"] == "web2.example.com"
    assert found["_meta"]["hostvars"]["web_2"]["qd_name"] == "web 2"


def test_groups_come_from_types_environments_labels_and_shared_views(found: dict[str, Any]) -> None:
    members = {name: group["hosts"] for name, group in found.items() if "hosts" in group}
    assert sorted(members["label_role_web"]) == ["web1", "web_2"]
    assert members["env_prod"] == ["web1"]
    assert len(members["type_host"]) == 4
    assert members["view_big_ones"] == ["web1"]
    assert members["label_team_name_a_b"] == ["web1"]
    assert members["label_机房_北京"] == ["web1"]
    assert not {"view_mine", "view_broken", "type_rack"} & members.keys()


def test_hosts_of_one_name_stay_apart(found: dict[str, Any]) -> None:
    twins = [name for name in found["_meta"]["hostvars"] if name.startswith("twin")]
    assert len(twins) == 2
    assert {found["_meta"]["hostvars"][name]["cpu_count"] for name in twins} == {1, 2}


def test_a_query_narrows_it(found: dict[str, Any]) -> None:
    assert list(dynamic_inventory(SYSTEM, "env:prod")["_meta"]["hostvars"]) == ["web1"]


def test_an_actor_sees_the_hosts_of_the_own_role(found: dict[str, Any], teammate: Actor, stranger: Actor) -> None:
    assert list(dynamic_inventory(teammate)["_meta"]["hostvars"]) == ["web1"]
    assert dynamic_inventory(stranger)["_meta"]["hostvars"] == {}


def test_one_host_is_told_and_an_unknown_one_refused(found: dict[str, Any]) -> None:
    assert host_variables(found, "web1")["cpu_count"] == 4
    with pytest.raises(NotFound) as caught:
        host_variables(found, "web3")
    assert "web1" in caught.value.hint


@pytest.fixture(scope="module")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A data directory of its own with the fleet in it, made by another process as a user would have it."""
    tmp_path = tmp_path_factory.mktemp("instance")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("QD_")},
        "QD_DATA": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "quarterdeck.conf.settings",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    code = (
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        f"import importlib.util as u; s = u.spec_from_file_location('fleet', {__file__!r}); m = u.module_from_spec(s)\n"
        "s.loader.exec_module(m); m.fleet()"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return environment


def run(environment: dict[str, str], *command: str | Path) -> Any:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_ansible_reads_the_script(own_data: dict[str, str]) -> None:
    listed = run(own_data, BIN / "ansible-inventory", "-i", SCRIPT, "--list")
    assert sorted(listed["label_role_web"]["hosts"]) == ["web1", "web_2"]
    assert listed["_meta"]["hostvars"]["web1"]["ansible_port"] == 2222
    one = run(own_data, BIN / "ansible-inventory", "-i", SCRIPT, "--host", "web1")
    assert one["ansible_host"] == "10.0.0.1"


@pytest.mark.slow
def test_ansible_finds_nothing_to_complain_about(own_data: dict[str, str]) -> None:
    done = subprocess.run(
        [BIN / "ansible-inventory", "-i", SCRIPT, "--graph"], env=own_data, capture_output=True, text=True, check=True
    )
    assert "@view_big_ones" in done.stdout
    assert "WARNING" not in done.stderr


@pytest.mark.slow
def test_the_script_tells_one_host(own_data: dict[str, str]) -> None:
    assert run(own_data, SCRIPT, "--host", "web1")["ansible_user"] == "ops"


@pytest.mark.slow
def test_the_command_says_what_is_missing(own_data: dict[str, str]) -> None:
    done = subprocess.run([SCRIPT], env=own_data, capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert "--list" in done.stderr
