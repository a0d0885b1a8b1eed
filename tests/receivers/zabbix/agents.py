"""Zabbix' own agents of Debian, each on a port and with a file of its own."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.lab.parts import Server, answers, as_user, directory, need

AGENTS = ("zabbix_agentd", "zabbix_agent2")


@dataclass
class Agent:
    """`host` is the name under which it sends, `port` where it answers passive checks."""

    host: str
    port: int
    server: Server


def _free_port() -> int:
    """Return a free port of those that agents take: up to 32767."""
    for port in random.sample(range(20_000, 32_768), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port from 20000 to 32767 is free")


@contextmanager
def agent(program: str, host: str, settings: Mapping[str, str]) -> Iterator[Agent]:
    """Run `zabbix_agentd` or `zabbix_agent2` with the settings of its configuration file."""
    need("zabbix_agentd", "zabbix_agent2", "zabbix_sender")
    with directory(owner="zabbix") as home:
        port = _free_port()
        wanted = {
            "Hostname": host,
            "ListenIP": "127.0.0.1",
            "ListenPort": str(port),
            "Server": "127.0.0.1",
            "LogType": "console",
            "PidFile": str(home / "agent.pid"),
            **({"ControlSocket": str(home / "agent.sock")} if program == "zabbix_agent2" else {}),
            **settings,
        }
        file = home / "agent.conf"
        file.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
        foreground = ["-f"] if program == "zabbix_agentd" else []
        command = [*as_user("zabbix"), f"/usr/sbin/{program}", *foreground, "-c", str(file)]
        server = Server(command, home / "output")
        try:
            server.wait_for(lambda: answers(port), program)
            yield Agent(host, port, server)
        finally:
            server.stop()
