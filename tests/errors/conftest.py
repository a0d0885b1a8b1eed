from __future__ import annotations

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.telemetry import client

TABLES = (
    "error_events", "error_groups", "error_attachments", "release_sessions", "check_ins", "check_in_monitors",
    "senders",
)  # fmt: skip


@pytest.fixture
def errors(engine: Engine) -> Engine:
    """The engine without any events."""
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")
    return engine
