"""One trace by its id: through the index of traces to its time, then its spans, log lines and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.telemetry import client
from quarterdeck.telemetry.recent import ErrorEvent, LogLine
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.assembling import Trace, assemble
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import Scope, scope_of
from quarterdeck.tracing.spans import Event, TraceSpan

# A waterfall of more is no help to anybody, and must not fill the memory of whoever asks.
SPANS_MAX = 50_000
LINES_MAX = 1000
_TEXT_BYTES = 8192
# Log lines may be written a moment before or after the span they belong to.
_SLACK_NS = 60 * 10**9
_HEX = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Around:
    """What was written while a trace ran: lines and errors that name it, oldest first."""

    logs: list[LogLine]
    errors: list[ErrorEvent]


def trace_key(text: str) -> str:
    """Return a trace's id as 32 hex digits; a shorter one (Zipkin's of 64 bits) is padded. Raises BadInput."""
    found = text.strip().lower().replace("-", "")
    if not _HEX.fullmatch(found):
        raise BadInput(
            _('"%(text)s" is no id of a trace') % {"text": text[:40]},
            hint=_("write up to 32 hex digits"),
            field="trace_id",
        )
    return found.rjust(32, "0")


@fairly
def trace(actor: Actor, trace_id: str, *, is_outline: bool = False) -> Trace:
    """Return a trace with all that `actor` may read of it; an outline has no attributes and no events.

    Raises Denied, BadInput, NotFound, Unavailable.
    """
    key, scope = trace_key(trace_id), scope_of(actor)
    found = _spans([key], scope, is_outline)
    if not found:
        raise _unknown(key)
    return assemble(key, found[:SPANS_MAX], is_cut=len(found) > SPANS_MAX)


@fairly
def traces_by_id(actor: Actor, trace_ids: list[str]) -> list[Trace]:
    """Return those of the traces that exist, in the order asked for. Raises Denied, BadInput, Unavailable."""
    keys = list(dict.fromkeys(map(trace_key, trace_ids)))
    spans: dict[str, list[TraceSpan]] = {key: [] for key in keys}
    for one in _spans(keys, scope_of(actor), False) if keys else []:
        spans[one.trace_id].append(one)
    return [assemble(key, found) for key, found in spans.items() if found]


@fairly
def span(actor: Actor, trace_id: str, span_id: str, kind: str = "") -> TraceSpan:
    """Return one span with all that it says. Raises Denied, BadInput, NotFound, Unavailable."""
    key, scope = trace_key(trace_id), scope_of(actor)
    if not re.fullmatch(r"[0-9a-f]{16}", span_id):
        raise BadInput(_('"%(text)s" is no id of a span') % {"text": span_id[:40]}, hint=_("write 16 hex digits"))
    only = "AND spans.span_id = toFixedString(unhex({span:String}), 8) AND ({kind:String} = '' OR kind = {kind:String})"
    found = _spans([key], scope, False, only, {"span": span_id, "kind": kind})
    if not found:
        raise _unknown(key)
    return found[0]


@fairly
def around(actor: Actor, trace_id: str, *, span_id: str = "") -> Around:
    """Return the log lines and errors of a trace or of one of its spans. Raises Denied, BadInput, Unavailable."""
    key, scope = trace_key(trace_id), scope_of(actor)
    window = _window([key])
    if window is None:
        return Around([], [])
    parameters = {
        "ids": [key, key[16:]] if key.startswith("0" * 16) else [key],
        "span": span_id, "low": window[0] - _SLACK_NS, "high": window[1] + _SLACK_NS,
    }  # fmt: skip
    where = scope.rows.text + (" AND span_id = {span:String}" if span_id else "")
    logs = client.query(_LOGS.format(where=where), parameters, options=options())
    errors = client.query(_ERRORS.format(where=where), parameters, options=options())
    return Around([LogLine(*row) for row in logs], [ErrorEvent(*row) for row in errors])


def _unknown(key: str) -> NotFound:
    return NotFound(
        _("there is no trace %(id)s") % {"id": key},
        hint=_(
            "its spans may not have arrived yet, be older than what is kept, or belong to items that you may not read"
        ),
    )


def _window(keys: list[str]) -> tuple[int, int] | None:
    """Return when the traces ran, in nanoseconds; None when none is known."""
    rows = client.query(_WINDOW, {"ids": keys}, options=options())
    return (int(rows[0][0]), int(rows[0][1])) if rows and rows[0][2] else None


def _spans(
    keys: list[str], scope: Scope, is_outline: bool, only: str = "", more: dict[str, Any] | None = None
) -> list[TraceSpan]:
    """Return at most `SPANS_MAX + 1` spans of the traces, oldest first."""
    window = _window(keys)
    if window is None:
        return []
    parameters = {"ids": keys, "low": window[0], "high": window[1], "limit": SPANS_MAX + 1, **(more or {})}
    sql = _SPANS.format(where=f"{scope.rows.text} {only}", rest="" if is_outline else _REST)
    return [_span(row) for row in client.query(sql, parameters, options=options())]


def _span(row: tuple[Any, ...]) -> TraceSpan:
    head = TraceSpan(*row[:17])
    if len(row) == 17:
        return head
    attributes, resource, events, links = row[17:]
    told = [Event(int(at), name, dict(found)) for at, name, found in events]
    linked = [(one, other) for one, other in links]
    return replace(head, attributes=dict(attributes), resource=dict(resource), events=told, links=linked)


_WINDOW = """
    SELECT toUnixTimestamp64Nano(min(start)), toUnixTimestamp64Nano(max(end)), count()
    FROM traces WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"""
_REST = """, attributes, resource,
        arrayMap(e -> (toUnixTimestamp64Nano(e.ts), e.name, e.attributes), events),
        arrayMap(l -> (lower(hex(l.trace_id)), lower(hex(l.span_id))), links)"""
_WITHIN = "ts >= fromUnixTimestamp64Nano({{low:Int64}}) AND ts <= fromUnixTimestamp64Nano({{high:Int64}})"
# A span that was sent twice is two rows until they are merged: assembling leaves out one.
_SPANS = f"""
    SELECT lower(hex(spans.trace_id)), lower(hex(spans.span_id)),
        if(parent_id = toFixedString('', 8), '', lower(hex(spans.parent_id))), service, name, kind,
        toUnixTimestamp64Nano(ts), duration_ns, is_error,
        toValidUTF8(substring(status_message, 1, {_TEXT_BYTES})), host, version,
        http_status, peer, db_system, db_statement_hash, source{{rest}}
    FROM spans
    WHERE trace_id IN (SELECT toFixedString(unhex(arrayJoin({{{{ids:Array(String)}}}})), 16))
        AND {_WITHIN} AND {{where}}
    ORDER BY ts LIMIT {{{{limit:UInt32}}}}"""
_LOGS = f"""
    SELECT ts, level, service, host, component, source,
        toValidUTF8(substring(logs.message, 1, {_TEXT_BYTES})), trace_id, span_id
    FROM logs WHERE {_WITHIN} AND trace_id IN {{{{ids:Array(String)}}}} AND {{where}} ORDER BY ts LIMIT {LINES_MAX}"""
_ERRORS = f"""
    SELECT ts, level, type, toValidUTF8(substring(error_events.message, 1, {_TEXT_BYTES})), culprit, handled, service,
        host, release, environment, event_id, lower(hex(grouping_hash)), trace_id
    FROM error_events WHERE {_WITHIN} AND trace_id IN {{{{ids:Array(String)}}}} AND {{where}}
    ORDER BY ts LIMIT 1 BY project, event_id LIMIT {LINES_MAX}"""
