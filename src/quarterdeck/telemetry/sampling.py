"""Thinning out traces after the fact: count every call, sample the trees.

Rates, errors and durations are counted when spans come in, so they stay exact whatever is dropped here. Once a day is
over, its traces are known whole, and of each it can be said whether it failed, was slow or is rare; of the others a
share is kept, each with the weight of those that it stands for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings

from quarterdeck.core.clock import now
from quarterdeck.telemetry import client

# Traces of an operation that ran at most this often in a day are all kept.
RARE_TRACES = 100
# Slower than this share of the operation's traces of the day is slow.
SLOW_QUANTILE = 0.99
_ASIDE = "spans_unsampled"


def sample() -> list[date]:
    """Thin out every day that is due; return those days. Killed half-way it goes on there. Raises Unavailable."""
    if int(settings.QD["traces_keep_percent"]) >= 100:
        return []
    done: list[date] = []
    for day in _left_aside() or _due():
        _thin_out(day)
        done.append(day)
    return done


def _left_aside() -> list[date]:
    """Return the day that a run which was killed had put aside."""
    if not client.query(f"EXISTS TABLE {_ASIDE}")[0][0]:
        return []
    return [day for (day,) in client.query(f"SELECT DISTINCT toDate(ts) FROM {_ASIDE}")]


def _due() -> list[date]:
    border = now() - timedelta(hours=int(settings.QD["traces_sample_after_hours"]))
    rows = client.query(
        "SELECT DISTINCT toDate(partition) AS day FROM system.parts WHERE active AND database = currentDatabase()"
        " AND table = 'spans' AND concat('sampled ', partition) NOT IN (SELECT target FROM rollups) ORDER BY day"
    )
    return [day for (day,) in rows if datetime.combine(day, time.max, UTC) < border]


def _thin_out(day: date) -> None:
    """Put the day's spans aside, which is one step, and take back those that are kept.

    Spans of the day that come in meanwhile are not touched. Taking back is repeatable: the same span twice is one.
    """
    client.command(f"CREATE TABLE IF NOT EXISTS {_ASIDE} AS spans")
    client.command(f"SYSTEM STOP MERGES {_ASIDE}")
    if client.query(f"SELECT count() FROM (SELECT 1 FROM {_ASIDE} LIMIT 1)")[0][0] == 0:
        client.command(f"ALTER TABLE spans MOVE PARTITION {{day:String}} TO TABLE {_ASIDE}", {"day": day.isoformat()})
    parameters = {
        "percent": int(settings.QD["traces_keep_percent"]),
        "rare": RARE_TRACES,
        "slow": SLOW_QUANTILE,
    }
    client.command(_TAKE_BACK, parameters)
    client.command(
        "INSERT INTO rollups (target, done_until) SELECT concat('sampled ', {day:String}), now()",
        {"day": day.isoformat()},
    )
    client.command(f"DROP TABLE {_ASIDE}")


_TRACES = f"""
    SELECT trace_id, max(is_error) AS failed, argMin((service, name), ts) AS operation,
        max(toUnixTimestamp64Nano(ts) + duration_ns) - min(toUnixTimestamp64Nano(ts)) AS took
    FROM {_ASIDE} FINAL GROUP BY trace_id"""
_USUAL = f"""
    SELECT operation, count() AS traces, quantile({{slow:Float64}})(took) AS slow FROM ({_TRACES}) GROUP BY operation"""
_KEPT = f"""
    SELECT trace_id, failed OR took > usual.slow OR usual.traces <= {{rare:UInt32}} AS special
    FROM ({_TRACES}) AS one INNER JOIN ({_USUAL}) AS usual USING operation
    WHERE special OR sipHash64(trace_id) % 100 < {{percent:UInt32}}"""
_TAKE_BACK = f"""
    INSERT INTO spans
    SELECT spans.* REPLACE (
        if(kept.special, spans.sample_weight, spans.sample_weight * 100 / {{percent:UInt32}}) AS sample_weight
    )
    FROM {_ASIDE} AS spans FINAL INNER JOIN ({_KEPT}) AS kept USING trace_id"""
