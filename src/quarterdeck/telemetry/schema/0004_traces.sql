-- One row per span. `kind` is internal, server, client, producer or consumer. A span that comes twice is one span;
-- Zipkin's two halves of a call share their id and differ by kind. `sample_weight` is how many calls a kept one stands for.
CREATE TABLE IF NOT EXISTS spans (
    service LowCardinality(String) CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind LowCardinality(String) CODEC(ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    parent_id FixedString(8) CODEC(ZSTD(1)),
    is_error Bool CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    version LowCardinality(String) CODEC(ZSTD(1)),
    env LowCardinality(String) CODEC(ZSTD(1)),
    http_route LowCardinality(String) CODEC(ZSTD(1)),
    http_status UInt16 CODEC(ZSTD(1)),
    peer LowCardinality(String) CODEC(ZSTD(1)),
    db_system LowCardinality(String) CODEC(ZSTD(1)),
    db_statement_hash UInt64 CODEC(ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    sample_weight Float32 DEFAULT 1 CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    events Array(Tuple(ts DateTime64(9, 'UTC'), name LowCardinality(String), attributes Map(LowCardinality(String), String))) CODEC(ZSTD(1)),
    links Array(Tuple(trace_id FixedString(16), span_id FixedString(8))) CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    INDEX traces trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX durations duration_ns TYPE minmax GRANULARITY 1,
    INDEX attribute_values mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX attribute_keys mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (toStartOfInterval(ts, INTERVAL 30 MINUTE), service, name)
ORDER BY (toStartOfInterval(ts, INTERVAL 30 MINUTE), service, name, ts, trace_id, span_id, kind)
TTL toDateTime(ts) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- From a trace's id to its time, and the list of traces.
CREATE TABLE IF NOT EXISTS traces (
    trace_id FixedString(16),
    start SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    end SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    root AggregateFunction(argMin, Tuple(String, String, UInt64), DateTime64(9, 'UTC')),
    spans SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    services SimpleAggregateFunction(groupUniqArrayArray, Array(String))
) ENGINE = AggregatingMergeTree
PARTITION BY toDate(start)
ORDER BY trace_id
TTL toDateTime(start) + INTERVAL 7 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Every call, counted before anything is sampled. `durations` counts calls by the logarithm of their duration:
-- bucket b holds those of [1.1892^b, 1.1892^(b+1)) nanoseconds (2^(1/4): four buckets for each doubling, 9 % error).
CREATE TABLE IF NOT EXISTS red_1m (
    service LowCardinality(String),
    name LowCardinality(String),
    kind LowCardinality(String),
    version LowCardinality(String),
    ts DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    duration_ns_max SimpleAggregateFunction(max, UInt64),
    durations SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
    exemplar SimpleAggregateFunction(anyLast, FixedString(16))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (service, name, kind, version, ts)
TTL ts + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Calls from one service to another, filled from closed minutes of `spans` by a job, since both ends must be there.
CREATE TABLE IF NOT EXISTS edges_1m (
    caller LowCardinality(String),
    callee LowCardinality(String),
    kind LowCardinality(String),
    ts DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    duration_ns_sum SimpleAggregateFunction(sum, UInt64),
    durations SimpleAggregateFunction(sumMap, Map(Int16, UInt64))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, caller, callee, kind)
TTL ts + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS spans_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    ts DateTime64(9, 'UTC'),
    duration_ns UInt64,
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_id FixedString(8),
    service String,
    name String,
    kind String,
    is_error Bool,
    status_message String,
    host String,
    version String,
    env String,
    attributes Map(String, String),
    resource Map(String, String),
    events Array(Tuple(ts DateTime64(9, 'UTC'), name String, attributes Map(String, String))),
    links Array(Tuple(trace_id FixedString(16), span_id FixedString(8))),
    redacted Array(String),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

-- Names of attributes are those of OpenTelemetry's semantic conventions, the older ones behind them.
CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_spans TO spans AS
SELECT
    service, name, kind, ts, duration_ns, trace_id, span_id, parent_id, is_error, status_message,
    if(sender_name = '', 0, sender) AS sender, host, version, env, attributes['http.route'] AS http_route,
    toUInt16OrZero(if(attributes['http.response.status_code'] != '', attributes['http.response.status_code'], attributes['http.status_code'])) AS http_status,
    multiIf(attributes['peer.service'] != '', attributes['peer.service'], attributes['server.address'] != '', attributes['server.address'], attributes['net.peer.name']) AS peer,
    if(attributes['db.system.name'] != '', attributes['db.system.name'], attributes['db.system']) AS db_system,
    multiIf(
        attributes['db.query.text'] != '', normalizedQueryHash(attributes['db.query.text']),
        attributes['db.statement'] != '', normalizedQueryHash(attributes['db.statement']), 0
    ) AS db_statement_hash,
    protocol AS source, attributes, resource, events, links, key, toDateTime(received) AS received
FROM spans_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_traces TO traces AS
SELECT
    trace_id, min(ts) AS start, max(addNanoseconds(ts, duration_ns)) AS end,
    argMinState((service, name, duration_ns), ts) AS root, count() AS spans, countIf(is_error) AS errors,
    groupUniqArray(service) AS services
FROM spans_in
GROUP BY trace_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_red TO red_1m AS
SELECT
    service, name, kind, version, toStartOfMinute(toDateTime(ts, 'UTC')) AS ts, count() AS count, countIf(is_error) AS errors,
    sum(duration_ns) AS duration_ns_sum, max(duration_ns) AS duration_ns_max,
    sumMap(map(toInt16(floor(4 * log2(greatest(duration_ns, 1)))), toUInt64(1))) AS durations,
    anyLast(trace_id) AS exemplar
FROM (SELECT service, name, kind, version, ts, is_error, duration_ns, trace_id FROM spans_in WHERE kind != 'internal' OR parent_id = toFixedString('', 8))
GROUP BY service, name, kind, version, ts;

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM spans_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_services TO senders AS
SELECT
    bitOr(sipHash64('service', lower(service)), 9223372036854775808) AS sender, protocol, key, 'service' AS kind,
    any(service) AS name, map('service.name', any(service)) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM spans_in
WHERE service != '' AND sender_kind != 'service'
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS spans_in_to_redactions TO redactions AS
SELECT toStartOfMinute(toDateTime(received)) AS ts, rule, protocol, count() AS count
FROM spans_in ARRAY JOIN redacted AS rule
GROUP BY ts, rule, protocol;
