"""How the engine reads Zipkin's spans."""

from __future__ import annotations

from quarterdeck.telemetry import protos
from quarterdeck.telemetry.receiving import Stream

_ENDPOINT = "Tuple({service} String, ipv4 String, ipv6 String, port {port})"
_JSON_ENDPOINT = _ENDPOINT.format(service="serviceName", port="UInt32")
_PROTOBUF_ENDPOINT = _ENDPOINT.format(service="service_name", port="Int32")

# Columns of both formats under one name each: ids as bytes, times in nanoseconds.
_FROM_JSON = """
    SELECT unhex(leftPad(traceId, 32, '0')) AS trace, unhex(leftPad(id, 16, '0')) AS own,
        if(parentId = '', '', unhex(leftPad(parentId, 16, '0'))) AS parent, lower(kind) AS role, name, shared,
        timestamp * 1000 AS at, duration * 1000 AS duration_ns, localEndpoint.serviceName AS service,
        if(localEndpoint.ipv4 != '', localEndpoint.ipv4, localEndpoint.ipv6) AS address,
        remoteEndpoint.serviceName AS peer, if(remoteEndpoint.ipv4 != '', remoteEndpoint.ipv4, remoteEndpoint.ipv6)
        AS peer_address, remoteEndpoint.port AS peer_port, annotations AS happened, tags
    FROM {input}"""
_FROM_PROTOBUF = """
    SELECT leftPad(s.trace_id, 16, '\\0') AS trace, s.id AS own, s.parent_id AS parent,
        transform(s.kind, [1, 2, 3, 4], ['client', 'server', 'producer', 'consumer'], '') AS role, s.name AS name,
        s.shared AS shared, s.timestamp * 1000 AS at, s.duration * 1000 AS duration_ns,
        s.local_endpoint.service_name AS service, ADDRESS(s.local_endpoint) AS address,
        s.remote_endpoint.service_name AS peer, ADDRESS(s.remote_endpoint) AS peer_address,
        toUInt32(s.remote_endpoint.port) AS peer_port, s.annotations AS happened,
        mapFromArrays(s.tags.key, s.tags.value) AS tags
    FROM (SELECT arrayJoin(spans) AS s FROM {input})"""
for _end in ("s.local_endpoint", "s.remote_endpoint"):
    _FROM_PROTOBUF = _FROM_PROTOBUF.replace(
        f"ADDRESS({_end})",
        f"multiIf(length({_end}.ipv4) = 4, IPv4NumToString(reinterpretAsUInt32(reverse({_end}.ipv4))),"
        f" length({_end}.ipv6) = 16, IPv6NumToString(toFixedString({_end}.ipv6, 16)), '')",
    )

# `error` says by its presence that the span failed; its value is "true" or a reason. The two halves of a call share
# their id: the server's half says so by `shared`.
_SELECT = """
    SELECT if(service = '', '', 'service') AS sender_kind, service AS sender_name,
        if(service = '', map(), map('service.name', service)) AS identities,
        if(at = 0, toDateTime64({{received:DateTime64(3)}}, 9, 'UTC'), fromUnixTimestamp64Nano(toInt64(at), 'UTC')) AS ts,
        duration_ns, toFixedString(trace, 16) AS trace_id, toFixedString(own, 8) AS span_id,
        toFixedString(parent, 8) AS parent_id, service, name, if(role = '', 'internal', role) AS kind,
        mapContains(tags, 'error') AND lower(tags['error']) != 'false' AS is_error,
        if(is_error AND lower(tags['error']) != 'true', tags['error'], '') AS status_message, tags['host.name'] AS host,
        tags['service.version'] AS version,
        if(tags['deployment.environment.name'] != '', tags['deployment.environment.name'], tags['deployment.environment']) AS env,
        mapUpdate(mapFilter((k, v) -> v != '', map('peer.service', peer, 'network.peer.address', peer_address,
            'network.peer.port', if(peer_port = 0, '', toString(peer_port)), 'zipkin.shared', if(shared, 'true', ''))),
            tags) AS attributes,
        mapFilter((k, v) -> v != '', map('service.name', service, 'host.ip', address)) AS resource,
        arrayMap(e -> (fromUnixTimestamp64Nano(toInt64(e.timestamp * 1000), 'UTC'), e.value, CAST(map(), 'Map(String, String)')),
            happened) AS events,
        CAST([], 'Array(Tuple(FixedString(16), FixedString(8)))') AS links
    FROM ({source})"""

JSON = Stream(
    table="spans_in",
    format="JSONEachRow",
    structure="traceId String, id String, parentId String, kind String, name String, timestamp UInt64, duration UInt64,"
    f" localEndpoint {_JSON_ENDPOINT}, remoteEndpoint {_JSON_ENDPOINT},"
    " annotations Array(Tuple(timestamp UInt64, value String)), tags Map(String, String), shared Bool",
    select=_SELECT.format(source=_FROM_JSON).replace("{{", "{").replace("}}", "}"),
    has_ids=True,
    options={"input_format_json_defaults_for_missing_elements_in_named_tuple": "1"},
)

# See https://github.com/openzipkin/zipkin-api/blob/master/zipkin.proto
MESSAGES = {
    "Endpoint": {"service_name": (1, "string"), "ipv4": (2, "bytes"), "ipv6": (3, "bytes"), "port": (4, "int32")},
    "Annotation": {"timestamp": (1, "fixed64"), "value": (2, "string")},
    "Tag": {"key": (1, "string"), "value": (2, "string")},
    "Span": {
        "trace_id": (1, "bytes"), "parent_id": (2, "bytes"), "id": (3, "bytes"), "kind": (4, "int32"),
        "name": (5, "string"), "timestamp": (6, "fixed64"), "duration": (7, "uint64"),
        "local_endpoint": (8, "Endpoint"), "remote_endpoint": (9, "Endpoint"),
        "annotations": (10, "repeated Annotation"), "tags": (11, "repeated Tag"), "shared": (13, "bool"),
    },
    "ListOfSpans": {"spans": (1, "repeated Span")},
}  # fmt: skip
PROTOBUF = Stream(
    table="spans_in",
    format="Protobuf",
    structure="spans Array(Tuple(trace_id String, parent_id String, id String, kind Int32, name String,"
    f" timestamp UInt64, duration UInt64, local_endpoint {_PROTOBUF_ENDPOINT}, remote_endpoint {_PROTOBUF_ENDPOINT},"
    " annotations Array(Tuple(timestamp UInt64, value String)), tags Array(Tuple(key String, value String)),"
    " shared Bool))",
    select=_SELECT.format(source=_FROM_PROTOBUF).replace("{{", "{").replace("}}", "}"),
    delimiter="varint",
    proto=protos.source(MESSAGES),
    message="ListOfSpans",
    has_ids=True,
)
