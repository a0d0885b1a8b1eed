-- What there is to say of each group of errors, kept as they come in: a row per group, release and environment, to be
-- added up. Events and users are sets, so that what comes twice counts once. `loaded` is when the engine got the last of
-- them, by which it is known which groups changed; `latest` is the newest event: its id, kind, level, type, title,
-- culprit, platform, logger, service.
CREATE TABLE IF NOT EXISTS error_groups (
    project UInt64,
    grouping_hash UInt64,
    release LowCardinality(String),
    environment LowCardinality(String),
    loaded SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    events AggregateFunction(uniq, String),
    users AggregateFunction(uniqArray, Array(String)),
    latest AggregateFunction(argMax, Tuple(String, String, String, String, String, String, String, String, String), DateTime64(6, 'UTC')),
    is_unhandled SimpleAggregateFunction(max, UInt8),
    services SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    senders SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))
) ENGINE = AggregatingMergeTree
ORDER BY (project, grouping_hash, release, environment)
TTL toDateTime(last_seen) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS error_events_in_to_error_groups TO error_groups AS
SELECT
    project, grouping_hash, toLowCardinality(e.release) AS release, toLowCardinality(e.environment) AS environment,
    now64(3, 'UTC') AS loaded, min(toDateTime64(e.ts, 6, 'UTC')) AS first_seen, max(toDateTime64(e.ts, 6, 'UTC')) AS last_seen,
    uniqState(e.event_id) AS events, uniqArrayState(if(e.user = '', [], [e.user])) AS users,
    argMaxState((e.event_id, e.kind, e.level, e.type, substring(e.message, 1, 500), substring(e.culprit, 1, 500), e.platform, e.logger, e.service), toDateTime64(e.ts, 6, 'UTC')) AS latest,
    max(toUInt8(NOT e.handled)) AS is_unhandled, groupUniqArray(e.service) AS services,
    groupUniqArray(if(e.sender_name = '', 0, e.sender)) AS senders
FROM error_events_in AS e
GROUP BY project, grouping_hash, release, environment;

-- What came before this version. Done again, it adds nothing.
INSERT INTO error_groups
SELECT
    project, grouping_hash, release, environment, now64(3, 'UTC') AS loaded, min(e.ts) AS first_seen, max(e.ts) AS last_seen,
    uniqState(e.event_id) AS events, uniqArrayState(if(e.user = '', [], [e.user])) AS users,
    argMaxState((e.event_id, toString(e.kind), toString(e.level), toString(e.type), substring(e.message, 1, 500), substring(e.culprit, 1, 500), toString(e.platform), toString(e.logger), toString(e.service)), e.ts) AS latest,
    max(toUInt8(NOT e.handled)) AS is_unhandled, groupUniqArray(toString(e.service)) AS services, groupUniqArray(e.sender) AS senders
FROM error_events AS e
GROUP BY project, grouping_hash, release, environment;

-- The index that held each Chinese, Japanese or Korean character was made with an expression whose escapes SQL had read
-- as bytes, and found none. The new one holds parts written from now on; older ones are read through.
ALTER TABLE error_events DROP INDEX IF EXISTS characters;

ALTER TABLE error_events ADD INDEX IF NOT EXISTS cjk extractAll(message, '[⺀-鿿가-힯豈-﫿]') TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking');
