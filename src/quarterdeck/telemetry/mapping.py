"""Pieces of SQL that the mappings of several protocols share, and the INSERT that is made around a mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quarterdeck.telemetry.receiving import Stream

# What is older or newer than this at arrival has a broken clock behind it; lines and spans get the time of arrival.
OLDEST_DAYS = 30
NEWEST_HOURS = 24

_LEVELS = {
    "trace": ("trace", "verbose", "finest", "finer"),
    "debug": ("debug", "dbg", "fine", "7"),
    "info": ("info", "information", "informational", "notice", "log", "config", "6", "5"),
    "warning": ("warning", "warn", "4"),
    "error": ("error", "err", "severe", "failure", "3"),
    "fatal": ("fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic", "2", "1", "0"),
}


def quoted(text: str) -> str:
    """Return `text` as a string of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _array(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(quoted, texts)) + "]"


def level_of(text: str) -> str:
    """Return SQL for one of our levels from the word (or syslog's number) in the expression `text`; "" stays ""."""
    words = [word for names in _LEVELS.values() for word in names]
    levels = [level for level, names in _LEVELS.items() for _ in names]
    return f"transform(lower({text}), {_array(words)}, {_array(levels)}, lower({text}))"


def identities_of(attributes: str) -> str:
    """Return SQL for those of a Map's attributes that tell who the sender is (OpenTelemetry's resource names)."""
    return f"mapFilter((k, v) -> match(k, '^(host|service|container|k8s|cloud|os)[.]') AND v != '', {attributes})"


def sender_kind_of(resource: str) -> str:
    """Return SQL for the kind of sender that an OpenTelemetry resource (a Map) names: the nearest thing that runs."""
    return (
        f"multiIf({resource}['container.id'] != '', 'container', {resource}['host.name'] != '', 'host',"
        f" {resource}['service.name'] != '', 'service', '')"
    )


def sender_name_of(resource: str) -> str:
    """Return SQL for the name that belongs to `sender_kind_of`."""
    return (
        f"multiIf({resource}['container.id'] != '', {resource}['container.id'],"
        f" {resource}['host.name'] != '', {resource}['host.name'], {resource}['service.name'])"
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """Text that matches `pattern` (RE2) becomes `replacement` (with \\1 for groups) before it is stored."""

    name: str
    pattern: str
    replacement: str = "***"


def _any_of(rules: Sequence[Rule]) -> str:
    return "|".join(f"(?:{rule.pattern})" for rule in rules)


def matches(text: str, rules: Sequence[Rule]) -> str:
    """Return SQL: whether one of the rules (at least one) has something to replace in `text`."""
    return f"match({text}, {quoted(_any_of(rules))})"


def redacted(text: str, rules: Sequence[Rule]) -> str:
    """Return SQL: `text` without what the rules take out."""
    if not rules:
        return text
    replaced = text
    for rule in rules:
        replaced = f"replaceRegexpAll({replaced}, {quoted(rule.pattern)}, {quoted(rule.replacement)})"
    return f"if({matches(text, rules)}, {replaced}, {text})"


def rules_hit(text: str, rules: Sequence[Rule]) -> str:
    """SQL: the names of the rules that match. Each is tried only where one of them does."""
    if not rules:
        return "CAST([], 'Array(String)')"
    each = ", ".join(f"if(match({text}, {quoted(rule.pattern)}), {quoted(rule.name)}, '')" for rule in rules)
    return f"if({matches(text, rules)}, arrayFilter(r -> r != '', [{each}]), CAST([], 'Array(String)'))"


def _redacted_map(attributes: str, rules: Sequence[Rule]) -> str:
    return f"mapApply((k, v) -> (k, {redacted('v', rules)}), {attributes})"


def redaction_of(text: str, rules: Sequence[Rule]) -> tuple[str, str]:
    """Return SQL for the expression `text` after redaction, and for the names of the rules that match it."""
    return redacted(text, rules), rules_hit(text, rules)


def timely(ts: str) -> str:
    """Return SQL: the time `ts`, or that of arrival where the sender's clock is wrong."""
    return (
        f"if({ts} > subtractDays({{received:DateTime64(3)}}, {OLDEST_DAYS})"
        f" AND {ts} < addHours({{received:DateTime64(3)}}, {NEWEST_HOURS}),"
        f" {ts}, toDateTime64({{received:DateTime64(3)}}, 9, 'UTC'))"
    )


COMMON = {
    "protocol": "{protocol:String}",
    "key": "{key:UInt32}",
    "received": "{received:DateTime64(3)}",
}
_SENDER = {name: name for name in ("sender_kind", "sender_name", "identities")}
_LABELLED = "if(empty({labels:Map(String, String)}), resource, mapUpdate(resource, {labels:Map(String, String)}))"


def _metrics(rules: Sequence[Rule]) -> dict[str, str]:
    keys = "mapSort(mapUpdate(labels, {labels:Map(String, String)}))"
    oldest = f"subtractDays({{received:DateTime64(3)}}, {OLDEST_DAYS})"
    newest = f"addHours({{received:DateTime64(3)}}, {NEWEST_HOURS})"
    are_timely = f"arrayMin(timestamps) > {oldest} AND arrayMax(timestamps) < {newest}"
    is_timely = f"t > {oldest} AND t < {newest}"
    return {
        **COMMON,
        **_SENDER,
        "metric_name": "metric_name",
        "labels": f"if(empty({{labels:Map(String, String)}}), labels, {keys})",
        "timestamps": f"if({are_timely}, timestamps, arrayFilter(t -> {is_timely}, timestamps))",
        "values": f"if({are_timely}, values, arrayFilter((v, t) -> {is_timely}, values, timestamps))",
    }


def _logs(rules: Sequence[Rule]) -> dict[str, str]:
    kept = {name: name for name in ("service", "host", "component", "level", "trace_id", "span_id")}
    # Values of attributes are looked at together with the message: one pass of the matcher for each line.
    text = "concat(message, '\\n', arrayStringConcat(mapValues(attributes), '\\n'))"
    return {
        **COMMON,
        **_SENDER,
        **kept,
        "ts": timely("ts"),
        "message": redacted("message", rules),
        "attributes": f"if(empty(redacted), attributes, {_redacted_map('attributes', rules)})",
        "resource": _LABELLED,
        "redacted": rules_hit(text, rules),
    }


def _spans(rules: Sequence[Rule]) -> dict[str, str]:
    kept = (
        "duration_ns", "trace_id", "span_id", "parent_id", "service", "name", "kind", "is_error", "host", "version",
        "env", "events", "links",
    )  # fmt: skip
    text = "concat(status_message, '\\n', arrayStringConcat(mapValues(attributes), '\\n'))"
    return {
        **COMMON,
        **_SENDER,
        **{name: name for name in kept},
        "ts": timely("ts"),
        "status_message": redacted("status_message", rules),
        "attributes": f"if(empty(redacted), attributes, {_redacted_map('attributes', rules)})",
        "resource": _LABELLED,
        "redacted": rules_hit(text, rules),
    }


_TABLES = {"metrics_in": _metrics, "logs_in": _logs, "spans_in": _spans}


def insert_statement(stream: Stream, rules: Sequence[Rule], file: str = "") -> str:
    """Return `INSERT INTO stream.table SELECT ...` for the frames of `stream`: those in `file`, which the engine reads
    by itself, or those that are sent behind the statement (`FROM input(...) FORMAT ...`).

    What is common to a table's protocols is done here: time limits, labels of the key, redaction by `rules`.
    """
    structure = quoted(stream.structure)
    source = f"file({quoted(file)}, {quoted(stream.format)}, {structure})" if file else f"input({structure})"
    inner = stream.select.replace("{input}", source)
    behind = "" if file else f" FORMAT {stream.format}"
    build = stream.columns or _TABLES.get(stream.table)
    if build is None:
        common = ", ".join(f"{value} AS {name}" for name, value in COMMON.items())
        return f"INSERT INTO {stream.table} SELECT {common}, * FROM ({inner}){behind}"
    columns = build(rules)
    names = ", ".join(columns)
    # An alias in the outer SELECT must not be read where the inner column is meant.
    values = ", ".join(columns.values()).replace("empty(redacted)", f"empty({columns.get('redacted', '[]')})")
    return f"INSERT INTO {stream.table} ({names}) SELECT {values} FROM ({inner}){behind}"
