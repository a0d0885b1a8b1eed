"""Releases as they run: the share of sessions and users that did not crash, and how far a release has spread.

See https://develop.sentry.dev/sdk/telemetry/sessions/ for what SDKs count as a session and how it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Text, compile_node, parse
from quarterdeck.errors.matching import Window, condition_of
from quarterdeck.errors.models import Release
from quarterdeck.errors.scope import events_of, issues_of
from quarterdeck.errors.sql import ask
from quarterdeck.telemetry.conditions import EVERYTHING, Names, Sql
from quarterdeck.telemetry.error_kinds import IS_ERROR
from quarterdeck.telemetry.turns import fairly

RELEASES_MAX = 500
_SESSIONS = """
    SELECT project, release, sum(count), sumIf(count, status = 'crashed'), sumIf(count, status = 'abnormal'),
        sumIf(count, status IN ('errored', 'unhandled') OR (status IN ('ok', 'exited') AND errors > 0)),
        uniqExactIf(user_hash, user_hash != 0), uniqExactIf(user_hash, user_hash != 0 AND status = 'crashed')
    FROM release_sessions FINAL WHERE {where} GROUP BY project, release"""
_PROJECTS = "SELECT project, sum(count) FROM release_sessions FINAL WHERE {where} GROUP BY project"
_EVENTS = f"""
    SELECT project, release, uniqExact(event_id), uniqExactIf(user, user != '')
    FROM error_events WHERE {{where}} AND {IS_ERROR} AND release != '' GROUP BY project, release"""
_BARS = """
    SELECT intDiv(toUnixTimestamp(started) - {start:Int64}, {step:Int64}) AS bar, sum(count),
        sumIf(count, status = 'crashed')
    FROM release_sessions FINAL WHERE {where} GROUP BY bar"""
_FIELDS = ("release", "project", "environment", "service")
Key = tuple[int, str]


@dataclass(slots=True)
class Health:
    """A release in a window: its sessions, events and issues. `project_sessions` are those of all its releases."""

    project: int
    version: str
    sessions: int = 0
    crashed: int = 0
    abnormal: int = 0
    errored: int = 0
    users: int = 0
    crashed_users: int = 0
    project_sessions: int = 0
    events: int = 0
    event_users: int = 0
    new_issues: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    pk: int = 0
    bars: list[tuple[int, int]] = field(default_factory=list)

    @property
    def crash_free_sessions(self) -> float | None:
        """The share of sessions that did not crash, None without any."""
        return 1 - self.crashed / self.sessions if self.sessions else None

    @property
    def crash_free_users(self) -> float | None:
        return 1 - self.crashed_users / self.users if self.users else None

    @property
    def adoption(self) -> float | None:
        """The share of the project's sessions that run this release."""
        return self.sessions / self.project_sessions if self.project_sessions else None


class _Fields:
    """Fields of releases: both tables have these columns."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def everything(self) -> Sql:
        return EVERYTHING

    def text(self, text: Text) -> Sql:
        return self._names.sql("positionCaseInsensitive(release, {}) > 0", ("String", text.value.text))

    def match(self, match: Match) -> Sql:
        name = {"version": "release", "env": "environment"}.get(match.field, match.field)
        if name not in _FIELDS:
            raise BadQuery(
                _('There is no field "%(field)s".') % {"field": match.field},
                hint=did_you_mean(match.field, _FIELDS) or ", ".join(_FIELDS),
                field=match.field,
                position=match.position,
            )
        return condition_of(self._names, "toString(project)" if name == "project" else name, match)


@fairly
def releases(actor: Actor, query: str, window: Window) -> list[Health]:
    """Return the releases with sessions or errors in the window, the newest first. Raises Denied, BadQuery."""
    names = Names()
    chosen = events_of(actor, names) & compile_node(parse(query), _Fields(names))
    found: dict[Key, Health] = {}
    for project, release, *counts in ask(_SESSIONS, window.sql(names, "started") & chosen):
        own = found.setdefault((project, release), Health(project, release))
        own.sessions, own.crashed, own.abnormal, own.errored, own.users, own.crashed_users = map(int, counts)
    for project, release, events, users in ask(_EVENTS, window.sql(names) & chosen):
        own = found.setdefault((project, release), Health(project, release))
        own.events, own.event_users = int(events), int(users)
    _add_shares(actor, found, window)
    _add_records(actor, found)
    rows = sorted(found.values(), key=lambda own: (own.first_seen is not None, own.first_seen), reverse=True)
    return rows[:RELEASES_MAX]


def _add_shares(actor: Actor, found: Mapping[Key, Health], window: Window) -> None:
    names = Names()
    totals = dict(ask(_PROJECTS, window.sql(names, "started") & events_of(actor, names)))
    for (project, _release), own in found.items():
        own.project_sessions = int(totals.get(project, 0))


def _add_records(actor: Actor, found: Mapping[Key, Health]) -> None:
    projects, versions = {project for project, _release in found}, {release for _project, release in found}
    for row in Release.objects.filter(project__in=projects, version__in=versions):
        if own := found.get((row.project, row.version)):
            own.pk, own.first_seen, own.last_seen = row.pk, row.first_seen, row.last_seen
    began = issues_of(actor).filter(project__in=projects, first_release__in=versions).order_by()
    for project, version, count in began.values_list("project", "first_release").annotate(n=Count("pk")):
        if own := found.get((project, version)):
            own.new_issues = count


@fairly
def get_release(actor: Actor, pk: int, window: Window, *, bars: int = 60) -> Health:
    """Return one release in the window with its sessions in time, as `(all, crashed)`. Raises NotFound."""
    row = visible_release(actor, pk)
    names = Names()
    scope = events_of(actor, names)
    own = {"project": row.project, "version": row.version}
    health = Health(**own, pk=row.pk, first_seen=row.first_seen, last_seen=row.last_seen)  # type: ignore[arg-type]
    chosen = scope & names.sql("project = {} AND release = {}", ("UInt64", row.project), ("String", row.version))
    for _project, _release, *counts in ask(_SESSIONS, window.sql(names, "started") & chosen):
        health.sessions, health.crashed, health.abnormal, health.errored, health.users, health.crashed_users = map(
            int, counts
        )
    for _project, _release, events, users in ask(_EVENTS, window.sql(names) & chosen):
        health.events, health.event_users = int(events), int(users)
    found = {(row.project, row.version): health}
    _add_shares(actor, found, window)
    _add_records(actor, found)
    health.bars = _bars(window.sql(names, "started") & chosen, window, bars)
    return health


def visible_release(actor: Actor, pk: int) -> Release:
    """Return a release that the actor may see. Raises NotFound."""
    row = Release.objects.filter(pk=pk).first()
    if row is None or not _may_see(actor, row, events_of(actor, Names())):
        raise NotFound(_("There is no release %(id)d.") % {"id": pk}, hint=_("See the list of releases."))
    return row


def _may_see(actor: Actor, row: Release, scope: Sql) -> bool:
    """Whether any session or event of the release is of what the actor may see."""
    names = Names("m")
    where = scope & names.sql("project = {} AND release = {}", ("UInt64", row.project), ("String", row.version))
    tables = ("error_events", "release_sessions")
    return scope == EVERYTHING or any(ask(f"SELECT 1 FROM {table} WHERE {{where}} LIMIT 1", where) for table in tables)


def _bars(where: Sql, window: Window, bars: int) -> list[tuple[int, int]]:
    start = int(window.since.timestamp())
    step = max(1, -(-(int(window.until.timestamp()) - start) // bars))
    found = [(0, 0)] * bars
    for bar, sessions, crashed in ask(_BARS, where, {"start": start, "step": step}):
        if 0 <= bar < bars:
            found[bar] = (int(sessions), int(crashed))
    return found


def suspect_release(issue_project: int, first_release: str) -> Release | None:
    """Return the release that brought an issue: the one in which it was first seen, if there were releases before."""
    row = Release.objects.filter(project=issue_project, version=first_release).first() if first_release else None
    if row is None:
        return None
    before = Release.objects.filter(Q(project=issue_project, first_seen__lt=row.first_seen))
    return row if before.exists() else None
