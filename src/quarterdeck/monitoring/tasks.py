"""Doors for the schedule."""

from __future__ import annotations

from celery import shared_task

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.monitoring import actions
from quarterdeck.monitoring.senders import binding

SCHEDULES: dict[str, tuple[str, str | int]] = {
    "monitoring.collect": ("monitoring.collect", "collect_interval_seconds"),
    "monitoring.bind_senders": ("monitoring.bind_senders", 5),
    "monitoring.ask_zabbix_agents": ("monitoring.ask_zabbix_agents", "zabbix_poll_seconds"),
}


@shared_task(name="monitoring.collect", ignore_result=True)  # type: ignore[untyped-decorator]
def collect() -> None:
    """Measure this machine. See `actions.collect`."""
    actions.collect(SYSTEM.named("system:collect"))


@shared_task(name="monitoring.bind_senders", ignore_result=True)  # type: ignore[untyped-decorator]
def bind_senders() -> None:
    """Bind those who send telemetry to items. See `senders.binding.bind`."""
    binding.bind(SYSTEM.named("system:intake"))


@shared_task(name="monitoring.ask_zabbix_agents", ignore_result=True)  # type: ignore[untyped-decorator]
def ask_zabbix_agents() -> None:
    """Ask passive Zabbix agents. See `actions.ask_zabbix_agents`."""
    actions.ask_zabbix_agents(SYSTEM.named("system:collect"))
