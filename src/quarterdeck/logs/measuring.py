"""Samples of the metrics that people make of log lines: each minute, counted in the engine when it is over.

A sample says what one minute held, not a sum that grows: written again it is the same sample, so that late lines are
counted by evaluating the last minutes again, and past hours whenever somebody asks. Names are those of Prometheus'
recording rules, `level:metric:operations`: `checkout_seconds:count1m`, `:sum1m`, `:min1m` and `:max1m`.
See https://prometheus.io/docs/practices/rules/

A series belongs to whoever sent its lines, so that a metric shows nobody more than the lines would.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.logs.counting import expression
from quarterdeck.logs.limits import options
from quarterdeck.logs.models import LogMetric
from quarterdeck.logs.parsing import parser_of
from quarterdeck.logs.searching import Search, condition
from quarterdeck.telemetry import client
from quarterdeck.telemetry.naming import label_name

MINUTE_SECONDS = 60
# A minute is evaluated this long after its end, and again for so many minutes: later lines need a backfill.
LAG_SECONDS = 30
AGAIN_MINUTES = 5
# What was missed, or is asked for again, is made up for from so far back, in parts, so that no run takes minutes.
BEHIND_HOURS_MAX = 24 * 7
PART_MINUTES = 60
PARTS_MAX = 12
# Sets of label values that one evaluation may meet; of those so many have series of their own, the others share one.
GROUPS_MAX = 200_000
VALUE_BYTES = 200
OTHER = "other"
_SECONDS_MAX = 50


def measure() -> dict[str, int]:
    """Evaluate every metric as far as its minutes are over; return `{name: minutes}`. Safe to run twice at once.

    What goes wrong with one is kept with it, and does not hold up the others.
    """
    return {metric.name: _catch_up(metric) for metric in LogMetric.objects.filter(is_enabled=True)}


def _catch_up(metric: LogMetric) -> int:
    closed = closed_until(now())
    done = 0
    for start, end in _parts(metric.evaluated_until or closed, closed):
        try:
            evaluate(metric, start, end)
        except OpsError as error:
            LogMetric.objects.filter(pk=metric.pk).update(problem=error.message[:500])
            break
        done += int((end - start).total_seconds()) // MINUTE_SECONDS
        # Who asked for earlier hours meanwhile gets them.
        same = LogMetric.objects.filter(pk=metric.pk, evaluated_until=metric.evaluated_until)
        if not same.update(evaluated_until=end, problem=""):
            break
        metric.evaluated_until = end
    return done


def _parts(known: datetime, closed: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield what is to be evaluated: what is new, with the minutes before it, oldest first."""
    start = max(min(known, closed), closed - timedelta(hours=BEHIND_HOURS_MAX)) - timedelta(minutes=AGAIN_MINUTES)
    for _part in range(PARTS_MAX):
        if start >= closed:
            return
        end = min(closed, start + timedelta(minutes=PART_MINUTES))
        yield start, end
        start = end


def closed_until(at: datetime) -> datetime:
    """Return the end of the last minute that is over for long enough."""
    seconds = (int(at.timestamp()) - LAG_SECONDS) // MINUTE_SECONDS * MINUTE_SECONDS
    return datetime.fromtimestamp(seconds, UTC)


def evaluate(metric: LogMetric, start: datetime, end: datetime) -> None:
    """Write the samples of the whole minutes in [`start`, `end`). Raises OpsError, TooHeavy for too many values."""
    if start >= end:
        raise BadInput(_("the range is empty"), hint=_("choose an end after the start"), field="hours")
    where = condition(SYSTEM, Search(metric.query, start, end, parse=metric.parse))
    parameters = {
        **where.parameters,
        "name": metric.series_name,
        "metrics": metric.series,
        "start": int(start.timestamp()),
        "end": int(end.timestamp()),
        "series_max": metric.series_max,
        "other": OTHER,
        "received": int(now().timestamp() * 1000),
    }
    statement = _statement(metric).replace("{where}", where.text)
    client.command(statement, parameters, options=_options())
    if client.query(f"SELECT count() FROM ({_REPLACED})", parameters, options=options())[0][0]:
        # Late lines: of two samples of one minute readers might take both, until the table's parts are merged.
        client.command(f"DELETE FROM samples WHERE (id, timestamp) IN ({_REPLACED})", parameters, options=_options())
        client.command(statement, parameters, options=_options())


def _options() -> dict[str, Any]:
    """The same minutes again may hold more: they are no repetition."""
    return options(
        max_execution_time=_SECONDS_MAX,
        max_rows_to_group_by=GROUPS_MAX,
        group_by_overflow_mode="throw",
        insert_deduplicate=0,
    )


def check(query: str, kind: str, field: str, labels: list[str], parse: str) -> None:
    """Raises BadQuery or BadInput for what could not be evaluated."""
    at = now()
    condition(SYSTEM, Search(query, at - timedelta(minutes=1), at, parse=parse))
    for name in labels:
        value_of(name, parse)
    if kind == LogMetric.DISTRIBUTION:
        value_of(field, parse)


def value_of(name: str, parse: str) -> str:
    """Return the SQL of a field's value, of those that `parse` takes out of the message as well. Raises BadInput."""
    own = expression(name)
    if not parse or not own.startswith("if(mapContains"):
        return own
    # `expression` lets nothing into a name that would end the text.
    return f"if({own} != '', {own}, {parser_of(parse).sql}['{name}'])"


def _statement(metric: LogMetric) -> str:
    pairs = [f"'{label_name(name)}', {_label(name, metric.parse)}" for name in sorted(metric.labels, key=label_name)]
    labels = f"CAST(map({', '.join(pairs)}), 'Map(String, String)')"
    number = f"toFloat64OrNull({value_of(metric.field, metric.parse)})" if metric.is_distribution else "toFloat64(1)"
    measures = [("count1m", "toFloat64(sum(one.2))")]
    if metric.is_distribution:
        measures += [("sum1m", "sum(one.3)"), ("min1m", "min(one.4)"), ("max1m", "max(one.5)")]
    made = ", ".join(f"('{suffix}', {value})" for suffix, value in measures)
    parts = {"{labels}": labels, "{number}": number, "{measures}": made, "{known}": _KNOWN, "{stored}": _STORED}
    return functools.reduce(lambda text, part: text.replace(*part), parts.items(), _INSERT)


def _label(name: str, parse: str) -> str:
    return f"toValidUTF8(substring(toString({value_of(name, parse)}), 1, {VALUE_BYTES}))"


# From the inside: numbers of the lines by sender, labels and minute; series, those that are known first, then the most
# frequent; what is beyond the limit under one; a row for each measure; those that are not stored so; as if they had
# been sent.
_INSERT = """
INSERT INTO metrics_in
    (protocol, key, received, sender_kind, sender_name, identities, metric_name, labels, timestamps, values)
WITH bitOr(sipHash64('', ''), 9223372036854775808) AS nobody
SELECT 'logs' AS protocol, 0 AS key, fromUnixTimestamp64Milli({received:Int64}, 'UTC') AS received,
    any(known_senders.kind) AS sender_kind, any(known_senders.name) AS sender_name,
    CAST(map(), 'Map(String, String)') AS identities, metric AS metric_name, measured.labels AS labels,
    groupArray(toDateTime64(at, 3, 'UTC')) AS timestamps, groupArray(value) AS values
FROM (
    SELECT sender, labels, at, concat({name:String}, ':', measure.1) AS metric, measure.2 AS value
    FROM (
        SELECT sender, labels, one.1 AS at, arrayJoin([{measures}]) AS measure
        FROM (
            SELECT sender, if(is_own, labels, mapApply((k, v) -> (k, {other:String}), labels)) AS labels, minutes
            FROM (
                SELECT *, is_known OR empty(labels) OR (SELECT count() FROM ({known}))
                    + row_number() OVER (PARTITION BY is_known ORDER BY lines DESC, sender, toString(labels))
                    <= {series_max:UInt32} AS is_own
                FROM (
                    SELECT sender, labels, groupArray((at, n, total, low, high)) AS minutes, sum(n) AS lines,
                        (sender, toString(labels)) IN ({known}) AS is_known
                    FROM (
                        SELECT if(logs.sender = 0, nobody, logs.sender) AS sender,
                            mapFilter((k, v) -> v != '', {labels}) AS labels,
                            toStartOfMinute(toDateTime(ts, 'UTC')) + 60 AS at, count() AS n, sum(number) AS total,
                            min(number) AS low, max(number) AS high
                        FROM (SELECT *, ifNull({number}, nan) AS number FROM logs WHERE {where}) AS logs
                        WHERE isFinite(number)
                        GROUP BY sender, labels, at
                    )
                    GROUP BY sender, labels
                )
            )
        )
        ARRAY JOIN minutes AS one
        GROUP BY sender, labels, one.1
    )
    WHERE (sipHash64(metric), sipHash64(sender, mapKeys(labels), mapValues(labels)), toUnixTimestamp(at), value)
        NOT IN (SELECT id.1, id.2, toUnixTimestamp(timestamp), value FROM ({stored}))
) AS measured
LEFT JOIN (
    SELECT sender, anyLast(senders.kind) AS kind, anyLast(senders.name) AS name FROM senders GROUP BY sender
) AS known_senders ON measured.sender = known_senders.sender
GROUP BY measured.sender, measured.labels, metric"""
_KNOWN = """SELECT DISTINCT item, toString(CAST(labels, 'Map(String, String)')) FROM series
    WHERE metric_name = concat({name:String}, ':count1m') AND max_time > now() - INTERVAL 1 HOUR"""
_STORED = """SELECT id, timestamp, value FROM samples
    WHERE timestamp > toDateTime64({start:Int64}, 3, 'UTC') AND timestamp <= toDateTime64({end:Int64}, 3, 'UTC')
        AND id IN (SELECT id FROM series WHERE metric_name IN {metrics:Array(String)})"""
_REPLACED = f"SELECT id, timestamp FROM ({_STORED}) GROUP BY id, timestamp HAVING uniqExact(value) > 1"
