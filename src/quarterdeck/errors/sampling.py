"""One event of a new group, by which it is decided what issue the group is and whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quarterdeck.errors.artifacts.resolving import Resolved, resolved
from quarterdeck.errors.facts import Group
from quarterdeck.errors.reading import Frame, read
from quarterdeck.telemetry import client

_OPTIONS = {"max_execution_time": 10}
_EVENT = """
    SELECT kind, level, type, value, message, culprit, logger, platform, release, environment, service, transaction,
        tags, fingerprint, payload
    FROM error_events WHERE project = {project:UInt64} AND grouping_hash = {group:UInt64} AND event_id = {event:String}
    LIMIT 1"""
COLUMNS = (
    "kind", "level", "type", "value", "message", "culprit", "logger", "platform", "release", "environment", "service",
    "transaction",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """The event: what was `sent`, and with the frames that source maps tell (`event`); None where nothing was read."""

    fields: Mapping[str, str]
    tags: Mapping[str, str]
    frames: Sequence[Frame]
    group: int
    url: str = ""
    fingerprint: Sequence[str] = ()
    sent: Mapping[str, Any] | None = None
    event: Resolved | None = None


def sample_of(group: Group, event_id: str) -> Sample | None:
    """Return an event of the group, None where it is not there any more."""
    rows = client.query(_EVENT, {"project": group[0], "group": group[1], "event": event_id}, options=_OPTIONS)
    if not rows:
        return None
    *columns, tags, fingerprint, payload = rows[0]
    sent = _loaded(payload)
    event = resolved(sent, group[0])
    parts = read(event.payload)
    return Sample(
        dict(zip(COLUMNS, columns, strict=True)),
        tags,
        [frame for thrown in parts.thrown for frame in thrown.frames],
        group[1],
        parts.request.url if parts.request else "",
        fingerprint,
        sent,
        event,
    )


def _loaded(payload: str) -> dict[str, Any]:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
