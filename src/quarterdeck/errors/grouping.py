"""Why events are one issue: what their hash was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quarterdeck.telemetry.receivers.sentry import events, grouping
from quarterdeck.telemetry.receivers.sentry.values import mapping, objects, text


@dataclass(frozen=True, slots=True)
class Why:
    """`kind` is exception, stack, message, fingerprint or performance; `parts` are what went into the hash."""

    kind: str
    parts: Sequence[str]


def explained(event: Mapping[str, Any]) -> Why:
    """Return what an event was grouped by, from its JSON."""
    if found := mapping(mapping(event.get("contexts")).get("performance")):
        return Why("performance", [text(found.get(name), 4096) for name in ("service", "caller", "statement")])
    exceptions = objects(event.get("exception"))
    template = events.messages_of(event)[0]
    default = grouping.default_parts(event, exceptions, template)
    given = event.get("fingerprint")
    fingerprint = [text(part) for part in given] if isinstance(given, list) else []
    if not grouping.is_default(fingerprint):
        return Why("fingerprint", fingerprint)
    return Why(default[0], [part for part in default[1:] if part])
