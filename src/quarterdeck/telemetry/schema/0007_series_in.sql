-- Series whose numbers are known before the engine sees them; their samples go straight into `samples`.
CREATE TABLE IF NOT EXISTS series_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    metric_name String,
    labels Map(String, String),
    id Tuple(UInt64, UInt64),
    min_time DateTime64(3, 'UTC'),
    max_time DateTime64(3, 'UTC'),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS series_in_to_series TO series AS
SELECT
    sender AS item, metric_name, id, mapFilter((k, v) -> k != '__name__' AND v != '', labels) AS labels, min_time, max_time
FROM series_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS series_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM series_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

-- What one sender sent: rows lie by service and time, a granule mostly holds few senders.
ALTER TABLE logs ADD INDEX IF NOT EXISTS senders sender TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE spans ADD INDEX IF NOT EXISTS senders sender TYPE bloom_filter(0.01) GRANULARITY 1;
