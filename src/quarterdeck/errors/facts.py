"""What the engine knows of groups of events, added up for issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quarterdeck.telemetry import client

Group = tuple[int, int]
_OPTIONS = {"max_execution_time": 60}
_CHANGED = """
    SELECT project, grouping_hash, max(loaded) AS at FROM error_groups
    WHERE loaded >= toDateTime64({since:Float64}, 3, 'UTC')
    GROUP BY project, grouping_hash ORDER BY at, project, grouping_hash"""
# Which group is whose: a small table to join with.
KNOWN = """
    (SELECT triple.1 AS issue, triple.2 AS project, triple.3 AS grouping_hash
     FROM (SELECT arrayJoin({known:Array(Tuple(UInt64, UInt64, UInt64))}) AS triple)) AS known"""
GROUPS = "(project, grouping_hash) IN (SELECT project, grouping_hash FROM " + KNOWN + ")"
_TOTALS = f"""
    SELECT issue, min(first_seen), max(last_seen), uniqMerge(events), uniqArrayMerge(users), argMaxMerge(latest),
        max(is_unhandled), arraySort(groupUniqArrayArray(services)), arraySort(groupUniqArrayArray(senders))
    FROM error_groups INNER JOIN {KNOWN} USING (project, grouping_hash) WHERE {GROUPS} GROUP BY issue"""
_SEEN = f"""
    SELECT issue, project, release, environment, min(first_seen), max(last_seen)
    FROM error_groups INNER JOIN {KNOWN} USING (project, grouping_hash) WHERE {GROUPS}
    GROUP BY issue, project, release, environment"""


_SESSIONS = """
    SELECT project, release, min(started), max(started) FROM release_sessions
    WHERE received >= toDateTime({since:UInt32}, 'UTC') GROUP BY project, release"""


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest event of an issue."""

    event_id: str
    kind: str
    level: str
    type: str
    title: str
    culprit: str
    platform: str
    logger: str
    service: str


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something was seen."""

    first: datetime
    last: datetime

    def __or__(self, other: Span) -> Span:
        return Span(min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class Facts:
    """All that ever came of an issue. `releases` and `environments` leave out events that name none, whose time is
    `nameless` for releases."""

    seen: Span
    events: int
    users: int
    latest: Latest
    is_unhandled: bool
    services: list[str]
    senders: list[int]
    releases: dict[str, Span] = field(default_factory=dict)
    environments: dict[str, Span] = field(default_factory=dict)
    nameless: list[Span] = field(default_factory=list)


def changed(since: datetime) -> list[tuple[Group, datetime]]:
    """Return the groups of which the engine got events since then, with when: `((project, grouping_hash), at)`."""
    rows = client.query(_CHANGED, {"since": max(0.0, since.timestamp())}, options=_OPTIONS)
    return [((int(project), int(number)), at) for project, number, at in rows]


def known(groups: Mapping[int, Sequence[Group]]) -> dict[str, list[tuple[int, int, int]]]:
    """Return the parameter of `KNOWN` for `{issue: groups}`."""
    return {"known": [(issue, *group) for issue, found in groups.items() for group in found]}


def facts_of(groups: Mapping[int, Sequence[Group]]) -> dict[int, Facts]:
    """Return `{issue: facts}` for `{issue: groups}`; an issue of which the engine keeps nothing is left out."""
    if not groups:
        return {}
    parameters = known(groups)
    found = {
        int(issue): Facts(Span(first, last), events, users, Latest(*latest), bool(unhandled), services, senders)
        for issue, first, last, events, users, latest, unhandled, services, senders in client.query(
            _TOTALS, parameters, options=_OPTIONS
        )
    }
    for issue, _project, release, environment, first, last in client.query(_SEEN, parameters, options=_OPTIONS):
        span, facts = Span(first, last), found[int(issue)]
        if release:
            facts.releases[release] = span | facts.releases.get(release, span)
        else:
            facts.nameless.append(span)
        if environment:
            facts.environments[environment] = span | facts.environments.get(environment, span)
    return found


def sessions_since(since: datetime) -> dict[tuple[int, str], Span]:
    """Return `{(project, release): span}` of the sessions that came since then."""
    rows = client.query(_SESSIONS, {"since": int(max(0.0, since.timestamp()))}, options=_OPTIONS)
    return {(int(project), release): Span(first, last) for project, release, first, last in rows}
