"""Spans as they are read for a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within a span."""

    at_ns: int
    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """One span. Times are nanoseconds since 1970; ids are in hex, `parent_id` "" for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ns: int
    duration_ns: int
    is_error: bool = False
    status_message: str = ""
    host: str = ""
    version: str = ""
    http_status: int = 0
    peer: str = ""
    db_system: str = ""
    statement_hash: int = 0
    source: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Event] = ()
    links: Sequence[tuple[str, str]] = ()

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.start_ns / 1e9, UTC)

    @property
    def host_key(self) -> str:
        """Whose clock it was: the host's, or that of the service where no host is told."""
        return self.host or self.service
