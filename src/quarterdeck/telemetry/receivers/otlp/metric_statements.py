"""How the engine reads OTLP's metrics: as Prometheus' receiver does, so that dashboards and rules fit both.

Names get the unit and, when they only grow, `_total`; histograms become cumulative `_bucket` series with `_count` and
`_sum`; summaries get a `quantile`. Delta sums, which Prometheus knows not, end in `_delta`. Exponential histograms are
brought to at most two buckets for each doubling (scale 1). See
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

from quarterdeck.telemetry.mapping import quoted
from quarterdeck.telemetry.receivers.otlp.statements import OPTIONS, RESOURCE_TYPE, SCOPE_TYPE, proto, resources
from quarterdeck.telemetry.receivers.otlp.values import ATTRIBUTES_TYPE, map_of
from quarterdeck.telemetry.receiving import Stream

# UCUM's units as Prometheus writes them. See the specification's "Metric Metadata".
_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "kBy": "kilobytes",
    "MBy": "megabytes", "GBy": "gigabytes", "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts",
    "g": "grams", "Cel": "celsius", "Hz": "hertz", "%": "percent", "By/s": "bytes_per_second", "1": "ratio",
}  # fmt: skip
# Nanoseconds of Python's and JavaScript's largest scale of 20 would make thousands of series of one histogram.
_SCALE_MAX = 1

_NUMBER = (
    "Tuple(time_unix_nano UInt64, number Enum8('no' = 0, 'as_double' = 4, 'as_int' = 6), as_double Float64, as_int Int64,"
    f" attributes {ATTRIBUTES_TYPE})"
)
_HISTOGRAM = (
    "Tuple(time_unix_nano UInt64, count UInt64, sum Float64, bucket_counts Array(UInt64), explicit_bounds Array(Float64),"
    f" attributes {ATTRIBUTES_TYPE})"
)
_EXPONENTIAL = (
    f"Tuple(attributes {ATTRIBUTES_TYPE}, time_unix_nano UInt64, count UInt64, sum Float64, scale Int32, zero_count UInt64,"
    " positive Tuple(offset Int32, bucket_counts Array(UInt64)),"
    " negative Tuple(offset Int32, bucket_counts Array(UInt64)))"
)
_SUMMARY = (
    "Tuple(time_unix_nano UInt64, count UInt64, sum Float64, quantile_values Array(Tuple(quantile Float64, value Float64)),"
    f" attributes {ATTRIBUTES_TYPE})"
)
_METRIC = (
    f"Tuple(name String, unit String, gauge Tuple(data_points Array({_NUMBER})),"
    f" sum Tuple(data_points Array({_NUMBER}), aggregation_temporality UInt32, is_monotonic Bool),"
    f" histogram Tuple(data_points Array({_HISTOGRAM}), aggregation_temporality UInt32),"
    f" exponential_histogram Tuple(data_points Array({_EXPONENTIAL}), aggregation_temporality UInt32),"
    f" summary Tuple(data_points Array({_SUMMARY})))"
)

# A point on its way: what the name ends in, the label that a bucket or quantile adds, its value, time and attributes.
_POINT = f"Array(Tuple(suffix String, le Array(Tuple(String, String)), value Float64, at UInt64, attributes {ATTRIBUTES_TYPE}))"
_VALUE = "if(p.number = 'as_int', toFloat64(p.as_int), p.as_double)"
_SUM_SUFFIX = "multiIf(metric.sum.aggregation_temporality = 1, '_delta', metric.sum.is_monotonic, '_total', '')"


def _number(x: str) -> str:
    """SQL: a bound as Prometheus writes it."""
    return f"if(isInfinite({x}), '+Inf', toString({x}))"


def _buckets(bounds: str, counts: str) -> str:
    """SQL: cumulative buckets of one point `p`, the last one being +Inf."""
    return (
        f"arrayMap((bound, total) -> ('_bucket', [('le', {_number('bound')})], toFloat64(total), p.time_unix_nano,"
        f" p.attributes), {bounds}, arrayCumSum({counts}))"
    )


_TOTALS = (
    "[('_count', [], toFloat64(p.count), p.time_unix_nano, p.attributes),"
    " ('_sum', [], p.sum, p.time_unix_nano, p.attributes)]"
)
_CLASSIC = _buckets(
    "arrayPushBack(p.explicit_bounds, inf)",
    "arrayResize(p.bucket_counts, length(p.explicit_bounds) + 1)",
)
# Buckets of an exponential histogram by their upper bound at the lower scale; what is zero or less comes first.
_FOLDED = (
    f"arrayReduce('sumMap', arrayMap(i -> [toInt64(floor((p.positive.offset + i - 1) /"
    f" exp2(greatest(p.scale - {_SCALE_MAX}, 0))))], arrayEnumerate(p.positive.bucket_counts)),"
    " arrayMap(c -> [c], p.positive.bucket_counts))"
)
_LOW = "p.zero_count + arraySum(p.negative.bucket_counts)"
_EXPONENTIAL_BUCKETS = _buckets(
    f"arrayConcat([toFloat64(0)], arrayMap(i -> exp2((i + 1) * exp2(-least(p.scale, {_SCALE_MAX}))), {_FOLDED}.1), [inf])",
    f"arrayConcat([{_LOW}], {_FOLDED}.2, [toUInt64(0)])",
)
_QUANTILES = "arrayMap(q -> ('', [('quantile', toString(q.quantile))], q.value, p.time_unix_nano, p.attributes), p.quantile_values)"


def _points(parts: tuple[str, ...], points: str) -> str:
    return f"arrayFlatten(arrayMap(p -> arrayConcat({', '.join(parts)}), {points}))"


_ALL_POINTS = f"""arrayConcat(
    CAST(arrayMap(p -> ('', [], {_VALUE}, p.time_unix_nano, p.attributes), metric.gauge.data_points), '{_POINT.replace("'", "''")}'),
    CAST(arrayMap(p -> ({_SUM_SUFFIX}, [], {_VALUE}, p.time_unix_nano, p.attributes), metric.sum.data_points), '{_POINT.replace("'", "''")}'),
    CAST({_points((_CLASSIC, _TOTALS), "metric.histogram.data_points")}, '{_POINT.replace("'", "''")}'),
    CAST({_points((_EXPONENTIAL_BUCKETS, _TOTALS), "metric.exponential_histogram.data_points")}, '{_POINT.replace("'", "''")}'),
    CAST({_points((_QUANTILES, _TOTALS), "metric.summary.data_points")}, '{_POINT.replace("'", "''")}')
)"""
_UNIT = (
    f"transform(metric.unit, [{', '.join(map(quoted, _UNITS))}], [{', '.join(map(quoted, _UNITS.values()))}],"
    " if(match(metric.unit, '^[a-zA-Z]+$'), metric.unit, ''))"
)
_BASE = "replaceRegexpAll(metric.name, '[^a-zA-Z0-9_:]', '_')"
_IS_COUNT = "length(metric.sum.data_points) > 0"
# Of `plain` and `unit`, each made once: what is written out four times is planned four times.
_NAME = (
    f"concat(plain, if(unit = '' OR endsWith(plain, unit) OR (unit = 'ratio' AND {_IS_COUNT})"
    " OR endsWith(plain, '_total'), '', concat('_', unit)))"
)
_SAFE = "mapFromArrays(arrayMap(k -> replaceRegexpAll(k, '[^a-zA-Z0-9_]', '_'), mapKeys(m)), mapValues(m))"
_JOB = "if(resource['service.namespace'] != '', concat(resource['service.namespace'], '/', service), service)"

METRICS = Stream(
    table="metrics_in",
    format="Protobuf",
    structure=f"resource_metrics Array(Tuple({RESOURCE_TYPE}, scope_metrics Array(Tuple({SCOPE_TYPE},"
    f" metrics Array({_METRIC})))))",
    select=f"""
    SELECT sender_kind, sender_name, identities,
        if(endsWith(base, point.suffix), base, concat(base, point.suffix)) AS metric_name,
        mapSort(mapFilter((k, v) -> v != '', mapUpdate(
            mapConcat(map('job', {_JOB}, 'instance', resource['service.instance.id'], 'host', host), CAST(point.le, 'Map(String, String)')),
            {_SAFE.replace("m)", map_of("point.attributes") + ")")}
        ))) AS labels,
        [toDateTime64(fromUnixTimestamp64Nano(toInt64(point.at), 'UTC'), 3, 'UTC')] AS timestamps,
        [point.value] AS values
    FROM (
        SELECT * EXCEPT (metric, plain, unit), {_NAME} AS base, arrayJoin({_ALL_POINTS}) AS point
        FROM (
            SELECT *, {_BASE} AS plain, {_UNIT} AS unit
            FROM (SELECT * EXCEPT scope, arrayJoin(scope.metrics) AS metric
                FROM ({resources("resource_metrics", "scope_metrics")}))
        )
    )""",
    delimiter="varint",
    proto=proto("metrics"),
    message="Request",
    has_ids=True,
    options=OPTIONS,
)
