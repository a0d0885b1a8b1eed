-- What senders push. Every protocol is mapped into one of the tables `..._in`, which keep nothing; materialized views
-- carry each row on into the tables that are read. One insert with one token reaches all of them, and each table counts
-- it once, whatever of it was there already when a process was killed.

-- A sample that a client sends twice, because it never saw our answer, is one sample.
CREATE TABLE IF NOT EXISTS samples_once (
    id Tuple(UInt64, UInt64),
    timestamp DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    value Float64 CODEC(Delta(8), ZSTD(3))
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (id, timestamp)
TTL toDateTime(timestamp) + INTERVAL 15 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

INSERT INTO samples_once SELECT id, timestamp, value FROM samples;

EXCHANGE TABLES samples AND samples_once;

DROP TABLE samples_once;

-- Who sends: something with a name, before anybody said which item it is. `sender` is the hash of kind and name with
-- its top bit set, so that it never equals an item's id and can stand in the same columns.
CREATE TABLE IF NOT EXISTS senders (
    sender UInt64,
    protocol LowCardinality(String),
    key UInt32,
    kind SimpleAggregateFunction(anyLast, LowCardinality(String)),
    name SimpleAggregateFunction(anyLast, String),
    identities SimpleAggregateFunction(anyLast, Map(String, String)),
    first_seen SimpleAggregateFunction(min, DateTime('UTC')),
    last_seen SimpleAggregateFunction(max, DateTime('UTC'))
) ENGINE = AggregatingMergeTree
ORDER BY (sender, protocol, key)
TTL last_seen + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- A series with its samples. `labels` are in order of name; `sender_kind` is host, container, instance or service.
CREATE TABLE IF NOT EXISTS metrics_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    metric_name String,
    labels Map(String, String),
    timestamps Array(DateTime64(3, 'UTC')),
    values Array(Float64),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808),
    id Tuple(UInt64, UInt64) MATERIALIZED (sipHash64(metric_name), sipHash64(sender, mapKeys(labels), mapValues(labels)))
) ENGINE = Null;

-- Which series were written in this hour: naming a series again with each of its samples would cost more than they do.
CREATE TABLE IF NOT EXISTS series_written (id Tuple(UInt64, UInt64), hour DateTime('UTC')) ENGINE = Set SETTINGS persistent = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS metrics_to_samples TO samples AS
SELECT id, timestamp, value FROM metrics_in ARRAY JOIN timestamps AS timestamp, values AS value;

CREATE MATERIALIZED VIEW IF NOT EXISTS metrics_to_series TO series AS
SELECT
    sender AS item, metric_name, id, mapFilter((k, v) -> k != '__name__' AND v != '', labels) AS labels,
    arrayMin(timestamps) AS min_time,
    arrayMax(timestamps) + INTERVAL 1 HOUR AS max_time
FROM metrics_in
WHERE notEmpty(timestamps) AND (id, toStartOfHour(toDateTime(now(), 'UTC'))) NOT IN series_written;

CREATE MATERIALIZED VIEW IF NOT EXISTS series_to_written TO series_written AS
SELECT id, toStartOfHour(toDateTime(now(), 'UTC')) AS hour FROM series WHERE item >= 9223372036854775808;

CREATE MATERIALIZED VIEW IF NOT EXISTS series_to_labels TO labels AS
SELECT label.1 AS name, label.2 AS value, metric_name, id, toDateTime(now(), 'UTC') AS seen
FROM series
ARRAY JOIN arrayConcat([('__name__', toString(metric_name))], CAST(labels, 'Array(Tuple(String, String))')) AS label
WHERE item >= 9223372036854775808;

CREATE MATERIALIZED VIEW IF NOT EXISTS metrics_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM metrics_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

-- What was replaced by the rules of redaction, by rule and minute.
CREATE TABLE IF NOT EXISTS redactions (
    ts DateTime('UTC'),
    rule LowCardinality(String),
    protocol LowCardinality(String),
    count SimpleAggregateFunction(sum, UInt64)
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (rule, protocol, ts)
TTL ts + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
