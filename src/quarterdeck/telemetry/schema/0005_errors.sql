-- One row per event of Sentry's SDKs. `event_id` is the client's, in hex: an event that comes twice is one event.
-- `kind` is error (with an exception), message, or the kind of a browser's report (csp, ...). `message` is the line that
-- says what happened, `type` and `value` are those of the outermost exception. `grouping_hash` is the same for events
-- that are the same error, by the way of grouping that `grouping_version` numbers. `payload` is the whole event as JSON,
-- after redaction.
CREATE TABLE IF NOT EXISTS error_events (
    ts DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    grouping_hash UInt64 CODEC(ZSTD(1)),
    grouping_version UInt8 CODEC(ZSTD(1)),
    kind LowCardinality(String) CODEC(ZSTD(1)),
    level LowCardinality(String) CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    release LowCardinality(String) CODEC(ZSTD(1)),
    environment LowCardinality(String) CODEC(ZSTD(1)),
    platform LowCardinality(String) CODEC(ZSTD(1)),
    sdk LowCardinality(String) CODEC(ZSTD(1)),
    logger LowCardinality(String) CODEC(ZSTD(1)),
    message String CODEC(ZSTD(3)),
    type LowCardinality(String) CODEC(ZSTD(1)),
    value String CODEC(ZSTD(3)),
    culprit String CODEC(ZSTD(1)),
    transaction LowCardinality(String) CODEC(ZSTD(1)),
    user String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    handled Bool CODEC(ZSTD(1)),
    fingerprint Array(String) CODEC(ZSTD(1)),
    tags Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    payload String CODEC(ZSTD(3)),
    key UInt32 CODEC(ZSTD(1)),
    INDEX times ts TYPE minmax GRANULARITY 1,
    INDEX events event_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX traces trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX words message TYPE text(tokenizer = 'splitByNonAlpha', preprocessor = lower(message), posting_list_codec = 'bitpacking'),
    INDEX characters extractAll(message, '[\x{2E80}-\x{9FFF}\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}]') TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking')
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (project, grouping_hash, event_id)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS error_events_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    ts DateTime64(9, 'UTC'),
    project UInt64,
    event_id String,
    grouping_hash UInt64,
    grouping_version UInt8,
    kind String,
    level String,
    service String,
    host String,
    release String,
    environment String,
    platform String,
    sdk String,
    logger String,
    message String,
    type String,
    value String,
    culprit String,
    transaction String,
    user String,
    trace_id String,
    span_id String,
    handled Bool,
    fingerprint Array(String),
    tags Map(String, String),
    payload String,
    redacted Array(String),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_events_in_to_error_events TO error_events AS
SELECT
    ts, toDateTime(received) AS received, if(sender_name = '', 0, sender) AS sender, project, event_id, grouping_hash,
    grouping_version, kind, level, service, host, release, environment, platform, sdk, logger, message, type, value, culprit,
    transaction, user, trace_id, span_id, handled, fingerprint, tags, payload, key
FROM error_events_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_events_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM error_events_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_events_in_to_services TO senders AS
SELECT
    bitOr(sipHash64('service', lower(service)), 9223372036854775808) AS sender, protocol, key, 'service' AS kind,
    any(service) AS name, map('service.name', any(service)) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM error_events_in
WHERE service != '' AND sender_kind != 'service'
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_events_in_to_redactions TO redactions AS
SELECT toStartOfMinute(toDateTime(received)) AS ts, rule, protocol, count() AS count
FROM error_events_in ARRAY JOIN redacted AS rule
GROUP BY ts, rule, protocol;

-- Files that came with an event. `content` is what came, after redaction where it is text; `sha256` is of what came.
CREATE TABLE IF NOT EXISTS error_attachments (
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    name String CODEC(ZSTD(1)),
    content_type LowCardinality(String) CODEC(ZSTD(1)),
    kind LowCardinality(String) CODEC(ZSTD(1)),
    size_bytes UInt64 CODEC(ZSTD(1)),
    sha256 String CODEC(ZSTD(1)),
    content String CODEC(ZSTD(3)),
    key UInt32 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(received)
ORDER BY (project, event_id, name, sha256)
TTL received + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 64, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS error_attachments_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    project UInt64,
    event_id String,
    name String,
    content_type String,
    kind String,
    size_bytes UInt64,
    sha256 String,
    content String,
    redacted Array(String)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_attachments_in_to_error_attachments TO error_attachments AS
SELECT toDateTime(received) AS received, project, event_id, name, content_type, kind, size_bytes, sha256, content, key
FROM error_attachments_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_attachments_in_to_redactions TO redactions AS
SELECT toStartOfMinute(toDateTime(received)) AS ts, rule, protocol, count() AS count
FROM error_attachments_in ARRAY JOIN redacted AS rule
GROUP BY ts, rule, protocol;

-- Sessions of a release, for the share that did not crash. One row is a session as its latest update (`seq`) left it, or
-- `count` sessions that a server added up itself. `status` is ok (still going on), exited, errored, unhandled, abnormal or
-- crashed. Users are kept as a hash, to be counted.
CREATE TABLE IF NOT EXISTS release_sessions (
    started DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    release LowCardinality(String) CODEC(ZSTD(1)),
    environment LowCardinality(String) CODEC(ZSTD(1)),
    session_id String CODEC(ZSTD(1)),
    seq UInt64 CODEC(ZSTD(1)),
    status LowCardinality(String) CODEC(ZSTD(1)),
    errors UInt32 CODEC(ZSTD(1)),
    duration_s Float64 CODEC(ZSTD(1)),
    user_hash UInt64 CODEC(ZSTD(1)),
    count UInt32 CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(seq)
PARTITION BY toDate(started)
ORDER BY (project, release, environment, session_id)
TTL toDateTime(started) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS release_sessions_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    started DateTime64(9, 'UTC'),
    project UInt64,
    service String,
    host String,
    release String,
    environment String,
    session_id String,
    seq UInt64,
    status String,
    errors UInt32,
    duration_s Float64,
    user_hash UInt64,
    count UInt32,
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS release_sessions_in_to_release_sessions TO release_sessions AS
SELECT
    started, toDateTime(received) AS received, if(sender_name = '', 0, sender) AS sender, project, service, host, release,
    environment, session_id, seq, status, errors, duration_s, user_hash, count, key
FROM release_sessions_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS release_sessions_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM release_sessions_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

-- Runs of scheduled jobs. A row is a run as far as it is known: what ended (`is_over`) stands above what began, in
-- whichever order the two came. `config` is the schedule as JSON where the client told it with
-- this report, `ts` the time of the last report.
CREATE TABLE IF NOT EXISTS check_ins (
    ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    monitor LowCardinality(String) CODEC(ZSTD(1)),
    environment LowCardinality(String) CODEC(ZSTD(1)),
    check_in_id String CODEC(ZSTD(1)),
    status LowCardinality(String) CODEC(ZSTD(1)),
    is_over UInt8 CODEC(ZSTD(1)),
    duration_s Float64 CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    release LowCardinality(String) CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    config String CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(is_over)
PARTITION BY toDate(ts)
ORDER BY (project, monitor, environment, check_in_id)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS check_ins_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    ts DateTime64(9, 'UTC'),
    project UInt64,
    monitor String,
    environment String,
    check_in_id String,
    status String,
    duration_s Float64,
    service String,
    host String,
    release String,
    trace_id String,
    config String,
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS check_ins_in_to_check_ins TO check_ins AS
SELECT
    ts, toDateTime(received) AS received, if(sender_name = '', 0, sender) AS sender, project, monitor, environment,
    check_in_id, status, status != 'in_progress' AS is_over, duration_s, service, host, release, trace_id, config, key
FROM check_ins_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS check_ins_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM check_ins_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

-- The jobs themselves, with the schedule that a client told last.
CREATE TABLE IF NOT EXISTS check_in_monitors (
    project UInt64,
    monitor LowCardinality(String),
    environment LowCardinality(String),
    service SimpleAggregateFunction(anyLast, LowCardinality(String)),
    config SimpleAggregateFunction(anyLast, String),
    first_seen SimpleAggregateFunction(min, DateTime('UTC')),
    last_seen SimpleAggregateFunction(max, DateTime('UTC'))
) ENGINE = AggregatingMergeTree
ORDER BY (project, monitor, environment)
TTL last_seen + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS check_ins_in_to_monitors TO check_in_monitors AS
SELECT
    project, monitor, environment, anyLast(service) AS service, anyLast(config) AS config,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM check_ins_in
WHERE check_ins_in.config != ''
GROUP BY project, monitor, environment;

-- What clients say that they did not send, and why (sampled, over their rate, ...).
CREATE TABLE IF NOT EXISTS client_reports (
    ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    reason LowCardinality(String) CODEC(ZSTD(1)),
    category LowCardinality(String) CODEC(ZSTD(1)),
    quantity UInt64 CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (project, reason, category, ts)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS client_reports_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    ts DateTime64(9, 'UTC'),
    project UInt64,
    service String,
    reason String,
    category String,
    quantity UInt64
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS client_reports_in_to_client_reports TO client_reports AS
SELECT ts, toDateTime(received) AS received, project, service, reason, category, quantity, key
FROM client_reports_in;

-- What people wrote. `event_id` is the event that it is about, "" for none.
CREATE TABLE IF NOT EXISTS user_feedback (
    ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    received DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    sender UInt64 CODEC(ZSTD(1)),
    project UInt64 CODEC(ZSTD(1)),
    feedback_id String CODEC(ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    message String CODEC(ZSTD(3)),
    name String CODEC(ZSTD(1)),
    email String CODEC(ZSTD(1)),
    url String CODEC(ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    host LowCardinality(String) CODEC(ZSTD(1)),
    release LowCardinality(String) CODEC(ZSTD(1)),
    environment LowCardinality(String) CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    tags Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    key UInt32 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toDate(ts)
ORDER BY (project, feedback_id)
TTL toDateTime(ts) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS user_feedback_in (
    protocol String,
    key UInt32,
    received DateTime64(3, 'UTC'),
    sender_kind String,
    sender_name String,
    identities Map(String, String),
    ts DateTime64(9, 'UTC'),
    project UInt64,
    feedback_id String,
    event_id String,
    message String,
    name String,
    email String,
    url String,
    service String,
    host String,
    release String,
    environment String,
    trace_id String,
    tags Map(String, String),
    redacted Array(String),
    sender UInt64 MATERIALIZED bitOr(sipHash64(sender_kind, lower(sender_name)), 9223372036854775808)
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_feedback_in_to_user_feedback TO user_feedback AS
SELECT
    ts, toDateTime(received) AS received, if(sender_name = '', 0, sender) AS sender, project, feedback_id, event_id,
    message, name, email, url, service, host, release, environment, trace_id, tags, key
FROM user_feedback_in;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_feedback_in_to_senders TO senders AS
SELECT
    sender, protocol, key, any(sender_kind) AS kind, any(sender_name) AS name, anyLast(identities) AS identities,
    min(toDateTime(received)) AS first_seen, max(toDateTime(received)) AS last_seen
FROM user_feedback_in
WHERE sender_name != ''
GROUP BY sender, protocol, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_feedback_in_to_redactions TO redactions AS
SELECT toStartOfMinute(toDateTime(received)) AS ts, rule, protocol, count() AS count
FROM user_feedback_in ARRAY JOIN redacted AS rule
GROUP BY ts, rule, protocol;
