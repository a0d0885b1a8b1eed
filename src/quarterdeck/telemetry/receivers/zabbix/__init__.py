"""Zabbix: active agents, `zabbix_sender` and other senders, on Zabbix' own port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.telemetry.receivers.zabbix.session import Session, load_or_refuse, problem
from quarterdeck.telemetry.receiving import Client, Listener, Receiver, Refused


def _selections(settings: Mapping[str, Any]) -> Sequence[str]:
    """Return the inventory queries of the groups of items."""
    try:
        return [group.query for group in load_or_refuse(settings).groups if group.query]
    except Refused:
        # Each agent is told so when it asks.
        return []


_AGENT = """\
# zabbix_agentd.conf and zabbix_agent2.conf; agents of other machines need an intake key with their network
ServerActive={host}:{port}
# Hostname is the name under which values are stored; HostMetadata comes with it.
HostMetadata=linux
"""
_SENDER = """\
zabbix_sender -z {host} -p {port} -s "$(hostname)" -k app.orders -o 42
"""
_PYTHON = """\
from zabbix_utils import Sender
Sender("{host}", {port}).send_value("web-1", "app.orders", "42")
"""
_PASSIVE = """\
# Passive agents: name the hosts to ask in QD_ZABBIX_AGENTS (a query of the inventory), and let us in here
Server={host}
"""

PLUGIN = Receiver(
    title="Zabbix",
    signals=("metrics", "logs"),
    listeners=(Listener("intake_zabbix", "tcp", Session, silence_seconds=60.0, problem=problem),),
    selections=_selections,
    clients=(
        Client("Zabbix agent, active", _AGENT, setting="intake_zabbix", language="ini"),
        Client("Zabbix agent, passive", _PASSIVE, setting="intake_zabbix", language="ini"),
        Client("zabbix_sender", _SENDER, setting="intake_zabbix", language="shell"),
        Client("Python (zabbix-utils)", _PYTHON, setting="intake_zabbix", language="python"),
    ),
)
