from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.telemetry.engines import Engine
from tests.tracing.making import load

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry import client, rollups
from quarterdeck.telemetry.canonical import SpanRow

Load = Callable[..., None]
_TABLES = ("spans", "traces", "red_1m", "edges_1m", "senders", "rollups", "logs", "error_events")


@pytest.fixture
def sent(engine: Engine, db: None) -> Load:
    """Store spans, make items of their senders, and draw the edges: `sent(SpanRow(...), ...)`."""
    for name in _TABLES:
        client.command(f"TRUNCATE TABLE {name}")

    def store(*rows: SpanRow) -> None:
        load(*rows)
        bind(SYSTEM)
        rollups.roll_up()

    return store
