"""Spans for tests: `span(1, 2, 1, service="shop")` is span 2 of trace 1 below span 1."""

from __future__ import annotations

import time
from typing import Any

from quarterdeck.telemetry import loading
from quarterdeck.telemetry.canonical import LogRow, Sender, SpanRow, frame_of_logs, frame_of_spans
from quarterdeck.telemetry.loading import Origin
from quarterdeck.tracing.spans import TraceSpan

MS = 1_000_000
START = time.time_ns() // 1_000_000_000 * 1_000_000_000 - 600 * 1_000_000_000


def trace_id(number: int) -> str:
    return f"{number:032x}"


def span_id(number: int) -> str:
    return f"{number:016x}" if number else ""


def span(trace: int, number: int, parent: int = 0, *, at_ms: float = 0, ms: float = 1, **more: Any) -> SpanRow:
    """A span to store; it begins `at_ms` after START."""
    said = {"service": "shop", "kind": "server", "name": f"step {number}", "host": "web1", **more}
    sender = Sender("host", said["host"], {"host.name": said["host"]})
    return SpanRow(trace_id(trace), span_id(number), ts_ns=START + int(at_ms * MS), duration_ns=int(ms * MS),
                   parent_id=span_id(parent), sender=sender, **said)  # fmt: skip


def read(number: int, parent: int = 0, *, at_ms: float = 0, ms: float = 1, **more: Any) -> TraceSpan:
    """A span as it is read."""
    said = {"service": "shop", "name": f"step {number}", "kind": "internal", **more}
    return TraceSpan(trace_id(1), span_id(number), span_id(parent), start_ns=START + int(at_ms * MS),
                     duration_ns=int(ms * MS), **said)  # fmt: skip


def load(*rows: SpanRow) -> None:
    _load(frame_of_spans(rows))


def load_logs(*rows: LogRow) -> None:
    _load(frame_of_logs(rows))


def _load(frame: Any) -> None:
    loading.load([frame], Origin("otlp", 0, time.time_ns() // MS, {}), str(time.time_ns()))
