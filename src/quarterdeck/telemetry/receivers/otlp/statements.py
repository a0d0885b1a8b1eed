"""How the engine reads OTLP's requests."""

from __future__ import annotations

from importlib.resources import files

from quarterdeck.telemetry.mapping import identities_of, level_of, sender_kind_of, sender_name_of
from quarterdeck.telemetry.receivers.otlp.values import ATTRIBUTES_TYPE, VALUE_TYPE, map_of, text_of
from quarterdeck.telemetry.receiving import Stream

OPTIONS = {"input_format_protobuf_oneof_presence": "1"}
SCOPE_TYPE = "scope Tuple(name String, version String)"
RESOURCE_TYPE = f"resource Tuple(attributes {ATTRIBUTES_TYPE})"


def proto(name: str) -> str:
    folder = files("quarterdeck.telemetry.receivers.otlp")
    return "".join(folder.joinpath(f"{part}.proto").read_text(encoding="utf-8") for part in ("common", name))


# A request's resources, each with what all of its spans, lines or points share.
def resources(column: str, scopes: str) -> str:
    return f"""
        SELECT *, {sender_kind_of("resource")} AS sender_kind, {sender_name_of("resource")} AS sender_name,
            {identities_of("resource")} AS identities, resource['service.name'] AS service, resource['host.name'] AS host
        FROM (
            SELECT {map_of("one.resource.attributes")} AS resource, arrayJoin(one.{scopes}) AS scope
            FROM (SELECT arrayJoin({column}) AS one FROM {{input}})
        )"""


_SPAN = (
    "Tuple(trace_id String, span_id String, parent_span_id String, name String, kind UInt32,"
    f" start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {ATTRIBUTES_TYPE},"
    f" events Array(Tuple(time_unix_nano UInt64, name String, attributes {ATTRIBUTES_TYPE})),"
    " links Array(Tuple(trace_id String, span_id String)), status Tuple(message String, code UInt32))"
)
TRACES = Stream(
    table="spans_in",
    format="Protobuf",
    structure=f"resource_spans Array(Tuple({RESOURCE_TYPE}, scope_spans Array(Tuple({SCOPE_TYPE}, spans Array({_SPAN})))))",
    select=f"""
    SELECT sender_kind, sender_name, identities, resource, service, host,
        if(resource['service.version'] != '', resource['service.version'], '') AS version,
        if(resource['deployment.environment.name'] != '', resource['deployment.environment.name'],
            resource['deployment.environment']) AS env,
        fromUnixTimestamp64Nano(toInt64(span.start_time_unix_nano), 'UTC') AS ts,
        if(span.end_time_unix_nano > span.start_time_unix_nano,
            span.end_time_unix_nano - span.start_time_unix_nano, 0) AS duration_ns,
        toFixedString(substring(span.trace_id, 1, 16), 16) AS trace_id,
        toFixedString(substring(span.span_id, 1, 8), 8) AS span_id,
        toFixedString(substring(span.parent_span_id, 1, 8), 8) AS parent_id,
        span.name AS name,
        ['internal', 'internal', 'server', 'client', 'producer', 'consumer'][least(span.kind, 5) + 1] AS kind,
        span.status.code = 2 AS is_error, span.status.message AS status_message,
        {map_of("span.attributes")} AS attributes,
        arrayMap(e -> (fromUnixTimestamp64Nano(toInt64(e.time_unix_nano), 'UTC'), e.name, {map_of("e.attributes")}),
            span.events) AS events,
        arrayMap(l -> (toFixedString(substring(l.trace_id, 1, 16), 16), toFixedString(substring(l.span_id, 1, 8), 8)),
            span.links) AS links
    FROM (SELECT * EXCEPT scope, arrayJoin(scope.spans) AS span FROM ({resources("resource_spans", "scope_spans")}))""",
    delimiter="varint",
    proto=proto("traces"),
    message="Request",
    has_ids=True,
    options=OPTIONS,
)

_RECORD = (
    "Tuple(time_unix_nano UInt64, severity_number Int32, severity_text String,"
    f" body {VALUE_TYPE}, attributes {ATTRIBUTES_TYPE}, trace_id String, span_id String,"
    " observed_time_unix_nano UInt64, event_name String)"
)
# OpenTelemetry's numbers: four to a level. See https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_LEVEL = (
    "if(record.severity_number BETWEEN 1 AND 24,"
    " ['trace', 'debug', 'info', 'warning', 'error', 'fatal'][intDiv(record.severity_number - 1, 4) + 1],"
    f" {level_of('record.severity_text')})"
)
LOGS = Stream(
    table="logs_in",
    format="Protobuf",
    structure=f"resource_logs Array(Tuple({RESOURCE_TYPE}, scope_logs Array(Tuple({SCOPE_TYPE}, log_records Array({_RECORD})))))",
    select=f"""
    SELECT sender_kind, sender_name, identities, resource, service, host, component,
        fromUnixTimestamp64Nano(toInt64(multiIf(record.time_unix_nano != 0, record.time_unix_nano,
            record.observed_time_unix_nano)), 'UTC') AS ts,
        {_LEVEL} AS level, lower(hex(record.trace_id)) AS trace_id, lower(hex(record.span_id)) AS span_id,
        if(record.body.which = 'no', record.event_name, {text_of("record.body")}) AS message,
        {map_of("record.attributes")} AS attributes
    FROM (
        SELECT * EXCEPT scope, scope.scope.name AS component, arrayJoin(scope.log_records) AS record
        FROM ({resources("resource_logs", "scope_logs")})
    )""",
    delimiter="varint",
    proto=proto("logs"),
    message="Request",
    options=OPTIONS,
)
