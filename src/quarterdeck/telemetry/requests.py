"""Rate, errors and durations of a service's calls, from what every minute counted before anything was sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.telemetry import client
from quarterdeck.telemetry.charting import grid_of
from quarterdeck.telemetry.recent import services_of

OPERATIONS_MAX = 100
_OPTIONS = {"max_execution_time": 10}
# Bucket b holds durations of [2^(b/4), 2^((b+1)/4)) nanoseconds; see schema/0004_traces.sql.
_BUCKETS_PER_DOUBLING = 4


@dataclass(frozen=True, slots=True)
class Red:
    """How calls went. Durations are in nanoseconds, the quantiles within 9 %; None where nothing was called."""

    count: int
    errors: int
    mean_ns: float | None
    p50_ns: float | None
    p95_ns: float | None
    p99_ns: float | None

    @property
    def error_ratio(self) -> float | None:
        return self.errors / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Operation:
    """One name of a kind of call (server, client, ...), and the trace of the slowest one, in hex."""

    name: str
    kind: str
    red: Red
    trace_id: str


@dataclass(frozen=True, slots=True)
class Requests:
    """Calls in [`since`, `until`). `answered` and `points` are those that the service answered, not those that it made.

    `points[i]` are those of the `step_seconds` from `since + i * step_seconds`.
    """

    since: datetime
    until: datetime
    step_seconds: int
    answered: Red
    points: list[Red]
    operations: list[Operation]


def requests(actor: Actor, item: Model, since: datetime, step_seconds: int = 60) -> Requests:
    """Return the calls of the item's services from `since` until now, in whole minutes.

    An item that is no service has none: a host's calls are not its own. Raises Denied, BadInput, Unavailable.
    """
    require(actor, "telemetry.query", [item])
    grid = grid_of(since, now(), max(60, step_seconds // 60 * 60))
    answered, points, operations = NOTHING, [NOTHING] * grid.points, list[Operation]()
    if services := services_of(item):
        asked = {"services": services, "since": max(0, grid.start), "start": grid.start, "step": grid.step}
        # A clock that runs ahead of ours counts as now.
        for slot, *row in _rows(_POINTS, asked):
            points[min(int(slot), grid.points - 1)] = red_of(*row)
        answered = red_of(*_rows(_ANSWERED, asked)[0])
        operations = [
            Operation(name, kind, red_of(*row), trace if trace.strip("0") else "")
            for name, kind, trace, *row in _rows(_OPERATIONS, asked)
        ]
    first, last = (datetime.fromtimestamp(at, UTC) for at in (grid.start, grid.end))
    return Requests(first, last, grid.step, answered, points, operations)


def _rows(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return client.query(sql, parameters, options=_OPTIONS)


NOTHING = Red(0, 0, None, None, None, None)


def red_of(count: int, errors: int, total_ns: int, max_ns: int, durations: Mapping[int, int]) -> Red:
    """Return the figures of what `RED` counted."""
    if not count:
        return NOTHING
    found = (quantile(durations, q) for q in (0.5, 0.95, 0.99))
    # The middle of a bucket may lie above the slowest call that there was.
    return Red(int(count), int(errors), total_ns / count, *(min(one, max_ns) if one else None for one in found))


def quantile(durations: Mapping[int, int], q: float) -> float | None:
    """Return the duration in nanoseconds that a share `q` of the calls did not exceed, within 9 %; {} has none.

    `durations` is `{bucket: calls}`; of a bucket only its middle is known.
    """
    rank = q * sum(durations.values())
    passed = 0
    for bucket in sorted(durations):
        calls = durations[bucket]
        if calls and passed + calls >= rank:
            return float(2 ** ((bucket + 0.5) / _BUCKETS_PER_DOUBLING))
        passed += calls
    return None


RED = """
    sum(red_1m.count), sum(red_1m.errors), sum(red_1m.duration_ns_sum), max(red_1m.duration_ns_max),
    sumMap(red_1m.durations)"""
_CHOSEN = "FROM red_1m WHERE service IN {services:Array(String)} AND ts >= toDateTime({since:Int64}, 'UTC')"
_SERVED = "kind NOT IN ('client', 'producer')"
_ANSWERED = f"SELECT {RED} {_CHOSEN} AND {_SERVED}"
# The trace of the slowest call, in hex. Of minutes from before they were kept: of the last one.
SLOWEST = "lower(hex(if(max(red_1m.slowest).1 = 0, argMax(red_1m.exemplar, ts), max(red_1m.slowest).2)))"
_POINTS = f"""
    SELECT intDiv(toUnixTimestamp(ts) - {{start:Int64}}, {{step:Int64}}) AS slot, {RED}
    {_CHOSEN} AND {_SERVED} GROUP BY slot ORDER BY slot"""
_OPERATIONS = f"""
    SELECT name, kind, {SLOWEST}, {RED}
    {_CHOSEN} GROUP BY name, kind ORDER BY sum(red_1m.count) DESC, name, kind LIMIT {OPERATIONS_MAX}"""
