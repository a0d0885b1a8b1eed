"""The engine process: chDB behind ClickHouse's HTTP interface, the only process that opens the chDB directory."""

from __future__ import annotations

from quarterdeck.telemetry.engine.process import ENGINE_USER, serve

__all__ = ["ENGINE_USER", "serve"]
