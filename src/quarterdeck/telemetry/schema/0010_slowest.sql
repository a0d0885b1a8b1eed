-- The slowest call of a minute by name, with its trace: what a person wants to look at first. The exemplar was any call.
ALTER TABLE red_1m ADD COLUMN IF NOT EXISTS slowest SimpleAggregateFunction(max, Tuple(UInt64, FixedString(16)));

ALTER TABLE spans_in_to_red MODIFY QUERY SELECT
    service, name, kind, version, toStartOfMinute(toDateTime(ts, 'UTC')) AS ts, count() AS count, countIf(is_error) AS errors,
    sum(duration_ns) AS duration_ns_sum, max(duration_ns) AS duration_ns_max,
    sumMap(map(toInt16(floor(4 * log2(greatest(duration_ns, 1)))), toUInt64(1))) AS durations,
    anyLast(trace_id) AS exemplar, max((duration_ns, trace_id)) AS slowest
FROM (SELECT service, name, kind, version, ts, is_error, duration_ns, trace_id FROM spans_in WHERE kind != 'internal' OR parent_id = toFixedString('', 8))
GROUP BY service, name, kind, version, ts;
