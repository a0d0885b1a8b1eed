"""What services ask of others: database statements by their normal form, caches, queues and other addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput
from quarterdeck.telemetry import client
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.telemetry.turns import fairly
from quarterdeck.tracing.limits import options
from quarterdeck.tracing.scoping import scope_of
from quarterdeck.tracing.search import nanoseconds

Category = Literal["database", "cache", "queue", "external"]
ROWS_MAX = 200
_CACHES = "('redis', 'valkey', 'memcached', 'hazelcast', 'ehcache', 'keydb', 'dragonfly')"
_CHOSEN = {
    "database": f"db_system != '' AND lower(db_system) NOT IN {_CACHES}",
    "cache": f"lower(db_system) IN {_CACHES}",
    "queue": "spans.kind IN ('producer', 'consumer')",
    "external": "spans.kind = 'client' AND db_system = ''",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """Calls of one form. `statement` is the SQL without its values, or the operation's name where none is sent.

    `system` is the database's, cache's or queue's kind, `target` its address or name. Counts are those of all calls, as
    far as the spans that are kept tell. The trace is that of the slowest call.
    """

    statement: str
    system: str
    target: str
    callers: list[str]
    operations: list[str]
    count: int
    errors: int
    total_ns: int
    p50_ns: float
    p95_ns: float
    max_ns: int
    trace_id: str


@fairly
def statements(
    actor: Actor,
    since: datetime,
    until: datetime,
    *,
    category: Category = "database",
    service: str = "",
    selector: str = "",
) -> list[Statement]:
    """Return the calls of a category, those that took longest in sum first. Raises Denied, BadInput, Unavailable."""
    scope = scope_of(actor, selector)
    if category not in get_args(Category):
        raise BadInput(
            _('unknown category "%(name)s"') % {"name": str(category)[:40]},
            hint=_("one of %(names)s") % {"names": ", ".join(get_args(Category))},
            field="category",
        )
    chosen = Sql(_CHOSEN[category]) & scope.rows
    if service:
        chosen &= Sql("service = {service:String}", {"service": service})
    asked = {"low": nanoseconds(since), "high": nanoseconds(until), **chosen.parameters}
    rows = client.query(_STATEMENTS.format(where=chosen.text), asked, options=options())
    return [_statement(row) for row in rows]


def _statement(row: tuple[Any, ...]) -> Statement:
    form, system, target, callers, operations, count, errors, total, quantiles, longest, trace = row
    return Statement(
        form, system, target, sorted(callers), sorted(operations), round(count), round(errors), round(total),
        quantiles[0], quantiles[1], int(longest), trace,
    )  # fmt: skip


_TEXT = "if(attributes['db.query.text'] != '', attributes['db.query.text'], attributes['db.statement'])"
_TARGET = """multiIf(attributes['messaging.destination.name'] != '', attributes['messaging.destination.name'],
        attributes['db.namespace'] != '', attributes['db.namespace'], attributes['db.name'] != '',
        attributes['db.name'], peer)"""
_SYSTEM = "if(db_system != '', db_system, attributes['messaging.system'])"
# Of a row that is stored twice, until it is merged, both count: an hour's figures are not worth a merge at each look.
_STATEMENTS = f"""
    SELECT if(hash = 0, called, any(normalizeQuery(toValidUTF8(substring(text, 1, 8192))))), system, target,
        groupUniqArray(20)(service), groupUniqArray(20)(operation), sum(weight), sumIf(weight, failed),
        sum(weight * took) AS total, quantiles(0.5, 0.95)(took), max(took), lower(hex(argMax(trace, took)))
    FROM (
        SELECT db_statement_hash AS hash, if(db_statement_hash = 0, spans.name, '') AS called, {_SYSTEM} AS system,
            {_TARGET} AS target, spans.service AS service, spans.name AS operation, {_TEXT} AS text,
            sample_weight AS weight, is_error AS failed, duration_ns AS took, trace_id AS trace
        FROM spans
        WHERE ts >= fromUnixTimestamp64Nano({{{{low:Int64}}}}) AND ts < fromUnixTimestamp64Nano({{{{high:Int64}}}})
            AND {{where}}
    )
    GROUP BY hash, called, system, target ORDER BY total DESC LIMIT {ROWS_MAX}"""
