-- One row per line. The text index finds words (lower case) by posting lists; a second one holds each Chinese,
-- Japanese or Korean character, of which the first makes no words. `pattern` is the message without its numbers.
CREATE TABLE IF NOT EXISTS logs (
    ts DateTime64(9, 'UTC') CODEC(ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    component LowCardinality(String) CODEC(ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    level LowCardinality(String) CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    pattern UInt64 DEFAULT cityHash64(replaceRegexpAll(message, '[0-9]+', '')) CODEC(ZSTD(1)),
    message String CODEC(ZSTD(3)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1)),
    INDEX words message TYPE text(tokenizer = 'splitByNonAlpha', preprocessor = lower(message), posting_list_codec = 'bitpacking'),
    INDEX characters extractAll(message, '[\x{2E80}-\x{9FFF}\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}]') TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking'),
    INDEX attribute_values mapValues(attributes) TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking'),
    INDEX traces trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX patterns pattern TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (service, component, ts)
TTL toDateTime(ts) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- `level` is one of trace, debug, info, warning, error, fatal, "" where the sender gives none.
CREATE TABLE IF NOT EXISTS logs_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    ts DateTime64(9, 'UTC'),
    service String,
    host String,
    component String,
    level String,
    trace_id String,
    span_id String,
    message String,
    attributes Map(String, String),
    resource Map(String, String),
    redacted Array(String),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS logs_in_to_logs TO logs AS
SELECT
    ts, toDateTime(received) AS received, if(sender_name = '', 0, sender) AS sender, service, host, component,
    protocol AS source, level, trace_id, span_id, message, attributes, resource, key
FROM logs_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS logs_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM logs_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

-- The service of a line is a sender of its own beside the host that it runs on.
CREATE MATERIALIZED VIEW IF NOT EXISTS logs_in_to_services TO senders AS
SELECT
    bitOr(sipHash64('service', lower(service)), 9223372036854775808) AS sender, protocol, key, 'service' AS kind,
    any(service) AS name, map('service.name', any(service)) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM logs_in
WHERE service != '' AND sender_kind != 'service'
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS logs_in_to_redactions TO redactions AS
SELECT toStartOfMinute(toDateTime(received)) AS ts, rule, protocol, count() AS count
FROM logs_in ARRAY JOIN redacted AS rule
GROUP BY ts, rule, protocol;
