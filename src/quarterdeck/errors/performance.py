"""Performance issues: database calls that are repeated where one would do ("N+1"), and slow ones, found in traces.

The engine looks through the spans that came since the last time and writes what it finds as events, of which issues are
made as of any others: with the same states, and each trace counted once however often it is looked at, since an event's
id is made of its trace. Spans were redacted when they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from quarterdeck.core.clock import now
from quarterdeck.errors.models import Progress
from quarterdeck.telemetry import client
from quarterdeck.telemetry.error_kinds import N_PLUS_ONE, PERFORMANCE, SLOW_QUERY
from quarterdeck.telemetry.receivers.sentry.values import mapping, number, text, whole

_NAME = "performance"
# Spans may reach the engine some time after the intake took them. What is looked at again counts once.
_AGAIN = timedelta(minutes=10)
_BACK_MAX = timedelta(hours=6)
# A trace may have begun so long before its last span came.
_TRACE_MAX = timedelta(hours=1)
# So many events of one issue are written at each look; what is slow always need not be told each time.
_EVENTS_MAX = 100
_CACHES = "('redis', 'valkey', 'memcached', 'hazelcast', 'ehcache', 'keydb', 'dragonfly')"
_CALLS = (
    f"db_statement_hash != 0 AND db_system != '' AND lower(db_system) NOT IN {_CACHES} AND ts >= {{begin:DateTime}}"
)
_TEXT = "if(attributes['db.query.text'] != '', attributes['db.query.text'], attributes['db.statement'])"
_STATEMENT = f"normalizeQuery(toValidUTF8(substring({_TEXT}, 1, 4096)))"
_NOTHING = "toFixedString('', 8)"

# What both look for: `found` has a row for each time that it happened.
_EVENTS = """
    INSERT INTO error_events (
        ts, received, sender, project, event_id, grouping_hash, grouping_version, kind, level, service, host, release,
        environment, platform, sdk, logger, message, type, value, culprit, transaction, user, trace_id, span_id,
        handled, fingerprint, tags, payload, key)
    WITH found AS ({found})
    SELECT
        toDateTime64(at, 6, 'UTC'), now(), sender, 0,
        lower(hex(MD5(concat({kind:String}, trace, span, toString(hash))))) AS id,
        sipHash64({kind:String}, service, caller, hash), 2, {kind:String}, 'warning', service, host, version, env,
        'other', '', '', concat({title:String}, ': ', statement), {title:String}, statement,
        if(caller = '', service, concat(caller, ' in ', service)), caller, '', lower(hex(trace)), lower(hex(span)),
        true, [], map('db.system', system), toJSONString(CAST((
            id, toUnixTimestamp64Milli(toDateTime64(at, 3, 'UTC')) / 1000, 'other', 'warning', service, caller,
            CAST((
                CAST(({kind:String}, service, caller, statement, system, calls, total_ns / 1000000,
                    longest_ns / 1000000), 'Tuple(kind String, service String, caller String, statement String,
                    database String, calls UInt64, total_ms Float64, longest_ms Float64)'),
                CAST((lower(hex(trace)), lower(hex(span))), 'Tuple(trace_id String, span_id String)')
            ), 'Tuple(performance Tuple(kind String, service String, caller String, statement String, database String,
                calls UInt64, total_ms Float64, longest_ms Float64), trace Tuple(trace_id String, span_id String))')
        ), 'Tuple(event_id String, timestamp Float64, platform String, level String, service String,
            transaction String, contexts Tuple(
                performance Tuple(kind String, service String, caller String, statement String, database String,
                    calls UInt64, total_ms Float64, longest_ms Float64),
                trace Tuple(trace_id String, span_id String)))')), 0
    FROM found
    ORDER BY total_ns DESC LIMIT {events:UInt32} BY service, caller, hash LIMIT 10000"""
# A span that was stored twice is one call.
_REPEATED = f"""
    SELECT trace_id AS trace, parent_id AS span, any(called) AS caller, repeated.service AS service, hash,
        any(repeated.sender) AS sender, any(repeated.host) AS host, any(version) AS version, any(env) AS env,
        any(system) AS system, any(statement) AS statement, any(one) AS all,
        length(all) AS calls, arraySum(call -> call.2, all) AS total_ns, arrayMax(call -> call.2, all) AS longest_ns,
        arrayMin(call -> call.1, all) AS at
    FROM (
        SELECT trace_id, parent_id, service, db_statement_hash AS hash, any(spans.sender) AS sender,
            any(spans.host) AS host, any(spans.version) AS version, any(spans.env) AS env, any(db_system) AS system,
            any({_STATEMENT}) AS statement, groupUniqArray(10000)((spans.ts, spans.duration_ns, span_id)) AS one
        FROM spans
        WHERE {_CALLS} AND parent_id != {_NOTHING} AND trace_id IN (
            SELECT trace_id FROM spans WHERE {_CALLS} AND received >= {{since:DateTime}})
        GROUP BY trace_id, parent_id, service, hash
        HAVING length(one) >= {{calls:UInt32}}
    ) AS repeated
    LEFT JOIN (
        SELECT trace_id, span_id, any(name) AS called FROM spans
        WHERE ts >= {{begin:DateTime}} AND trace_id IN (
            SELECT trace_id FROM spans WHERE {_CALLS} AND received >= {{since:DateTime}})
        GROUP BY trace_id, span_id
    ) AS parents ON repeated.trace_id = parents.trace_id AND repeated.parent_id = parents.span_id
    GROUP BY trace, span, service, hash
    HAVING total_ns >= {{total_ns:UInt64}}
        AND total_ns <= toInt64(arrayMax(call -> toUnixTimestamp64Nano(call.1) + call.2, all))
            - toUnixTimestamp64Nano(at)"""
_SLOW = f"""
    SELECT trace_id AS trace, span_id AS span, '' AS caller, service, db_statement_hash AS hash,
        any(spans.sender) AS sender, any(spans.host) AS host, any(spans.version) AS version, any(spans.env) AS env,
        any(db_system) AS system, any({_STATEMENT}) AS statement, 1 AS calls, max(duration_ns) AS total_ns,
        total_ns AS longest_ns, min(ts) AS at
    FROM spans
    WHERE {_CALLS} AND received >= {{since:DateTime}} AND duration_ns >= {{total_ns:UInt64}}
    GROUP BY trace, span, service, hash"""
# As the tables' own view adds up events that come by the intake.
_GROUPS = f"""
    INSERT INTO error_groups
    SELECT
        project, grouping_hash, e.release AS release, e.environment AS environment, now64(3, 'UTC') AS loaded,
        min(e.ts) AS first_seen, max(e.ts) AS last_seen, uniqState(e.event_id) AS events,
        uniqArrayState(if(e.user = '', [], [e.user])) AS users,
        argMaxState((e.event_id, toString(e.kind), toString(e.level), toString(e.type), substring(e.message, 1, 500),
            substring(e.culprit, 1, 500), toString(e.platform), toString(e.logger), toString(e.service)), e.ts)
            AS latest,
        max(toUInt8(NOT e.handled)) AS is_unhandled, groupUniqArray(toString(e.service)) AS services,
        groupUniqArray(e.sender) AS senders
    FROM error_events AS e
    WHERE project = 0 AND e.kind IN {PERFORMANCE} AND received >= {{run:DateTime}}
    GROUP BY project, grouping_hash, release, environment"""


def find() -> None:
    """Look through the spans that came since the last time. Raises Unavailable; then the next time does it."""
    at = now()
    progress, _made = Progress.objects.get_or_create(name=_NAME, defaults={"at": at - _AGAIN})
    since = max(progress.at, at - _BACK_MAX) - _AGAIN
    where = {"since": int(since.timestamp()), "begin": int((since - _TRACE_MAX).timestamp()), "events": _EVENTS_MAX}
    run = client.query("SELECT toUnixTimestamp(now())")[0][0]
    calls, total_ms, slow_ms = (
        int(settings.QD[name]) for name in ("n_plus_one_calls", "n_plus_one_ms", "slow_query_ms")
    )
    if calls:
        _write(_REPEATED, {**where, "kind": N_PLUS_ONE, "title": "N+1 queries", "calls": calls}, total_ms)
    if slow_ms:
        _write(_SLOW, {**where, "kind": SLOW_QUERY, "title": "Slow query"}, slow_ms)
    client.command(_GROUPS, {"run": int(run)}, options=_options())
    Progress.objects.filter(name=_NAME, at__lt=at).update(at=at)


def _write(found: str, parameters: dict[str, object], total_ms: int) -> None:
    client.command(
        _EVENTS.replace("{found}", found), {**parameters, "total_ns": total_ms * 1_000_000}, options=_options()
    )


def _options() -> dict[str, int]:
    """Return what a look may cost: where traces are many, what is added up goes to disk."""
    memory = max(128 << 20, (int(settings.QD["engine_memory_mb"]) << 20) // 4)
    return {"max_execution_time": 60, "max_memory_usage": memory, "max_bytes_before_external_group_by": memory // 3}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found in one trace: `calls` of one statement, made by the operation `caller`."""

    statement: str
    database: str
    caller: str
    calls: int
    total_ns: int
    longest_ns: int


def evidence_of(payload: Mapping[str, Any]) -> Evidence | None:
    """Return what an event of a performance issue tells, None for other events."""
    found = mapping(mapping(payload.get("contexts")).get("performance"))
    if found.get("kind") not in PERFORMANCE:
        return None
    total, longest = (round((number(found.get(name)) or 0) * 1_000_000) for name in ("total_ms", "longest_ms"))
    return Evidence(
        text(found.get("statement"), 4096),
        text(found.get("database")),
        text(found.get("caller")),
        whole(found.get("calls")),
        total,
        longest,
    )
