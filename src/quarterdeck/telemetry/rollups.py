"""Filling the roll-up tables: each closed window once, by one INSERT ... SELECT."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.core.clock import now
from quarterdeck.telemetry import client
from quarterdeck.telemetry.charting import STALE_SECONDS

# Samples that come later than this are in the raw table only.
LATE_SECONDS = 120
# After a long stop the missing windows are made up for in runs of this many, so that no run takes minutes.
WINDOWS_MAX = 288


@dataclass(frozen=True, slots=True)
class Rollup:
    """A target table, its window, and the SELECT that fills one window of `source`, whose time is in `column`.

    At hand in `select` are `{start:Int64}` and `{end:Int64}` (Unix seconds) and `{stale:Int64}`.
    """

    target: str
    seconds: int
    source: str
    column: str
    select: str


def roll_up() -> dict[str, int]:
    """Fill every roll-up as far as its windows are closed; return `{"samples_5m": windows}`. Safe to run twice at once.

    Each window carries its own deduplication token, so that a run that was killed, or a second one, adds nothing twice.
    """
    return {rollup.target: _fill(rollup) for rollup in ROLLUPS}


def _fill(rollup: Rollup) -> int:
    closed = (int(now().timestamp()) - LATE_SECONDS) // rollup.seconds * rollup.seconds
    start = _done_until(rollup)
    done = 0
    while start < closed and done < WINDOWS_MAX:
        _fill_window(rollup, start)
        start += rollup.seconds
        done += 1
    if done:
        _mark_done(rollup, start)
    return done


def _done_until(rollup: Rollup) -> int:
    """Return where the next window begins: behind the last complete one, or at the oldest sample."""
    sql = "SELECT toUnixTimestamp(max(done_until)) FROM rollups WHERE target = {target:String}"
    done = int(client.query(sql, {"target": rollup.target})[0][0])
    if not done:
        # Partitions say it without reading a row. With no sample at all there is nothing to fill up to now.
        oldest = client.query(
            f"SELECT toUnixTimestamp(toDateTime(min({rollup.column}))), count() FROM {rollup.source}"
        )[0]
        done = int(oldest[0]) if oldest[1] else int(now().timestamp())
    return done // rollup.seconds * rollup.seconds


def _mark_done(rollup: Rollup, until: int) -> None:
    client.command(
        "INSERT INTO rollups (target, done_until) SELECT {target:String}, toDateTime({until:Int64}, 'UTC')",
        {"target": rollup.target, "until": until},
    )


def _fill_window(rollup: Rollup, start: int) -> None:
    options = {"insert_deduplication_token": f"{rollup.target}-{start}", "insert_deduplicate": 1}
    parameters = {"start": start, "end": start + rollup.seconds, "stale": STALE_SECONDS}
    client.command(f"INSERT INTO {rollup.target} {rollup.select}", parameters, options=options)


_WINDOW = """
    SELECT id, toDateTime({start:Int64}, 'UTC') AS timestamp,
        argMaxState(value, at) AS last, min(value) AS min, max(value) AS max, sum(value) AS sum, count() AS count,
        sum(if(joined, value - if(value >= previous, previous, 0), 0)) AS inc,
        sum(if(joined, seconds, 0)) AS inc_seconds
    FROM (
        SELECT id, timestamp AS at, value,
            lagInFrame(value, 1, nan) OVER neighbours AS previous,
            toFloat64(timestamp) - toFloat64(lagInFrame(timestamp, 1, toDateTime64(0, 3, 'UTC')) OVER neighbours)
                AS seconds,
            seconds > 0 AND seconds <= {stale:Int64} AS joined
        FROM samples FINAL
        WHERE isFinite(value)
            AND timestamp >= toDateTime64({start:Int64} - {stale:Int64}, 3) AND timestamp < toDateTime64({end:Int64}, 3)
        WINDOW neighbours AS (PARTITION BY id ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE at >= toDateTime64({start:Int64}, 3)
    GROUP BY id
    ORDER BY id"""

# Who called whom, once both ends are there: a span whose parent is of another service (or, in Zipkin's way, has the
# same id), and calls to what sends no spans itself, by the name that the caller gives it.
_CLOSED = "ts >= toDateTime64({start:Int64}, 9) AND ts < toDateTime64({end:Int64}, 9)"
_AROUND = "ts >= toDateTime64({start:Int64} - 3600, 9) AND ts < toDateTime64({end:Int64} + 60, 9)"
_PARENTS = f"SELECT trace_id, span_id, service, kind FROM spans FINAL WHERE {_AROUND}"
_CALLED = f"""
    SELECT service, ts, is_error, duration_ns, sample_weight, trace_id, span_id, parent_id, kind
    FROM spans FINAL WHERE {_CLOSED} AND kind IN ('server', 'consumer', 'internal')"""
_CALLERS = f"""
    SELECT parents.service AS caller, called.service AS callee,
        if(called.kind = 'consumer', 'messaging', 'call') AS kind, called.ts AS ts, is_error, duration_ns
    FROM ({_CALLED}) AS called INNER JOIN ({_PARENTS}) AS parents
    ON called.trace_id = parents.trace_id AND called.%s = parents.span_id
    WHERE parents.service != called.service"""
_OUTSIDE = f"""
    SELECT service AS caller,
        if(db_system != '', concat(db_system, if(peer = '', '', concat('/', peer))), peer) AS callee,
        multiIf(db_system != '', 'database', spans.kind = 'producer', 'messaging', 'external') AS kind, ts, is_error,
        duration_ns
    FROM spans FINAL
    WHERE {_CLOSED} AND spans.kind IN ('client', 'producer') AND callee != ''
        AND (trace_id, span_id) NOT IN (SELECT trace_id, parent_id FROM spans WHERE {_AROUND})
        AND (trace_id, span_id) NOT IN (
            SELECT trace_id, span_id FROM spans WHERE {_AROUND} AND kind IN ('server', 'consumer')
        )"""
_EDGES = f"""
    SELECT caller, callee, edges.kind AS kind, toStartOfMinute(toDateTime(edges.ts, 'UTC')) AS ts, count() AS count,
        countIf(is_error) AS errors, sum(duration_ns) AS duration_ns_sum,
        sumMap(map(toInt16(floor(4 * log2(greatest(duration_ns, 1)))), toUInt64(1))) AS durations
    FROM ({_CALLERS % "parent_id"} UNION ALL {_CALLERS % "span_id"} UNION ALL {_OUTSIDE}) AS edges
    GROUP BY caller, callee, kind, ts"""

ROLLUPS = (
    Rollup("samples_5m", 300, "samples", "timestamp", _WINDOW),
    Rollup("samples_1h", 3600, "samples", "timestamp", _WINDOW),
    Rollup("edges_1m", 60, "spans", "ts", _EDGES),
)
