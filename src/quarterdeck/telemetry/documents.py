"""How the engine reads log lines that are JSON documents, whoever sends them.

Names are those of the Elastic Common Schema, of OpenTelemetry and of common loggers, nested (`{"log": {"level": ...}}`)
or with dots (`{"log.level": ...}`). What fills no column is kept under its name with dots, down to four levels; what
lies deeper stays JSON. See https://www.elastic.co/docs/reference/ecs and https://opentelemetry.io/docs/specs/semconv/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from quarterdeck.telemetry.mapping import identities_of, level_of, quoted, sender_kind_of, sender_name_of
from quarterdeck.telemetry.receiving import Frame, Stream

_FLAT = "Map(LowCardinality(String), String)"
_TWO = f"Map(LowCardinality(String), {_FLAT})"
_THREE = f"Map(LowCardinality(String), {_TWO})"
_FOUR = f"Map(LowCardinality(String), {_THREE})"

# The names of each column, the first that is there counts.
_NAMES = {
    "ts": ("@timestamp", "timestamp", "time", "ts", "date", "datetime", "timereported", "eventTime"),
    "message": ("message", "msg", "log", "body", "body.text", "short_message", "event.original", "MESSAGE", "text"),
    "level": ("log.level", "level", "severity", "severity_text", "severityText", "loglevel", "levelname", "priority"),
    "service": ("service.name", "service", "service_name", "application", "app", "app.name", "kubernetes.labels.app"),
    "host": ("host.name", "host.hostname", "host", "hostname", "fromhost", "kubernetes.host", "HOST"),
    "component": ("log.logger", "logger", "logger_name", "loggerName", "process.name", "programname", "program",
                  "PROGRAM", "ident", "event.dataset"),
    "trace_id": ("trace.id", "trace_id", "traceId", "TraceId", "traceid"),
    "span_id": ("span.id", "span_id", "spanId", "SpanId", "spanid"),
    "container_id": ("container.id", "container_id", "docker.container_id", "kubernetes.docker_id"),
    "container_name": ("container.name", "container_name", "kubernetes.container_name"),
}  # fmt: skip
# Names of Elastic's and of Fluentd's Kubernetes filter, and OpenTelemetry's for them.
KUBERNETES = {
    "kubernetes.pod.name": "k8s.pod.name",
    "kubernetes.pod_name": "k8s.pod.name",
    "kubernetes.pod.uid": "k8s.pod.uid",
    "kubernetes.pod_id": "k8s.pod.uid",
    "kubernetes.namespace": "k8s.namespace.name",
    "kubernetes.namespace_name": "k8s.namespace.name",
    "kubernetes.node.name": "k8s.node.name",
    "kubernetes.host": "k8s.node.name",
    "kubernetes.deployment.name": "k8s.deployment.name",
    "kubernetes.container.name": "k8s.container.name",
    "kubernetes.container_name": "k8s.container.name",
    "orchestrator.cluster.name": "k8s.cluster.name",
}
_IS_RESOURCE = "'^(host|service|container|k8s|cloud|os|deployment|telemetry)[.]'"


def _array(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(quoted, texts)) + "]"


def _levels(carried: str, source: str) -> str:
    """SQL: the document as maps of one to four levels; a level is read only where the one above holds objects."""
    two = f"if(position(doc, '{{', 2) > 0, JSONExtract(doc, '{_TWO}'), CAST(map(), '{_TWO}'))"
    holds = "arrayExists(m -> arrayExists(v -> startsWith(v, '{'), mapValues(m)), mapValues(two))"
    three = f"if({holds}, JSONExtract(doc, '{_THREE}'), CAST(map(), '{_THREE}'))"
    holds = (
        "arrayExists(n -> arrayExists(m -> arrayExists(v -> startsWith(v, '{'), mapValues(m)), mapValues(n)),"
        " mapValues(three))"
    )
    four = f"if({holds}, JSONExtract(doc, '{_FOUR}'), CAST(map(), '{_FOUR}'))"
    return f"""
    SELECT *, {four} AS four FROM (
    SELECT *, {three} AS three FROM (
    SELECT *, {two} AS two FROM (
    SELECT {carried}doc, JSONExtract(doc, '{_FLAT}') AS one FROM {source})))"""


def _names(maps: Sequence[str]) -> str:
    """SQL: the names of all leaves, in order. `maps` are the expressions of this level and those below it."""
    if len(maps) == 1:
        return f"mapKeys({maps[0]})"
    # The same letter may be used on every level, the inner one hides the outer.
    below = [f"d{len(maps)}_{at}" for at in range(1, len(maps))]
    key, inner = f"k{len(maps)}", f"j{len(maps)}"
    each = f"arrayMap({inner} -> concat({key}, '.', {inner}), {_names(below)})"
    return (
        f"if(empty({maps[1]}), mapKeys({maps[0]}), arrayFlatten(arrayMap(({', '.join([key, *below])}) ->"
        f" if(empty({below[0]}), [{key}], {each}), mapKeys({maps[0]}), {_aligned(maps)})))"
    )


def _values(maps: Sequence[str]) -> str:
    """SQL: the values that belong to `_names`."""
    if len(maps) == 1:
        return f"mapValues({maps[0]})"
    below = [f"d{len(maps)}_{at}" for at in range(1, len(maps))]
    value = f"v{len(maps)}"
    return (
        f"if(empty({maps[1]}), mapValues({maps[0]}), arrayFlatten(arrayMap(({', '.join([value, *below])}) ->"
        f" if(empty({below[0]}), [{value}], {_values(below)}), mapValues({maps[0]}), {_aligned(maps)})))"
    )


def _aligned(maps: Sequence[str]) -> str:
    """SQL: the values of the levels below, as many as the first level has."""
    return ", ".join(f"arrayResize(mapValues({lower}), length({maps[0]}))" for lower in maps[1:])


def _first_name(column: str) -> str:
    """SQL: the first of the column's names that the document has, "" for none."""
    tests = ", ".join(f"has(ks, {quoted(name)}), {quoted(name)}" for name in _NAMES[column])
    return f"multiIf({tests}, '')"


def time_of(text: str) -> str:
    """Return SQL for a DateTime64(9) from a date, or from a Unix time in s, ms, us or ns; 1970 where it is neither."""
    digits = f"length(substringIndex({text}, '.', 1))"
    number = (
        f"fromUnixTimestamp64Nano(multiIf({digits} = 19, toInt64OrZero({text}), {digits} = 16,"
        f" toInt64OrZero(substringIndex({text}, '.', 1)) * 1000, {digits} = 13,"
        f" toInt64OrZero(substringIndex({text}, '.', 1)) * 1000000,"
        f" toInt64(least(toFloat64OrZero({text}), 9e9) * 1000000) * 1000), 'UTC')"
    )
    return (
        f"if(match({text}, '^[0-9]{{9,19}}([.][0-9]+)?$'), {number}, parseDateTime64BestEffortOrZero({text}, 9, 'UTC'))"
    )


_MAPS = ("one", "two", "three", "four")
# Most documents have two levels at most: the general way, which costs three times as much, is for the others.
_ONE = "if(notEmpty(three), 0, length(one))"
_BOTH = "if(notEmpty(three), 0, length(two))"
_ALL_NAMES = (
    f"arrayConcat(arrayFilter((k, m) -> empty(m), arrayResize(mapKeys(one), {_ONE}),"
    f" arrayResize(mapValues(two), {_ONE})), arrayFlatten(arrayMap((k, m) ->"
    f" arrayMap(j -> concat(k, '.', j), mapKeys(m)), arrayResize(mapKeys(two), {_BOTH}),"
    f" arrayResize(mapValues(two), {_BOTH}))), if(empty(three), CAST([], 'Array(String)'), {_names(_MAPS)}))"
)
_ALL_VALUES = (
    f"arrayConcat(arrayFilter((v, m) -> empty(m), arrayResize(mapValues(one), {_ONE}),"
    f" arrayResize(mapValues(two), {_ONE})), arrayFlatten(arrayMap(m -> mapValues(m),"
    f" arrayResize(mapValues(two), {_BOTH}))), if(empty(three), CAST([], 'Array(String)'), {_values(_MAPS)}))"
)
_NAMES_TYPE = "Array(LowCardinality(String))"
# Names are in a dictionary (LowCardinality), of which each is looked at once.
_RENAMED = (
    f"arrayMap(k -> transform(replaceRegexpOne(k, '^(resource[.])?attributes[.]', ''), {_array([*KUBERNETES])},"
    f" {_array([*KUBERNETES.values()])}), ks)"
)


def _flattened(carried: str, source: str) -> str:
    names = f"CAST({_ALL_NAMES}, '{_NAMES_TYPE}')"
    plain = f"SELECT {carried}doc, {names} AS ks, {_ALL_VALUES} AS vs FROM ({_levels(carried, source)})"
    return f"SELECT {carried}doc, {_RENAMED} AS ks, vs FROM ({plain})"


def log_select(
    source: str, carried: str = "", *, host: str = "''", service: str = "''", attributes: str = "map()"
) -> str:
    """Return the SELECT for `logs_in` of the documents in the column `doc` of `source`.

    `carried` names further columns of `source` ("a, b, "), which may be used in `host` and `service`, SQL for what
    counts where a document tells none, and in `attributes`, SQL for a Map that is added to each line's own.
    A document without a message is its own message.
    """
    keys = ", ".join(f"{_first_name(column)} AS {column}_key" for column in _NAMES)
    found = {column: f"vs[indexOf(ks, {column}_key)]" for column in _NAMES}
    chosen = "[" + ", ".join(f"{column}_key" for column in _NAMES) + "]"
    named = (
        "map('service.name', service, 'host.name', host"
        ", 'container.id', container_id, 'container.name', container_name)"
    )
    return f"""
    SELECT {sender_kind_of("resource")} AS sender_kind, {sender_name_of("resource")} AS sender_name,
        CAST({identities_of("resource")}, 'Map(String, String)') AS identities,
        ts, service, host, component, level, trace_id, span_id, message, attributes, resource
    FROM (
        SELECT *, mapFilter((k, v) -> v != '', mapUpdate(CAST(mapFromArrays(rk, rv), 'Map(String, String)'), {named}))
            AS resource
        FROM (
            SELECT {time_of(found["ts"])} AS ts, {level_of(found["level"])} AS level,
                if(message_key = '', doc, {found["message"]}) AS message,
                multiIf(service_key != '', {found["service"]}, {service} != '', {service}, container_name) AS service,
                if(host_key = '', {host}, {found["host"]}) AS host,
                {found["component"]} AS component, lower({found["trace_id"]}) AS trace_id,
                lower({found["span_id"]}) AS span_id, {found["container_id"]} AS container_id,
                trim(LEADING '/' FROM {found["container_name"]}) AS container_name,
                arrayMap(k -> match(k, {_IS_RESOURCE}), ks) AS is_resource,
                arrayFilter((k, r) -> r, ks, is_resource) AS rk, arrayFilter((v, r) -> r, vs, is_resource) AS rv,
                arrayMap((k, v, r) -> NOT r AND v != '' AND NOT has(chosen, k), ks, vs, is_resource) AS is_attribute,
                mapUpdate(CAST(mapFromArrays(arrayFilter((k, a) -> a, ks, is_attribute),
                    arrayFilter((v, a) -> a, vs, is_attribute)), 'Map(String, String)'),
                    CAST({attributes}, 'Map(String, String)')) AS attributes
            FROM (SELECT *, {chosen} AS chosen FROM (SELECT *, {keys} FROM ({_flattened(carried, source)})))
        )
    )"""


# Merged into one step, the many expressions cost twice as much (26.9).
OPTIONS: Mapping[str, str] = {"query_plan_merge_expressions": "0"}
DOCUMENTS = "documents"
STREAMS = {
    DOCUMENTS: Stream("logs_in", "LineAsString", "doc String", log_select("(SELECT doc FROM {input})"), options=OPTIONS)
}


def frame_of_documents(documents: Sequence[Mapping[str, Any]]) -> Frame:
    """Return the frame of at least one document; what JSON cannot hold becomes text."""
    lines = [orjson.dumps(document, default=_as_text, option=orjson.OPT_NON_STR_KEYS) for document in documents]
    return Frame(DOCUMENTS, b"\n".join(lines), len(lines))


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
