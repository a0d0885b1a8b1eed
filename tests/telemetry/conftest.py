from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.engines import Engine

from quarterdeck.telemetry import actions, client


@pytest.fixture
def telemetry(engine: Engine) -> Engine:
    """The same with the product's tables, empty."""
    for name in ("samples", "series", "labels", "samples_5m", "samples_1h", "rollups", "dropped_partitions", "senders"):
        client.command(f"TRUNCATE TABLE {name}")
    actions.forget_series()
    return engine


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of its own, for tests that kill it."""
    engine = Engine(tmp_path).start()
    yield engine
    if engine.process is not None and engine.process.poll() is None:
        engine.stop()
