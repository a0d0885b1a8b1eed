"""What one request holds, row by row, until it becomes frames."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from quarterdeck.telemetry.canonical import (
    LogRow,
    MetricRow,
    SpanRow,
    frame_of_logs,
    frame_of_metrics,
    frame_of_spans,
)
from quarterdeck.telemetry.receivers.sentry.values import hex_id
from quarterdeck.telemetry.receiving import Frame

EVENTS = "sentry.events"
SESSIONS = "sentry.sessions"
CHECK_INS = "sentry.check_ins"
ATTACHMENTS = "sentry.attachments"
CLIENT_REPORTS = "sentry.client_reports"
FEEDBACK = "sentry.feedback"
LOGS, SPANS, METRICS = "sentry.logs", "sentry.spans", "sentry.metrics"


@dataclass(slots=True)
class Batch:
    """`project` is the number in the path, `event_id` the envelope's ("" for none), `seed` makes ids of what has none."""

    project: int
    received_ns: int
    seed: bytes
    event_id: str = ""
    refused: Counter[str] = field(default_factory=Counter)
    logs: list[LogRow] = field(default_factory=list)
    spans: list[SpanRow] = field(default_factory=list)
    metrics: list[MetricRow] = field(default_factory=list)
    _lines: dict[str, list[bytes]] = field(default_factory=dict)
    _made: int = 0
    _is_named: bool = False

    def add(self, stream: str, *row: Any) -> None:
        """Add a row, its columns in the order of the stream's structure."""
        self._lines.setdefault(stream, []).append(orjson.dumps(row))

    def refuse(self, reason: str, count: int = 1) -> None:
        self.refused[reason] += count

    def id_of(self, event: Mapping[str, Any]) -> str:
        """Return an event's id: the envelope's for its first event, else what the event says, else a new one."""
        if self.event_id and not self._is_named:
            self._is_named = True
            return self.event_id
        found = hex_id(event.get("event_id"), 32) or self.made_id()
        if not self.event_id:
            self.event_id, self._is_named = found, True
        return found

    def made_id(self) -> str:
        """Return an id of 32 hex digits for what came without one; the same request gets the same again."""
        self._made += 1
        return hashlib.blake2b(self.seed + self._made.to_bytes(8, "big"), digest_size=16).hexdigest()

    def resource(self, release: str, environment: str, sdk: str) -> dict[str, str]:
        """Return what is common to a program's spans and lines."""
        found = {"service.version": release, "deployment.environment.name": environment, "telemetry.sdk.name": sdk}
        return {"sentry.project": str(self.project), **{name: value for name, value in found.items() if value}}

    def frames(self) -> Sequence[Frame]:
        # What a client says that it did not send is no load: over its rate is when it has to say so.
        found = [
            Frame(stream, b"\n".join(lines), 0 if stream == CLIENT_REPORTS else len(lines))
            for stream, lines in self._lines.items()
        ]
        if self.logs:
            found.append(replace(frame_of_logs(self.logs), stream=LOGS))
        if self.spans:
            found.append(replace(frame_of_spans(self.spans), stream=SPANS))
        if self.metrics:
            found.append(replace(frame_of_metrics(self.metrics), stream=METRICS))
        return found
