"""Lines that a query selects, newest first, in pages that cost the same at any depth.

A page ends at a line's time and id. Of lines with the same time the id, a hash of the whole line, gives the order; of
lines that are the same in everything, a cursor knows how many were shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.core.query import compile_node, parse
from quarterdeck.logs.compiling import LogFields
from quarterdeck.logs.identity import ID
from quarterdeck.logs.limits import ask
from quarterdeck.logs.parsing import NO_FIELDS, parser_of
from quarterdeck.logs.scope import scope_of
from quarterdeck.logs.templates import template
from quarterdeck.telemetry.conditions import Names, Sql

ROWS_MAX = 1000
# What is shown of one text: a line may hold a whole dump.
TEXT_BYTES = 8192
_NS = 1_000_000_000
_LAST_NS = (2**32 - 1) * _NS
# The newest lines are looked for in windows that grow: most questions are answered by the first.
_WINDOWS_NS = (5 * 60 * _NS, 3600 * _NS, 12 * 3600 * _NS)
COLUMNS = f"""toUnixTimestamp64Nano(logs.ts) AS at_ns, {ID} AS id, logs.level, logs.service, logs.host,
    logs.component, logs.source, toValidUTF8(substring(logs.message, 1, {TEXT_BYTES})),
    length(logs.message) > {TEXT_BYTES}, logs.trace_id, logs.span_id, logs.attributes, logs.resource, {{parsed}}"""
_FLOOR = "SELECT toUnixTimestamp64Nano(ts) FROM logs WHERE {where} ORDER BY ts DESC LIMIT {rows:UInt32}"
_PAGE = f"""
    SELECT {COLUMNS} FROM logs WHERE {{where}}
    ORDER BY ts DESC, id DESC LIMIT {{rows:UInt32}} OFFSET {{skip:UInt32}}"""
_AFTER = f"SELECT {COLUMNS} FROM logs WHERE {{where}} ORDER BY ts ASC, id ASC LIMIT {{rows:UInt32}}"


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: the query, in [`since`, `until`). `selector` is an inventory query that limits the items.

    `parse` takes fields out of the messages, see `parsing.parser_of`; the query may ask for them.
    """

    query: str
    since: datetime
    until: datetime
    selector: str = ""
    parse: str = ""

    @property
    def since_ns(self) -> int:
        return ns_of(self.since)

    @property
    def until_ns(self) -> int:
        return ns_of(self.until)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `ts_ns` is Unix time, `id` 16 hex digits; `is_cut`: `message` is the first 8 KB of a longer one.

    `level` is trace, debug, info, warning, error, fatal or "" for unknown; `source` is the protocol.
    """

    ts_ns: int
    id: str
    level: str
    service: str
    host: str
    component: str
    source: str
    message: str
    is_cut: bool
    trace_id: str
    span_id: str
    attributes: dict[str, str]
    resource: dict[str, str]
    parsed: dict[str, str]

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.ts_ns // 1000 / 1e6, UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first; `next` is the cursor of what is older, "" at the end."""

    lines: list[Line]
    next: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: at `ts_ns` and `id`, of which `shown` same lines were shown."""

    ts_ns: int
    id: int
    shown: int

    def __str__(self) -> str:
        return f"{self.ts_ns}.{self.id:016x}.{self.shown}"


def cursor_of(text: str) -> Cursor | None:
    """Return the cursor that a page gave out, None for "". Raises BadInput."""
    if not text:
        return None
    try:
        ts_ns, id_, shown = text.split(".")
        found = Cursor(int(ts_ns), int(id_, 16), int(shown))
    except ValueError:
        found = Cursor(-1, 0, 0)
    if not (0 <= found.ts_ns <= _LAST_NS and 0 <= found.id < 2**64 and 0 < found.shown < 2**31):
        raise BadInput(_("not a cursor of this list"), hint=_("send the `next` of the page before"), field="after")
    return found


def ns_of(at: datetime) -> int:
    """Return Unix time in nanoseconds, within what the table can hold."""
    return max(0, min(int(at.timestamp() * 1_000_000) * 1000, _LAST_NS))


def within(names: Names, since_ns: int, until_ns: int) -> Sql:
    """Return the SQL of the lines in [since, until)."""
    text = "ts >= fromUnixTimestamp64Nano({}, 'UTC') AND ts < fromUnixTimestamp64Nano({}, 'UTC')"
    return names.sql(text, ("Int64", since_ns), ("Int64", until_ns))


def selected(actor: Actor, search: Search, names: Names) -> Sql:
    """Return the SQL of what the query selects and the actor may read, without its time. Raises Denied, BadQuery."""
    scope = scope_of(actor, names)
    parser = parser_of(search.parse)
    found = compile_node(
        parse(search.query), LogFields(names, scope.matched, template("message"), parser.sql if search.parse else "")
    )
    if (limit := scope.condition()) is not None:
        found = limit & found
    if search.selector.strip():
        found = scope.selected(search.selector) & found
    return Sql(found.text, {**found.parameters, **parser.parameters})


def condition(actor: Actor, search: Search, names: Names | None = None) -> Sql:
    """Return `selected` within the search's time. Raises Denied, BadQuery, BadInput for an empty time range."""
    if search.until_ns <= search.since_ns:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    names = names or Names()
    return within(names, search.since_ns, search.until_ns) & selected(actor, search, names)


def find(actor: Actor, search: Search, *, limit: int = 100, after: str = "") -> Page:
    """Return one page of lines, newest first. Raises Denied, BadQuery, BadInput, TooHeavy, TooMany, Unavailable."""
    limit, cursor, names = max(1, min(limit, ROWS_MAX)), cursor_of(after), Names()
    if search.until_ns <= search.since_ns:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="until")
    chosen = selected(actor, search, names)
    border_ns = min(search.until_ns, cursor.ts_ns) if cursor else search.until_ns
    floor_ns = _floor(actor, chosen, search.since_ns, border_ns, limit + 1)
    if (cursor is None and floor_ns is None) or border_ns < search.since_ns:
        return Page([], "")
    lowest_ns = border_ns if floor_ns is None else floor_ns
    where = within(names, lowest_ns, border_ns + 1 if cursor else border_ns) & chosen
    if cursor:
        where = where & _behind(names, cursor)
    rows = ask(actor, _with_fields(_PAGE, search), where, {"rows": limit + 1, "skip": cursor.shown if cursor else 0})
    lines = [line_of(row) for row in rows]
    return Page(lines[:limit], _next(lines[:limit], cursor) if len(lines) > limit else "")


def _behind(names: Names, cursor: Cursor) -> Sql:
    older = f"ts < fromUnixTimestamp64Nano({{}}, 'UTC') OR {ID} <= {{}}"
    return names.sql(older, ("Int64", cursor.ts_ns), ("UInt64", cursor.id))


def _floor(actor: Actor, chosen: Sql, since_ns: int, until_ns: int, rows: int) -> int | None:
    """Return the time of the `rows`-th newest line before `until_ns`, or of the oldest; None when there is none.

    Only the times are read here, and whole lines only behind it.
    """
    names = Names("f")
    for window in (*_WINDOWS_NS, until_ns - since_ns):
        start = max(since_ns, until_ns - window)
        where = within(names, start, until_ns) & chosen
        found = ask(actor, _FLOOR, where, {"rows": rows})
        if len(found) >= rows or start == since_ns:
            return int(found[-1][0]) if found else None
    return None


def _next(lines: Sequence[Line], cursor: Cursor | None) -> str:
    last = lines[-1]
    same = sum(1 for line in lines if (line.ts_ns, line.id) == (last.ts_ns, last.id))
    if cursor and (cursor.ts_ns, f"{cursor.id:016x}") == (last.ts_ns, last.id):
        same += cursor.shown
    return str(Cursor(last.ts_ns, int(last.id, 16), same))


def _with_fields(sql: str, search: Search | None = None) -> str:
    return sql.replace("{parsed}", parser_of(search.parse).sql if search else NO_FIELDS)


def line_of(row: Sequence[Any]) -> Line:
    """Return the line of a row of `COLUMNS`."""
    ts_ns, id_, level, service, host, component, source, message, is_cut, trace, span, attributes, resource, parsed = (
        row
    )
    return Line(
        ts_ns, f"{id_:016x}", level, service, host, component, source, message, bool(is_cut), trace, span,
        attributes, resource, parsed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """The lines around a hit on its host and service, oldest first, with the hit in the middle."""

    before: list[Line]
    line: Line
    after: list[Line]


def around(actor: Actor, ts_ns: int, line_id: str, *, limit: int = 20) -> Around:
    """Return what the same host and service said before and after a line, within a day. Raises NotFound."""
    limit = max(1, min(limit, 500))
    line = get_line(actor, ts_ns, line_id)
    names = Names()
    chosen = selected(actor, Search("", line.at, line.at), names)
    same = names.sql("host = {} AND service = {}", ("String", line.host), ("String", line.service)) & chosen
    day_ns = 86_400 * _NS
    number = int(line_id, 16)
    is_before = names.sql(
        "ts < fromUnixTimestamp64Nano({}, 'UTC') OR " + ID + " < {}", ("Int64", ts_ns), ("UInt64", number)
    )
    is_after = names.sql(
        "ts > fromUnixTimestamp64Nano({}, 'UTC') OR " + ID + " > {}", ("Int64", ts_ns), ("UInt64", number)
    )
    older = within(names, max(0, ts_ns - day_ns), ts_ns + 1) & same & is_before
    newer = within(names, ts_ns, min(ts_ns + day_ns, _LAST_NS)) & same & is_after
    before = ask(actor, _with_fields(_PAGE), older, {"rows": limit, "skip": 0})
    after = ask(actor, _with_fields(_AFTER), newer, {"rows": limit})
    return Around([line_of(row) for row in reversed(before)], line, [line_of(row) for row in after])


def get_line(actor: Actor, ts_ns: int, line_id: str, *, parse: str = "") -> Line:
    """Return one line, with its fields by `parse`. Raises NotFound, also for one that the actor may not read."""
    names, at = Names(), datetime.now(UTC)
    search = Search("", at, at, parse=parse)
    try:
        number = int(line_id, 16)
    except ValueError:
        number = -1
    found: list[tuple[Any, ...]] = []
    if 0 <= number < 2**64 and 0 <= ts_ns < _LAST_NS:
        chosen = selected(actor, search, names)
        where = within(names, ts_ns, ts_ns + 1) & chosen & names.sql(ID + " = {}", ("UInt64", number))
        found = ask(actor, _with_fields(_PAGE, search), where, {"rows": 1, "skip": 0})
    if not found:
        raise NotFound(_("There is no such line."), hint=_("It may be older than what is kept."))
    return line_of(found[0])


def last(seconds: float, query: str = "", *, until: datetime, selector: str = "") -> Search:
    """Return the search of the `seconds` before `until`."""
    return Search(query, until - timedelta(seconds=seconds), until, selector)


def check(actor: Actor, query: str, selector: str = "") -> None:
    """Raises Denied or BadQuery when the query could not be asked."""
    selected(actor, Search(query, datetime.now(UTC), datetime.now(UTC), selector), Names())
