"""What one person's questions may cost: time, memory and rows of each, and how many run at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import TooMany
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import Sql

SECONDS_MAX = 10
AT_ONCE = 4
_WAIT_SECONDS = 5
# Distinct groups of one question; more are left out rather than kept in memory.
GROUPS_MAX = 200_000

_running: Counter[str] = Counter()
_changed = threading.Condition()


def options(**more: Any) -> dict[str, Any]:
    """Return the engine's limits for one question. It answers with TooHeavy when it needs more."""
    memory = int(settings.QD["engine_memory_mb"]) << 20
    return {
        "max_execution_time": SECONDS_MAX,
        "timeout_overflow_mode": "throw",
        "max_memory_usage": max(96 << 20, memory // 4),
        "cancel_http_readonly_queries_on_client_close": 1,
        **more,
    }


@contextmanager
def turn(actor: Actor) -> Iterator[None]:
    """Hold one of the actor's turns in this process; wait a little for one. Raises TooMany."""
    name = f"{actor.kind}:{actor.id or actor.name}"
    deadline = time.monotonic() + _WAIT_SECONDS
    with _changed:
        while _running[name] >= AT_ONCE:
            if not _changed.wait(deadline - time.monotonic()):
                raise TooMany(
                    _("you have %(count)d searches running already") % {"count": AT_ONCE},
                    hint=_("wait for one to end, or choose a shorter time range"),
                    retry_after_seconds=2,
                )
        _running[name] += 1
    try:
        yield
    finally:
        with _changed:
            _running[name] -= 1
            _changed.notify_all()


def ask(
    actor: Actor, sql: str, condition: Sql, parameters: Mapping[str, Any] | None = None, **more: Any
) -> list[tuple[Any, ...]]:
    """Return the rows of `sql`, in which `{where}` stands for the condition. Raises TooHeavy, TooMany, Unavailable."""
    text = sql.replace("{where}", condition.text)
    with turn(actor):
        return client.query(text, {**condition.parameters, **(parameters or {})}, options=options(**more))
