"""What tells one line from another: there is no number for each, its id is a hash of all that it holds."""

from __future__ import annotations

ID = (
    "cityHash64(logs.ts, logs.sender, logs.service, logs.host, logs.component, logs.source, logs.level, logs.trace_id,"
    " logs.span_id, logs.message, mapKeys(logs.attributes), mapValues(logs.attributes))"
)
