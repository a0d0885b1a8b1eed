"""What one question may cost: time, memory and rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from quarterdeck.audit.actor import Actor
from quarterdeck.telemetry import client
from quarterdeck.telemetry.asking import marked
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.telemetry.turns import caller_of, turns

SECONDS_MAX = 10
# Distinct groups of one question; more are left out rather than kept in memory.
GROUPS_MAX = 200_000


def options(**more: Any) -> dict[str, Any]:
    """Return the engine's limits for one question. It answers with TooHeavy when it needs more.

    Raises TooMany in a request whose sender has left.
    """
    memory = int(settings.QD["engine_memory_mb"]) << 20
    return {
        "max_execution_time": SECONDS_MAX,
        "timeout_overflow_mode": "throw",
        "max_memory_usage": max(96 << 20, memory // 4),
        "cancel_http_readonly_queries_on_client_close": 1,
        **marked(),
        **more,
    }


def ask(
    actor: Actor, sql: str, condition: Sql, parameters: Mapping[str, Any] | None = None, **more: Any
) -> list[tuple[Any, ...]]:
    """Return the rows of `sql`, in which `{where}` stands for the condition. Raises TooHeavy, TooMany, Unavailable."""
    text = sql.replace("{where}", condition.text)
    caller = caller_of(actor)
    with turns.place(caller), turns.turn(caller):
        return client.query(text, {**condition.parameters, **(parameters or {})}, options=options(**more))
