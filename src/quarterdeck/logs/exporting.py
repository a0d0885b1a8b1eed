"""What a query selects as a file, streamed from the engine: one JSON object in a line, or CSV that is safe to open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.logs.limits import options
from quarterdeck.logs.searching import Search, condition, within
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import Names, Sql

FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
ROWS_MAX = 10_000_000
_SECONDS_MAX = 600
# So many lines are put in order at once, whatever is exported: what is in memory, and not all of it.
_SLICE_ROWS = 200_000
_BARS = 2000
# A spreadsheet takes a cell that begins so for a formula. See https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAMES = (
    "ts", "level", "service", "host", "component", "source", "message", "trace_id", "span_id", "attributes", "resource",
)  # fmt: skip
_ROWS = """
    SELECT formatDateTime(ts, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC'), level, service, host, component, source,
        toValidUTF8(message), trace_id, span_id, attributes, resource
    FROM logs WHERE {where} ORDER BY logs.ts DESC LIMIT {rows:UInt64}"""
_COUNTS = """
    SELECT intDiv(toUnixTimestamp64Nano(ts) - {since:Int64}, {step:Int64}) AS bar, count() FROM logs WHERE {where}
    GROUP BY bar ORDER BY bar DESC"""


@action("telemetry.query", atomic=False)
def export(actor: Actor, search: Search, name: str = "jsonl", *, rows: int = ROWS_MAX) -> Iterator[bytes]:
    """Yield the lines as `jsonl` or `csv`, newest first, whole. Raises Denied, BadQuery, BadInput, Unavailable."""
    if name not in FORMATS:
        raise BadInput(
            _('there is no format "%(name)s"') % {"name": name[:40]}, hint=", ".join(FORMATS), field="format"
        )
    where = condition(actor, search)
    record(actor, "logs.export", None, f"{name}: {search.query}"[:2000])
    blocks = _blocks(where, search, max(1, min(rows, ROWS_MAX)))
    return _written(blocks, _as_csv if name == "csv" else _as_json, head=name == "csv")


def _blocks(where: Sql, search: Search, rows: int) -> Iterator[bytes]:
    """Yield the engine's answers, one slice of the time after the other, so that a slice is all that it sorts."""
    left, limits = rows, options(max_execution_time=_SECONDS_MAX)
    for since_ns, until_ns, count in _slices(where, search.since_ns, search.until_ns):
        chosen = within(Names("slice"), since_ns, until_ns) & where
        sql = _ROWS.replace("{where}", chosen.text)
        yield from client.stream(sql, {**chosen.parameters, "rows": left}, "JSONCompactEachRow", options=limits)
        left -= count
        if left <= 0:
            return


def _slices(where: Sql, since_ns: int, until_ns: int) -> Iterator[tuple[int, int, int]]:
    """Yield `(since, until, lines)` of parts of the time, newest first, each with at most `_SLICE_ROWS` lines if it is
    longer than a nanosecond. Times without a line are left out.
    """
    step = max(1, -(-(until_ns - since_ns) // _BARS))
    chosen = within(Names("bars"), since_ns, until_ns) & where
    parameters = {**chosen.parameters, "since": since_ns, "step": step}
    bars = client.query(_COUNTS.replace("{where}", chosen.text), parameters, options=options())
    end, lines, low = until_ns, 0, until_ns
    for bar, count in bars:
        start = since_ns + bar * step
        if lines and lines + count > _SLICE_ROWS:
            yield low, end, lines
            end, lines = low, 0
        if count > _SLICE_ROWS and step > 1:
            yield from _slices(where, start, min(start + step, end))
            end = low = start
            continue
        low, lines = start, lines + count
    if lines:
        yield low, end, lines


def _written(blocks: Iterator[bytes], write: Any, *, head: bool) -> Iterator[bytes]:
    if head:
        yield write(list(_NAMES))
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield b"".join(write(orjson.loads(line)) for line in whole if line)
    if rest:
        yield write(orjson.loads(rest))


def _as_json(row: list[Any]) -> bytes:
    return orjson.dumps(dict(zip(_NAMES, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def _as_csv(row: list[Any]) -> bytes:
    cells = [cell if isinstance(cell, str) else orjson.dumps(cell).decode() for cell in row]
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(
        [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
    )
    return out.getvalue().encode()
