"""Debian's zabbix_agentd and zabbix_agent2 6.0: active, asking for their items, and passive, asked by us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import directory, wait_until
from tests.receivers.zabbix.agents import AGENTS, Agent, agent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_ITEMS = """\
groups:
  - name: system
    items:
      - {key: agent.ping, delay: 5}
      - {key: "system.cpu.load[all,avg1]", delay: 5}
      - {key: "vm.memory.size[available]", delay: 5}
      - {key: system.uptime, delay: 5}
      - {key: system.hostname, delay: 20}
      - {key: "vfs.file.contents[/nowhere]", delay: 20}
  - name: what agents find
    discoveries:
      - {key: vfs.fs.discovery, delay: 600, items: [{key: "vfs.fs.size[{#FSNAME},total]", delay: 5}]}
      - key: net.if.discovery
        delay: 600
        keep: {"{#IFNAME}": "^lo$"}
        items: [{key: "net.if.in[{#IFNAME}]", delay: 5}]
  - name: databases
    query: "type:host label.role:db"
    items: [{key: system.users.num, delay: 5}]
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[IntakeLab]:
    with directory() as home:
        home.chmod(0o755)
        (home / "items.yaml").write_text(_ITEMS)
        logs = ",".join(str(home / f"{program}.log") for program in AGENTS)
        settings = {
            "QD_ZABBIX_ITEMS": str(home / "items.yaml"),
            "QD_ZABBIX_LOGS": logs,
            "QD_ZABBIX_AGENTS": "label.zabbix_agent:*",
            "QD_ZABBIX_POLL_SECONDS": "5",
        }
        with IntakeLab.running(settings) as lab:
            lab.instance.qd("items", "create", "--type", "host", "--name", "zabbix_agentd-db", "label.role=db")
            yield lab


@pytest.fixture(scope="module")
def agents(lab: IntakeLab) -> Iterator[dict[str, Agent]]:
    """Both at once: each asks for its items again after a minute, and only then knows of what it found."""
    with ExitStack() as stack:
        yield {
            program: stack.enter_context(
                agent(
                    program,
                    f"{program}-db",
                    {
                        "ServerActive": f"127.0.0.1:{lab.port('intake_zabbix')}",
                        "HostMetadata": "linux,web",
                        "RefreshActiveChecks": "60",
                        "BufferSend": "1",
                    },
                )
            )
            for program in AGENTS
        }


@pytest.mark.parametrize("program", AGENTS)
def test_it_measures_what_it_is_told(lab: IntakeLab, agents: dict[str, Agent], program: str) -> None:
    host = agents[program].host
    [ping] = lab.series_arrived("agent_ping", host=host)
    assert set(ping["values"]) == {1}
    [load] = lab.series_arrived("system_cpu_load", host=host)
    assert load["labels"] == {"host": host, "cpu": "all", "mode": "avg1"}
    [memory] = lab.series_arrived("vm_memory_size", host=host, mode="available")
    assert memory["values"][-1] > 1 << 20
    line, *_others = lab.arrived("SELECT * FROM logs WHERE host = {h:String} AND component = 'system.hostname'", h=host)
    assert line["message"]
    missing, *_others = lab.arrived(
        "SELECT * FROM logs WHERE host = {h:String} AND component = 'vfs.file.contents'", h=host
    )
    assert missing["level"] == "warning"
    assert missing["message"].startswith("vfs.file.contents[/nowhere]: ")


@pytest.mark.parametrize("program", AGENTS)
def test_it_registers_with_what_it_tells_of_itself(lab: IntakeLab, agents: dict[str, Agent], program: str) -> None:
    host = agents[program].host
    [sender] = lab.arrived("SELECT * FROM senders WHERE name = {h:String} AND protocol = 'zabbix'", h=host)
    assert sender["kind"] == "host"
    assert sender["identities"]["host.name"] == host
    assert sender["identities"]["zabbix.host_metadata"] == "linux,web"
    # The older agent tells no version before 6.4.
    assert sender["identities"].get("zabbix.agent.version") == ("6.0" if program == "zabbix_agent2" else None)


def test_a_group_of_items_is_for_the_hosts_that_its_query_selects(lab: IntakeLab, agents: dict[str, Agent]) -> None:
    selected, other = (agents[program].host for program in AGENTS)
    wait_until(lambda: lab.series("system_users_num", host=selected), "the group's item", 150)
    lab.series_arrived("net_if_in", host=other)
    assert lab.series("system_users_num", host=other) == []


@pytest.mark.parametrize("program", AGENTS)
def test_it_measures_what_it_finds(lab: IntakeLab, agents: dict[str, Agent], program: str) -> None:
    host = agents[program].host
    wait_until(lambda: lab.series("net_if_in", host=host, interface="lo"), "the interface it found", 150)
    file_systems = lab.series_arrived("vfs_fs_size", host=host, mode="total")
    assert all(row["labels"]["fs"].startswith("/") for row in file_systems)
    assert lab.series("vfs_fs_discovery_found", host=host)[0]["values"][-1] >= len(file_systems)


@pytest.mark.parametrize("program", AGENTS)
def test_it_follows_a_log(lab: IntakeLab, agents: dict[str, Agent], program: str) -> None:
    path = next(Path(one) for one in lab.instance.environment["QD_ZABBIX_LOGS"].split(",") if program in one)
    host = agents[program].host
    path.touch()
    path.chmod(0o644)
    wait_until(lambda: _looked(lab, host, path), "the agent's first look", 150)
    with path.open("ab") as log:
        log.write("支付失败 password=hunter22\n42\n".encode())
    rows = lab.arrived(f"{_LINES} AND message != 'probe' ORDER BY ts", 2, h=host, k=f"log[{path},,,,skip]")
    assert [row["message"] for row in rows] == ["支付失败 password=***", "42"]


_LINES = "SELECT message FROM logs WHERE host = {h:String} AND attributes['zabbix.key'] = {k:String} AND level = ''"


def _looked(lab: IntakeLab, host: str, path: Path) -> bool:
    """Whether a line that is written now arrives: until its first look the agent skips what is there."""
    with path.open("a") as log:
        log.write("probe\n")
    try:
        wait_until(lambda: lab.sql(_LINES, h=host, k=f"log[{path},,,,skip]"), "a line", 3)
    except TimeoutError:
        return False
    return True


@pytest.fixture(scope="module")
def asked(lab: IntakeLab, agents: dict[str, Agent]) -> dict[str, int]:
    """Return the items of hosts whose agents are asked, by program; nobody answers at the address of one more."""
    addresses = {program: f"127.0.0.1:{one.port}" for program, one in agents.items()} | {"nobody": "127.0.0.1:9"}
    found = {}
    for name, address in addresses.items():
        words = ("items", "create", "--type", "host", "--name", f"asked-{name}", f"label.zabbix_agent={address}")
        found[name] = int(json.loads(lab.instance.qd(*words, "-o", "json").stdout)["id"])
    return found


def _of_item(lab: IntakeLab, metric: str, item: int) -> list[dict[str, Any]]:
    return lab.arrived(
        "SELECT any(labels) AS labels, argMax(value, timestamp) AS value FROM samples AS s INNER JOIN (SELECT id,"
        " any(labels) AS labels FROM series WHERE item = {i:UInt64} AND metric_name = {m:String} GROUP BY id) AS named"
        " USING id GROUP BY id",
        i=item,
        m=metric,
    )


@pytest.mark.parametrize("program", AGENTS)
def test_a_passive_agent_is_asked(lab: IntakeLab, asked: dict[str, int], program: str) -> None:
    item = asked[program]
    assert _of_item(lab, "zabbix_agent_up", item)[0]["value"] == 1
    assert _of_item(lab, "agent_ping", item) == [{"labels": {}, "value": 1}]
    [load] = _of_item(lab, "system_cpu_load", item)
    assert load["labels"] == {"cpu": "all", "mode": "avg1"}
    [interface] = _of_item(lab, "net_if_in", item)
    assert interface["labels"] == {"interface": "lo"}


def test_an_agent_that_does_not_answer_is_down(lab: IntakeLab, asked: dict[str, int]) -> None:
    assert _of_item(lab, "zabbix_agent_up", asked["nobody"])[0]["value"] == 0
