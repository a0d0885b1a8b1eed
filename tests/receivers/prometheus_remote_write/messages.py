"""Remote write's messages as Prometheus sends them, also with what we do not keep.

See https://github.com/prometheus/prometheus/blob/main/prompb/types.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cramjam

from quarterdeck.telemetry import protos

_MESSAGES = protos.define(
    "prometheus.full",
    {
        "Label": {"name": (1, "string"), "value": (2, "string")},
        "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
        "Exemplar": {"labels": (1, "repeated Label"), "value": (2, "double"), "timestamp": (3, "int64")},
        "BucketSpan": {"offset": (1, "sint32"), "length": (2, "uint32")},
        "Histogram": {
            "count_int": (1, "uint64"),
            "sum": (3, "double"),
            "schema": (4, "sint32"),
            "positive_spans": (11, "repeated BucketSpan"),
            "positive_deltas": (12, "repeated sint64"),
            "timestamp": (15, "int64"),
        },
        "TimeSeries": {
            "labels": (1, "repeated Label"),
            "samples": (2, "repeated Sample"),
            "exemplars": (3, "repeated Exemplar"),
            "histograms": (4, "repeated Histogram"),
        },
        "MetricMetadata": {
            "type": (1, "int32"),
            "metric_family_name": (2, "string"),
            "help": (4, "string"),
            "unit": (5, "string"),
        },
        "WriteRequest": {"timeseries": (1, "repeated TimeSeries"), "metadata": (3, "repeated MetricMetadata")},
    },
)


def write_request(series: Iterable[tuple[Mapping[str, str], Sequence[tuple[float, int]]]] = ()) -> Any:
    """Return a message of `(labels, [(value, Unix time in ms)])`."""
    message: Any = _MESSAGES["WriteRequest"]()
    for labels, samples in series:
        one = message.timeseries.add()
        for name, value in labels.items():
            one.labels.add(name=name, value=value)
        for value_of, at in samples:
            one.samples.add(value=value_of, timestamp=at)
    return message


def compressed(message: Any) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))
