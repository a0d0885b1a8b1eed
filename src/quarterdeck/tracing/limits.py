"""What one question may cost. Over it the engine stops, and the client's error says in a sentence what was too much."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from quarterdeck.telemetry.asking import marked

SECONDS_MAX = 10
_STATEMENT_MAX_BYTES = 8 << 20


def options() -> dict[str, Any]:
    """Return the engine's settings for a statement."""
    return {
        "max_execution_time": SECONDS_MAX,
        "timeout_overflow_mode": "throw",
        "max_memory_usage": max(96 << 20, (int(settings.QD["engine_memory_mb"]) << 20) // 3),
        "max_query_size": _STATEMENT_MAX_BYTES,
        **marked(),
    }
