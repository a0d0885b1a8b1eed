"""Prometheus remote write 1.0.

Names, labels and values are kept as they are, NaN, infinities and stale markers by their bits. Exemplars, native
histograms and metadata are accepted and not kept; series without a name are left out. The sender is the `instance`.
See https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receiving import (
    Answer,
    Client,
    Frame,
    Problem,
    Receiver,
    Refused,
    Request,
    Route,
    Stream,
    Taken,
)

_MESSAGES = {
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
    "TimeSeries": {"labels": (1, "repeated Label"), "samples": (2, "repeated Sample")},
    "WriteRequest": {"timeseries": (1, "repeated TimeSeries")},
}
_WRITE_REQUEST = protos.define("prometheus", _MESSAGES)["WriteRequest"]
# Version 2 has other fields under the same numbers: what it sends must not be read as version 1.
_V2 = "io.prometheus.write.v2.Request"

_STREAM = Stream(
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
    proto=protos.source(_MESSAGES),
    message="WriteRequest",
    has_ids=True,
)


def _take(request: Request) -> Taken:
    if _V2 in request.headers.get("content-type", ""):
        raise Refused("remote write 2.0 is not spoken yet, send 1.0", reason="version", status=415)
    message = protos.parsed(_WRITE_REQUEST, request.body)
    samples = sum(len(series.samples) for series in message.timeseries)
    # Series without a name, which no Prometheus sends, are left out by the engine.
    frames = [Frame("prometheus.write", protos.known(message), samples)] if samples else []
    return Taken(frames, Answer(status=204))


def _problem(problem: Problem) -> Answer:
    """Prometheus logs the first line of the body."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_CLIENT = """\
remote_write:
  - url: {url}/api/v1/write
    authorization:
      credentials: {key}
"""

PLUGIN = Receiver(
    title="Prometheus remote write",
    signals=("metrics",),
    routes=(Route(("POST",), "/api/v1/write", _take), Route(("POST",), "/prometheus/v1/write", _take)),
    streams={"prometheus.write": _STREAM},
    clients=(Client("prometheus.yml", _CLIENT, language="yaml"),),
    problem=_problem,
)
