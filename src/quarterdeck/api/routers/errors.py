"""Issues: events of Sentry's SDKs that are the same error, their state, and what people do with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import link_next
from quarterdeck.api.shapes import Body, Id, Json, Line, UrlQuery, moment
from quarterdeck.api.times import at_time
from quarterdeck.core.clock import now
from quarterdeck.errors import actions, events, queries
from quarterdeck.errors.artifacts.resolving import resolved
from quarterdeck.errors.events import Event
from quarterdeck.errors.models import Activity, Issue
from quarterdeck.errors.queries import Window

router = Router()
Rows = Annotated[int, Query(50, ge=1, le=500)]
Cursor = Annotated[str, Query("", max_length=80, description="The `next` of the page before.")]
Sort = Literal["", "last_seen", "-last_seen", "first_seen", "-first_seen", "events", "-events", "users", "-users"]
Hex = Annotated[str, Field(min_length=1, max_length=16, pattern="^[0-9a-fA-F]+$")]


class IssueRow(TypedDict):
    """An issue. `state` is unresolved, resolved or ignored; `resolution` is now, in_release or after_release.

    `ignored_until` is a time, `ignored_events` and `ignored_users` are totals: ignoring ends when one of them is
    reached. `events` and `users` are of all time.
    """

    id: int
    project: int
    title: str
    type: str
    culprit: str
    kind: str
    level: str
    platform: str
    logger: str
    service: str
    state: str
    is_regressed: bool
    is_unhandled: bool
    resolution: str
    resolved_in: str
    resolved_at: str | None
    ignored_until: str | None
    ignored_events: int | None
    ignored_users: int | None
    assignee: str
    first_seen: str
    last_seen: str
    first_release: str
    last_release: str
    events: int
    users: int
    latest_event: str


class IssueInWindow(IssueRow):
    """An issue with its events and users in the time that was asked for."""

    window_events: int
    window_users: int


class IssuePage(Schema):
    items: list[IssueInWindow]
    next: str | None


class ActivityRow(TypedDict):
    """What happened to an issue; `actor` is "" for what its events did. `detail` belongs to `kind`."""

    at: str
    kind: str
    actor: str
    detail: Json


class IssueDetail(Schema):
    """An issue with where it was seen, the hashes of its groups of events (16 hex digits), and its activity."""

    issue: IssueRow
    releases: list[str]
    environments: list[str]
    services: list[str]
    groups: list[str]
    activity: list[ActivityRow]


class IssueEvent(TypedDict):
    """An event. `group` is the hash, in hex, of the events that are the same error."""

    event_id: str
    ts: str
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
    group: str


class IssueEventPage(Schema):
    items: list[IssueEvent]
    next: str | None


class IssueEventDetail(Schema):
    """An event as it was stored, `payload` as the SDK sent it, and the ids of the events beside it ("" at the ends).

    `source` is the payload with the frames that source maps tell, null where none does.
    """

    event: IssueEvent
    payload: Json
    source: Json | None
    older: str
    newer: str


class TagValue(TypedDict):
    value: str
    count: int


class TagRow(Schema):
    """A tag's most frequent values in the newest `total` events, of which `events` have it."""

    name: str
    events: int
    total: int
    values: list[TagValue]


class IssueTags(Schema):
    items: list[TagRow]


class Ids(Body):
    ids: list[Id] = Field(min_length=1, max_length=actions.ISSUES_MAX)


class Resolve(Ids):
    """`release`: only events of it or of newer ones open the issues again; "next": only those of a newer release."""

    release: Line = ""


class Ignore(Ids):
    """Until a time, until so many more events or users, or, without any of these, for ever."""

    until: AwareDatetime | None = None
    events: int | None = Field(None, ge=1, le=10**12)
    users: int | None = Field(None, ge=1, le=10**12)


class Assign(Ids):
    """A user name, "me", or "" for nobody."""

    assignee: Line = ""


class SplitIssue(Body):
    """Hashes of groups in hex, as the issue lists them."""

    groups: list[Hex] = Field(min_length=1, max_length=1000)


class IssueComment(Body):
    text: str = Field(min_length=1, max_length=actions.COMMENT_MAX)


class IssuesChanged(Schema):
    """How many issues were changed."""

    changed: int


def issue_row(issue: Issue) -> IssueRow:
    return {
        "id": issue.pk,
        "project": issue.project,
        "title": issue.title,
        "type": issue.type,
        "culprit": issue.culprit,
        "kind": issue.kind,
        "level": issue.level,
        "platform": issue.platform,
        "logger": issue.logger,
        "service": issue.service,
        "state": issue.state,
        "is_regressed": issue.is_regressed,
        "is_unhandled": issue.is_unhandled,
        "resolution": issue.resolution,
        "resolved_in": issue.resolved_in,
        "resolved_at": moment(issue.resolved_at),
        "ignored_until": moment(issue.ignored_until),
        "ignored_events": issue.ignored_count,
        "ignored_users": issue.ignored_users,
        "assignee": issue.assignee.username if issue.assignee else "",
        "first_seen": moment(issue.first_seen) or "",
        "last_seen": moment(issue.last_seen) or "",
        "first_release": issue.first_release,
        "last_release": issue.last_release,
        "events": issue.event_count,
        "users": issue.user_count,
        "latest_event": issue.latest_event,
    }


def event_row(event: Event) -> dict[str, Any]:
    own = {"ts": moment(event.ts), "group": f"{event.grouping_hash:016x}"}
    return {name: getattr(event, name) for name in IssueEvent.__annotations__ if name not in own} | own


def _activity(row: Activity) -> ActivityRow:
    return {"at": moment(row.at) or "", "kind": row.kind, "actor": row.actor, "detail": row.detail}


def window_of(since: str, until: str) -> Window:
    at = now()
    end = at_time(until, "until", at) if until else at + timedelta(seconds=1)
    return Window(at_time(since, "since", at), end)


@router.get("/errors/issues", response=IssuePage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    q: UrlQuery = "",
    since: Line = "14d",
    until: Line = "",
    selector: UrlQuery = "",
    sort: Sort = "",
    limit: Rows = 50,
    after: Cursor = "",
) -> dict[str, Any]:
    """List issues seen in a stretch of time: `q=is:unresolved level:error release:shop@* assignee:me`."""
    actor, window = identify(request), window_of(since, until)
    rows, cursor = queries.page(queries.issues(actor, q, window, selector=selector, sort=sort), after, limit)
    counted = events.counts(actor, [row.pk for row in rows], window, bars=1)
    none = events.Counts()
    found = [
        {
            **issue_row(row),
            "window_events": counted.get(row.pk, none).events,
            "window_users": counted.get(row.pk, none).users,
        }
        for row in rows
    ]
    link_next(request, response, cursor or None)
    return {"items": found, "next": cursor or None}


@router.post("/errors/issues/resolve", response=IssuesChanged)
def resolve(request: HttpRequest, body: Resolve) -> dict[str, int]:
    """Resolve issues. A later event opens them again, of any release or of those that `release` says."""
    return {"changed": actions.resolve(identify(request), body.ids, release=body.release)}


@router.post("/errors/issues/reopen", response=IssuesChanged)
def reopen(request: HttpRequest, body: Ids) -> dict[str, int]:
    """Make issues unresolved."""
    return {"changed": actions.reopen(identify(request), body.ids)}


@router.post("/errors/issues/ignore", response=IssuesChanged)
def ignore(request: HttpRequest, body: Ignore) -> dict[str, int]:
    """Ignore issues for a while or for ever."""
    changed = actions.ignore(identify(request), body.ids, until=body.until, events=body.events, users=body.users)
    return {"changed": changed}


@router.post("/errors/issues/assign", response=IssuesChanged)
def assign(request: HttpRequest, body: Assign) -> dict[str, int]:
    """Assign issues to a person, or to nobody."""
    return {"changed": actions.assign(identify(request), body.ids, body.assignee)}


@router.post("/errors/issues/merge", response=IssueRow)
def merge(request: HttpRequest, body: Ids) -> IssueRow:
    """Make several issues one: the first of `ids`, which takes the events of the others."""
    return issue_row(actions.merge(identify(request), body.ids))


@router.get("/errors/issues/{int:issue_id}", response=IssueDetail)
def read(request: HttpRequest, issue_id: Id) -> dict[str, Any]:
    """Read one issue; the number of one that was merged away reads the issue that it is part of now."""
    actor = identify(request)
    issue = queries.get_issue(actor, issue_id)
    seen: dict[str, list[str]] = {"release": [], "environment": [], "service": []}
    for name, value in issue.traits.filter(name__in=seen).order_by("-last_seen", "value").values_list("name", "value"):
        seen[name].append(value)
    hashes = [f"{number & (2**64 - 1):016x}" for number in issue.hashes.values_list("grouping_hash", flat=True)]
    return {
        "issue": issue_row(issue),
        "releases": seen["release"],
        "environments": seen["environment"],
        "services": seen["service"],
        "groups": hashes,
        "activity": [_activity(row) for row in queries.activities(actor, issue)],
    }


@router.get("/errors/issues/{int:issue_id}/events", response=IssueEventPage)
def events_(
    request: HttpRequest,
    response: HttpResponse,
    issue_id: Id,
    since: Line = "",
    until: Line = "",
    limit: Rows = 50,
    after: Cursor = "",
) -> dict[str, Any]:
    """List an issue's events, newest first."""
    actor = identify(request)
    window = window_of(since or "3650d", until) if since or until else None
    issue = queries.get_issue(actor, issue_id)
    rows, cursor = events.events(actor, issue, window=window, limit=limit, after=after)
    link_next(request, response, cursor or None)
    return {"items": [event_row(row) for row in rows], "next": cursor or None}


@router.get("/errors/issues/{int:issue_id}/events/{slug:event_id}", response=IssueEventDetail)
def event(request: HttpRequest, issue_id: Id, event_id: str) -> dict[str, Any]:
    """Read one event of an issue, or its newest one as "latest"."""
    actor = identify(request)
    issue = queries.get_issue(actor, issue_id)
    found = events.get_event(actor, issue, "" if event_id == "latest" else event_id)
    beside = events.neighbours(actor, issue, found)
    source = resolved(found.payload, found.project)
    return {
        "event": event_row(found),
        "payload": found.payload,
        "source": source.payload if source.count else None,
        "older": beside.older,
        "newer": beside.newer,
    }


@router.get("/errors/issues/{int:issue_id}/tags", response=IssueTags)
def tags(request: HttpRequest, issue_id: Id, since: Line = "", until: Line = "") -> dict[str, Any]:
    """Answer how the tags of an issue's newest events spread."""
    actor = identify(request)
    window = window_of(since or "3650d", until) if since or until else None
    found = events.tags(actor, queries.get_issue(actor, issue_id), window)
    return {
        "items": [
            {
                "name": tag.name,
                "events": tag.events,
                "total": tag.total,
                "values": [{"value": value, "count": count} for value, count in tag.values],
            }
            for tag in found
        ]
    }


@router.post("/errors/issues/{int:issue_id}/split", response=IssueRow)
def split(request: HttpRequest, issue_id: Id, body: SplitIssue) -> IssueRow:
    """Take groups of events out of an issue into one of their own, which is answered."""
    return issue_row(actions.split(identify(request), issue_id, body.groups))


@router.post("/errors/issues/{int:issue_id}/comments", response=IssuesChanged)
def comment(request: HttpRequest, issue_id: Id, body: IssueComment) -> dict[str, int]:
    """Write a comment into an issue's activity."""
    actions.comment(identify(request), issue_id, body.text)
    return {"changed": 1}
