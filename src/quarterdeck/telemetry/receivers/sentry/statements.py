"""How the engine reads the receiver's rows, and how they stand in the tables of `schema/0005_errors.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from quarterdeck.telemetry import canonical
from quarterdeck.telemetry.mapping import COMMON, Rule, level_of, matches, redacted, rules_hit, timely
from quarterdeck.telemetry.receivers.sentry import batches
from quarterdeck.telemetry.receiving import Stream

_FORMAT = "JSONCompactEachRow"
_MAP = "Map(String, String)"
_KEY_LABELS = "{labels:Map(String, String)}"


def _service(named: str, project: str) -> str:
    """SQL: the service as the client names it, as the key's label does, or the project."""
    return f"multiIf({named} != '', {named}, {_KEY_LABELS}['service'] != '', {_KEY_LABELS}['service'], concat('project-', toString({project})))"


def _sender(host: str, service: str, release: str) -> str:
    """SQL: the columns of who sent: the host where it is known, else the service."""
    return f"""
        if({host} != '', 'host', 'service') AS sender_kind, if({host} != '', {host}, {service}) AS sender_name,
        mapFilter((k, v) -> v != '', map('host.name', {host}, 'service.name', {service}, 'service.version', {release})) AS identities"""


def _at(column: str) -> str:
    return f"fromUnixTimestamp64Nano({column}, 'UTC')"


_IDENTIFIED = ("sender_kind", "sender_name", "identities", "service", "host")


def _columns(*names: str, **expressions: str) -> dict[str, str]:
    return {**COMMON, **{name: name for name in names}, **expressions}


# Events. A leaf is looked at together with the name that it stands under ("password=hunter2"). See payloads.py.
_TEXT_OF = (
    "if(startsWith(r, '\"'), if(position(r, '\\\\') > 0, JSONExtractString(r), substring(r, 2, length(r) - 2)), r)"
)
_EVENT_COLUMNS = (
    "project", "event_id", "kind", "level", "logger", "platform", "sdk", "release", "environment", "type", "transaction",
    "trace_id", "span_id", "handled", "fingerprint", "grouping_version", "grouping_hash",
)  # fmt: skip


def _payload(rules: Sequence[Rule]) -> str:
    """SQL: the event's JSON without what the rules take out."""
    whole = "arrayStringConcat(arrayMap((i, r) -> concat(i, r), pieces, raws))"
    if not rules:
        return f"concat({whole}, tail)"
    leaf = "if(n = o, r, toJSONString(if(startsWith(n, p), substring(n, length(p) + 1), n)))"
    changed = f"arrayMap(o -> {redacted('o', rules)}, leaves)"
    clean = (
        f"arrayStringConcat(arrayMap((i, p, o, n, r) -> concat(i, {leaf}), pieces, prefixes, leaves, {changed}, raws))"
    )
    return f"concat(if({matches('all_leaves', rules)}, {clean}, {whole}), tail)"


def _tags(tags: str, rules: Sequence[Rule]) -> str:
    """SQL: tags without what the rules take out; a tag's name counts, as a leaf's does."""
    if not rules:
        return tags
    named = "concat(k, '=', v)"
    changed = f"arrayMap((k, v) -> {redacted(named, rules)}, mapKeys({tags}), mapValues({tags}))"
    value = "if(startsWith(x, concat(k, '=')), substring(x, length(k) + 2), x)"
    return f"mapFromArrays(mapKeys({tags}), arrayMap((k, x) -> {value}, mapKeys({tags}), {changed}))"


def _events(rules: Sequence[Rule]) -> Mapping[str, str]:
    texts = {name: redacted(name, rules) for name in ("message", "value", "culprit", "user")}
    return _columns(
        *_IDENTIFIED,
        *_EVENT_COLUMNS,
        ts=timely("ts"),
        **texts,
        tags=_tags("tags", rules),
        payload=_payload(rules),
        redacted=rules_hit("all_leaves", rules),
    )


EVENTS = Stream(
    table="error_events_in",
    format=_FORMAT,
    structure="host String, named String, project UInt64, at Int64, event_id String, kind String, word String, logger String,"
    " platform String, sdk String, release String, environment String, type String, value String, message String,"
    " culprit String, transaction String, user String, trace_id String, span_id String, handled Bool,"
    f" tags {_MAP}, fingerprint Array(String), grouping_version UInt8, grouping_hash UInt64,"
    " pieces Array(String), raws Array(String), prefixes Array(String), tail String",
    select=f"""
    SELECT * EXCEPT (at, word, named), {_at("at")} AS ts, {level_of("word")} AS level,
        {_service("named", "project")} AS service, {_sender("host", "service", "release")},
        arrayMap((p, r) -> concat(p, {_TEXT_OF}), prefixes, raws) AS leaves,
        arrayStringConcat(leaves, '\\n') AS all_leaves
    FROM {{input}}""",
    has_ids=True,
    columns=_events,
)


def _sessions(rules: Sequence[Rule]) -> Mapping[str, str]:
    names = (
        "project",
        "session_id",
        "seq",
        "release",
        "environment",
        "status",
        "errors",
        "duration_s",
        "user_hash",
        "count",
    )
    return _columns(*_IDENTIFIED, *names, started=timely("started"))


SESSIONS = Stream(
    table="release_sessions_in",
    format=_FORMAT,
    structure="host String, project UInt64, at Int64, session_id String, seq UInt64, release String, environment String,"
    " status String, errors UInt32, duration_s Float64, user_hash UInt64, count UInt32",
    select=f"""
    SELECT * EXCEPT at, {_at("at")} AS started, {_service("''", "project")} AS service,
        {_sender("host", "service", "release")} FROM {{input}}""",
    has_ids=True,
    columns=_sessions,
)


def _check_ins(rules: Sequence[Rule]) -> Mapping[str, str]:
    names = (
        "project",
        "check_in_id",
        "monitor",
        "status",
        "duration_s",
        "environment",
        "release",
        "trace_id",
        "config",
    )
    return _columns(*_IDENTIFIED, *names, ts=timely("ts"))


CHECK_INS = Stream(
    table="check_ins_in",
    format=_FORMAT,
    structure="host String, named String, project UInt64, at Int64, check_in_id String, monitor String, status String,"
    " duration_s Float64, environment String, release String, trace_id String, config String",
    select=f"""
    SELECT * EXCEPT (at, named), {_at("at")} AS ts, {_service("named", "project")} AS service,
        {_sender("host", "service", "release")} FROM {{input}}""",
    has_ids=True,
    columns=_check_ins,
)


def _attachments(rules: Sequence[Rule]) -> Mapping[str, str]:
    # Patterns are for text; a picture or a dump stays as it is.
    found = rules_hit("content", rules)
    return _columns(
        "project", "event_id", "content_type", "kind", "size_bytes", "sha256",
        name=redacted("name", rules),
        content=f"if(isValidUTF8(content), {redacted('content', rules)}, content)",
        redacted=f"if(isValidUTF8(content), {found}, CAST([], 'Array(String)'))",
    )  # fmt: skip


ATTACHMENTS = Stream(
    table="error_attachments_in",
    format=_FORMAT,
    structure="project UInt64, event_id String, name String, content_type String, kind String, size_bytes UInt64,"
    " sha256 String, encoded String",
    select="SELECT * EXCEPT encoded, base64Decode(encoded) AS content FROM {input}",
    has_ids=True,
    columns=_attachments,
)


def _client_reports(rules: Sequence[Rule]) -> Mapping[str, str]:
    return _columns("project", "service", "reason", "category", "quantity", ts=timely("ts"))


CLIENT_REPORTS = Stream(
    table="client_reports_in",
    format=_FORMAT,
    structure="project UInt64, at Int64, reason String, category String, quantity UInt64",
    select=f"SELECT * EXCEPT at, {_at('at')} AS ts, {_service(chr(39) * 2, 'project')} AS service FROM {{input}}",
    has_ids=True,
    columns=_client_reports,
)


def _feedback(rules: Sequence[Rule]) -> Mapping[str, str]:
    names = ("project", "feedback_id", "event_id", "release", "environment", "trace_id")
    texts = {name: redacted(name, rules) for name in ("message", "name", "email", "url")}
    every = "arrayStringConcat([message, name, email, url], '\\n')"
    return _columns(
        *_IDENTIFIED, *names, ts=timely("ts"), **texts, tags=_tags("tags", rules), redacted=rules_hit(every, rules)
    )


FEEDBACK = Stream(
    table="user_feedback_in",
    format=_FORMAT,
    structure="host String, named String, project UInt64, at Int64, feedback_id String, event_id String, message String,"
    f" name String, email String, url String, release String, environment String, trace_id String, tags {_MAP}",
    select=f"""
    SELECT * EXCEPT (at, named), {_at("at")} AS ts, {_service("named", "project")} AS service,
        {_sender("host", "service", "release")} FROM {{input}}""",
    has_ids=True,
    columns=_feedback,
)


# Spans, lines and metrics are the common rows; only whose they are is told in Sentry's way.
def _owned(stream: Stream) -> Stream:
    named = _service("service", "resource['sentry.project']")
    return replace(
        stream,
        select=f"""
        SELECT * EXCEPT (service, named, sender_kind, sender_name, identities), named AS service,
            {_sender("host", "named", "resource['service.version']")}
        FROM (SELECT *, {named} AS named FROM ({stream.select}))""",
        has_ids=True,
    )


_MEASURED = replace(
    canonical.STREAMS[canonical.METRICS],
    select=f"""
    SELECT * EXCEPT (sender_kind, sender_name, identities),
        {_sender("labels['host']", "labels['service']", "labels['version']")}
    FROM ({canonical.STREAMS[canonical.METRICS].select})""",
)

STREAMS = {
    batches.EVENTS: EVENTS,
    batches.SESSIONS: SESSIONS,
    batches.CHECK_INS: CHECK_INS,
    batches.ATTACHMENTS: ATTACHMENTS,
    batches.CLIENT_REPORTS: CLIENT_REPORTS,
    batches.FEEDBACK: FEEDBACK,
    batches.SPANS: _owned(canonical.STREAMS[canonical.SPANS]),
    batches.LOGS: _owned(canonical.STREAMS[canonical.LOGS]),
    batches.METRICS: _MEASURED,
}
