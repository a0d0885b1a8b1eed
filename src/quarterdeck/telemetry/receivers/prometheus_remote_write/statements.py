"""How the engine reads remote write: samples by number, the series that belong to them, and whole requests.

An intake key's labels become part of its series, so they change the series' number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.mapping import COMMON, NEWEST_HOURS, OLDEST_DAYS
from quarterdeck.telemetry.receivers.prometheus_remote_write.messages import MESSAGES
from quarterdeck.telemetry.receiving import Stream

SAMPLES, SERIES, REQUESTS = "prometheus.samples", "prometheus.series", "prometheus.write"
_KEY_LABELS = "{labels:Map(String, String)}"
_ID = f"(first, if(empty({_KEY_LABELS}), second, sipHash64(second, mapKeys({_KEY_LABELS}), mapValues({_KEY_LABELS}))))"


def _milliseconds(varint: str) -> str:
    """SQL: the number whose six bytes stand behind a tag in the UInt64 `varint`, seven bits in each."""
    return " + ".join(f"bitAnd(bitShiftRight({varint}, {8 + part}), {127 << 7 * part})" for part in range(6))


def _samples(rules: Sequence[Any]) -> Mapping[str, str]:
    return {"id": _ID, "timestamp": "timestamp", "value": "value"}


def _series(rules: Sequence[Any]) -> Mapping[str, str]:
    return {
        **COMMON,
        "sender_kind": "'instance'",
        "sender_name": "sender_name",
        "identities": "identities",
        "metric_name": "metric_name",
        "labels": f"if(empty({_KEY_LABELS}), labels, mapSort(mapUpdate(labels, {_KEY_LABELS})))",
        "id": _ID,
        "min_time": "fromUnixTimestamp64Milli(oldest_ms, 'UTC')",
        "max_time": "fromUnixTimestamp64Milli(until_ms, 'UTC')",
    }


STREAMS = {
    SAMPLES: Stream(
        table="samples",
        format="RowBinary",
        # Of a sample the first three bytes and the seventh last are tags, which were checked.
        structure="first UInt64, second UInt64, samples Array(Tuple(tags FixedString(3), value Float64, at FixedString(7)))",
        select=f"""
        SELECT first, second, value, fromUnixTimestamp64Milli(toInt64({_milliseconds("at")}), 'UTC') AS timestamp
        FROM (
            SELECT first, second, sample.value AS value, reinterpretAsUInt64(sample.at) AS at
            FROM (SELECT first, second, arrayJoin(samples) AS sample FROM {{input}})
        )
        WHERE timestamp > subtractDays({{received:DateTime64(3)}}, {OLDEST_DAYS})
            AND timestamp < addHours({{received:DateTime64(3)}}, {NEWEST_HOURS})""",
        delimiter="none",
        has_ids=True,
        columns=_samples,
    ),
    SERIES: Stream(
        table="series_in",
        format="JSONCompactEachRow",
        structure="first UInt64, second UInt64, sender_name String, identities Map(String, String),"
        " metric_name String, labels Map(String, String), oldest_ms Int64, until_ms Int64",
        select="SELECT * FROM {input}",
        has_ids=True,
        columns=_series,
    ),
    # What versions before spooled: nothing of it is lost over an update.
    REQUESTS: Stream(
        table="metrics_in",
        format="Protobuf",
        structure="timeseries Array(Tuple(labels Array(Tuple(name String, value String)),"
        " samples Array(Tuple(value Float64, timestamp Int64))))",
        select="""
    SELECT 'instance' AS sender_kind, one.labels.value[indexOf(one.labels.name, 'instance')] AS sender_name,
        map('instance', sender_name, 'job', one.labels.value[indexOf(one.labels.name, 'job')]) AS identities,
        one.labels.value[indexOf(one.labels.name, '__name__')] AS metric_name,
        mapFromArrays(one.labels.name, one.labels.value) AS labels,
        arrayMap(t -> fromUnixTimestamp64Milli(t, 'UTC'), one.samples.timestamp) AS timestamps,
        one.samples.value AS values
    FROM (SELECT arrayJoin(timeseries) AS one FROM {input})
    WHERE metric_name != ''""",
        delimiter="varint",
        proto=protos.source(MESSAGES),
        message="WriteRequest",
        has_ids=True,
    ),
}
