"""What is pushed: the text format, or protobuf's MetricFamily messages one after another.

See https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.exposition import OPENMETRICS, family_of, number_text, parse, series_of
from quarterdeck.telemetry.naming import LABELS_MAX, NAME_MAX, VALUE_MAX
from quarterdeck.telemetry.receivers.pushgateway.groups import Families
from quarterdeck.telemetry.receiving import Refused

PROTOBUF = "application/vnd.google.protobuf"
_VALUE = {"value": (1, "double")}
_MESSAGES = {
    "LabelPair": {"name": (1, "string"), "value": (2, "string")},
    "Gauge": _VALUE,
    "Counter": _VALUE,
    "Untyped": _VALUE,
    "Quantile": {"quantile": (1, "double"), "value": (2, "double")},
    "Summary": {
        "sample_count": (1, "uint64"), "sample_sum": (2, "double"), "quantile": (3, "repeated Quantile")
    },
    "Bucket": {"cumulative_count": (1, "uint64"), "upper_bound": (2, "double")},
    "Histogram": {
        "sample_count": (1, "uint64"), "sample_sum": (2, "double"), "bucket": (3, "repeated Bucket")
    },
    "Metric": {
        "label": (1, "repeated LabelPair"), "gauge": (2, "Gauge"), "counter": (3, "Counter"),
        "summary": (4, "Summary"), "untyped": (5, "Untyped"), "timestamp_ms": (6, "int64"),
        "histogram": (7, "Histogram"),
    },
    "MetricFamily": {"name": (1, "string"), "type": (3, "int32"), "metric": (4, "repeated Metric")},
}  # fmt: skip
_FAMILY = protos.define("io.prometheus.client", _MESSAGES)["MetricFamily"]
_SIMPLE = ("counter", "gauge", "untyped")
# Name, labels and value of one sample.
Point = tuple[str, Mapping[str, str], float]


class HasTimestamps(Refused):
    """A gateway says when a push came; times of its own would soon be too old to be stored."""

    def __init__(self) -> None:
        super().__init__("pushed metrics must not have timestamps", reason="time")


def families_of(body: bytes, content_type: str, grouping: Mapping[str, str]) -> Families:
    """Return what a push holds by family; labels of the grouping key win. Raises Refused, HasTimestamps."""
    if content_type.startswith(PROTOBUF):
        if "delimited" not in content_type:
            raise Refused("protobuf is taken with encoding=delimited only", status=415, reason="encoding")
        found = _of_protobuf(body)
    else:
        found = _of_text(body, is_openmetrics=content_type.startswith(OPENMETRICS))
    families: Families = {}
    seen = set()
    for family, (name, labels, value) in found:
        merged = tuple(sorted((label, text) for label, text in {**labels, **grouping}.items() if text))
        _check(name, merged)
        if (name, merged) in seen:
            raise Refused(f"{name} was pushed twice with the same labels", reason="labels")
        seen.add((name, merged))
        families.setdefault(family, []).append((name, merged, value))
    return families


def _check(name: str, labels: tuple[tuple[str, str], ...]) -> None:
    too_long = any(len(label) > NAME_MAX or len(value) > VALUE_MAX for label, value in labels)
    if not name or len(name) > NAME_MAX or len(labels) > LABELS_MAX or too_long:
        raise Refused(f"a name or label is missing or too long, or there are too many: {name[:100]}", reason="labels")


def _of_text(body: bytes, *, is_openmetrics: bool) -> Iterator[tuple[str, Point]]:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused("the body is not UTF-8", reason="utf8") from error
    exposition = parse(text, is_openmetrics=is_openmetrics)
    for series, value, at in exposition.samples:
        if at is not None:
            raise HasTimestamps
        name, labels = series_of(series)
        yield family_of(name, exposition.types), (name, labels, value)


def _of_protobuf(body: bytes) -> Iterator[tuple[str, Point]]:
    for content in _delimited(body):
        family = protos.parsed(_FAMILY, content)
        for metric in family.metric:
            if metric.timestamp_ms:
                raise HasTimestamps
            labels = {pair.name: pair.value for pair in metric.label}
            for suffix, more, value in _points(metric):
                yield family.name, (family.name + suffix, {**labels, **more}, value)


def _delimited(body: bytes) -> Iterator[bytes]:
    """Yield the messages, each of which stands behind its length as a varint."""
    at = 0
    while at < len(body):
        length = shift = 0
        while True:
            if at >= len(body) or shift > 28:
                raise Refused("a message's length is cut short or too large")
            length |= (body[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if body[at - 1] < 128:
                break
        if at + length > len(body):
            raise Refused("a message is cut short")
        yield body[at : at + length]
        at += length


def _points(metric: Any) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield suffix, label and value of each sample that a metric stands for."""
    for kind in _SIMPLE:
        if metric.HasField(kind):
            yield "", {}, getattr(metric, kind).value
    if metric.HasField("summary"):
        summary = metric.summary
        for one in summary.quantile:
            yield "", {"quantile": number_text(one.quantile)}, one.value
        yield from _total(summary)
    if metric.HasField("histogram"):
        histogram = metric.histogram
        bounds = {number_text(one.upper_bound): float(one.cumulative_count) for one in histogram.bucket}
        for bound, count in {**bounds, "+Inf": float(histogram.sample_count)}.items():
            yield "_bucket", {"le": bound}, count
        yield from _total(histogram)


def _total(metric: Any) -> Iterator[tuple[str, dict[str, str], float]]:
    yield "_count", {}, float(metric.sample_count)
    yield "_sum", {}, metric.sample_sum
