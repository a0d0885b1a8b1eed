-- What hosts print in runs, as it came: bytes, of any encoding. `shard` and `block` tell what is new in a running one:
-- blocks of a shard count up. A block ends with a line where it can, so that log lines can be made of it.
CREATE TABLE IF NOT EXISTS run_output (
    run UInt64 CODEC(ZSTD(1)),
    host UInt64 CODEC(ZSTD(1)),
    block UInt32 CODEC(Delta(4), ZSTD(1)),
    part UInt32 CODEC(ZSTD(1)),
    shard UInt32 CODEC(ZSTD(1)),
    stream Enum8('stdout' = 1, 'stderr' = 2) CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    item UInt64 CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    body String CODEC(ZSTD(3)),
    INDEX blocks block TYPE minmax
) ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (run, host, block, part)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
