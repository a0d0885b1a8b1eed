-- Recordings of terminals: the events of asciicast v2, one on a line, as they were written about once a second. `until`
-- is the time of the last one, in seconds since the terminal was opened.
CREATE TABLE IF NOT EXISTS terminal_output (
    session UInt64 CODEC(ZSTD(1)),
    block UInt32 CODEC(Delta(4), ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    until Float64 CODEC(ZSTD(1)),
    events String CODEC(ZSTD(3))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (session, block)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
