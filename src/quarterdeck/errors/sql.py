"""Asking for events, and what one question may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import Sql

SECONDS_MAX = 10


def ask(sql: str, where: Sql, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of `sql`, in which `{where}` stands for the condition. Raises TooHeavy, Unavailable."""
    memory = int(settings.QD["engine_memory_mb"]) << 20
    options = {"max_execution_time": SECONDS_MAX, "max_memory_usage": max(96 << 20, memory // 4)}
    text = sql.replace("{where}", where.text)
    return client.query(text, {**where.parameters, **(parameters or {})}, options=options)
