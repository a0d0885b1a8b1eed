"""The events of issues: how many in time, their tags, one after the other. Only those that the actor may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.errors.digesting import groups_of
from quarterdeck.errors.facts import GROUPS, KNOWN, known
from quarterdeck.errors.matching import Window, of_groups
from quarterdeck.errors.models import Issue
from quarterdeck.errors.scope import events_of
from quarterdeck.errors.sql import ask
from quarterdeck.telemetry.conditions import Names, Sql
from quarterdeck.telemetry.turns import fairly

ROWS_MAX = 1000
BARS_MAX = 500
TAG_VALUES = 10
# Tags are counted in so many of the newest events.
SAMPLE = 10_000
_COLUMNS = (
    "event_id", "ts", "level", "kind", "type", "message", "culprit", "transaction", "service", "host", "release",
    "environment", "platform", "sdk", "logger", "user", "trace_id", "span_id", "handled", "tags", "fingerprint",
    "grouping_hash", "grouping_version", "project",
)  # fmt: skip
_SELECTED = ", ".join(
    f"toValidUTF8(substring(error_events.{name}, 1, 8192))"
    if name in ("message", "culprit")
    else f"error_events.{name}"
    for name in _COLUMNS
)
_COUNTS = f"""
    SELECT issue, grouping(bar) = 1 AS is_total,
        intDiv(toUnixTimestamp(ts) - {{start:Int64}}, {{step:Int64}}) AS bar,
        uniqExact(event_id), uniqExactIf(user, user != '')
    FROM error_events INNER JOIN {KNOWN} USING (project, grouping_hash) WHERE {GROUPS} AND {{where}}
    GROUP BY GROUPING SETS ((issue, bar), (issue))"""
_LIST = f"""
    SELECT {_SELECTED} FROM error_events WHERE {GROUPS} AND {{where}}
    ORDER BY ts DESC, event_id DESC LIMIT 1 BY project, event_id LIMIT {{rows:UInt32}}"""
_WHOLE = f"""
    SELECT {_SELECTED}, payload FROM error_events WHERE {GROUPS} AND {{where}}
    ORDER BY ts {{order}}, event_id {{order}} LIMIT 1"""
_NEIGHBOUR = f"""
    SELECT event_id FROM error_events WHERE {GROUPS} AND {{where}} ORDER BY ts {{order}}, event_id {{order}} LIMIT 1"""
_CONTEXT = "if(JSONExtractString(payload, 'contexts', '{0}', 'name') = '', '', concat(JSONExtractString(payload, 'contexts', '{0}', 'name'), ' ', JSONExtractString(payload, 'contexts', '{0}', 'version')))"  # fmt: skip # noqa: E501
_TAGS = f"""
    SELECT key, value, n, sum(n) OVER (PARTITION BY key) AS of_key, total FROM (
        SELECT pair.1 AS key, toValidUTF8(substring(pair.2, 1, 200)) AS value, count() AS n, any(all) AS total FROM (
            SELECT *, count() OVER () AS all FROM (
                SELECT mapUpdate(CAST(tags, 'Map(String, String)'), mapFilter((k, v) -> v != '', map(
                    'level', toString(level), 'environment', toString(environment), 'release', toString(release),
                    'host', toString(host), 'service', toString(service), 'user', user, 'transaction',
                    toString(transaction), 'handled', if(handled, 'yes', 'no'), 'url',
                    JSONExtractString(payload, 'request', 'url'), 'runtime', {_CONTEXT.format("runtime")},
                    'os', {_CONTEXT.format("os")}, 'browser', {_CONTEXT.format("browser")}))) AS found
                FROM error_events WHERE {GROUPS} AND {{where}}
                ORDER BY ts DESC LIMIT 1 BY project, event_id LIMIT {{sample:UInt32}})
        ) ARRAY JOIN CAST(found, 'Array(Tuple(String, String))') AS pair
        WHERE pair.2 != '' GROUP BY key, value
    ) ORDER BY of_key DESC, key, n DESC, value LIMIT {{values:UInt32}} BY key LIMIT 500"""
_ATTACHMENTS = """
    SELECT name, content_type, kind, size_bytes, sha256 FROM error_attachments
    WHERE project = {project:UInt64} AND event_id = {event:String} ORDER BY name LIMIT 1 BY name, sha256 LIMIT 100"""
_FEEDBACK = """
    SELECT ts, name, email, message FROM user_feedback
    WHERE project = {project:UInt64} AND event_id = {event:String} ORDER BY ts LIMIT 100"""


@dataclass(frozen=True, slots=True)
class Counts:
    """An issue's events and users in a window, and events in each of its parts."""

    events: int = 0
    users: int = 0
    bars: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `message` is its line; `payload` the whole event as the SDK sent it, {} in lists."""

    event_id: str
    ts: datetime
    level: str
    kind: str
    type: str
    message: str
    culprit: str
    transaction: str
    service: str
    host: str
    release: str
    environment: str
    platform: str
    sdk: str
    logger: str
    user: str
    trace_id: str
    span_id: str
    handled: bool
    tags: dict[str, str]
    fingerprint: list[str]
    grouping_hash: int
    grouping_version: int
    project: int
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tag:
    """How the values of a tag spread: `values` are the most frequent, `events` those that have it, of `total`."""

    name: str
    events: int
    total: int
    values: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The ids of the events before and after one, "" at the ends."""

    older: str
    newer: str
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    content_type: str
    kind: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Feedback:
    at: datetime
    name: str
    email: str
    message: str


@fairly
def counts(actor: Actor, issues: Iterable[int], window: Window, *, bars: int = 24) -> dict[int, Counts]:
    """Return `{issue: counts}` in the window. Raises Denied, TooHeavy, Unavailable."""
    groups = groups_of(issues)
    if not groups:
        return {}
    bars = max(1, min(bars, BARS_MAX))
    start = int(window.since.timestamp())
    step = max(1, -(-(int(window.until.timestamp()) - start) // bars))
    names = Names()
    where = window.sql(names) & events_of(actor, names)
    rows = ask(_COUNTS, where, {**known(groups), "start": start, "step": step})
    totals = {int(row[0]): (int(row[3]), int(row[4])) for row in rows if row[1]}
    heights = {issue: [0] * bars for issue in totals}
    for issue, is_total, bar, events, _users in rows:
        if not is_total and 0 <= bar < bars:
            heights[int(issue)][bar] = int(events)
    return {issue: Counts(*totals[issue], heights[issue]) for issue in totals}


@fairly
def events(
    actor: Actor, issue: Issue, *, window: Window | None = None, limit: int = 100, after: str = ""
) -> tuple[list[Event], str]:
    """Return a page of an issue's events, newest first, and the cursor of the next page. Raises BadInput."""
    limit, names = max(1, min(limit, ROWS_MAX)), Names()
    where = events_of(actor, names)
    if window:
        where = where & window.sql(names)
    if after:
        where = where & _behind(names, after)
    rows = ask(_LIST, where, {**_groups(issue), "rows": limit + 1})
    found = [Event(*row) for row in rows]
    is_more = len(found) > limit
    return found[:limit], _cursor(found[limit - 1]) if is_more else ""


def _groups(issue: Issue) -> dict[str, Any]:
    return dict(known(groups_of([issue.pk])))


def _cursor(event: Event) -> str:
    return f"{int(event.ts.timestamp() * 1e6)}.{event.event_id}"


def _behind(names: Names, cursor: str) -> Sql:
    at, _dot, event_id = cursor.partition(".")
    if not at.isdecimal() or len(at) > 16 or not event_id:
        raise BadInput(_("not a cursor of this list"), hint=_("send the `next` of the page before"), field="after")
    return _beside(names, "<", int(at), event_id)


def _beside(names: Names, sign: str, at_us: int, event_id: str) -> Sql:
    text = f"(ts, event_id) {sign} (fromUnixTimestamp64Micro({{}}, 'UTC'), {{}})"
    return names.sql(text, ("Int64", at_us), ("String", event_id))


@fairly
def get_event(actor: Actor, issue: Issue, event_id: str = "") -> Event:
    """Return one event of an issue with its payload, the newest without an id. Raises NotFound."""
    names = Names()
    where = events_of(actor, names)
    if event_id:
        where = where & names.sql("event_id = {}", ("String", event_id.lower().replace("-", "")))
    rows = ask(_WHOLE.replace("{order}", "DESC"), where, _groups(issue))
    if not rows:
        raise NotFound(_("There is no such event of this issue."), hint=_("It may be older than what is kept."))
    *fields, payload = rows[0]
    return replace(Event(*fields), payload=_loaded(payload))


def _loaded(payload: str) -> dict[str, Any]:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


@fairly
def neighbours(actor: Actor, issue: Issue, event: Event) -> Neighbours:
    """Return which events of the issue came before and after this one, and the first and last."""
    at_us = round(event.ts.timestamp() * 1e6)
    found = []
    for sign, order in (("<", "DESC"), (">", "ASC"), ("", "ASC"), ("", "DESC")):
        names = Names()
        where = events_of(actor, names)
        if sign:
            where = where & _beside(names, sign, at_us, event.event_id)
        rows = ask(_NEIGHBOUR.replace("{order}", order), where, _groups(issue))
        found.append(str(rows[0][0]) if rows else "")
    return Neighbours(*found)


@fairly
def tags(actor: Actor, issue: Issue, window: Window | None = None) -> list[Tag]:
    """Return how the tags of an issue's newest events spread, the most frequent tag first."""
    names = Names()
    where = events_of(actor, names)
    if window:
        where = where & window.sql(names)
    rows = ask(_TAGS, where, {**_groups(issue), "sample": SAMPLE, "values": TAG_VALUES})
    found: dict[str, Tag] = {}
    for name, value, count, of_key, total in rows:
        found.setdefault(name, Tag(name, int(of_key), int(total), [])).values.append((value, int(count)))
    return list(found.values())


def attachments(event: Event) -> list[Attachment]:
    """Return the files that came with an event which the actor has been given."""
    rows = ask(_ATTACHMENTS, Sql("1"), {"project": event.project, "event": event.event_id})
    return [Attachment(*row) for row in rows]


def feedback(event: Event) -> list[Feedback]:
    """Return what people wrote about an event which the actor has been given."""
    rows = ask(_FEEDBACK, Sql("1"), {"project": event.project, "event": event.event_id})
    return [Feedback(*row) for row in rows]


@fairly
def find_event(actor: Actor, event_id: str) -> tuple[int, Event]:
    """Return `(issue, event)` of an event's id, whatever issue it is of. Raises NotFound."""
    names = Names()
    where = events_of(actor, names) & names.sql("event_id = {}", ("String", event_id.lower().replace("-", "")))
    rows = ask(f"SELECT {_SELECTED} FROM error_events WHERE {{where}} ORDER BY ts DESC LIMIT 1", where)
    event = Event(*rows[0]) if rows else None
    issue = Issue.objects.filter(of_groups([(event.project, event.grouping_hash)])).first() if event else None
    if event is None or issue is None:
        raise NotFound(_("There is no such event."), hint=_("It may be older than what is kept."))
    return issue.pk, event
