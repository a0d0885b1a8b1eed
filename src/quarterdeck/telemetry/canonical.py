"""Rows for protocols that are read in Python (lines, binary frames): the same tables, one JSON row each.

A receiver yields rows of these shapes, `frame_of_metrics(rows)` and its likes make them a Frame.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from quarterdeck.telemetry.receiving import Frame, Stream


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a row: `kind` is host, container, instance (host:port) or service; `identities` by OTel's names."""

    kind: str = ""
    name: str = ""
    identities: Mapping[str, str] = field(default_factory=dict)


NOBODY = Sender()


@dataclass(frozen=True, slots=True)
class MetricRow:
    """Samples of one series. `labels` without empty values; `samples` is `[(Unix time in ms, value), ...]`.

    A value may be NaN or infinite where the protocol knows such values; their bits are kept (see `STALE`).
    """

    metric: str
    labels: Mapping[str, str]
    samples: Sequence[tuple[int, float]]
    sender: Sender = NOBODY


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line. `ts_ns` is Unix time in nanoseconds; `level` any usual word for one, or "" """

    ts_ns: int
    message: str
    service: str = ""
    host: str = ""
    component: str = ""
    level: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    sender: Sender = NOBODY


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span; ids in hex (32 and 16 digits, `parent_id` "" for a root), `events` is `[(ts_ns, name, attributes)]`.

    `links` is `[(trace_id, span_id)]`.
    """

    trace_id: str
    span_id: str
    name: str
    ts_ns: int
    duration_ns: int
    parent_id: str = ""
    kind: str = "internal"
    service: str = ""
    host: str = ""
    version: str = ""
    env: str = ""
    is_error: bool = False
    status_message: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[tuple[int, str, Mapping[str, str]]] = ()
    links: Sequence[tuple[str, str]] = ()
    sender: Sender = NOBODY


# The NaN by which Prometheus marks that a series has ended: its bits tell it from a NaN that was measured.
# See https://prometheus.io/docs/specs/prw/remote_write_spec/#stale-markers
STALE_BITS = 0x7FF0000000000002
STALE: float = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]


def bits_of(values: Sequence[float]) -> tuple[int, ...]:
    """Return the values' IEEE 754 bits when one of them is no finite number, which JSON has no word for; else ()."""
    if all(map(math.isfinite, values)):
        return ()
    return struct.unpack(f"<{len(values)}Q", struct.pack(f"<{len(values)}d", *values))


METRICS, LOGS, SPANS = "rows.metrics", "rows.logs", "rows.spans"


def series_head(metric: str, labels: Mapping[str, str], sender: Sender) -> bytes:
    """Return the first part of a series' line, which a receiver may keep for the next samples of the same series."""
    named = (sender.kind, sender.name, sender.identities, metric, dict(sorted(labels.items())))
    return orjson.dumps(named)[:-1] + b","


def points(samples: Sequence[tuple[int, float]]) -> bytes:
    """Return the other part of a series' line."""
    values = [float(value) for _, value in samples]
    return orjson.dumps(([at for at, _ in samples], values, bits_of(values)))[1:]


def frame_of_metrics(rows: Sequence[MetricRow]) -> Frame:
    """Return the frame of at least one row."""
    lines = [series_head(row.metric, row.labels, row.sender) + points(row.samples) for row in rows]
    return Frame(METRICS, b"\n".join(lines), sum(len(row.samples) for row in rows))


def line_of_sample(head: bytes, at_ms: int, value: float) -> bytes:
    """Return the line of one sample behind its `series_head`; `value` is finite."""
    return b"%b[%d],[%b],[]]" % (head, at_ms, repr(float(value)).encode())


def frame_of_samples(lines: Sequence[bytes]) -> Frame:
    """Return the frame of lines that `line_of_sample` made."""
    return Frame(METRICS, b"\n".join(lines), len(lines))


def frame_of_logs(rows: Sequence[LogRow]) -> Frame:
    """Return the frame of at least one row."""
    lines = [
        orjson.dumps(
            (
                row.sender.kind,
                row.sender.name,
                row.sender.identities,
                row.ts_ns,
                row.service,
                row.host,
                row.component,
                row.level,
                row.trace_id,
                row.span_id,
                row.message,
                row.attributes,
                row.resource,
            )
        )
        for row in rows
    ]
    return Frame(LOGS, b"\n".join(lines), len(rows))


def frame_of_spans(rows: Sequence[SpanRow]) -> Frame:
    """Return the frame of at least one row."""
    lines = [
        orjson.dumps(
            (
                row.sender.kind,
                row.sender.name,
                row.sender.identities,
                row.ts_ns,
                row.duration_ns,
                row.trace_id,
                row.span_id,
                row.parent_id,
                row.service,
                row.name,
                row.kind,
                row.is_error,
                row.status_message,
                row.host,
                row.version,
                row.env,
                row.attributes,
                row.resource,
                row.events,
                row.links,
            )
        )
        for row in rows
    ]
    return Frame(SPANS, b"\n".join(lines), len(rows))


_FORMAT = "JSONCompactEachRow"
_MAP = "Map(String, String)"


def _streams() -> dict[str, Stream]:
    from quarterdeck.telemetry.mapping import level_of

    sender = f"sender_kind String, sender_name String, identities {_MAP}"
    metrics = Stream(
        table="metrics_in",
        format=_FORMAT,
        structure=f"{sender}, metric_name String, labels {_MAP}, at Array(Int64), numbers Array(Float64),"
        " bits Array(UInt64)",
        select="SELECT * EXCEPT (at, numbers, bits),"
        " arrayMap(t -> fromUnixTimestamp64Milli(t, 'UTC'), at) AS timestamps,"
        " if(empty(bits), numbers, arrayMap(b -> reinterpretAsFloat64(b), bits)) AS values FROM {input}",
        has_ids=True,
    )
    logs = Stream(
        table="logs_in",
        format=_FORMAT,
        structure=f"{sender}, at Int64, service String, host String, component String, word String, trace_id String,"
        f" span_id String, message String, attributes {_MAP}, resource {_MAP}",
        select="SELECT * EXCEPT (at, word), fromUnixTimestamp64Nano(at, 'UTC') AS ts,"
        f" {level_of('word')} AS level FROM {{input}}",
    )
    spans = Stream(
        table="spans_in",
        format=_FORMAT,
        structure=f"{sender}, at Int64, duration_ns UInt64, trace String, span String, parent String, service String,"
        " name String, kind String, is_error Bool, status_message String, host String, version String, env String,"
        f" attributes {_MAP}, resource {_MAP}, happened Array(Tuple(Int64, String, {_MAP})),"
        " linked Array(Tuple(String, String))",
        select="SELECT * EXCEPT (at, trace, span, parent, happened, linked), fromUnixTimestamp64Nano(at, 'UTC') AS ts,"
        " toFixedString(unhex(substring(trace, 1, 32)), 16) AS trace_id,"
        " toFixedString(unhex(substring(span, 1, 16)), 8) AS span_id,"
        " toFixedString(unhex(substring(parent, 1, 16)), 8) AS parent_id,"
        " arrayMap(e -> (fromUnixTimestamp64Nano(e.1, 'UTC'), e.2, e.3), happened) AS events,"
        " arrayMap(l -> (toFixedString(unhex(substring(l.1, 1, 32)), 16),"
        " toFixedString(unhex(substring(l.2, 1, 16)), 8)), linked) AS links FROM {input}",
        has_ids=True,
    )
    return {METRICS: metrics, LOGS: logs, SPANS: spans}


STREAMS = _streams()
