-- Who sends and which service it says are noted by one view: a small insert costs what its views cost, not its rows.
-- The rows are brought together by what they say of themselves first, so that a large insert pays little more.
ALTER TABLE logs_in_to_senders MODIFY QUERY SELECT
    said.1 AS sender, protocol, key, any(said.2) AS kind, any(said.3) AS name, anyLast(said.4) AS identities,
    min(first) AS first_seen, max(last) AS last_seen
FROM (
    SELECT
        sender AS who, sender_kind AS what, service, protocol, key, any(sender_name) AS named, anyLast(identities) AS told,
        min(toDateTime(received)) AS first, max(toDateTime(received)) AS last
    FROM logs_in
    GROUP BY who, what, service, protocol, key
)
ARRAY JOIN arrayFilter(s -> s.3 != '', [
    (who, what, named, told),
    (
        bitOr(sipHash64('service', lower(service)), 9223372036854775808), 'service',
        if(what = 'service', '', service), map('service.name', service)
    )
]) AS said
GROUP BY sender, protocol, key;

DROP VIEW IF EXISTS logs_in_to_services;

ALTER TABLE spans_in_to_senders MODIFY QUERY SELECT
    said.1 AS sender, protocol, key, any(said.2) AS kind, any(said.3) AS name, anyLast(said.4) AS identities,
    min(first) AS first_seen, max(last) AS last_seen
FROM (
    SELECT
        sender AS who, sender_kind AS what, service, protocol, key, any(sender_name) AS named, anyLast(identities) AS told,
        min(toDateTime(received)) AS first, max(toDateTime(received)) AS last
    FROM spans_in
    GROUP BY who, what, service, protocol, key
)
ARRAY JOIN arrayFilter(s -> s.3 != '', [
    (who, what, named, told),
    (
        bitOr(sipHash64('service', lower(service)), 9223372036854775808), 'service',
        if(what = 'service', '', service), map('service.name', service)
    )
]) AS said
GROUP BY sender, protocol, key;

DROP VIEW IF EXISTS spans_in_to_services;

ALTER TABLE error_events_in_to_senders MODIFY QUERY SELECT
    said.1 AS sender, protocol, key, any(said.2) AS kind, any(said.3) AS name, anyLast(said.4) AS identities,
    min(first) AS first_seen, max(last) AS last_seen
FROM (
    SELECT
        sender AS who, sender_kind AS what, service, protocol, key, any(sender_name) AS named, anyLast(identities) AS told,
        min(toDateTime(received)) AS first, max(toDateTime(received)) AS last
    FROM error_events_in
    GROUP BY who, what, service, protocol, key
)
ARRAY JOIN arrayFilter(s -> s.3 != '', [
    (who, what, named, told),
    (
        bitOr(sipHash64('service', lower(service)), 9223372036854775808), 'service',
        if(what = 'service', '', service), map('service.name', service)
    )
]) AS said
GROUP BY sender, protocol, key;

DROP VIEW IF EXISTS error_events_in_to_services;
