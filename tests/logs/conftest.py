from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.telemetry import client


@pytest.fixture
def logs(engine: Engine) -> Iterator[Engine]:
    """The engine with an empty table of lines."""
    for table in ("logs", "senders"):
        client.command(f"TRUNCATE TABLE {table}")
    return engine  # type: ignore[return-value]
