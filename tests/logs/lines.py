"""Lines in the engine, and searches over them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.logs.queries import Search, find
from quarterdeck.telemetry import loading
from quarterdeck.telemetry.canonical import LogRow, Sender, frame_of_logs
from quarterdeck.telemetry.loading import Origin

WEB = Sender("host", "web1", {"host.name": "web1"})
SHOP = Sender("service", "shop", {"service.name": "shop"})


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def line(message: str, at: datetime | None = None, *, sender: Sender = WEB, **more: Any) -> LogRow:
    """A line of five seconds ago, of host web1."""
    at_ns = int((at or ago(seconds=5)).timestamp() * 1e6) * 1000
    fields = {"service": "", "host": "web1", **more}
    return LogRow(at_ns, message, fields.pop("service"), fields.pop("host"), sender=sender, **fields)


def load(*rows: LogRow) -> None:
    loading.load([frame_of_logs(rows)], Origin("otlp", 0, time.time_ns() // 1_000_000, {}), f"{time.time_ns()}")


def hour(query: str = "", selector: str = "") -> Search:
    return Search(query, ago(hours=1), ago(seconds=-60), selector)


def found(query: str, actor: Actor = SYSTEM) -> list[str]:
    """The messages that a query selects, oldest first."""
    return [one.message for one in reversed(find(actor, hour(query), limit=1000).lines)]
