-- Calls that a client has counted itself, by name and minute, before it chose which of them to send as spans.
CREATE TABLE IF NOT EXISTS red_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    service String,
    name String,
    kind String,
    version String,
    ts DateTime('UTC'),
    count UInt64,
    errors UInt64,
    duration_ns_sum UInt64,
    duration_ns_max UInt64,
    durations Map(Int16, UInt64)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS red_in_to_red TO red_1m AS
SELECT
    service, name, kind, version, toStartOfMinute(ts) AS ts, sum(red_in.count) AS count, sum(red_in.errors) AS errors,
    sum(red_in.duration_ns_sum) AS duration_ns_sum, max(red_in.duration_ns_max) AS duration_ns_max,
    sumMap(red_in.durations) AS durations, toFixedString('', 16) AS exemplar
FROM red_in
GROUP BY service, name, kind, version, ts;
